"""What an agent holds outlives it: nothing that was taken away is given back by a restart."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from controlplane.gateway.agent import files
from controlplane.gateway.agent.agent import Agent
from controlplane.gateway.agent.envoy import Envoy
from controlplane.gateway.agent.files import FileUnusableError
from controlplane.gateway.agent.kept import JOURNAL, SNAPSHOT, Kept
from controlplane.gateway.agent.source import Source
from controlplane.gateway.agent.status import Status
from controlplane.gateway.agent.trust import Trust
from controlplane.gateway.renderers import Site
from domain import config_document, routing
from domain.signed import SIGNATURE, jwk, sign
from tests.gateways.real_envoy import free_port
from tests.gateways.sold import Sold

FIRST, SECOND, THIRD = b"1" * 32, b"2" * 32, b"3" * 32
GIVEN = (jwk(FIRST),)


@dataclass
class World:
    """A folder with an agent's state and the files of an Envoy, and what was said of a key."""

    folder: Path
    given: tuple[Any, ...] = GIVEN
    admin_port: int = 0

    def says(self, cursor: str, *keys: str, by: bytes = FIRST, next_key: bytes = FIRST) -> Any:
        """Return a signed snapshot in which these keys are known."""
        sold = Sold()
        pets = sold.product("pets")
        sold.version(pets, "http://127.0.0.1:1", ["GET /pets"])
        sold.subscription(sold.plan("free", pets), "caller", *keys)
        document = {
            **sold.snapshot(),
            "cursor": cursor,
            "full": True,
            "issued_at": datetime.now(UTC).isoformat(),
            "max_staleness_s": 60,
            "signing_keys": [jwk(by), *([jwk(next_key)] if next_key != by else [])],
        }
        document["content_hash"] = config_document.content_hash(document)
        return {**document, SIGNATURE: sign(document, by)}

    def delta(self, before: Any, after: Any) -> Any:
        lists: dict[str, list[Any]] = {name: [] for name in routing.LISTS.values()}
        lists["subscriptions"] = after["subscriptions"]
        return {**after, **lists, "full": False, "since": before["cursor"], "removed": []}

    def agent(self, session: ClientSession, url: str = "http://127.0.0.1:1") -> Agent:
        state = self.folder / "state"
        kept = Kept(state)
        return Agent(
            Source(session, url, ""),
            Envoy(Site(str(self.folder), admin_port=self.admin_port)),
            kept,
            Trust(self.given, state / "trusted.json"),
            Status(state / "status.json"),
            lambda: datetime.now(UTC),
            1,
        )

    @asynccontextmanager
    async def told(self, *documents: Any) -> AsyncIterator[Agent]:
        """Run an agent that resumes, until it holds the last of some documents."""
        left = list(documents)

        async def poll(_: web.Request) -> web.Response:
            return web.json_response(left.pop(0)) if left else web.Response(status=304)

        async def acknowledge(_: web.Request) -> web.Response:
            return web.json_response({"data": {"said": {"diverged": False, "reportedAt": ""}}})

        site = web.Application()
        site.router.add_get("/gateway/v1/config", poll)
        site.router.add_post("/gateway/graphql", acknowledge)
        async with TestServer(site) as server, ClientSession() as session:
            agent = self.agent(session, str(server.make_url("")).rstrip("/"))
            agent.resume()
            task = asyncio.create_task(agent.run())
            async with asyncio.timeout(10):
                while left or agent.held is None or agent.held.cursor != documents[-1]["cursor"]:
                    await asyncio.sleep(0.01)
                said, now = agent.status, documents[-1]["cursor"]
                while not self.admin_port and not (said.enforced and said.cursor == now):
                    await asyncio.sleep(0.01)
            try:
                yield agent
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def after_a_restart(self, snapshot: Any = None) -> set[str]:
        """Return the keys that are known to an agent that starts while nobody answers."""
        async with ClientSession() as session:
            agent = self.agent(session)
            agent.resume(snapshot)
            assert agent.held is not None
            rows = agent.held.enforced()["subscriptions"]
            return {key["id"] for row in rows for key in row["keys"]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_journal_that_was_cut_off_goes_on_where_it_was_right(world: World) -> None:
    first, then = world.says("1.1", "a", "b"), world.says("1.2", "a")
    last = world.says("1.3")
    async with world.told(first, world.delta(first, then)):
        pass
    with (world.folder / "state" / JOURNAL).open("ab") as journal:
        journal.write(b'{"full": fal')  # as far as it came
    assert await world.after_a_restart() == {"a"}

    async with world.told(world.delta(then, last)):
        pass
    assert await world.after_a_restart() == set()


async def test_what_was_taken_away_while_the_gateway_was_away_stays_away(world: World) -> None:
    first, then = world.says("1.1", "a", "b"), world.says("1.2", "a")
    async with world.told(first):
        pass
    broken = replace(world, admin_port=free_port())

    async with broken.told(world.delta(first, then)) as agent:
        assert not agent.status.enforced

    assert await world.after_a_restart() == {"a"}


async def test_a_snapshot_to_begin_with_takes_nothing_back(world: World) -> None:
    first, then = world.says("1.1", "a", "b"), world.says("1.2", "a")
    assert await world.after_a_restart(first) == {"a", "b"}
    async with world.told(world.delta(first, then)):
        pass

    assert await world.after_a_restart(first) == {"a"}
    assert await world.after_a_restart(world.says("1.3")) == set()
    assert await world.after_a_restart(first) == set()


async def test_the_keys_that_sign_are_followed_through_restarts(world: World) -> None:
    first = world.says("1.1", "a", next_key=SECOND)
    then = world.says("1.2", "a", "b", by=SECOND, next_key=THIRD)
    last = world.says("1.3", "b", by=THIRD)
    async with world.told(first):
        pass
    async with world.told(then):
        pass
    async with world.told(world.delta(then, last)):
        pass
    assert await world.after_a_restart() == {"b"}

    world.given = (jwk(b"4" * 32),)  # by somebody who knows why
    async with ClientSession() as session:
        agent = world.agent(session)
        agent.resume()
        assert agent.held is None


async def test_envoy_is_not_told_again_what_was_taken_away_in_an_earlier_epoch(
    world: World,
) -> None:
    def known() -> set[str]:
        scripts = "".join(path.read_text() for path in world.folder.glob("keys-*.json"))
        return {key for key in ("a", "b") if sha256(key.encode()).hexdigest()[3:] in scripts}

    first, then = world.says("1.2", "a", "b"), world.says("1.3", "a")
    lost = world.says("2.2", "a", "b")
    async with world.told(first, world.delta(first, then)):
        assert known() == {"a"}
    async with world.told(lost):
        assert known() == {"a"}


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match="there"):
        files.write(tmp_path / "there", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_file_that_is_no_json_object_says_so(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for content in (None, "[]", "{"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(FileUnusableError, match=r"file\.json"):
            files.read(path)


def test_what_a_crash_left_of_a_file_is_gone_after_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crashes)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / SNAPSHOT, b"half of it")
    assert len(list(tmp_path.iterdir())) == 1

    kept = Kept(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert list(kept.documents()) == []
