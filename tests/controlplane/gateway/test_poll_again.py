"""The same poll again is answered from what it found the last time, if that still holds."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from controlplane.app import App, running
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.gateway import delivery
from controlplane.gateway.poll import Poll
from domain.access_token import Role
from tests.controlplane.gateway.edge import POLL, Client, Provider, serving
from tests.given import AT


@pytest.fixture
def read(monkeypatch: Any) -> list[Poll]:
    """Return the polls that were read, and so not answered from before."""
    polls: list[Poll] = []
    of = Poll.of

    def counted(request: Any) -> Poll:
        polls.append(of(request))
        return polls[-1]

    monkeypatch.setattr(Poll, "of", counted)
    return polls


async def holding(client: Client, provider: Provider, token: str) -> str:
    """Poll until the same poll is answered from before; return the ETag it names."""
    await provider.settled()
    etag: str = (await client.get(token)).headers["ETag"]
    for _ in range(2):
        answer = await client.get(token, etag)
        assert (answer.status, answer.headers["ETag"]) == (304, re.sub("-(gzip|zstd)", "", etag))
    return etag


async def test_the_same_poll_is_read_once(
    client: Client, provider: Provider, read: list[Poll]
) -> None:
    token = await provider.gateway("edge")
    etag = await holding(client, provider, token)
    polls = len(read)
    for _ in range(3):
        answer = await client.get(token, etag)
        assert (answer.status, answer.headers["Cache-Control"]) == (304, "private, no-cache")
        assert await answer.read() == b""
    assert len(read) == polls
    assert (await client.get(token, etag, since="1.1")).status == 304
    assert len(read) == polls + 1


async def test_a_token_without_its_scheme_is_refused_also_of_a_poll_that_is_remembered(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    etag = await holding(client, provider, token)
    headers = {"Authorization": token, "If-None-Match": etag}
    async with client.session.get(POLL, headers=headers) as answer:
        assert answer.status == 401


async def test_a_change_is_seen_by_the_next_poll(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    for _ in range(3):
        etag = await holding(client, provider, token)
        await provider.key(await provider.subscription("pets"))
        await provider.settled()
        answer = await client.get(token, etag)
        assert (answer.status, answer.headers["ETag"] != etag) == (200, True)


async def test_a_change_by_another_process_is_seen_once_queries_see_it(
    client: Client, provider: Provider, app: App, dsn: str
) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    etag = await holding(client, provider, token)
    async with running(dsn, now=lambda: AT) as other:
        there = Provider(other, ids=provider.ids)
        await there.key(subscription)
        await app.projector.wait_until(there.position)
        assert (await client.get(token, etag)).status == 200


async def test_a_revoked_token_is_refused_at_once(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    etag = await holding(client, provider, token)
    await provider.do(RevokeToken(token_id=provider.ids["token"]))
    assert (await client.get(token, etag)).status == 401


async def test_a_token_revoked_elsewhere_is_refused_within_moments(
    client: Client, provider: Provider, dsn: str
) -> None:
    token = await provider.gateway("edge")
    etag = await holding(client, provider, token)
    async with running(dsn, now=lambda: AT, follow=False) as other:
        await Provider(other).do(RevokeToken(token_id=provider.ids["token"]))
    async with asyncio.timeout(5):
        while (await client.get(token, etag)).status != 401:
            await asyncio.sleep(0.01)


async def test_a_token_is_refused_once_it_has_expired(dsn: str) -> None:
    now = AT
    async with running(dsn, now=lambda: now) as app, serving(app) as client:
        provider = Provider(app)
        await provider.product("pets")
        await provider.gateway("edge")
        issue = IssueToken(
            name="short",
            role=Role.GATEWAY,
            gateway_id=provider.ids["edge-gateway"],
            expires_at=AT + timedelta(hours=1),
        )
        token = (await provider.do(issue)).secret
        assert token is not None
        etag = await holding(client, provider, token)
        now = AT + timedelta(hours=1)
        assert (await client.get(token, etag)).status == 401


async def test_what_one_gateway_holds_says_nothing_to_another(
    client: Client, provider: Provider
) -> None:
    product = await provider.product("food")
    token, other = await provider.gateway("edge"), await provider.gateway("far", product)
    etag = await holding(client, provider, token)
    answer = await client.get(other, etag)
    assert [row["slug"] for row in (await answer.json())["products"]] == ["food"]


async def test_long_polls_and_long_headers_are_not_remembered(
    client: Client, provider: Provider, read: list[Poll]
) -> None:
    token = await provider.gateway("edge")
    etag = await holding(client, provider, token)
    many = ", ".join([etag] * 100)
    for _ in range(2):
        polls = len(read)
        assert (await client.get(token, many)).status == 304
        assert (await client.get(token, etag, wait="0.01")).status == 304
        assert len(read) == polls + 2


async def test_the_polls_asked_last_are_remembered(
    client: Client, provider: Provider, monkeypatch: Any, read: list[Poll]
) -> None:
    monkeypatch.setattr(delivery, "POLLS_KEPT", 2)
    token = await provider.gateway("edge")
    etag = await holding(client, provider, token)
    for nth in range(3):
        await client.get(token, etag, nth=str(nth))
    polls = len(read)
    await client.get(token, etag, nth="2")
    assert len(read) == polls
    await client.get(token, etag)
    assert len(read) == polls + 1
