"""Those who wait for the same answer are told together, each only what it may have."""

import asyncio
import gzip
import itertools
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
import zstandard
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from controlplane.app import App
from controlplane.commands.access_token import RevokeToken
from controlplane.commands.gateway import DrainGateway
from controlplane.gateway import coding, crowd, delivery, mirror
from controlplane.gateway.crowd import Held
from controlplane.gateway.mirror import Encoded, Served
from controlplane.gateway.routes import before_routing
from controlplane.logs import EveryAccessLogger
from controlplane.server import Site
from tests.controlplane.gateway.edge import POLL, Client, Provider

LAST = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def sent(monkeypatch: Any) -> list[Held]:
    """Return the polls that were answered with their crowd."""
    polls: list[Held] = []
    send = Held.send

    async def noted(self: Held, answer: Encoded) -> None:
        polls.append(self)
        await send(self, answer)

    monkeypatch.setattr(Held, "send", noted)
    return polls


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    """Return a client of a process with all that holds for every route."""
    site = Site(app)
    server = TestServer(site.application())
    log = logging.getLogger("aiohttp.access")
    await server.start_server(access_log=log, access_log_class=EveryAccessLogger)
    assert server.runner is not None
    assert server.runner.server is not None
    before_routing(site.delivery, server.runner.server)
    try:
        async with ClientSession(server.make_url("/"), auto_decompress=True) as session:
            yield Client(session, site.delivery, server)
    finally:
        await server.close()


