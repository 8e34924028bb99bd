"""HAProxy enforces what was sold, as the agent tells it."""

import time
from pathlib import Path

from controlplane.app import App
from controlplane.commands.subscription import RevokeCredential
from tests.controlplane.gateway.edge import serving
from tests.gateways.world import Seller, edge, upstream


async def test_a_key_works_until_it_is_revoked(app: App, tmp_path: Path) -> None:
    seller = Seller(app)
    async with upstream() as url, serving(app) as plane:
        await seller.sell("pets", url)
        token = await seller.gateway("edge")
        key = await seller.secret("pets")
        await seller.settled()
        async with edge(tmp_path, str(plane.server.make_url("")), token) as gateway:
            await gateway.enforces(1)

            assert await gateway.status_of("/pets/v1/pets", key) == 200
            assert await gateway.status_of("/pets/v1/pets") == 401
            assert await gateway.status_of("/pets/v1/pets", "other") == 401
            assert await gateway.status_of("/pets/v1/none", key) == 404
            assert await gateway.status_of("/pets/v2/pets", key) == 404

            await seller.do(
                RevokeCredential(subscription_id=seller.ids[key], credential_id=seller.keys[key])
            )
            began = time.monotonic()
            while await gateway.status_of("/pets/v1/pets", key) != 401:
                assert time.monotonic() < began + 1
