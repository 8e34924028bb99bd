"""A PostgreSQL of our own for development and tests: `ensure` starts it or joins the running one.

A data directory holds the cluster (`pgdata`), the socket (`run`), the log and four lock files.
Who is alive is asked of the kernel, by the locks that die with their holders:

- start.lock: held by one `ensure` at a time.
- client.lock: shared by every lease; the keeper takes it exclusively when nobody is left.
- keeper.lock: held by the keeper, the process that stops the server (embedded_keeper.py).
- server.lock: inherited by every process of the server, and by initdb.

A pid file is never read, and the only process signalled is the one the kernel names as the
listener on our private socket. Crash order: a cluster is made aside and renamed when complete;
the server starts while both keeper.lock and server.lock are ours, so never a second one; whoever
dies in between leaves nothing but free locks, and the next `ensure` goes on from there.
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from controlplane.store import embedded_keeper
from controlplane.store.embedded_binaries import find_binaries, runnable
from controlplane.store.embedded_home import (
    ENVIRONMENT,
    SOCKET_NAME,
    EmbeddedPostgresError,
    Home,
    home_of,
    make_private,
)
from controlplane.store.embedded_keeper import CLIENT_LOCK, LOG, try_lock

__all__ = ["EmbeddedPostgresError", "Lease", "ensure", "find_binaries"]

BUILTIN_LOCALE_SINCE = 17
CANNOT_CONNECT_NOW = b"C57P03\0"  # starting up, recovering or shutting down
POLL_S = 0.02
STARTS = 3  # who kills a server under load may hit the next one before it answers
DARWIN_LOCAL_PEERPID = (0, 2)

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "2GB",  # a replay of a large history writes much at once
    "min_wal_size": "160MB",
    "wal_buffers": "16MB",
    "jit": "off",  # our queries are short: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",  # the keeper bounds the log
}


@dataclass
class Lease:
    """A claim on the running server, which stops when the last lease is closed or its owner dies.

    `dsn` is for asyncpg and psycopg. `data_dir` is where the data is: the directory given, or its
    stand-in that the server's user can reach. A lease that is merely forgotten stays in force.
    """

    dsn: str
    data_dir: Path
    _client_lock: list[int] = field(repr=False)

    def close(self) -> None:
        """Give the claim back; again does nothing."""
        with suppress(IndexError):
            os.close(self._client_lock.pop())


def ensure(data_dir: Path, *, start_timeout_s: float = 30.0) -> Lease:
    """Start the server of a directory, or join the one that runs, and claim it. Blocks.

    The first call makes the database. Call again after the server crashed: the old lease claims
    nothing then, and what was acknowledged is there. Raises EmbeddedPostgresError when the server
    cannot be had within the time.
    """
    deadline = time.monotonic() + start_timeout_s
    try:
        home = home_of(data_dir)
        start_lock = _await_lock(home, "start.lock", fcntl.LOCK_EX, deadline)
        try:
            client_lock = _await_lock(home, CLIENT_LOCK, fcntl.LOCK_SH, deadline)
            try:
                _bring_up(home, deadline)
            except BaseException:
                os.close(client_lock)
                raise
        finally:
            os.close(start_lock)
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot use {data_dir}: {error}. Give a directory that this user may write,"
            " on a file system with locks and owners, or use a server of your own."
        ) from error
    host = quote(str(home.socket_dir), safe="")
    return Lease(f"postgresql://postgres@/postgres?host={host}&port=5432", home.path, [client_lock])


def _await_lock(home: Home, name: str, operation: int, deadline: float) -> int:
    opened = home.open(name)
    while not try_lock(opened, operation):
        if time.monotonic() > deadline:
            os.close(opened)
            raise EmbeddedPostgresError(
                f"{home.path / name} is held by a PostgreSQL that is still starting or stopping."
                f" Try again; {home.path / LOG} says what it does."
            )
        time.sleep(POLL_S)
    return opened


def _bring_up(home: Home, deadline: float) -> None:
    """Return when the server answers; the caller holds start.lock and a share of client.lock."""
    starts = log_start = 0
    while time.monotonic() < deadline:
        with home.attempt("keeper.lock") as keeper_lock:
            if keeper_lock is None:
                if _answers(home.socket_dir):
                    return
            else:
                with home.attempt("server.lock") as server_lock:
                    if server_lock is None:
                        _stop_orphan(home.socket_dir)
                    elif starts < STARTS:
                        starts += 1
                        log_start = _start(home, keeper_lock, server_lock, deadline)
                    else:
                        said = (home.path / LOG).read_bytes()[log_start:][-2000:]
                        raise EmbeddedPostgresError(
                            f"PostgreSQL stopped while starting:\n{said.decode(errors='replace')}"
                        )
        time.sleep(POLL_S)
    raise EmbeddedPostgresError(
        f"PostgreSQL in {home.path} does not answer yet: it may be recovering, or an earlier one"
        f" is still stopping. Try again with a longer timeout; {home.path / LOG} says more."
    )


def _answers(socket_dir: Path) -> bool:
    """Whether a session can begin; a server that refuses for want of free slots is up too."""
    body = struct.pack("!i", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(1.0)
        probe.connect(str(socket_dir / SOCKET_NAME))
        probe.sendall(struct.pack("!i", len(body) + 4) + body)
        reply = probe.recv(1000)
        return reply != b"" and CANNOT_CONNECT_NOW not in reply
    return False


def _stop_orphan(socket_dir: Path) -> None:
    """Ask a server without a keeper for a fast shutdown; Linux has done so when the keeper died."""
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(1.0)
        probe.connect(str(socket_dir / SOCKET_NAME))
        if sys.platform == "darwin":
            pid = probe.getsockopt(*DARWIN_LOCAL_PEERPID)
        else:
            peer = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            pid = struct.unpack("3i", peer)[0]
        if pid > 0:  # the listener, by the word of the kernel; 0 when in another pid namespace
            os.kill(pid, signal.SIGINT)


def _start(home: Home, keeper_lock: int, server_lock: int, deadline: float) -> int:
    """Start keeper and server, which inherit the two locks; return where their log begins."""
    binaries, major = runnable(home.account)
    for abandoned in home.path.glob("pgdata.new-*"):
        shutil.rmtree(abandoned)
    if not home.cluster.exists():
        _make_cluster(home, binaries, major, server_lock, deadline)
    _check_cluster(home, binaries, major)
    make_private(home.socket_dir, home.account)
    # We hold the lock of every server process, so these are of a dead one; PostgreSQL would ask
    # whether the process ids in them are alive, which a stranger's may be.
    for stale in (home.cluster / "postmaster.pid", *home.socket_dir.glob(f"{SOCKET_NAME}*")):
        stale.unlink(missing_ok=True)
    settings = {"unix_socket_directories": str(home.socket_dir), **SETTINGS}
    server = [str(binaries / "postgres"), "-D", str(home.cluster)]
    server += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    keeper = [sys.executable, "-I", "-S", embedded_keeper.__file__, str(home.path)]
    keeper += [str(home.socket_dir), str(home.account.uid), str(home.account.gid)]
    log = home.open(LOG)
    try:
        log_start = os.fstat(log).st_size
        subprocess.run(  # noqa: S603 - our own command line
            [*keeper, str(server_lock), *server],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=ENVIRONMENT,
            cwd="/",  # it must not keep a file system busy
            pass_fds=(keeper_lock, server_lock),
            start_new_session=True,
            timeout=max(0.1, deadline - time.monotonic()),
            check=False,  # the locks and the log tell more
        )
    finally:
        os.close(log)
    return log_start


def _make_cluster(
    home: Home, binaries: Path, major: int, server_lock: int, deadline: float
) -> None:
    side = Path(tempfile.mkdtemp(prefix="pgdata.new-", dir=home.path))
    command = [str(binaries / "initdb"), "-D", str(side), "-U", "postgres", "-A", "trust"]
    command += ["-E", "UTF8", "--data-checksums", "--no-instructions", "--locale=C"]
    if major >= BUILTIN_LOCALE_SINCE:  # it needs nothing of the operating system
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    timeout_s = max(0.1, deadline - time.monotonic())
    try:
        make_private(side, home.account)
        made = home.account.run(command, timeout_s, lock_fds=(server_lock,))
        if made.returncode != 0:
            raise EmbeddedPostgresError(
                f"initdb cannot make a database in {home.path}. Remedy what it says, or use a"
                f" server of your own:\n{made.stdout[-2000:]}"
            )
        side.rename(home.cluster)
    finally:
        shutil.rmtree(side, ignore_errors=True)
    directory = os.open(home.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _check_cluster(home: Home, binaries: Path, major: int) -> None:
    if home.cluster.stat().st_uid != home.account.uid:
        raise EmbeddedPostgresError(
            f"{home.cluster} belongs to user {home.cluster.stat().st_uid}, and PostgreSQL would run"
            f" as {home.account.uid}. Run as its owner or as root, or give another directory."
        )
    version = (home.cluster / "PG_VERSION").read_text().strip()
    if version != str(major):
        raise EmbeddedPostgresError(
            f"{home.cluster} is of PostgreSQL {version}, and {binaries} is version {major}. Dump it"
            f" with version {version} and load it here, or move the directory away."
        )
