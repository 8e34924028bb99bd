"""Watches the processes of embedded servers and ends those that a test started, by their id."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import asyncpg

from controlplane.store import embedded
from controlplane.store.embedded import Lease, ensure
from controlplane.store.embedded_keeper import try_lock

ROOT = Path(embedded.__file__).parents[2]
GONE_WITHIN_S = 10.0
DISK = "/tmp"  # noqa: S108 - each test makes its own directory there
MEMORY = "/dev/shm"  # noqa: S108 - likewise
"""Dozens of databases are made here and thrown away: what a killed process wrote to memory stays
as it does on a disk, and the rest of the machine is not held up. Small in some containers."""
ROOM_BYTES = 1 << 30
CLIENT = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from controlplane.store.embedded import ensure
print(ensure(Path(sys.argv[1])).dsn, flush=True)
sys.stdin.read()
"""


def holders(lock: Path) -> set[int]:
    """Return the processes that have a lock file open, and so hold it or wait for it."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == lock:
                found.add(int(link.parts[2]))
        except OSError:  # it ended meanwhile
            continue
    return found


def keeper_of(home: Path) -> int:
    (pid,) = holders(home / "keeper.lock")
    return pid


def server_of(home: Path) -> int:
    """Return the postmaster: of the server's processes the one that the keeper started."""
    keeper = keeper_of(home)
    parents = {pid: parent_of(pid) for pid in holders(home / "server.lock")}
    (postmaster,) = [pid for pid, parent in parents.items() if parent == keeper]
    return postmaster


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def eventually(condition: Callable[[], object]) -> bool:
    give_up_at = time.monotonic() + GONE_WITHIN_S
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


def gone(home: Path) -> bool:
    """Wait until no process of the server, nor its keeper, holds a lock."""
    return eventually(lambda: free(home / "server.lock") and free(home / "keeper.lock"))


def free(lock: Path) -> bool:
    if not lock.exists():
        return True
    with lock.open() as opened:
        return try_lock(opened.fileno(), fcntl.LOCK_EX)


def ask(dsn: str, *statements: str) -> object:
    """Run statements and return the value of the last."""
    return asyncio.run(asked(dsn, *statements))


async def asked(dsn: str, *statements: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


def roomy(place: str) -> bool:
    try:
        return shutil.disk_usage(place).free > ROOM_BYTES
    except OSError:
        return False


class Bench:
    """A directory that the server's user can reach, unlike pytest's own, and what runs in it."""

    def __init__(self, place: str = "") -> None:
        place = place or (MEMORY if roomy(MEMORY) else DISK)
        directory = Path(tempfile.mkdtemp(prefix="embedded-", dir=place)).resolve()
        directory.chmod(0o755)
        self.directory = directory
        self.home = directory / "data"
        self.leases: list[Lease] = []
        self.started: list[subprocess.Popen[str]] = []

    def ensure(self, home: Path | None = None) -> Lease:
        lease = ensure(home or self.home)
        self.leases.append(lease)
        return lease

    def start(
        self, command: list[str], user: int | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a process, as root for any user; it ends with the bench."""
        if os.geteuid() != 0:
            user = None
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=user,
            extra_groups=None if user is None else [],
            cwd="/",
            env={**os.environ, **(environment or {})},
        )
        self.started.append(process)
        return process

    def client(self, **more: str) -> subprocess.Popen[str]:
        """Start a process that ensures the server and holds on until it is told to end."""
        command = [sys.executable, "-c", CLIENT, str(self.home), str(ROOT)]
        return self.start(command, environment=more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        homes = {self.home, *(lease.data_dir for lease in self.leases)}
        for lease in self.leases:
            lease.close()
        for process in self.started:
            process.kill()
            process.communicate()
        left = [home for home in homes if not gone(home)]
        shutil.rmtree(self.directory)
        assert not left, f"servers still run in {left}"
