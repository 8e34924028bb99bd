"""The embedded PostgreSQL: how it starts, is shared, and what it does not mind."""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from controlplane.store import embedded_binaries, embedded_home, embedded_keeper
from controlplane.store.embedded import EmbeddedPostgresError, find_binaries
from tests.controlplane.store.embedded_bench import (
    CLIENT,
    DISK,
    ROOT,
    Bench,
    ask,
    eventually,
    gone,
    keeper_of,
    server_of,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as bench:
        yield bench


def test_the_first_start_makes_a_database_and_the_next_finds_it(bench: Bench) -> None:
    began = time.monotonic()
    lease = bench.ensure()
    cold_s = time.monotonic() - began
    ask(lease.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7) RETURNING n")
    lease.close()
    lease.close()
    assert gone(bench.home)
    began = time.monotonic()
    dsn = bench.ensure().dsn
    warm_s = time.monotonic() - began
    assert ask(dsn, "SELECT n FROM kept") == 7
    assert cold_s < 15  # half a second on an idle machine
    assert warm_s < 5  # a tenth


def test_the_server_is_durable_private_and_independent_of_the_locale(bench: Bench) -> None:
    lease = bench.ensure()
    shown = {
        name: ask(lease.dsn, f"SHOW {name}")
        for name in ("fsync", "synchronous_commit", "data_checksums", "listen_addresses")
    }
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
    }
    assert ask(lease.dsn, "SELECT upper('é') || lower('Ж')") == "Éж"
    assert (bench.home / "run").stat().st_mode & 0o777 == 0o700
    assert lease.data_dir == bench.home


@pytest.mark.parametrize("processes", [2, 5])
def test_processes_that_start_at_once_share_one_server(bench: Bench, processes: int) -> None:
    clients = [bench.client() for _ in range(processes)]
    said = {client.stdout.readline() for client in clients if client.stdout}
    assert len(said) == 1
    assert said != {""}
    server = server_of(bench.home)
    for client in clients[1:]:
        client.communicate()
    time.sleep(3 * embedded_keeper.POLL_S)
    assert server_of(bench.home) == server
    clients[0].communicate()
    assert gone(bench.home)


