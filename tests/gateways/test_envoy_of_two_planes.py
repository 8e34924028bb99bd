"""What one process told an Envoy, another knows: by the version that it is asked under."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import pytest

from controlplane.app import App, running
from controlplane.gateway import envoy_parts
from controlplane.gateway.coalesced import Coalesced
from controlplane.gateway.envoy_parts import EnvoyRuns, PartRuns
from controlplane.gateway.renderers import envoy, envoy_resource
from controlplane.store import Connection
from tests.controlplane.gateway.edge import Client, Provider, serving
from tests.gateways.real_envoy import gateway
from tests.given import AT

HELD_S = 1.2


@pytest.fixture
async def other(dsn: str, app: App) -> AsyncIterator[Client]:
    """Return a second process on the database."""
    async with running(dsn, now=lambda: AT) as another, serving(another) as client:
        yield client


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    async with serving(app) as client:
        yield client


async def asked(client: Client, token: str, version: str = "") -> str:
    """Ask for clusters as an Envoy that runs a version; return the new one, "" if it is held."""
    said = {"version_info": version} if version else {}
    try:
        async with asyncio.timeout(HELD_S):
            response = await client.session.post(
                "/v3/discovery:clusters",
                data=orjson.dumps(said),
                headers={"Authorization": f"Bearer {token}"},
            )
            assert response.status == 200
            found: str = orjson.loads(await response.read())["version_info"]
            return found
    except TimeoutError:
        return ""


async def sold(provider: Provider, slug: str) -> None:
    await provider.product(slug, f"http://{slug}.example")
    await provider.settled()


async def test_an_envoy_that_was_told_more_by_another_process_has_refused_nothing(
    app: App, client: Client, other: Client
) -> None:
    provider = Provider(app)
    await sold(provider, "one")
    token = await provider.gateway("edge")
    await provider.settled()
    first = await asked(client, token)
    await sold(provider, "two")
    second = await asked(client, token, first)  # of which this process hears no more
    await sold(provider, "three")
    third = await asked(other, token, second)
    assert len({each.partition(".")[0] for each in (first, second, third)}) == 3

    assert await asked(client, token, third) == ""
    assert await app.services.pool.fetchval("SELECT count(*) FROM gateway_rejections") == 0


async def test_what_envoy_refuses_from_one_and_then_the_other_it_is_never_said_to_run(
    app: App,
    client: Client,
    other: Client,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    provider, pool = Provider(app), app.services.pool
    await sold(provider, "one")
    token = await provider.gateway("edge")
    subscription = await provider.subscription("one")
    await provider.key(subscription)
    await provider.settled()
    with gateway(tmp_path) as running:
        urls = [str(each.server.make_url("")) for each in (client, other)]
        running.put({"token": token.encode(), **running.asking(urls)})
        await asyncio.to_thread(running.start)
        async with asyncio.timeout(10):
            while not (
                runs := await pool.fetchrow("SELECT epoch, position FROM gateway_acknowledgements")
            ):
                await asyncio.sleep(0.02)

        right = envoy_resource.lua_filter
        monkeypatch.setattr(
            envoy, "lua_filter", lambda name, source: right(name, f"{source}\nthis is no Lua")
        )
        await provider.key(subscription)
        async with asyncio.timeout(10):
            while not await pool.fetchval("SELECT count(*) FROM gateway_rejections"):
                await asyncio.sleep(0.02)
        await asyncio.sleep(HELD_S)  # both have sent it by now
        assert await pool.fetchrow("SELECT epoch, position FROM gateway_acknowledgements") == runs


async def test_a_process_that_writes_late_what_an_envoy_said_takes_nothing_newer_back(
    app: App, client: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(app)
    await sold(provider, "one")
    token = await provider.gateway("edge")
    await provider.settled()
    first = await asked(client, token)
    await sold(provider, "two")
    goes_on, written = asyncio.Event(), asyncio.Event()

    async def write_late(connection: Connection, said: Sequence[PartRuns]) -> Sequence[EnvoyRuns]:
        """Do what a process does that is slow."""
        await goes_on.wait()
        runs = await envoy_parts.say(connection, said)
        written.set()
        return runs

    slow = Coalesced(app.services.pool, 9, write_late, lambda said: (said.gateway, said.part))
    monkeypatch.setattr(client.delivery.observations, "_parts", slow)
    assert await asked(client, token, first) == ""  # the Envoy goes elsewhere
    second = await asked(other, token, first)
    assert await asked(other, token, second) == ""
    goes_on.set()
    await asyncio.wait_for(written.wait(), 5)
    runs = await app.services.pool.fetchval("SELECT version FROM envoy_parts")
    assert runs == second.partition(".")[0] != first.partition(".")[0]

    await asked(other, token)  # it was started again
    assert await app.services.pool.fetchval("SELECT version FROM envoy_parts") == ""


async def test_a_process_that_has_not_noticed_a_change_gives_nothing_back_that_is_gone(
    app: App, client: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def notice_nothing() -> None:
        """Do what a process does that is slow."""

    provider = Provider(app)
    await sold(provider, "one")
    token = await provider.gateway("edge")
    await provider.settled()
    first = await asked(other, token)
    following = other.delivery.mirrors._following  # noqa: SLF001
    monkeypatch.setattr(following, "_refresh_moved", notice_nothing)
    await sold(provider, "two")
    second = await asked(client, token, first)
    assert second != first

    assert await asked(other, token, second) == ""  # and not the first
