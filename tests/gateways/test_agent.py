"""An agent between a real control plane and a real HAProxy."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from controlplane.app import App
from controlplane.commands.credential import RevokeCredential
from controlplane.gateway.agent.files import remove_all
from controlplane.gateway.agent.kept import JOURNAL, SNAPSHOT
from controlplane.gateway.agent.trust import Trust
from controlplane.gateway.renderers import Rendered
from controlplane.gateway.renderers import haproxy as renderer
from tests.controlplane.gateway.edge import Client, serving
from tests.gateways.world import Edge, Seller, agent_of, edge, haproxy, upstream
from tests.processes import environment

PATH = "/pets/v1/pets"
NOWHERE = "http://127.0.0.1:1"


class World:
    """A provider with a product, a gateway's token, and keys."""

    def __init__(self, seller: Seller, plane: Client, token: str) -> None:
        self.seller, self.plane, self.token = seller, plane, token

    @property
    def url(self) -> str:
        return str(self.plane.server.make_url("")).rstrip("/")

    async def key(self) -> str:
        key = await self.seller.secret("pets")
        await self.seller.settled()
        return key

    async def revoke(self, key: str) -> None:
        await self.seller.do(
            RevokeCredential(
                subscription_id=self.seller.ids[key], credential_id=self.seller.keys[key]
            )
        )


@pytest.fixture
async def world(app: App) -> Any:
    seller = Seller(app)
    async with upstream() as url, serving(app) as plane:
        await seller.sell("pets", url)
        yield World(seller, plane, await seller.gateway("edge"))