class Gate:
    """Holds back what crowds are told, so that something may happen to who is in them."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.waiting: asyncio.Queue[Sequence[Held]] = asyncio.Queue()


@pytest.fixture
def gate(client: Client, monkeypatch: Any) -> Gate:
    gate, crowds = Gate(), client.delivery._crowds  # noqa: SLF001
    tell = crowds._tell  # noqa: SLF001

    async def later(served: Served, polls: Sequence[Held]) -> None:
        gate.waiting.put_nowait(polls)
        await gate.open.wait()
        await tell(served, polls)

    monkeypatch.setattr(crowds, "_tell", later)
    return gate


@pytest.fixture
async def provider(app: App) -> Provider:
    provider = Provider(app)
    await provider.product("pets")
    await provider.gateway("edge")
    provider.ids["subscription"] = await provider.subscription("pets")
    return provider


class Polls:
    """Polls of several gateways that wait for the same change."""

    def __init__(self, client: Client, provider: Provider) -> None:
        self.client = client
        self._provider = provider
        self.held: list[asyncio.Task[ClientResponse]] = []

    async def of(self, *names: str, wait: str = "30") -> None:
        """Have gateways wait, each with a token and a connection of its own."""
        tokens = [await self._provider.gateway_of("edge", name) for name in names]
        await self._provider.settled()
        cursor, others = await self._cursor(tokens[0]), self.client.delivery.waiting
        for token in tokens:
            poll = self.client.get(token, since=cursor, wait=wait)
            self.held.append(asyncio.create_task(poll))
        await self.client.held(others + len(names))

    async def _cursor(self, token: str) -> str:
        return (await self.client.get(token)).headers["ETag"].strip('"').partition("-")[0]

    async def raw(self, head: str, version: str = "1.1") -> Connection:
        """Have another gateway wait; return the connection on which it does, with what is read."""
        token = await self._provider.gateway_of("edge", "raw")
        await self._provider.settled()
        cursor = await self._cursor(token)
        server = self.client.server
        reader, writer = await asyncio.open_connection(server.host, server.port)
        asked = f"GET {POLL}?wait=30&since={cursor} HTTP/{version}\r\nHost: x\r\n"
        writer.write(f"{asked}Authorization: Bearer {token}\r\n{head}".encode())
        await self.client.held(1)
        return reader, writer

    async def change(self) -> None:
        await self._provider.key(self._provider.ids["subscription"])

    async def statuses(self) -> list[int]:
        async with asyncio.timeout(10):
            return [each.status for each in await asyncio.gather(*self.held)]


@pytest.fixture
def polls(client: Client, provider: Provider) -> Polls:
    return Polls(client, provider)


def counted(answer: str) -> float:
    return REGISTRY.get_sample_value("controlplane_gateway_polls_total", {"answer": answer}) or 0


def measured(status: str) -> float:
    labels = {"route": POLL, "method": "GET", "status": status}
    name = "controlplane_request_duration_seconds_count"
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_everyone_has_the_answer_before_anyone_goes_on(
    client: Client, polls: Polls, monkeypatch: Any
) -> None:
    going_on: list[Any] = []
    monkeypatch.setattr(crowd, "wake", going_on.extend)
    await polls.of("a", "b", "c")
    await polls.change()

    documents = [await each.json() for each in await asyncio.gather(*polls.held)]

    assert documents == documents[:1] * 3
    assert documents[0]["full"] is False
    assert client.delivery.waiting == len(going_on) == 3
    for each in going_on:
        each.set_result(None)
    await client.held(0)


async def test_a_connection_goes_on_and_every_answer_has_an_id_of_its_own(
    client: Client, polls: Polls, sent: list[Held]
) -> None:
    ids = []
    for names in (("a", "b"), ("c", "d")):
        await polls.of(*names)
        await polls.change()
        ids += [each.headers["X-Request-Id"] for each in await asyncio.gather(*polls.held)]
        await client.held(0)
        polls.held.clear()
    assert len(sent) == len(set(ids)) == 4
    ports = [each.request.get_extra_info("peername") for each in sent]
    assert set(ports[:2]) == set(ports[2:])


async def test_each_answer_is_counted_measured_and_logged_once(
    client: Client, polls: Polls, sent: list[Held]
) -> None:
    with capture_logs() as logs:
        await polls.of("a", "b", "c")
        deltas, requests = counted("delta"), measured("200")
        await polls.change()
        assert await polls.statuses() == [200] * 3
        await client.held(0)
        await client.get(None, path="/healthz")  # whatever is due has been done by then
    assert len(sent) == 3
    assert (counted("delta") - deltas, measured("200") - requests) == (3, 3)
    ids = {each.sent.headers["X-Request-Id"] for each in sent if each.sent is not None}
    logged = [each for each in logs if each.get("request") in ids]
    assert len(logged) == 3
    assert {each["status"] for each in logged} == {200}
    assert all(each["bytes"] > 500 for each in logged)


async def test_a_token_that_was_revoked_meanwhile_is_refused(
    polls: Polls, provider: Provider, gate: Gate, sent: list[Held]
) -> None:
    await polls.of("a", "revoked")
    await polls.change()
    await gate.waiting.get()
    await provider.do(RevokeToken(token_id=provider.ids["token"]))
    gate.open.set()
    assert await polls.statuses() == [200, 401]
    assert len(sent) == 1


async def test_a_gateway_that_was_drained_meanwhile_is_refused(
    polls: Polls, provider: Provider, gate: Gate, sent: list[Held]
) -> None:
    await polls.of("a", "drained")
    await polls.change()
    await gate.waiting.get()
    await provider.do(DrainGateway(gateway_id=provider.ids["drained-gateway"]))
    gate.open.set()
    assert await polls.statuses() == [200, 403]
    assert len(sent) == 1


async def test_a_process_that_stops_says_so_to_everyone(
    app: App, polls: Polls, gate: Gate, sent: list[Held]
) -> None:
    await polls.of("a", "b")
    await polls.change()
    await gate.waiting.get()
    app.stopping.set()
    gate.open.set()
    answers = await asyncio.gather(*polls.held)
    assert [(each.status, each.headers["Connection"]) for each in answers] == [(200, "close")] * 2
    assert not sent


async def test_a_client_that_went_away_keeps_nobody_else_waiting(
    client: Client, polls: Polls, gate: Gate, sent: list[Held]
) -> None:
    await polls.of("gone", "b")
    await polls.change()
    await gate.waiting.get()
    polls.held.pop(0).cancel()
    await client.held(1)
    gate.open.set()
    assert await polls.statuses() == [200]
    assert len(sent) == 1


async def test_a_poll_whose_time_was_over_is_not_answered_a_second_time(
    polls: Polls, gate: Gate, sent: list[Held]
) -> None:
    await polls.of("a", "b", wait="0.2")
    await polls.change()
    await gate.waiting.get()
    assert await polls.statuses() == [200, 200]  # which they found for themselves
    gate.open.set()
    await asyncio.sleep(0.05)
    assert not sent


async def test_a_client_that_has_yet_to_read_is_left_to_its_own_handler(
    polls: Polls, provider: Provider, gate: Gate, sent: list[Held]
) -> None:
    _, writer = await polls.raw("\r\n")
    await polls.of("a")
    await polls.change()
    crowds = [await gate.waiting.get() for _ in range(2)]  # by what they accept
    for each in itertools.chain(*crowds):
        if each.caller.gateway_id == provider.ids["raw-gateway"]:
            assert each.request.transport is not None
            each.request.transport.write(b"x" * 2**24)
    gate.open.set()
    assert await polls.statuses() == [200]
    assert len(sent) == 1
    writer.close()


async def test_what_another_view_takes_the_place_of_is_told_to_nobody(
    polls: Polls, sent: list[Held], monkeypatch: Any
) -> None:
    monkeypatch.setattr(mirror, "MOVED", 0)
    await polls.of("a", "b")
    await polls.change()
    assert await polls.statuses() == [200, 200]
    assert not sent


async def test_nobody_joins_a_crowd_that_has_been_told(
    client: Client, provider: Provider, polls: Polls, sent: list[Held], monkeypatch: Any
) -> None:
    """Whoever has an ETag asks for the whole: the same, whenever it comes."""
    going_on: list[Any] = []
    monkeypatch.setattr(crowd, "wake", going_on.extend)
    token = await provider.gateway_of("edge", "a")
    await provider.settled()
    etag = (await client.get(token)).headers["ETag"]
    url = client.server.make_url("/")
    async with asyncio.timeout(10), ClientSession(url) as first, ClientSession(url) as second:
        for nth, session in enumerate((first, second), start=1):
            poll = asyncio.create_task(replace(client, session=session).get(token, etag, wait="30"))
            await client.held(nth)
            await polls.change()
            etag = (await poll).headers["ETag"]
            assert len(sent) == nth
    await client.held(0)


async def test_a_view_that_all_have_left_is_not_kept_for_them(
    app: App, polls: Polls, provider: Provider
) -> None:
    await polls.of("a", "b", wait="0.1")
    mirror = await app.mirrors.mirror(provider.owner.organization_id)
    assert mirror.in_use
    assert await polls.statuses() == [304, 304]
    assert not mirror.in_use


async def test_a_long_answer_is_left_to_each_of_them(
    polls: Polls, sent: list[Held], monkeypatch: Any
) -> None:
    monkeypatch.setattr(delivery, "TOLD_BYTES", 100)
    await polls.of("a", "b")
    await polls.change()
    assert await polls.statuses() == [200, 200]
    assert not sent


async def test_each_coding_is_a_crowd_of_its_own(
    client: Client, polls: Polls, sent: list[Held], monkeypatch: Any
) -> None:
    monkeypatch.setattr(coding, "FROM_BYTES", 10)
    decode: dict[str | None, Any] = {
        "zstd": zstandard.decompress,
        "gzip": gzip.decompress,
        None: bytes,
    }
    async with ClientSession(client.server.make_url("/"), auto_decompress=False) as session:
        polls.client = replace(client, session=session)
        for each in ("zstd", "gzip", "identity"):
            session.headers["Accept-Encoding"] = each
            await polls.of(f"{each}-1", f"{each}-2")
        await polls.change()
        answers = await asyncio.gather(*polls.held)
        codings = [each.headers.get("Content-Encoding") for each in answers]
        bodies = [await each.read() for each in answers]
    assert codings == ["zstd", "zstd", "gzip", "gzip", None, None]
    told = [decode[coding](body) for coding, body in zip(codings, bodies, strict=True)]
    assert told == told[-1:] * 6
    assert len(sent) == 6


@pytest.mark.parametrize(
    ("version", "connection", "goes_on"),
    [("1.0", "close", False), ("1.0", "keep-alive", True), ("1.1", "close", False)],
)
async def test_a_connection_ends_where_its_client_wants_that(
    polls: Polls, sent: list[Held], version: str, connection: str, *, goes_on: bool
) -> None:
    reader, writer = await polls.raw(f"Connection: {connection}\r\n\r\n", version)
    await polls.change()
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith(f"HTTP/{version} 200 OK")
    await reader.readexactly(int(head.partition("Content-Length: ")[2].splitlines()[0]))
    writer.write(LAST.encode() if goes_on else b"")
    assert (b"200 OK" in await reader.read()) is goes_on
    assert len(sent) == 1
    writer.close()


async def test_requests_that_follow_at_once_are_answered_in_their_order(
    polls: Polls, sent: list[Held]
) -> None:
    reader, writer = await polls.raw(f"X-Request-Id: mine\r\n\r\n{LAST}")
    await polls.change()
    first, second = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert b"X-Request-Id: mine\r\n" in first
    assert b'"full":false' in first
    assert b'"alive"' in second
    assert len(sent) == 1
    writer.close()
