"""Who is kept out, over HTTP: guessers, and the bearers of tokens that ended."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from structlog.testing import capture_logs

from controlplane import secret, throttle
from controlplane.app import App, running
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.graphql.connection import FORBIDDEN, PROTOCOL, TRY_AGAIN
from controlplane.secret import SECRET_BYTES, TOKEN_PREFIX
from controlplane.server import Site
from controlplane.settings import Settings
from controlplane.store import UnavailableError
from controlplane.throttle import Throttle
from domain.access_token import Role
from tests.controlplane.commands.world import do
from tests.faults.proxy import proxied

FAILURES = 5
SETTINGS = Settings(login_failures=FAILURES)
ENOUGH = FAILURES + 2


class Served:
    """One process, as its clients see it."""

    def __init__(self, app: App, client: TestClient[web.Request, web.Application]) -> None:
        self.app = app
        self.client = client

    async def ask(self, token: str, **headers: str) -> ClientResponse:
        headers = {"Authorization": f"Bearer {token}", **headers}
        return await self.client.get("/audit/v1/events", headers=headers)

    async def status(self, token: str, **headers: str) -> int:
        return (await self.ask(token, **headers)).status

    async def issued(self, expires_at: datetime | None = None) -> tuple[UUID, str]:
        command = IssueToken(name="t", role=Role.AUDITOR, expires_at=expires_at)
        answer = await do(self.app, command)
        assert answer.secret is not None
        return answer.outcome.events[0].originator_id, answer.secret


@asynccontextmanager
async def site(dsn: str, settings: Settings = SETTINGS) -> AsyncIterator[Served]:
    async with running(dsn, settings) as app:
        async with asyncio.timeout(10):
            while not app.projector.caught_up:
                await asyncio.sleep(0.01)
        async with TestClient(TestServer(Site(app).application())) as client:
            yield Served(app, client)


def guess(token_id: UUID | None = None) -> str:
    return secret.mint(TOKEN_PREFIX, token_id or uuid4(), bytes(SECRET_BYTES)).text


async def test_whoever_guesses_too_often_is_told_to_wait_and_asks_the_database_no_more(
    dsn: str,
) -> None:
    async with site(dsn) as one:
        with capture_logs() as logs:
            answers = [await one.status(guess()) for _ in range(ENOUGH)]
            assert answers == [401] * FAILURES + [429] * 2
            answer = await one.ask("no token at all")
            assert answer.status == 429
            assert 50 <= int(answer.headers["Retry-After"]) <= 60
            said = await answer.json()
            assert (answer.content_type, said["status"]) == ("application/problem+json", 429)
            await one.app.services.pool.close()
            assert await one.status(guess()) == 429
        assert (await one.client.get("/healthz")).status == 200
        assert "127.0.0.1" not in str([*logs, said])


async def test_guesses_on_web_sockets_count_as_well(dsn: str) -> None:
    async with site(dsn) as one:

        async def closing(token: str) -> int | None:
            async with one.client.ws_connect("/graphql", protocols=[PROTOCOL]) as socket:
                authorization = {"authorization": f"Bearer {token}"}
                await socket.send_json({"type": "connection_init", "payload": authorization})
                await socket.receive()
                return socket.close_code

        _, token = await one.issued()
        answers = [await closing(guess()) for _ in range(ENOUGH)]
        assert answers == [FORBIDDEN] * FAILURES + [TRY_AGAIN] * 2
        assert await one.status(guess()) == 429
        assert await closing(token) is None


async def test_a_token_that_works_goes_on_working_where_others_guess(dsn: str) -> None:
    async with site(dsn) as one:
        token_id, token = await one.issued()
        for n in range(3 * FAILURES):
            assert await one.status(guess()) == (401 if n < FAILURES else 429)
            assert await one.status(token) == 200
        # Nor does it matter that somebody guesses at this very token.
        assert await one.status(guess(token_id)) == 429
        assert await one.status(token) == 200


async def test_guesses_at_one_token_count_wherever_they_come_from(dsn: str) -> None:
    settings = SETTINGS.model_copy(update={"trusted_proxies": "127.0.0.0/8"})
    async with site(dsn, settings) as one:
        token_id, token = await one.issued()
        answers = [
            await one.status(guess(token_id), **{"X-Forwarded-For": f"203.0.113.{n}"})
            for n in range(ENOUGH)
        ]
        assert answers == [401] * FAILURES + [429] * 2
        assert await one.status(guess(), **{"X-Forwarded-For": "203.0.113.1"}) == 401
        assert await one.status(token, **{"X-Forwarded-For": "203.0.113.1"}) == 200


async def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(dsn: str) -> None:
    trusting = SETTINGS.model_copy(update={"trusted_proxies": "127.0.0.1,10.0.0.0/8"})
    for settings, last in ((SETTINGS, 429), (trusting, 401)):
        async with site(dsn, settings) as one:
            for n in range(ENOUGH):
                header = {"X-Forwarded-For": f"198.51.100.7, 203.0.113.{n}, 10.1.2.3"}
                answered = await one.status(guess(), **header)
            assert answered == last
            # What a client writes itself stands before what the proxies add.
            for n in range(ENOUGH):
                header = {"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.250"}
                answered = await one.status(guess(), **header)
            assert answered == 429


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "203.0.113.1", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "203.0.113.1, 10.0.0.2", "203.0.113.1"),
        ("10.0.0.1", "203.0.113.1, junk, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",,,", "10.0.0.1"),
        ("10.0.0.1", "x" * 10_000, "10.0.0.1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "10.0.0.3, " * 50 + "10.0.0.2", "10.0.0.3"),
        ("", "203.0.113.1", "None"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxys(
    peer: str, forwarded: str, client: str
) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded})
    asked = request.clone(remote=peer)
    assert str(Throttle(1, "10.0.0.0/8", b"salt").client(asked)) == client


async def test_refusals_are_forgotten_after_the_window_and_with_too_many_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throttle, "NAMES", 3)
    limited = Throttle(2, "", b"salt", 0.2)
    for _ in range(2):
        assert limited.closed_s([b"a"]) == 0
        limited.count([b"a"])
        await asyncio.sleep(0.05)
    assert limited.closed_s([b"b", b"a"]) == 1
    await asyncio.sleep(0.12)
    assert limited.closed_s([b"a"]) == 0  # the first one left the window
    limited.count([b"a"])
    assert limited.closed_s([b"a"]) == 1
    for name in (b"b", b"c", b"d"):
        limited.count([name])
    assert limited.closed_s([b"a"]) == 0


def test_a_site_of_ipv6_addresses_is_one_client() -> None:
    limited = Throttle(1, "", b"salt")
    named = [
        limited.names(make_mocked_request("GET", "/").clone(remote=address), "x")
        for address in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", "192.0.2.1")
    ]
    assert named[0] == named[1]
    assert len({*map(tuple, named)}) == 3
    assert b"\xc0\x00\x02\x01" not in named[3][0]


async def test_a_token_ends_when_it_expires(dsn: str) -> None:
    async with site(dsn) as one:
        _, token = await one.issued(one.app.services.now() + timedelta(seconds=0.5))
        assert await one.status(token) == 200
        await asyncio.sleep(0.55)
        assert await one.status(token) == 401


async def test_a_revoked_token_is_refused_at_once_here_and_soon_by_another_process(
    dsn: str,
) -> None:
    async with site(dsn) as here, site(dsn) as there:
        for _ in range(5):
            token_id, token = await here.issued()
            assert (await here.status(token), await there.status(token)) == (200, 200)
            await do(here.app, RevokeToken(token_id=token_id))
            revoked = time.monotonic()
            assert await here.status(token) in {401, 429}
            while await there.status(token) == 200:
                await asyncio.sleep(0.02)
            assert time.monotonic() - revoked < 1.5


async def test_without_the_database_a_known_token_does_for_so_long_and_no_longer(dsn: str) -> None:
    trust_s, budget_s = 1.0, 0.5
    settings = Settings(token_trust_s=trust_s, database_budget_s=budget_s)
    async with proxied(dsn) as proxy, site(proxy.dsn, settings) as one:
        token_id, token = await one.issued()
        assert (await one.app.authenticated(token)).role is Role.AUDITOR
        proxy.blackhole()
        began = time.monotonic()
        assert (await one.app.authenticated(token)).role is Role.AUDITOR
        while not await _shut(one.app, token):
            await asyncio.sleep(0.05)
        assert trust_s - 0.2 < time.monotonic() - began < 2 * trust_s + 3 * budget_s
        answer = await one.ask(token)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        async with running(dsn) as elsewhere:  # it is revoked while we are cut off
            await do(elsewhere, RevokeToken(token_id=token_id))
        proxy.forward()
        async with asyncio.timeout(10):
            while (status := await one.status(token)) == 503:
                await asyncio.sleep(0.05)
        assert status == 401


async def _shut(app: App, token: str) -> bool:
    """Tell whether a token is not believed any more."""
    try:
        await app.authenticated(token)
    except UnavailableError:
        return True
    return False


async def test_no_answer_says_what_we_run_on(dsn: str) -> None:
    async with site(dsn) as one:
        assert (await one.client.get("/healthz")).headers["Server"] == "controlplane"
        port = one.client.server.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"no http at all\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.0 400")
        assert b"aiohttp" not in answer
