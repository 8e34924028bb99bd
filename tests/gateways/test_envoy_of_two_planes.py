"""What one process told an Envoy, another knows: by the version that it is asked under."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from controlplane.app import App, running
from tests.controlplane.gateway.edge import Client, Provider, serving
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
    monkeypatch.setattr(other.delivery.mirrors, "_refresh_moved", notice_nothing)
    await sold(provider, "two")
    second = await asked(client, token, first)
    assert second != first

    assert await asked(other, token, second) == ""  # and not the first
