"""Subscriptions: what is told when, to whom, and that nothing is missed or told twice."""

import asyncio

import pytest
from structlog.testing import capture_logs

from controlplane.graphql import feed, live
from tests.controlplane.graphql.live import Socket, connected
from tests.controlplane.graphql.portal import Portal
from tests.given import PETSTORE

CHANGED = """subscription ($id: ID!) {
  productChanged(id: $id) { name state versions { nodes { state } } } }"""
EVENTS = "subscription ($after: Position) { auditEvents(after: $after) { position event data } }"


async def defined(portal: Portal, visibility: str) -> tuple[str, str]:
    """Define a product with a version; return their ids."""
    product = await portal.done(
        "manager", "defineProduct", slug=visibility.lower(), name="x", visibility=visibility
    )
    version = await portal.done(
        "manager",
        "defineVersion",
        productId=product["id"],
        number="1.0.0",
        document=PETSTORE.decode(),
    )
    await portal.seen()
    return product["id"], version["id"]


async def test_a_product_is_told_to_those_who_see_it_when_it_or_a_version_changes(
    portal: Portal,
) -> None:
    for visibility in ("PUBLIC", "PRIVATE"):
        product, version = await defined(portal, visibility)
        tokens = portal.tokens
        async with (
            connected(portal.client, tokens["manager"]) as manager,
            connected(portal.client, tokens["developer"]) as developer,
            connected(portal.client) as visitor,
            connected(portal.client, tokens["stranger"]) as stranger,
        ):
            everybody = (manager, developer, visitor, stranger)
            await following(everybody, CHANGED, id=product)
            await portal.done("manager", "publishVersion", versionId=version)
            told = (await manager.next())["productChanged"]
            assert told == {
                "name": "x",
                "state": "DRAFT",
                "versions": {"nodes": [{"state": "PUBLISHED"}]},
            }
            for socket in (developer, visitor, stranger):
                await socket.silent(0.15)
            await portal.done("manager", "publishProduct", productId=product)
            seen = {**told, "state": "PUBLISHED"}
            assert (await manager.next())["productChanged"] == seen
            assert (await developer.next())["productChanged"] == seen
            if visibility == "PUBLIC":
                assert (await visitor.next())["productChanged"] == seen
            else:
                await visitor.silent(0.15)
            await stranger.silent(0.15)
            await portal.done("owner", "formTeam", name="unrelated")
            await manager.silent(0.15)


async def following(sockets: tuple[Socket, ...], query: str, **variables: object) -> None:
    """Subscribe, and wait until that is heard."""
    for socket in sockets:
        await socket.subscribe("1", query, **variables)
    for socket in sockets:
        await socket.send("ping")
        assert await socket.receive() == {"type": "pong"}
    await asyncio.sleep(0.1)


async def test_a_product_that_is_hidden_is_told_as_null_once(portal: Portal) -> None:
    product, version = await defined(portal, "PUBLIC")
    await portal.done("manager", "publishProduct", productId=product)
    await portal.seen()
    async with connected(portal.client) as socket:
        await following((socket,), CHANGED, id=product)
        # The read model is told what no command of today does.
        await portal.app.services.pool.execute("UPDATE product SET visibility = 'PRIVATE'")
        await portal.done("manager", "publishVersion", versionId=version)
        assert await socket.next() == {"productChanged": None}
        await portal.done(
            "manager",
            "defineVersion",
            productId=product,
            number="2.0.0",
            document=PETSTORE.decode(),
        )
        await socket.silent()


async def test_all_events_come_once_and_in_order_through_replay_and_reconnection(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAGE_EVENTS", 3)
    told: list[str] = []
    after = f"{portal.app.epoch}.0"
    writing = asyncio.create_task(written(portal, 60))
    for _ in range(4):
        async with connected(portal.client, portal.tokens["auditor"]) as socket:
            await socket.subscribe("1", EVENTS, after=after)
            for _ in range(11):
                event = (await socket.next())["auditEvents"]
                told.append(event["position"])
                after = event["position"]
    await writing
    await portal.seen()
    rows = await portal.app.services.pool.fetch(
        "SELECT position FROM audit WHERE organization_id = $1 ORDER BY position",
        portal.organization_id,
    )
    expected = [f"{portal.app.epoch}.{row['position']}" for row in rows]
    assert len(told) == 44
    assert told == expected[:44]


async def written(portal: Portal, times: int) -> None:
    for nth in range(times):
        who = "stranger" if nth % 3 == 0 else "owner"
        await portal.done(who, "formTeam", name=f"team {nth}")


async def test_many_writers_at_once_leave_no_gap_for_a_live_auditor(portal: Portal) -> None:
    async with connected(portal.client, portal.tokens["auditor"]) as socket:
        await portal.seen()
        await following((socket,), EVENTS)
        await asyncio.gather(*[portal.done("owner", "formTeam", name=f"t{n}") for n in range(50)])
        told = [(await socket.next())["auditEvents"] for _ in range(50)]
        await socket.silent(0.2)
    assert {each["data"]["name"] for each in told} == {f"t{n}" for n in range(50)}
    numbers = [int(each["position"].partition(".")[2]) for each in told]
    assert numbers == sorted(set(numbers))


async def test_only_who_may_read_the_trail_may_follow_it_and_only_in_this_epoch(
    portal: Portal,
) -> None:
    for who in ("developer", "manager", "operator", None):
        async with connected(portal.client, portal.tokens[who] if who else None) as socket:
            await socket.subscribe("1", EVENTS)
            assert (await socket.error())["extensions"]["code"] == "NOT_PERMITTED", who
    async with connected(portal.client, portal.tokens["auditor"]) as socket:
        await socket.subscribe("1", EVENTS, after="99.1")
        assert (await socket.error())["extensions"]["code"] == "ANOTHER_EPOCH"


async def test_whoever_is_far_behind_is_woken_unasked(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "RANGE_EVENTS", 0)
    async with connected(portal.client, portal.tokens["auditor"]) as socket:
        await portal.seen()
        await following((socket,), EVENTS)
        await portal.done("owner", "formTeam", name="x")
        assert (await socket.next())["auditEvents"]["event"] == "team.formed"


async def test_a_subscription_survives_a_question_that_fails(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = "SELECT pg_terminate_backend(pg_backend_pid()), $1::bigint, $2::bigint, $3::uuid[]"
    monkeypatch.setattr(feed, "RETRY_S", 0.01)
    async with connected(portal.client, portal.tokens["auditor"]) as socket:
        await portal.seen()
        await following((socket,), EVENTS)
        with capture_logs() as logs, monkeypatch.context() as cutting:
            cutting.setattr(feed, "_HAPPENED", cut)
            await portal.done("owner", "formTeam", name="x")
            async with asyncio.timeout(10):
                while "feed.database_away" not in {each["event"] for each in logs}:
                    await asyncio.sleep(0.01)
        assert (await socket.next())["auditEvents"]["event"] == "team.formed"


async def test_a_subscription_is_refused_over_plain_http(portal: Portal) -> None:
    error = await portal.error("owner", "subscription { auditEvents { event } }")
    assert "graphql-transport-ws" in error["message"]
