"""A database that is another one under a running process: it starts over, and claims nothing."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import asyncpg
import pytest

from controlplane import openapi
from controlplane.app import App, running
from controlplane.commands.team import FormTeam
from controlplane.demo.filling import fill
from controlplane.demo.sold import Own
from controlplane.graphql.schema import sdl
from controlplane.settings import Settings
from controlplane.store import UnavailableError
from controlplane.store.history import HistoryReplacedError
from tests.controlplane.commands.world import do
from tests.processes import Served, eventually, get, serving

SETTINGS = Settings(database_budget_s=1)
AWAY = (UnavailableError, HistoryReplacedError, asyncpg.PostgresError)
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = $1 AND application_name = 'controlplane'"
)


@asynccontextmanager
async def administering(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


def name_of(dsn: str) -> str:
    return urlsplit(dsn).path.strip("/")


async def fail_over(dsn: str) -> None:
    """Have the database claim to be on another server than the one before."""
    async with administering(dsn) as admin:
        await admin.execute("UPDATE epochs SET system_identifier = system_identifier + 1")
        await admin.execute(TERMINATE, name_of(dsn))


async def copy(server: str, dsn: str) -> None:
    """Back a database up that nobody uses."""
    async with administering(server) as admin:
        await admin.execute(f"CREATE DATABASE {name_of(dsn)}_backup TEMPLATE {name_of(dsn)}")


async def restore(server: str, dsn: str) -> None:
    """Put the backup in the place of the database, which is lost."""
    name = name_of(dsn)
    async with administering(server) as admin:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute(TERMINATE, name)
        await asyncio.sleep(0.5)  # as if it took a while
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.execute(f"ALTER DATABASE {name}_backup RENAME TO {name}")


async def test_on_another_history_nothing_is_written_read_or_believed(dsn: str) -> None:
    async with running(dsn, SETTINGS) as app:
        await do(app, FormTeam(name="Before"))
        async with administering(dsn) as admin, admin.transaction():
            # Commands wait for this lock while the database becomes another one.
            await admin.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
            waiting = [asyncio.create_task(do(app, FormTeam(name=str(n)))) for n in range(20)]
            await asyncio.sleep(0.1)
            await fail_over(dsn)
            await asyncio.sleep(0.1)
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in done} == {UnavailableError}
        async with asyncio.timeout(5):
            await app.history.replaced.wait()
        with pytest.raises(UnavailableError, match="another one"):
            await do(app, FormTeam(name="After"))
        with pytest.raises(HistoryReplacedError):
            await app.services.pool.fetchval("SELECT count(*) FROM team")
        assert app.epoch == 1
    async with running(dsn, SETTINGS) as again:
        assert again.epoch == 2
        assert await events(again) == 1
        await do(again, FormTeam(name="After"))


async def events(app: App) -> int:
    found: int = await app.services.pool.fetchval("SELECT count(*) FROM stored_events")
    return found


@contextmanager
def watched(served: Served) -> Iterator[set[tuple[str, int]]]:
    """Collect what the service answers meanwhile."""
    seen: set[tuple[str, int]] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for path in ("/healthz", "/readyz"):
                seen.add((path, served.get(path)[0]))
            time.sleep(0.01)

    watching = threading.Thread(target=watch)
    watching.start()
    yield seen
    done.set()
    watching.join()


def form_team(served: Served, token: str, name: str) -> str:
    """Form a team; return the position."""
    query = (
        "mutation($i: FormTeamInput!) { r: formTeam(input: $i) { ... on Changed { position } } }"
    )
    body = json.dumps({"query": query, "variables": {"i": {"name": name}}}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(served.announced["graphql"], body, headers)) as answer:  # noqa: S310  # ours
        position = json.load(answer)["data"]["r"]["position"]
    assert isinstance(position, str)
    return position


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_service_whose_database_was_restored_starts_over_by_itself(
    server: str, dsn: str, tmp_path: Path, workers: int
) -> None:
    variables = {"CONTROLPLANE_DATABASE_URL": dsn, "CONTROLPLANE_WORKERS": str(workers)}
    async with running(dsn) as app:
        own = Own("http://127.0.0.1", sdl(), openapi.document())
        tokens = await fill(app, own)
    await copy(server, dsn)
    with serving(tmp_path / "log", **variables) as served:
        served.announced["tokens"] = tokens
        await asyncio.to_thread(_lives_through, served, tokens["owner"], server, dsn, workers)
        assert "started_over" in (tmp_path / "log").read_text() or workers > 1
        assert served.stop() == 0


def _lives_through(served: Served, owner: str, server: str, dsn: str, workers: int) -> None:
    before = config(served)
    assert before["cursor"].startswith("1.")
    lost = [form_team(served, owner, f"Lost {n}") for n in range(3)]
    held: list[int] = []
    path = f"/gateway/v1/config?since={before['cursor']}&wait=60"
    polling = threading.Thread(target=lambda: held.append(served.get(path, "gateway")[0]))
    polling.start()
    with watched(served) as seen:
        asyncio.run(restore(server, dsn))
        assert eventually(lambda: config(served).get("cursor", "").startswith("2."))
        assert eventually(lambda: served.get("/readyz")[0] == 200)
    polling.join(10)
    assert held[0] in {0, 200, 304, 503}
    after = config(served)
    stale = config(served, f"?since={before['cursor']}")
    assert (stale["full"], stale["cursor"]) == (True, after["cursor"])
    # The positions of what was lost are given anew, under another epoch.
    epoch, _, number = form_team(served, owner, "Anew").partition(".")
    assert (epoch, number) == ("2", lost[0].partition(".")[2])
    assert {status for _, status in seen} <= {0, 200, 503}
    assert ("/readyz", 503) in seen
    if workers == 1:
        assert {status for asked, status in seen if asked == "/healthz"} == {200}
    url = f"{served.announced['url']}/audit/v1/events?after=1.1"
    assert get(url, {"Authorization": f"Bearer {owner}"})[0] == 409


def config(served: Served, query: str = "") -> dict[str, Any]:
    status, body = served.get(f"/gateway/v1/config{query}", "gateway")
    found: dict[str, Any] = json.loads(body) if status == 200 else {}
    return found
