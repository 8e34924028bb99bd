"""graphql-transport-ws over real WebSockets: the protocol, its bounds, and its ends."""

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from controlplane.app import App
from controlplane.commands import execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.graphql import connection, websocket
from domain.access_token import Role
from tests import processes
from tests.controlplane.graphql.live import Socket, connected, raw
from tests.controlplane.graphql.portal import Portal
from tests.controlplane.graphql.site import serving
from tests.controlplane.graphql.test_http import TOO_MUCH
from tests.given import AT, caller

ROLE = "{ viewer { role } }"
EVENTS = "subscription ($after: Position) { auditEvents(after: $after) { position event } }"


@pytest.fixture
async def portal(app: App) -> AsyncIterator[Portal]:
    async with serving(app) as portal:
        yield portal


async def test_queries_and_mutations_are_answered_like_over_http(portal: Portal) -> None:
    async with connected(portal.client, portal.tokens["owner"]) as socket:
        await socket.subscribe("1", ROLE)
        assert await socket.next() == {"viewer": {"role": "OWNER"}}
        assert await socket.receive() == {"id": "1", "type": "complete"}
        form = 'mutation { formTeam(input: {name: "ants"}) { ... on Changed { events } } }'
        await socket.subscribe("1", form)
        assert await socket.next() == {"formTeam": {"events": ["team.formed"]}}
    async with connected(portal.client) as socket:
        await socket.subscribe("a", ROLE)
        assert await socket.next("a") == {"viewer": {"role": None}}
    header = {"Authorization": f"Bearer {portal.tokens['auditor']}"}
    async with connected(portal.client, None, **header) as socket:
        await socket.subscribe("1", ROLE)
        assert await socket.next() == {"viewer": {"role": "AUDITOR"}}


async def test_what_is_no_message_closes_the_connection_with_4400(portal: Portal) -> None:
    subscribe = {"type": "subscribe", "id": "1", "payload": {"query": ROLE}}
    wrong: tuple[object, ...] = (
        1,
        None,
        "x",
        [],
        {},
        {"type": None},
        {"type": "start"},
        {"type": "next", "id": "1"},
        {"type": "ping", "payload": 1},
        {"type": "connection_init", "payload": []},
        {"type": "connection_init", "payload": {"authorization": 1}},
    )
    for message in wrong:
        async with raw(portal.client) as socket:
            await socket.socket.send_json(message)
            assert (await socket.closed())[0] == 4400, message
    acknowledged: tuple[object, ...] = (
        {**subscribe, "id": 1},
        {**subscribe, "id": ""},
        {**subscribe, "id": "x" * 1_000},
        {**subscribe, "payload": None},
        {**subscribe, "payload": "x"},
        {"type": "complete"},
    )
    for message in acknowledged:
        async with connected(portal.client) as socket:
            await socket.socket.send_json(message)
            assert (await socket.closed())[0] == 4400, message
    for text in ("", "{", "[" * 5_000, '{"type": "ping", "payload": {"a": "\\ud800"}}'):
        async with raw(portal.client) as socket:
            await socket.socket.send_str(text)
            assert (await socket.closed())[0] == 4400, text
    async with raw(portal.client) as socket:
        await socket.socket.send_bytes(b'{"type": "ping"}')
        assert (await socket.closed())[0] == 4400


async def test_the_rules_of_the_protocol_are_kept(portal: Portal) -> None:
    async with raw(portal.client) as socket:
        await socket.subscribe("1", ROLE)
        assert (await socket.closed())[0] == 4401
    async with connected(portal.client) as socket:
        await socket.send("connection_init")
        assert (await socket.closed())[0] == 4429
    async with connected(portal.client, portal.tokens["owner"]) as socket:
        await socket.subscribe("1", EVENTS)
        await socket.subscribe("1", EVENTS)
        assert await socket.closed() == (4409, "Subscriber for '1' already exists")
    async with raw(portal.client) as socket:
        await socket.send("ping", payload={"a": 1})
        assert await socket.receive() == {"type": "pong", "payload": {"a": 1}}
        await socket.send("pong")
        await socket.initialise()
    async with raw(portal.client, "graphql-ws") as socket:
        assert socket.socket.protocol is None
        assert (await socket.closed())[0] == 4406


