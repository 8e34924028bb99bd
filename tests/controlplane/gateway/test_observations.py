"""What gateways ran, could not run, and when they were heard: kept by the database's clock."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Record

from controlplane.app import App, running
from controlplane.auth import PERMISSIONS
from controlplane.commands.gateway import DrainGateway, ReinstateGateway
from controlplane.context import Caller
from controlplane.gateway import coalesced, envoy_parts
from controlplane.gateway.acknowledgement import Heard, Runs
from controlplane.gateway.envoy_parts import PartRuns
from controlplane.gateway.observations import REASON_CHARS, Observations
from controlplane.settings import Settings
from controlplane.store import UnavailableError
from domain.access_token import Role
from domain.cursor import Cursor
from tests.controlplane.gateway.edge import Client, Provider
from tests.given import OWNER

ACKNOWLEDGE = """mutation ($cursor: String!, $hash: String!) {
  acknowledgeConfig(input: {cursor: $cursor, contentHash: $hash}) {
    acknowledgedAt runningSince current diverged } }"""
REPORT = """mutation ($cursor: String!, $reason: String!) {
  reportConfigError(input: {cursor: $cursor, reason: $reason}) { cursor reportedAt } }"""


async def runs_of(app: App, gateway_id: UUID) -> Sequence[Record]:
    return await app.services.pool.fetch(
        "SELECT * FROM gateway_run WHERE gateway_id = $1 ORDER BY running_since", gateway_id
    )


async def acknowledged(client: Client, token: str, cursor: str, hash_: str) -> dict[str, Any]:
    answer = await client.ask(token, ACKNOWLEDGE, {"cursor": cursor, "hash": hash_})
    said: dict[str, Any] = answer["data"]["acknowledgeConfig"]
    return said


async def test_what_a_gateway_ran_is_kept_from_when_until_when(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    held = await client.config(token)
    first = await acknowledged(client, token, held["cursor"], held["content_hash"])
    again = await acknowledged(client, token, held["cursor"], held["content_hash"])
    await provider.subscription("pets")
    await provider.settled()
    newer = await client.config(token)

    then = await acknowledged(client, token, newer["cursor"], newer["content_hash"])
    assert then["current"]

    former, present = await runs_of(provider.app, provider.ids["edge-gateway"])
    assert f"{former['epoch']}.{former['position']}" == held["cursor"]
    assert former["content_hash"] == held["content_hash"]
    assert former["running_since"] == datetime.fromisoformat(first["runningSince"])
    assert former["acknowledged_at"] == datetime.fromisoformat(again["acknowledgedAt"])
    assert former["running_until"] == present["running_since"]
    assert f"{present['epoch']}.{present['position']}" == newer["cursor"]
    assert present["running_until"] is None


async def test_a_hash_that_is_not_ours_stays_known_as_diverged_when_the_cursor_is_old(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    held = await client.config(token)
    assert (await acknowledged(client, token, held["cursor"], "0" * 64))["diverged"]
    await provider.subscription("pets")
    await provider.settled()

    assert (await acknowledged(client, token, held["cursor"], "0" * 64))["diverged"]
    assert not (await acknowledged(client, token, held["cursor"], "1" * 64))["diverged"]

    runs = await runs_of(provider.app, provider.ids["edge-gateway"])
    assert [each["diverged"] for each in runs] == [True, False]


async def test_what_a_gateway_cannot_run_is_kept_once_with_the_newest_reason(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    cursor = (await client.config(token))["cursor"]
    for reason in ("no such cluster", "x\0\n\t" + "y" * 2_000):
        said = {"cursor": cursor, "reason": reason}
        assert (await client.ask(token, REPORT, said))["data"]["reportConfigError"]["reportedAt"]

    for said in ({"cursor": "x", "reason": "y"}, {"cursor": cursor, "reason": " \0 "}):
        (error,) = (await client.ask(token, REPORT, said))["errors"]
        assert error["extensions"]["code"] == "BAD_INPUT"
    owner = await provider.token(Role.OWNER)
    (error,) = (await client.ask(owner, REPORT, said))["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"

    (kept,) = await provider.app.services.pool.fetch("SELECT * FROM gateway_rejections")
    assert kept["gateway_id"] == provider.ids["edge-gateway"]
    assert kept["reason"] == "x   " + "y" * (REASON_CHARS - 4)
    assert kept["times"] == 2
    assert await runs_of(provider.app, kept["gateway_id"]) == []


async def test_a_poll_says_that_the_gateway_lives(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    owner = await provider.token(Role.OWNER)
    await provider.settled()
    await client.config(owner, group="edge")
    first = await client.config(token)
    for _ in range(3):
        assert (await client.get(token, since=first["cursor"])).status == 304
    heard: Sequence[Record] = []
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0.01)
            heard = await provider.app.services.pool.fetch("SELECT * FROM gateway_contacts")
    assert [each["gateway_id"] for each in heard] == [provider.ids["edge-gateway"]]


def gateway(nth: int) -> Caller:
    return replace(
        OWNER, role=Role.GATEWAY, permissions=PERMISSIONS[Role.GATEWAY], gateway_id=UUID(int=nth)
    )


async def test_a_thousand_gateways_that_acknowledge_at_once_cost_a_few_statements(
    client: Client, provider: Provider
) -> None:
    await provider.gateway("edge")
    await provider.settled()
    delivery = client.delivery
    served = await delivery.served(provider.owner, "edge", ())
    cursor, hash_ = Cursor(1, served.view.cursor), served.view.content_hash

    kept = await asyncio.gather(
        *(
            delivery.observations.acknowledged(gateway(nth), served, cursor, hash_)
            for nth in range(1_000)
        )
    )

    assert [each.gateway_id.int for each in kept] == list(range(1_000))
    assert all(each.is_news and not each.diverged for each in kept)
    assert delivery.observations.runs.batches <= 3
    count = "SELECT count(*) FROM gateway_acknowledgements"
    assert await provider.app.services.pool.fetchval(count) == 1_000


async def test_what_one_gateway_says_in_a_row_is_all_kept_in_its_order(app: App) -> None:
    observations = Observations(app)
    said = [
        Runs(Heard(UUID(int=9), UUID(int=1)), Cursor(1, nth), "a" * 64, diverged=False)
        for nth in range(5)
    ]

    kept = await asyncio.gather(*(observations.runs.say(each) for each in said))

    assert [each.cursor.position for each in kept] == list(range(5))
    rows = await runs_of(app, UUID(int=1))
    assert [row["position"] for row in rows] == list(range(5))
    ends = [row["running_until"] for row in rows]
    assert ends == [*(row["running_since"] for row in rows[1:]), None]


async def test_what_is_written_late_takes_the_place_of_nothing_newer(
    provider: Provider, dsn: str
) -> None:
    app = provider.app
    await provider.product("more")
    edge = Heard(UUID(int=9), UUID(int=1))

    def ran(position: int, hash_: str) -> Runs:
        return Runs(edge, Cursor(app.epoch, position), hash_ * 64, diverged=False)

    newer, newest = ran(provider.position - 1, "b"), ran(provider.position, "c")
    async with running(dsn, follow=False) as slow:
        first, second = Observations(app), Observations(slow)
        for said, by, known in (
            (ran(10**9, "f"), first, ran(10**9, "f")),  # it was never given that
            (newer, first, newer),
            (ran(1, "a"), second, newer),
            (newest, second, newest),
            (newer, first, newest),
            (ran(provider.position, "d"), first, ran(provider.position, "d")),
        ):
            kept = await by.runs.say(said)
            assert (kept.cursor, kept.content_hash) == (known.cursor, known.content_hash)
    runs = await runs_of(app, edge.gateway_id)
    assert [row["content_hash"][0] for row in runs] == ["f", "b", "c", "d"]


async def test_what_an_envoy_was_sent_by_another_history_makes_room_for_what_it_runs_now(
    provider: Provider,
) -> None:
    edge, epoch = Heard(UUID(int=9), UUID(int=1)), provider.app.epoch
    async with provider.app.services.lend() as connection:
        for version, sent_at, known in (
            ("other", Cursor(epoch + 6, 1), "other"),
            ("own", Cursor(epoch, 2), "own"),
            ("beyond", Cursor(epoch, 10**9), "beyond"),
            ("newer", Cursor(epoch, provider.position), "newer"),
            ("late", Cursor(epoch, 2), "newer"),
            ("", Cursor(0, 0), ""),
        ):
            (runs,) = await envoy_parts.say(connection, [PartRuns(edge, "lds", version, sent_at)])
            assert runs.versions == {"lds": known}


async def test_two_processes_that_hear_of_the_same_gateways_lose_nothing_newer(
    provider: Provider, dsn: str
) -> None:
    app = provider.app
    await provider.product("more")
    async with running(dsn, follow=False) as other:
        speakers = [Observations(app), Observations(other)]
        gateways = [Heard(UUID(int=9), UUID(int=nth)) for nth in range(50)]
        await asyncio.gather(
            *(
                speakers[position % 2].runs.say(
                    Runs(each, Cursor(app.epoch, position), "a" * 64, diverged=False)
                )
                for position in range(provider.position)
                for each in (gateways if position % 3 else reversed(gateways))
            )
        )
    counted = await app.services.pool.fetch(
        "SELECT max(position), count(*) = count(DISTINCT position), array_agg(position ORDER BY"
        " running_since) = array_agg(position ORDER BY position) FROM gateway_run"
        " GROUP BY gateway_id"
    )
    assert [tuple(row) for row in counted] == [(provider.position - 1, True, True)] * 50


async def test_more_than_can_wait_is_refused_and_not_remembered(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalesced, "WAITING", 2)
    observations = Observations(app)
    said = [
        Runs(Heard(UUID(int=9), UUID(int=n)), Cursor(1, 1), "a" * 64, diverged=False)
        for n in range(3)
    ]
    waiting = [observations.runs.say(each) for each in said[:2]]

    with pytest.raises(UnavailableError):
        observations.runs.say(said[2])

    assert len(await asyncio.gather(*waiting)) == 2


async def test_a_drained_gateway_is_handed_nothing_until_it_is_reinstated(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    held = await client.config(token)
    for _ in range(2):
        assert (await client.get(token, since=held["cursor"])).status == 304
    waiting = asyncio.create_task(client.get(token, since=held["cursor"], wait="30"))
    await client.held(1)

    await provider.do(DrainGateway(gateway_id=provider.ids["edge-gateway"]))
    assert (await client.get(token, since=held["cursor"])).status == 403
    answer = await client.ask(
        token, ACKNOWLEDGE, {"cursor": held["cursor"], "hash": held["content_hash"]}
    )
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    await provider.subscription("pets")  # wakes who waits
    assert (await waiting).status == 403

    await provider.do(ReinstateGateway(gateway_id=provider.ids["edge-gateway"]))
    assert (await client.get(token, since=held["cursor"])).status == 200


async def test_what_cannot_be_written_is_refused_at_once_and_the_next_is_kept(dsn: str) -> None:
    said = [
        Runs(Heard(UUID(int=9), UUID(int=nth)), Cursor(1, 1), "a" * 64, diverged=False)
        for nth in range(3)
    ]
    async with running(dsn, Settings(database_budget_s=1), follow=False) as app:
        observations, pool = Observations(app), app.services.pool
        async with pool.acquire() as link, link.transaction():
            await link.execute("LOCK TABLE gateway_acknowledgements")
            waiting = [observations.runs.say(said[0])]
            await asyncio.sleep(0.1)  # it is under way, and the others wait for it
            waiting += [observations.runs.say(each) for each in said[1:]]
            async with asyncio.timeout(2.5):  # and not a budget each
                refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in refused] == [UnavailableError] * 3

        assert (await observations.runs.say(said[0])).is_news
