"""The agent keeps the files of an Envoy fresh."""

import asyncio
import time
from pathlib import Path

from aiohttp import ClientSession

from controlplane.app import App
from controlplane.commands.credential import RevokeCredential
from controlplane.gateway.agent import files
from controlplane.gateway.agent.envoy import Envoy
from controlplane.gateway.renderers import Site, envoy
from tests.controlplane.gateway.edge import serving
from tests.gateways.real_envoy import gateway
from tests.gateways.world import Edge, Seller, agent_of, upstream

PATH = "/pets/v1/pets"


async def test_envoy_starts_from_files_and_refuses_a_revoked_key_in_a_blink(
    app: App, tmp_path: Path
) -> None:
    seller = Seller(app)
    async with upstream() as url, serving(app) as plane, ClientSession() as session:
        await seller.sell("pets", url)
        token = await seller.gateway("edge")
        key, revoked = await seller.secret("pets"), await seller.secret("pets")
        await seller.settled()
        with gateway(tmp_path) as running:
            address = str(plane.server.make_url("")).rstrip("/")
            site = Site(
                str(tmp_path),
                listen_port=running.port,
                admin_port=running.admin_port,
                control_plane=address,
            )
            agent = agent_of(site, address, token, session)
            agent.gateway = Envoy(site)
            edge = Edge(site, agent, session)
            edge.start()
            # It is not there yet: the files are written, and nothing is acknowledged.
            await edge.until(lambda: edge.said()["error"])
            assert not edge.said()["enforced"]

            files.write_all(tmp_path, envoy.bootstrap(site))
            await asyncio.to_thread(running.start)
            await edge.until(lambda: edge.said()["enforced"])
            assert await edge.status_of(PATH, key) == await edge.status_of(PATH, revoked) == 200

            await seller.do(
                RevokeCredential(
                    subscription_id=seller.ids[revoked], credential_id=seller.keys[revoked]
                )
            )
            began = time.monotonic()
            while await edge.status_of(PATH, revoked) != 401:
                assert time.monotonic() < began + 2
            assert await edge.status_of(PATH, key) == 200
            await edge.stop()

            running.stop()  # and the agent is not there: the files are enough
            await asyncio.to_thread(running.start)
            assert await edge.status_of(PATH, key) == 200
            assert await edge.status_of(PATH, revoked) == 401