async def test_a_request_that_is_refused_is_told_under_its_id(portal: Portal) -> None:
    payloads: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "`query`"),
        ({"query": 1}, "`query`"),
        ({"query": "{"}, "Syntax Error"),
        ({"query": "{ nothing }"}, "nothing"),
        ({"query": ROLE, "operationName": "x"}, "operation"),
        ({"query": ROLE, "variables": []}, "`variables`"),
        ({"query": "subscription { productChanged(id: 1.5) { id } }"}, "ID"),
        ({"query": 'subscription { productChanged(id: "x") { id } }'}, "ApiProduct"),
        ({"query": "subscription { auditEvents { event } }"}, "audit:read"),
        ({"query": "{ __schema { types { name } } }"}, "token"),
    )
    async with connected(portal.client) as socket:
        for payload, said in payloads:
            await socket.send("subscribe", id="1", payload=payload)
            assert said in (await socket.error())["message"], payload
        for query, code in TOO_MUCH:
            if len(query) < websocket.FRAME_BYTES:
                await socket.subscribe("1", query)
                error = await socket.error()
                assert code is None or error["extensions"]["code"] == code
        await socket.subscribe("1", ROLE)
        assert await socket.next() == {"viewer": {"role": None}}


async def test_a_message_that_is_too_large_closes_the_connection(portal: Portal) -> None:
    async with connected(portal.client) as socket:
        await socket.subscribe("1", "#" + "x" * websocket.FRAME_BYTES)
        assert (await socket.closed())[0] == 1009


async def test_pages_of_other_origins_may_not_connect(app: App) -> None:
    async with serving(app, cors_origins="https://portal.example, http://localhost:3000") as portal:
        here = f"{portal.client.host}:{portal.client.port}"
        for origin in (
            f"http://{here}",
            f"https://{here}",
            "https://portal.example",
            "http://localhost:3000",
        ):
            async with connected(portal.client, Origin=origin):
                pass
        for origin in (
            "https://evil.example",
            "https://portal.example.evil.example",
            f"http://{portal.client.host}",
            "http://portal.example",
            "null",
            "",
            "http://[",
            "http://localhost:99999",
        ):
            with pytest.raises(WSServerHandshakeError) as refused:
                async with raw(portal.client, Origin=origin):
                    pass
            assert refused.value.status == 403, origin


async def test_a_connection_that_does_not_begin_is_closed_in_time(app: App) -> None:
    async with serving(app, websocket_init_s=0.2) as portal, raw(portal.client) as socket:
        assert await socket.closed(2) == (4408, "Connection initialisation timeout")
    for name, most in (("websocket_init_s", 10), ("websocket_heartbeat_s", 13.3)):
        (bound,) = [
            each for each in type(app.settings).model_fields[name].metadata if "le" in repr(each)
        ]
        assert bound.le <= most


async def test_a_half_open_connection_is_noticed_by_its_missing_pongs(app: App) -> None:
    # One and a half of the setting pass: at the most allowed, 13 s, these are less than 20.
    async with (
        serving(app, websocket_heartbeat_s=0.2) as portal,
        connected(portal.client) as alive,
        raw(portal.client, autoping=False) as dead,
    ):
        await dead.initialise()
        # The client answers pings only while it reads.
        closed, _ = await asyncio.gather(dead.closed(3), alive.silent(1))
        assert closed[0] in {1006, None}
        await alive.subscribe("1", ROLE)
        assert await alive.next()


