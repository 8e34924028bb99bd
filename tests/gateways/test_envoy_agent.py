"""The agent keeps the files of an Envoy, which starts from them by itself."""

from pathlib import Path

from controlplane.gateway.agent.envoy import Envoy
from controlplane.gateway.agent.held import Held
from controlplane.gateway.renderers import Site, envoy
from domain import routing
from domain.config_document import content_hash
from tests.gateways.real_envoy import gateway, upstream
from tests.gateways.sold import Sold

PATH = "/pets/v1/pets"


def held(sold: Sold) -> Held:
    document = {**sold.snapshot(), "full": True}
    own = content_hash(document)
    return Held({**document, "content_hash": own, "cursor": "1.1"})


def written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}


async def test_an_envoy_starts_from_the_files_while_the_control_plane_is_down(
    tmp_path: Path,
) -> None:
    sold = Sold()
    with upstream() as url, gateway(tmp_path) as running:
        pets = sold.product("pets")
        sold.version(pets, url, ["GET /pets"])
        subscription = sold.subscription(sold.plan("free", pets), "shop", "key")
        site = Site(
            str(tmp_path),
            listen_port=running.port,
            control_plane="http://127.0.0.1:9",
            token_file="token",  # noqa: S106  # no secret: the agent has one
        )
        agent = Envoy(site)
        assert await agent.enforce(held(sold), None) == ()
        running.put(envoy.bootstrap(Site(str(tmp_path), listen_port=running.port)))
        running.start()
        running.until(200, PATH, "key")

        row = sold.rows[routing.SUBSCRIPTION][subscription]
        sold.change(routing.SUBSCRIPTION, subscription, routing.without_key(row, "key"))
        before = written(tmp_path)
        await agent.enforce(held(sold), [])  # nothing is said to have changed
        assert written(tmp_path) == before
        await agent.enforce(held(sold), None)
        assert len(written(tmp_path).items() - before.items()) == 1
        running.until(401, PATH, "key")

        running.stop()
        running.start()
        running.until(401, PATH, "key")
