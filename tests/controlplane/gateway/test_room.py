"""More organizations and groups than there is room for: who waits is told, others are refused."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import ClientResponse

from controlplane.app import App
from controlplane.commands.organization import EstablishOrganization
from controlplane.gateway import recent, rows
from domain.access_token import Role
from tests.controlplane.gateway.edge import Client, Provider, serving
from tests.given import OPERATOR, caller

IDLE, IN_USE = 2, 4
CLUSTERS = "/v3/discovery:clusters"


@pytest.fixture
async def client(app: App, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(recent, "IDLE", IDLE)
    monkeypatch.setattr(recent, "IN_USE", IN_USE)
    async with serving(app) as client:
        yield client


async def selling(app: App, nth: int) -> tuple[Provider, str]:
    """Return another organization and the token of its gateway."""
    operator = Provider(app, OPERATOR)
    id_ = await operator.make(EstablishOrganization(slug=f"ace-{nth}", name="Ace"))
    provider = Provider(app, caller(Role.OWNER, id_))
    token = await provider.gateway("edge")
    await provider.settled()
    return provider, token


async def waiting(client: Client, token: str) -> "asyncio.Task[ClientResponse]":
    """Have a gateway wait for the next change."""
    answer = await client.get(token)
    assert answer.status == 200, await answer.text()
    poll = asyncio.create_task(client.get(token, answer.headers["ETag"], wait="30"))
    await client.held(client.delivery.waiting + 1)
    return poll


async def told(polls: "list[asyncio.Task[ClientResponse]]") -> list[int]:
    async with asyncio.timeout(5):
        return [each.status for each in await asyncio.gather(*polls)]


async def test_gateways_of_more_organizations_than_are_kept_idle_wait_and_are_told(
    app: App, client: Client
) -> None:
    sellers = [await selling(app, nth) for nth in range(IN_USE)]
    polls = [await waiting(client, token) for _, token in sellers]
    for provider, _ in sellers:
        await provider.product("pets")
    assert await told(polls) == [200] * IN_USE


async def test_gateways_of_many_organizations_that_come_back_together_are_all_answered(
    app: App, client: Client
) -> None:
    tokens = [token for _, token in [await selling(app, nth) for nth in range(IN_USE)]]
    answers = await asyncio.gather(*(client.get(token) for token in tokens))
    assert [each.status for each in answers] == [200] * IN_USE


async def test_of_one_organization_too_many_the_gateways_are_refused_until_there_is_room(
    app: App, client: Client
) -> None:
    sellers = [await selling(app, nth) for nth in range(IN_USE + 1)]
    polls = [await waiting(client, token) for _, token in sellers[:-1]]
    (provider, _), (_, token) = sellers[0], sellers[-1]

    refused = await client.get(token)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert "Gateways of 4" in (await refused.json())["detail"]
    await provider.product("pets")
    assert await told(polls[:1]) == [200]
    polls = [*polls[1:], await waiting(client, token)]
    for each in polls:
        each.cancel()
    await client.held(0)


async def test_gateways_of_more_groups_than_are_kept_idle_wait_and_are_told(
    client: Client, provider: Provider
) -> None:
    tokens = [await provider.gateway(f"edge-{nth}") for nth in range(IN_USE + 1)]
    await provider.settled()
    polls = [await waiting(client, token) for token in tokens[:-1]]
    assert (await client.get(tokens[-1])).status == 503
    await provider.product("food")
    assert await told(polls) == [200] * IN_USE


async def asked(client: Client, token: str, version: str = "") -> tuple[int, str]:
    """Ask for clusters as an Envoy that runs a version; return status and new version."""
    said = {"version_info": version} if version else {}
    headers = {"Authorization": f"Bearer {token}"}
    async with client.session.post(CLUSTERS, data=orjson.dumps(said), headers=headers) as response:
        found = orjson.loads(await response.read()) if response.status == 200 else {}
        return response.status, found.get("version_info", "")


async def test_envoys_of_more_groups_than_are_kept_idle_wait_and_are_told(
    client: Client, provider: Provider
) -> None:
    tokens = [await provider.gateway(f"edge-{nth}") for nth in range(IN_USE + 1)]
    await provider.settled()
    polls = []
    for token in tokens[:-1]:
        status, version = await asked(client, token)
        assert status == 200
        polls.append(asyncio.create_task(asked(client, token, version)))
        await asyncio.sleep(0.1)
    assert (await asked(client, tokens[-1]))[0] == 503

    await provider.product("food")
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*polls)
    assert [status for status, _ in answers] == [200] * IN_USE


async def test_an_envoy_of_a_group_that_was_forgotten_is_told(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [await provider.gateway(f"edge-{nth}") for nth in range(IDLE + 1)]
    await provider.settled()
    (_, version), *_ = [await asked(client, token) for token in tokens]

    poll = asyncio.create_task(asked(client, tokens[0], version))
    await asyncio.sleep(0.1)
    await provider.product("food")
    async with asyncio.timeout(5):
        status, newer = await poll
    assert (status, newer != version) == (200, True)


async def test_who_waits_is_told_when_more_has_changed_than_is_followed(
    app: App, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, token = await selling(app, 0)
    poll = await waiting(client, token)
    monkeypatch.setattr(rows.changed_since, "__defaults__", (1,))
    await provider.product("pets")
    assert await told([poll]) == [200]
    assert (await client.config(token))["products"]