async def test_connections_and_operations_are_bounded(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CONNECTIONS", 1)
    monkeypatch.setattr(connection, "OPERATIONS", 3)
    async with connected(portal.client, portal.tokens["owner"]) as socket:
        with pytest.raises(WSServerHandshakeError) as refused:
            async with raw(portal.client):
                pass
        assert refused.value.status == 503
        for nth in range(4):
            await socket.subscribe(str(nth), EVENTS)
        assert (await socket.closed())[0] == 1013
    await asyncio.sleep(0.2)  # the server's side of it ends, too
    async with connected(portal.client, portal.tokens["owner"]) as socket:
        for nth in range(30):  # who completes may begin anew
            await socket.subscribe(str(nth), EVENTS)
            await socket.send("complete", id=str(nth))
            await socket.send("ping")
            assert await socket.receive() == {"type": "pong"}


async def test_a_bad_token_is_refused_at_the_beginning(portal: Portal) -> None:
    for authorization in ("Bearer cpt_x", "Basic eDp5", "", portal.tokens["owner"]):
        async with raw(portal.client) as socket:
            await socket.send("connection_init", payload={"authorization": authorization})
            assert (await socket.closed())[0] == 4403, authorization


async def test_a_token_that_is_revoked_or_expires_ends_its_connection(app: App) -> None:
    clock = [AT]
    services = replace(app.services, now=lambda: clock[0])
    async with serving(replace(app, services=services)) as portal:
        by = caller(Role.OWNER, portal.organization_id)
        for name, expires_at in (("revoked", None), ("expired", AT + timedelta(hours=1))):
            command = IssueToken(name=name, role=Role.AUDITOR, expires_at=expires_at)
            answer = await portal.execute(command, by)
            await portal.seen()
            async with connected(portal.client, answer.secret) as socket:
                await socket.subscribe("1", EVENTS)
                if expires_at is None:
                    token_id = answer.outcome.events[0].originator_id
                    await portal.execute(RevokeToken(token_id=token_id), by)
                else:
                    clock[0] = expires_at
                assert (await socket.closed(3))[0] == 4403


# Execution that is cancelled leaves what it had not begun to await.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_client_that_takes_nothing_is_closed_and_little_waits_for_it(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SEND_S", 0.3)
    reasons: list[tuple[int, str]] = []
    close = connection.Connection.close

    async def noted(self: connection.Connection, code: int, reason: str) -> None:
        reasons.append((code, reason))
        await close(self, code, reason)

    monkeypatch.setattr(connection.Connection, "close", noted)
    by = caller(Role.OWNER, portal.organization_id)
    prose = "x" * 10_000
    for nth in range(30):
        await execute(
            IssueToken(name=f"t{nth}", role=Role.AUDITOR, reason=prose), portal.app.context(by)
        )
    await portal.seen()
    everything = 'subscription { auditEvents(after: "1.0") { position why { reason } } }'
    async with connected(portal.client, portal.tokens["owner"]) as socket:
        transport: Any = socket.socket._conn.transport  # type: ignore[union-attr]  # noqa: SLF001  # it is open, and there is no other way
        transport.pause_reading()
        for nth in range(90):
            await socket.subscribe(str(nth), everything)
        async with asyncio.timeout(10):
            while not reasons:
                await asyncio.sleep(0.05)
        transport.resume_reading()
    gc.collect()
    assert reasons == [(1013, "Too slow: messages were not taken in time.")]


async def test_a_stopping_process_says_so_and_finishes_what_it_accepted(app: App) -> None:
    async with serving(app) as portal, connected(portal.client, portal.tokens["owner"]) as socket:
        await socket.subscribe("1", EVENTS)
        await socket.silent(0.1)
        app.stopping.set()
        for watcher in app.projector.watchers:
            watcher()
        code, reason = await socket.closed(2)
        assert (code, reason) == (1001, "The process is stopping; connect again.")
        with pytest.raises(WSServerHandshakeError) as refused:
            async with raw(portal.client):
                pass
        assert refused.value.status == 503


async def test_what_was_not_foreseen_is_masked_and_named(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> Any:
        raise RuntimeError("the password is swordfish")

    async with connected(
        portal.client, portal.tokens["owner"], **{"X-Request-Id": "mine"}
    ) as socket:
        monkeypatch.setattr("controlplane.graphql.loaders.Request.fetch", fail)
        for query in (
            '{ product(slug: "x") { id } }',
            EVENTS.replace("after: $after", 'after: "1.0"').replace("($after: Position)", ""),
        ):
            await socket.subscribe("1", query)
            message = await socket.receive()
            assert "swordfish" not in orjson.dumps(message).decode()
            errors = (
                message["payload"]["errors"] if message["type"] == "next" else message["payload"]
            )
            assert "extensions" in errors[0], (query, errors)
            assert errors[0]["extensions"] == {"code": "INTERNAL", "reference": "mine"}
            if message["type"] == "next":
                assert (await socket.receive())["type"] == "complete"


async def test_a_process_with_open_connections_stops_at_once(dsn: str, tmp_path: Path) -> None:
    with processes.serving(tmp_path / "log", "--demo", CONTROLPLANE_DATABASE_URL=dsn) as served:
        async with (
            ClientSession() as session,
            session.ws_connect(served.announced["graphql"], protocols=[connection.PROTOCOL]) as one,
            session.ws_connect(served.announced["graphql"], protocols=[connection.PROTOCOL]) as two,
        ):
            idle, following = Socket(one), Socket(two)
            await idle.initialise()
            await following.initialise(served.announced["tokens"]["auditor"])
            await following.subscribe("1", EVENTS)
            served.process.terminate()
            for socket in (idle, following):
                assert (await socket.closed(5))[0] == 1001
        assert served.process.wait(5) == 0
    assert "error" not in (tmp_path / "log").read_text()
