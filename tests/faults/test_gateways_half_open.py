"""An agent whose connection breaks, or stays open and swallows what is sent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlplane.app import App
from controlplane.commands.credential import RevokeCredential
from controlplane.gateway.agent import source
from tests.controlplane.gateway.edge import serving
from tests.faults.gateways import BOUND_S, OK, PATH, PAUSE_S, TERMS, UNAUTHORIZED
from tests.faults.proxy import Proxy, proxied
from tests.gateways.world import Edge, Seller, edge, upstream

WAIT_S = ANSWER_S = 0.5
NOWHERE = "http://127.0.0.1:1"


@dataclass
class World:
    seller: Seller
    proxy: Proxy
    plane: str
    gateway: Edge
    key: str

    async def revoke(self) -> None:
        of, id_ = self.seller.ids[self.key], self.seller.keys[self.key]
        await self.seller.do(RevokeCredential(subscription_id=of, credential_id=id_))


@pytest.fixture
async def world(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(source, "ANSWER_S", ANSWER_S)
    seller = Seller(app)
    async with upstream() as url, serving(app) as plane:
        await seller.sell("pets", url, TERMS)
        token, key = await seller.gateway("edge"), await seller.secret("pets")
        await seller.settled()
        address = str(plane.server.make_url("")).rstrip("/")
        async with (
            proxied(address) as proxy,
            edge(tmp_path, proxy.url, token, started=False) as gateway,
        ):
            gateway.agent.wait_s = WAIT_S
            gateway.start()
            await gateway.until(lambda: gateway.said()["enforced"])
            assert await gateway.status_of(PATH, key) == OK
            yield World(seller, proxy, address, gateway, key)


async def test_an_agent_gives_a_connection_up_that_swallows_everything(world: World) -> None:
    for link in world.proxy.links:
        link.hole()
    await world.revoke()

    limit_s = WAIT_S + ANSWER_S + PAUSE_S + BOUND_S
    await world.gateway.until_status(UNAUTHORIZED, PATH, world.key, limit_s)


async def test_an_agent_is_well_again_when_the_control_plane_is_back_and_nothing_changed(
    world: World,
) -> None:
    world.proxy.to(NOWHERE)
    world.proxy.drop()
    await world.gateway.until(lambda: world.gateway.said()["error"])
    assert await world.gateway.status_of(PATH, world.key) == OK

    world.proxy.to(world.plane)
    await world.gateway.until(lambda: not world.gateway.said()["error"], PAUSE_S + BOUND_S)
