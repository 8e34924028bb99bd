"""How many polls are held at once, and how they end."""

import asyncio
import time

import pytest
from aiohttp import ClientConnectionError

from controlplane.app import App
from controlplane.gateway import crowd
from tests.controlplane.gateway.edge import Provider, serving


async def test_more_polls_than_can_be_held_are_told_to_come_back(
    app: App, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    async with serving(app, waiters=1) as client:
        held = await client.config(token)
        poll = asyncio.create_task(client.get(token, since=held["cursor"], wait="30"))
        await client.held(1)

        answer = await client.get(token, since=held["cursor"], wait="30")

        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await client.get(token, since=held["cursor"])).status == 304
        poll.cancel()


async def test_one_token_does_not_take_the_places_of_all_others(
    app: App, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "WAITERS_EACH", 1)
    greedy, other = await provider.gateway("edge"), await provider.gateway("core")
    await provider.settled()
    async with serving(app) as client:
        held = {token: (await client.config(token))["cursor"] for token in (greedy, other)}
        polls = [asyncio.create_task(client.get(greedy, since=held[greedy], wait="30"))]
        await client.held(1)

        assert (await client.get(greedy, since=held[greedy], wait="30")).status == 503
        polls.append(asyncio.create_task(client.get(other, since=held[other], wait="30")))
        await client.held(2)
        for poll in polls:
            poll.cancel()


async def test_held_polls_end_when_the_server_stops(app: App, provider: Provider) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    async with serving(app) as client:
        held = await client.config(token)
        poll = asyncio.create_task(client.get(token, since=held["cursor"], wait="60"))
        await client.held(1)
        began = time.monotonic()
        await client.server.close()
        try:
            assert (await poll).status == 304
        except ClientConnectionError:
            pytest.fail("It was cut off.")
        assert time.monotonic() - began < 2
