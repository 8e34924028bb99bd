"""Who may be killed with an embedded PostgreSQL, and what is left then."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from controlplane.store import embedded_keeper
from tests.controlplane.store.embedded_bench import (
    Bench,
    ask,
    asked,
    eventually,
    gone,
    holders,
    keeper_of,
    server_of,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")

WHAT_A_KILLED_SERVER_RAISES = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as bench:
        yield bench


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # a child may have gone with its parent
            os.kill(pid, signal.SIGKILL)


async def insert_until_it_breaks(dsn: str, batch: int, acknowledged: set[int]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for n in range(batch * 100_000, (batch + 1) * 100_000):
            await connection.execute("INSERT INTO load VALUES ($1)", n)
            acknowledged.add(n)
    except WHAT_A_KILLED_SERVER_RAISES:
        return
    finally:
        connection.terminate()


async def load_and_kill(bench: Bench, dsn: str, rounds: int, acknowledged: set[int]) -> None:
    """Insert with four connections for half a second, then kill the server they use."""
    load = [insert_until_it_breaks(dsn, 4 * rounds + n, acknowledged) for n in range(4)]
    running = asyncio.gather(*load)
    await asyncio.sleep(0.5)
    victims = [server_of(bench.home)]
    if rounds % 2:  # every backend as well
        victims += holders(bench.home / "server.lock") - {*victims, keeper_of(bench.home)}
    kill(victims)
    await running


def test_a_server_killed_under_load_loses_nothing_it_acknowledged(bench: Bench) -> None:
    dsn = bench.ensure().dsn
    ask(dsn, "CREATE TABLE load (n int PRIMARY KEY)", "SELECT 1")
    acknowledged: set[int] = set()
    for rounds in range(3):
        before = len(acknowledged)
        asyncio.run(load_and_kill(bench, dsn, rounds, acknowledged))
        assert len(acknowledged) > before
        dsn = bench.ensure().dsn
        stored = ask(dsn, "SELECT array_agg(n) FROM load")
        assert isinstance(stored, list)
        assert acknowledged <= set(stored)


def test_a_backend_that_keeps_computing_does_not_delay_the_next_server(bench: Bench) -> None:
    async def compute_on(dsn: str) -> None:
        computing = asyncio.create_task(asked(dsn, "SELECT count(*) FROM generate_series(1, 1e12)"))
        await asyncio.sleep(0.3)
        os.kill(server_of(bench.home), signal.SIGKILL)
        with pytest.raises(WHAT_A_KILLED_SERVER_RAISES):
            await computing

    asyncio.run(compute_on(bench.ensure().dsn))
    assert ask(bench.ensure().dsn, "SELECT 1") == 1


def test_the_server_goes_when_its_keeper_is_killed_and_comes_back(bench: Bench) -> None:
    ask(bench.ensure().dsn, "CREATE TABLE kept (n int)", "SELECT 1")
    os.kill(keeper_of(bench.home), signal.SIGKILL)
    assert gone(bench.home)
    assert ask(bench.ensure().dsn, "SELECT count(*) FROM kept") == 0


def test_a_server_that_outlived_its_keeper_is_replaced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where the kernel cannot tie a process to its parent.
    script = bench.directory / "untied_keeper.py"
    original = Path(embedded_keeper.__file__).read_text()
    script.write_text(original.replace('if sys.platform != "linux":', "if True:"))
    monkeypatch.setattr(embedded_keeper, "__file__", str(script))
    ask(bench.ensure().dsn, "CREATE TABLE kept (n int)", "SELECT 1")
    orphan = server_of(bench.home)
    os.kill(keeper_of(bench.home), signal.SIGKILL)
    time.sleep(0.3)
    assert orphan in holders(bench.home / "server.lock")
    assert ask(bench.ensure().dsn, "SELECT count(*) FROM kept") == 0
    assert server_of(bench.home) != orphan


def test_the_server_goes_when_its_last_client_is_killed(bench: Bench) -> None:
    first, second = bench.client(), bench.client()
    assert first.stdout
    assert second.stdout
    assert first.stdout.readline() == second.stdout.readline() != ""
    first.kill()
    time.sleep(3 * embedded_keeper.POLL_S)
    assert server_of(bench.home)
    second.kill()
    assert gone(bench.home)


def test_the_keeper_stops_the_server_when_it_is_asked_to_end(bench: Bench) -> None:
    bench.ensure()
    os.kill(keeper_of(bench.home), signal.SIGTERM)
    assert gone(bench.home)
    assert b"shut down" in (bench.home / "server.log").read_bytes()


def test_a_pid_file_that_names_a_stranger_is_of_no_consequence(bench: Bench) -> None:
    bench.ensure().close()
    assert gone(bench.home)
    cluster = bench.home / "pgdata"
    stranger = bench.start(["sleep", "60"], user=cluster.stat().st_uid)
    for stale in (cluster / "postmaster.pid", bench.home / "run" / ".s.PGSQL.5432.lock"):
        stale.parent.mkdir(mode=0o700, exist_ok=True)
        lines = [stranger.pid, cluster, int(time.time()), 5432, bench.home / "run", "", 1, "ready"]
        stale.write_text("\n".join(str(line) for line in lines))
        for path in (stale, stale.parent):
            os.chown(path, cluster.stat().st_uid, cluster.stat().st_gid)
    assert ask(bench.ensure().dsn, "SELECT 1") == 1
    assert stranger.poll() is None


@pytest.mark.parametrize("with_initdb", [False, True])
def test_a_first_start_that_was_killed_leaves_nothing_broken(
    bench: Bench, *, with_initdb: bool
) -> None:
    client = bench.client()
    assert eventually(lambda: list(bench.home.glob("pgdata.new-*/PG_VERSION")))
    client.kill()
    client.wait()
    if with_initdb:
        kill(holders(bench.home / "server.lock"))
    assert ask(bench.ensure().dsn, "SELECT 1") == 1
    assert not list(bench.home.glob("pgdata.new-*"))
