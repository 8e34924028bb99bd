"""A database that neither answers nor closes its connections: bounded errors, then recovery."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest

from controlplane.app import App, running
from controlplane.commands import Command, execute
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.credential import IssueCredential
from controlplane.commands.subscription import AcceptSubscription
from controlplane.commands.team import FormTeam, RegisterDeveloper
from controlplane.settings import Settings
from controlplane.store import UnavailableError
from tests.controlplane.commands.world import COMMANDS, World, do, world
from tests.faults.proxy import Proxy, proxied
from tests.given import OWNER

BUDGET_S = 1.0  # in which a busy machine answers, too
SLACK_S = 2.0  # for the machine
ROUNDS = 2
SETTINGS = Settings(database_budget_s=BUDGET_S)


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """Measure how long the event loop was ever away."""
    gaps: list[float] = []

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - before)

    beating = asyncio.create_task(beat())
    try:
        yield gaps
    finally:
        beating.cancel()
        await asyncio.wait([beating])


async def failed_after(app: App, command: Command, *, dry_run: bool = False) -> float:
    """Return after how many seconds the command failed as it should."""
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        await execute(command, app.context(OWNER), dry_run=dry_run)
    return time.monotonic() - started


async def recovered(app: App, command: Command) -> None:
    """Retry as a client would, for ten seconds at most."""
    async with asyncio.timeout(10):
        while True:
            try:
                await do(app, command)
            except UnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


def asked(there: World) -> list[Command]:
    """Return commands that need the database in every way that there is."""
    unknown = UUID(int=0xDEAD)
    kinds = [give(there) for kind, give in COMMANDS.items() if kind.permission in OWNER.permissions]
    contended: list[Command] = [IssueCredential(subscription_id=there.active)] * 20
    keyed = [replace(command, idempotency_key=f"key {n}") for n, command in enumerate(kinds)]
    return [
        *kinds,
        *contended,
        *keyed,
        PublishProduct(product_id=unknown),
        AcceptSubscription(subscription_id=unknown),
        DefineProduct(slug="pets", name="Pets"),
        RegisterDeveloper(team_id=there.team, name="A", mail="a@b"),
        *(FormTeam(name=str(n)) for n in range(50)),
    ]


async def test_every_command_fails_within_twice_its_budget_and_the_loop_goes_on(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, SETTINGS) as app:
        there = await world(app)
        commands = asked(there)
        proxy.blackhole()
        async with heartbeat() as gaps:
            for _ in range(ROUNDS):
                took = await asyncio.gather(
                    *(failed_after(app, command) for command in commands),
                    failed_after(app, commands[0], dry_run=True),
                )
                assert max(took) < 2 * BUDGET_S + SLACK_S
        # Whoever waited for the database in the loop would hold it up again and again; that so many
        # commands begin at once does so once a round, for longer the busier the machine is.
        assert sorted(gaps)[-1 - ROUNDS] < BUDGET_S


async def test_what_gateways_ask_fails_within_its_budget(dsn: str) -> None:
    """The connection is given up, or another budget would go by until it is given back."""
    budget_s = 1.5 * SLACK_S
    settings = Settings(database_budget_s=budget_s)
    async with proxied(dsn) as proxy, running(proxy.dsn, settings) as app:
        there = await world(app)
        proxy.blackhole()
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            await app.mirrors.as_of(OWNER.organization_id, str(there.group), 1)
        assert time.monotonic() - started < budget_s + SLACK_S


async def test_when_the_database_answers_again_so_do_we(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, SETTINGS) as app:
        there = await world(app)
        for n in range(3):
            proxy.blackhole()
            await asyncio.gather(*(failed_after(app, command) for command in asked(there)[:30]))
            proxy.forward()
            await recovered(app, FormTeam(name=f"After {n}", idempotency_key=f"after {n}"))
            answer = await do(app, FormTeam(name=f"Then {n}"))
            async with asyncio.timeout(10):
                while app.projector.position < (answer.outcome.position or 0):
                    await asyncio.sleep(0.05)
        names = await app.services.pool.fetch(
            "SELECT name, count(*) FROM team WHERE name LIKE 'After%' GROUP BY name"
        )
        assert {tuple(row) for row in names} == {(f"After {n}", 1) for n in range(3)}


async def test_what_was_asked_in_the_hole_is_done_once_when_it_is_asked_again(dsn: str) -> None:
    """The answer may be lost after the COMMIT: a retry with the key finds out."""
    async with proxied(dsn) as proxy, running(proxy.dsn, SETTINGS) as app:
        await world(app)
        commands = [FormTeam(name=f"Team {n}", idempotency_key=str(n)) for n in range(60)]
        asking = [asyncio.create_task(do(app, command)) for command in commands]
        await asyncio.sleep(0)
        proxy.blackhole()
        await asyncio.gather(*asking, return_exceptions=True)
        proxy.forward()
        await asyncio.gather(*(recovered(app, command) for command in commands))
        formed = await app.services.pool.fetchval(
            "SELECT count(*) FROM stored_events WHERE topic = 'team.formed'"
        )
        assert formed == len(commands) + 2


async def stop_in_a_hole(proxy: Proxy, after_s: float, hole: asyncio.Barrier) -> float:
    async with running(proxy.dsn, SETTINGS) as app:
        await do(app, FormTeam(name="Payments"))
        await hole.wait()
        proxy.blackhole()
        await asyncio.sleep(after_s)
        started = time.monotonic()
    return time.monotonic() - started


async def test_a_process_can_stop_while_its_database_is_away(dsn: str) -> None:
    """Whatever its tasks are at: each of these stops at another moment of their round."""
    moments = [0.15 * nth for nth in range(12)]
    hole = asyncio.Barrier(len(moments))
    async with proxied(dsn) as proxy, asyncio.timeout(40):
        stopping = (stop_in_a_hole(proxy, after_s, hole) for after_s in moments)
        assert max(await asyncio.gather(*stopping)) < 10 * BUDGET_S