async def test_a_revoked_key_is_refused_in_a_blink_without_a_reload(
    world: World, tmp_path: Path
) -> None:
    keys = [await world.key() for _ in range(5)]
    async with edge(tmp_path, world.url, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"])
        loaded = (tmp_path / "haproxy.cfg").stat().st_mtime_ns

        for key in keys:
            assert await gateway.status_of(PATH, key) == 200
            await world.revoke(key)
            began = time.monotonic()
            while await gateway.status_of(PATH, key) != 401:
                assert time.monotonic() < began + 1
        assert (tmp_path / "haproxy.cfg").stat().st_mtime_ns == loaded


async def test_the_gateway_is_acknowledged_with_the_hash_that_it_runs(
    world: World, tmp_path: Path
) -> None:
    key = await world.key()
    async with edge(tmp_path, world.url, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"])
        await world.revoke(key)
        while await gateway.status_of(PATH, key) != 401:
            await asyncio.sleep(0.01)
        await world.seller.settled()
        document = await world.plane.config(world.token)
        await gateway.until(lambda: gateway.said()["cursor"] == document["cursor"])

        assert gateway.said()["content_hash"] == document["content_hash"]
        rows = await world.seller.app.services.pool.fetch(
            "SELECT content_hash FROM gateway_acknowledgements"
        )
        assert [row["content_hash"] for row in rows] == [document["content_hash"]]


async def test_a_gateway_starts_from_what_was_kept_while_the_control_plane_is_down(
    world: World, tmp_path: Path
) -> None:
    revoked, key = await world.key(), await world.key()
    async with edge(tmp_path, world.url, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"])
        await world.revoke(revoked)
        while await gateway.status_of(PATH, revoked) != 401:
            await asyncio.sleep(0.01)
    remove_all([tmp_path / "keys.map", tmp_path / "recent.map"])  # the state alone is left

    async with edge(tmp_path, NOWHERE, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"])
        assert await gateway.status_of(PATH, key) == 200
        assert await gateway.status_of(PATH, revoked) == 401
        await gateway.until(lambda: gateway.said()["error"])


async def test_haproxy_starts_by_itself_with_what_was_enforced_last(
    world: World, tmp_path: Path
) -> None:
    revoked, key = await world.key(), await world.key()
    async with edge(tmp_path, world.url, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"])
        await world.revoke(revoked)
        while await gateway.status_of(PATH, revoked) != 401:
            await asyncio.sleep(0.01)
        site = gateway.site

    async with ClientSession() as session:
        with haproxy(site):
            alone = Edge(site, agent_of(site, NOWHERE, world.token, session), session)
            assert await alone.status_of(PATH, key) == 200
            assert await alone.status_of(PATH, revoked) == 401


async def test_what_is_signed_by_another_is_not_enforced(world: World, tmp_path: Path) -> None:
    key = await world.key()
    async with edge(tmp_path, world.url, world.token, Trust([{"kid": "another"}])) as gateway:
        await gateway.until(lambda: gateway.said()["error"])

        assert "trusted" in gateway.said()["error"]
        assert not gateway.said()["enforced"]
        assert await gateway.status_of(PATH, key) == 404


@pytest.mark.parametrize(
    ("name", "broken"),
    [(SNAPSHOT, b'{"format": 1, "gr'), (SNAPSHOT, b"[]"), (JOURNAL, b'{"full": false}\n{"ful')],
)
async def test_a_state_that_is_broken_is_mended_by_a_snapshot(
    world: World, tmp_path: Path, name: str, broken: bytes
) -> None:
    key = await world.key()
    async with edge(tmp_path, world.url, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"])
    (tmp_path / "state" / name).write_bytes(broken)

    async with edge(tmp_path, world.url, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"] and not gateway.said()["error"])
        assert await gateway.status_of(PATH, key) == 200
    kept = json.loads((tmp_path / "state" / SNAPSHOT).read_bytes())
    assert kept["cursor"] == gateway.said()["cursor"]


async def test_a_planted_fault_of_the_renderer_is_never_served_and_keys_go_on_being_revoked(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, revoked = await world.key(), await world.key()
    async with edge(tmp_path, world.url, world.token) as gateway:
        await gateway.until(lambda: gateway.said()["enforced"])

        right = renderer.render

        def wrong(*arguments: Any) -> Rendered:
            rendered = right(*arguments)
            config = rendered.files[renderer.CONFIG] + b"nonsense\n"
            return Rendered({**rendered.files, renderer.CONFIG: config}, rendered.unserved)

        monkeypatch.setattr(renderer, "render", wrong)
        await world.seller.sell("orders", "http://127.0.0.1:1")
        await gateway.until(lambda: "nonsense" in (gateway.said()["error"] or ""))
        assert await gateway.status_of(PATH, key) == 200
        assert await gateway.status_of("/orders/v1/pets", key) == 404

        await world.revoke(revoked)
        while await gateway.status_of(PATH, revoked) != 401:
            await asyncio.sleep(0.01)
        assert await gateway.status_of(PATH, key) == 200

        monkeypatch.setattr(renderer, "render", right)
        await gateway.until(lambda: gateway.said()["enforced"])
        assert await gateway.status_of("/orders/v1/pets", key) == 403


async def test_an_agent_that_is_killed_while_it_writes_starts_well(
    world: World, tmp_path: Path
) -> None:
    good = await world.key()
    async with edge(tmp_path, world.url, world.token, started=False) as gateway:
        token = tmp_path / "token"
        token.write_text(world.token)
        command = [sys.executable, "-m", "controlplane", "gateway", "agent"]
        command += ["--vendor", "haproxy", "--directory", str(tmp_path), "--url", world.url]
        command += ["--port", str(gateway.site.listen_port), "--token-file", str(token)]
        for nth in range(3):
            gateway.forget()
            with (tmp_path / "agent.log").open("ab") as log:
                agent = await asyncio.create_subprocess_exec(
                    *command, stderr=log, env=environment()
                )
            try:
                await gateway.until(lambda: gateway.said()["enforced"])
                deadline = time.monotonic() + 0.3 * nth
                while time.monotonic() < deadline:
                    await world.revoke(await world.key())
            finally:
                agent.send_signal(signal.SIGKILL)
                await agent.wait()
            assert await gateway.status_of(PATH, good) == 200

        last = await world.key()
        await world.revoke(good)
        with (tmp_path / "agent.log").open("ab") as log:
            done = await asyncio.to_thread(
                subprocess.run, [*command, "--once"], stderr=log, env=environment(), timeout=30
            )
        assert done.returncode == 0, (tmp_path / "agent.log").read_text()
        assert await gateway.status_of(PATH, last) == 200
        assert await gateway.status_of(PATH, good) == 401
