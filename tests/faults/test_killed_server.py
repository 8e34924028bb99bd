"""PostgreSQL is killed under load, again and again: what was acknowledged is there, once."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from controlplane.app import App, running
from controlplane.commands import Command
from controlplane.commands.plan import DraftPlanVersion
from controlplane.commands.team import FormTeam
from controlplane.store import UnavailableError
from controlplane.store.embedded import Lease, ensure
from controlplane.store.eventstore import head, read
from domain.plan import Plan
from domain.plan_terms import PlanTerms
from domain.price import Price
from domain.team import Team
from tests.controlplane.commands.world import do, world

CLIENTS = 12
KILLS = 3
LOAD_S = 0.5


@dataclass
class Servers:
    """A PostgreSQL of our own, and the leases by which it lives."""

    folder: Path
    leases: list[Lease] = field(default_factory=list)

    def bring_up(self) -> str:
        """Start it, or bring it back; return its DSN."""
        self.leases.append(ensure(self.folder))
        return self.leases[-1].dsn

    def kill(self) -> None:
        """End its first process, ours alone, without a chance to tidy up."""
        cluster = self.leases[-1].data_dir / "pgdata"
        process_id = int((cluster / "postmaster.pid").read_text().split()[0])
        os.kill(process_id, signal.SIGKILL)


@pytest.fixture
def servers(data_dir: Path) -> Iterator[Servers]:
    found = Servers(data_dir)
    yield found
    for lease in found.leases:
        lease.close()


@dataclass
class Load:
    """Clients that ask until they are told to stop, and each question until it is answered."""

    plan: UUID
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: dict[str, int] = field(default_factory=dict)
    failures: int = 0

    def command(self, client: int, number: int) -> Command:
        """Return a question of its own key: a new team, or a draft of the plan that all share."""
        key = f"{client}-{number}"
        if number % 3:
            return FormTeam(name=key, idempotency_key=key)
        price = Price("EUR", Decimal(client) + Decimal(number).scaleb(-6))
        terms = PlanTerms(None, None, price, "MANUAL")
        return DraftPlanVersion(plan_id=self.plan, terms=terms, idempotency_key=key)

    async def client(self, app: App, client: int) -> None:
        """Ask; any answer but success or "unavailable" would be a false one, and is raised."""
        number = 0
        while not self.stop.is_set():
            number += 1
            command = self.command(client, number)
            assert command.idempotency_key is not None
            while True:
                try:
                    answer = await do(app, command)
                except UnavailableError:
                    self.failures += 1
                    await asyncio.sleep(0.05)
                else:
                    break
            assert answer.outcome.position is not None
            self.acknowledged[command.idempotency_key] = answer.outcome.position


async def head_of(app: App) -> int:
    async with app.services.pool.acquire() as connection:
        return await head(connection)


async def stored(app: App, began: int) -> tuple[Counter[str], dict[str, int]]:
    """Return how often each client's question was done since, and at which position."""
    async with app.services.pool.acquire() as connection:
        recorded = await read(connection, after=began, upto=await head(connection))
    times: Counter[str] = Counter()
    positions: dict[str, int] = {}
    for each in recorded:
        match each.event:
            case Team.Formed(name=name):
                key = name
            case Plan.VersionDrafted(terms=PlanTerms(price=Price(monthly_fee=fee))):
                key = f"{int(fee)}-{int(fee % 1 * 10**6)}"
            case _:
                continue
        times[key] += 1
        positions[key] = each.position
    return times, positions


async def test_what_was_acknowledged_is_there_once_after_the_server_was_killed(
    servers: Servers,
) -> None:
    dsn = await asyncio.to_thread(servers.bring_up)
    async with running(dsn) as one, running(dsn) as two:
        load = Load((await world(one)).drafted_plan)
        began = await head_of(one)
        clients = [
            asyncio.create_task(load.client(app, number))
            for number, app in enumerate((one, two) * (CLIENTS // 2), 1)
        ]
        for _ in range(KILLS):
            await asyncio.sleep(LOAD_S)
            servers.kill()
            assert await asyncio.to_thread(servers.bring_up) == dsn
        before = len(load.acknowledged)
        await asyncio.sleep(LOAD_S)
        load.stop.set()
        await asyncio.gather(*clients)  # raises what was no true answer
        assert len(load.acknowledged) > before > CLIENTS
        times, positions = await stored(one, began)
        for key, position in load.acknowledged.items():
            assert (times[key], positions[key]) == (1, position)
        assert set(times.values()) == {1}  # what was done and not acknowledged too
        last = max(positions.values())
        for app in (one, two):
            await app.projector.wait_until(last)
        audited = await one.services.pool.fetchrow(
            "SELECT count(*), count(DISTINCT position), max(position) FROM audit"
            " WHERE position <= $1",  # the timer may have had something to do since
            last,
        )
        assert audited is not None
        assert tuple(audited) == (last, last, last)