def test_threads_that_start_at_once_share_one_server(bench: Bench) -> None:
    threads = [threading.Thread(target=bench.ensure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bench.leases) == 8
    assert server_of(bench.home)


def test_the_terminal_and_the_open_files_of_the_caller_stay_its_own(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryFile() as file:
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003
        ours = {Path(f"/proc/self/fd/{own.fileno()}").readlink() for own in (listener, file)}
        bench.ensure()
        for pid in (keeper_of(bench.home), server_of(bench.home)):
            theirs = {link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir()}
            assert not ours & theirs
            assert os.getsid(pid) != os.getsid(0)
            assert Path(f"/proc/{pid}/cwd").readlink() in {Path("/"), bench.home / "pgdata"}


def test_a_client_s_output_ends_with_it_though_the_server_runs_on(bench: Bench) -> None:
    client = bench.client()
    assert client.stdout
    assert client.stdout.readline()
    bench.ensure()
    client.kill()
    assert client.communicate(timeout=5)[0] == ""
    assert server_of(bench.home)


@pytest.mark.parametrize(
    "name", ['it\'s "quoted" $HOME `id`', "Übergröße 数据, 50%s%20;", "x/" * 99 + "long"]
)
def test_any_path_will_do(bench: Bench, name: str) -> None:
    lease = bench.ensure(bench.directory / name)
    assert lease.data_dir == bench.directory / name
    assert ask(lease.dsn, "SELECT 1") == 1
    socket_dir = Path(str(ask(lease.dsn, "SHOW unix_socket_directories")))
    assert socket_dir.stat().st_mode & 0o777 == 0o700
    lease.close()
    assert eventually(lambda: not socket_dir.exists())


def test_the_caller_s_locale_and_settings_of_postgresql_do_not_matter(bench: Bench) -> None:
    client = bench.client(LANG="xx_YY.UTF-8", LC_ALL="xx_YY.UTF-8", PGPORT="1", PGDATA="/nowhere")
    assert client.stdout
    assert ask(client.stdout.readline().strip(), "SHOW lc_messages") == "C"


def no_binaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_binaries, "WHEEL", "a_wheel_that_is_not_installed")
    monkeypatch.setenv("PATH", "/nowhere")


def test_without_binaries_the_error_says_what_to_install(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_binaries(monkeypatch)
    monkeypatch.setattr(embedded_binaries, "SYSTEM_PLACES", ())
    with pytest.raises(EmbeddedPostgresError, match="PostgreSQL 15 or newer"):
        bench.ensure()


def test_the_wheel_is_never_imported() -> None:
    assert find_binaries().parent.name.startswith("pginstall")
    assert embedded_binaries.WHEEL not in sys.modules


def test_without_the_wheel_the_system_s_postgresql_serves(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_binaries(monkeypatch)
    try:
        major = find_binaries().parent.name
    except EmbeddedPostgresError:
        pytest.skip("this machine has no PostgreSQL 15 or newer of its own")
    assert str(ask(bench.ensure().dsn, "SHOW server_version")).startswith(major)


def test_data_of_another_major_version_is_refused(bench: Bench) -> None:
    bench.ensure().close()
    assert gone(bench.home)
    (bench.home / "pgdata" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedPostgresError, match=r"is of PostgreSQL 12, and .* is version \d+"):
        bench.ensure()


def test_a_server_that_cannot_start_is_quoted(bench: Bench) -> None:
    bench.ensure().close()
    assert gone(bench.home)
    with (bench.home / "pgdata" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        bench.ensure()


def test_a_path_that_is_no_directory_is_refused(bench: Bench) -> None:
    bench.home.write_text("")
    with pytest.raises(EmbeddedPostgresError, match="Give a directory"):
        bench.ensure()


def test_the_log_is_bounded(bench: Bench) -> None:
    dsn = bench.ensure().dsn
    ask(dsn, "DO $$ BEGIN RAISE LOG '%', repeat('x', 5000000); END $$", "SELECT 1")
    log = bench.home / "server.log"
    assert eventually(lambda: log.stat().st_size < embedded_keeper.LOG_LIMIT_BYTES)
    assert log.with_name("server.log.1").stat().st_size > 5_000_000
    ask(dsn, "DO $$ BEGIN RAISE LOG 'written on'; END $$", "SELECT 1")
    assert b"written on" in log.read_bytes()


@as_root
def test_for_root_the_server_runs_as_nobody_where_it_can_reach(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_home, "SHELTER", bench.directory / "shelter")
    closed = bench.directory / "closed"
    closed.mkdir(mode=0o700)
    lease = bench.ensure(closed / "data")
    assert lease.data_dir.parent == bench.directory / "shelter"
    server_uid = Path(f"/proc/{server_of(lease.data_dir)}").stat().st_uid
    assert server_uid == pwd.getpwnam("nobody").pw_uid
    assert closed.stat().st_mode & 0o777 == 0o700
    assert bench.ensure(closed / "data").data_dir == lease.data_dir
    assert ask(lease.dsn, "SELECT 1") == 1


@as_root
def test_a_closed_directory_whose_data_is_gone_is_not_begun_anew(bench: Bench) -> None:
    bench.home.mkdir(mode=0o700)
    (bench.home / "elsewhere").symlink_to("/nowhere")
    with pytest.raises(EmbeddedPostgresError, match="which is gone"):
        bench.ensure()


@as_root
def test_binaries_that_the_server_s_user_cannot_reach_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Bench(DISK) as bench:  # nothing may be executed in the memory of some containers
        monkeypatch.setattr(embedded_home, "SHELTER", bench.directory / "shelter")
        closed = bench.directory / "closed"
        closed.mkdir(mode=0o700)
        install = find_binaries().parent
        libraries = install.parent.with_name(f"{embedded_binaries.WHEEL}.libs")
        for package in (install.parent, libraries):
            (closed / package.name).symlink_to(package)
        binaries = closed / install.parent.name / install.name / "bin"
        monkeypatch.setattr(embedded_binaries, "find_binaries", lambda: binaries)
        lease = bench.ensure()
        executable = Path(f"/proc/{server_of(bench.home)}/exe").readlink()
        assert executable.is_relative_to(bench.directory / "shelter")
        assert ask(lease.dsn, "SELECT 1") == 1


def python_for(user: int, paths: list[str]) -> str:
    """Return a Python that the user can run this project with: ours may be below /root."""
    source = f"import sys; sys.path[:0] = {paths}; import controlplane.store.embedded"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            tried = subprocess.run(
                [python, "-c", source], user=user, check=False, capture_output=True, cwd="/"
            )
        except PermissionError:
            continue
        if tried.returncode == 0:
            return python
    pytest.skip("a plain user can reach no Python that runs this project")


@as_root
def test_a_plain_user_runs_the_server_and_root_may_join(bench: Bench) -> None:
    user = pwd.getpwnam("daemon")
    packages = Path(asyncpg.__file__).parents[1]
    paths = [str(ROOT), str(packages)]
    bench.home.mkdir()
    os.chown(bench.home, user.pw_uid, user.pw_gid)
    python = python_for(user.pw_uid, paths)
    client = bench.start([python, "-c", CLIENT, str(bench.home), *paths], user=user.pw_uid)
    assert client.stdout
    dsn = client.stdout.readline().strip()
    assert Path(f"/proc/{server_of(bench.home)}").stat().st_uid == user.pw_uid
    assert Path(f"/proc/{keeper_of(bench.home)}").stat().st_uid == user.pw_uid
    assert bench.ensure().dsn == dsn
    client.communicate()
    assert ask(dsn, "SELECT 1") == 1
