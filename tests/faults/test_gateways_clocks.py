"""Clocks that are hours apart: what was revoked is refused, or the agent says why it is not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controlplane.app import running
from controlplane.commands.credential import RevokeCredential
from controlplane.gateway.agent.trust import Trust
from tests.controlplane.gateway.edge import serving
from tests.faults.gateways import BOUND_S, OK, PATH, PAUSE_S, TERMS, UNAUTHORIZED
from tests.gateways.world import Edge, Seller, edge, upstream

NO = timedelta()


@dataclass
class Clocks:
    """How far the clocks of both sides are off."""

    plane: timedelta = NO
    agent: timedelta = NO

    def of_plane(self) -> datetime:
        return datetime.now(UTC) + self.plane

    def of_agent(self) -> datetime:
        return datetime.now(UTC) + self.agent


@dataclass
class World:
    clocks: Clocks
    seller: Seller
    gateway: Edge

    async def revoke(self, key: str) -> None:
        of, id_ = self.seller.ids[key], self.seller.keys[key]
        await self.seller.do(RevokeCredential(subscription_id=of, credential_id=id_))

    async def keys(self) -> tuple[str, str]:
        """Return two that work."""
        keys = await self.seller.secret("pets"), await self.seller.secret("pets")
        for key in keys:
            await self.gateway.until_status(OK, PATH, key, PAUSE_S + BOUND_S)
        return keys


@pytest.fixture
async def world(dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    clocks = Clocks()
    async with (
        upstream() as url,
        running(dsn, now=clocks.of_plane) as app,
        serving(app) as plane,
    ):
        seller = Seller(app)
        await seller.sell("pets", url, TERMS)
        token = await seller.gateway("edge")
        keys = (await (await plane.get(None, path="/gateway/v1/keys")).json())["keys"]
        address = str(plane.server.make_url("")).rstrip("/")
        async with edge(tmp_path, address, token, Trust(keys), started=False) as gateway:
            gateway.agent.now = clocks.of_agent
            gateway.start()
            yield World(clocks, seller, gateway)


@pytest.mark.parametrize(
    ("plane_h", "agent_h"), [(0, 5), (0, 30), (-5, 0), (-30, 0)], ids=lambda hours: f"{hours} h"
)
async def test_a_revocation_holds_in_time_when_the_agent_thinks_that_it_is_later(
    world: World, plane_h: int, agent_h: int
) -> None:
    valid, revoked = await world.keys()

    world.clocks.plane, world.clocks.agent = timedelta(hours=plane_h), timedelta(hours=agent_h)
    await world.revoke(revoked)
    await world.gateway.until_status(UNAUTHORIZED, PATH, revoked, BOUND_S)
    assert await world.gateway.status_of(PATH, valid) == OK


@pytest.mark.parametrize(("plane_h", "agent_h"), [(0, -5), (5, 0)], ids=lambda hours: f"{hours} h")
async def test_a_document_of_the_future_is_refused_and_told_until_the_clocks_agree(
    world: World, plane_h: int, agent_h: int
) -> None:
    valid, revoked = await world.keys()

    world.clocks.plane, world.clocks.agent = timedelta(hours=plane_h), timedelta(hours=agent_h)
    await world.revoke(revoked)
    await world.gateway.until(lambda: "future" in (world.gateway.said()["error"] or ""))
    assert await world.gateway.status_of(PATH, revoked) == OK
    assert await world.gateway.status_of(PATH, valid) == OK

    world.clocks.plane = world.clocks.agent = NO
    await world.gateway.until_status(UNAUTHORIZED, PATH, revoked, PAUSE_S + BOUND_S)
    await world.gateway.until(lambda: not world.gateway.said()["error"])
