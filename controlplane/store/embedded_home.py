"""Where an embedded PostgreSQL lives and as whom it runs, which as root is somebody else."""

import fcntl
import hashlib
import os
import pwd
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controlplane.store.embedded_keeper import try_lock

SHELTER = Path("/var/lib/controlplane-postgres")
"""Where data goes when we are root and the server's user cannot reach the directory given."""

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
ENVIRONMENT = {
    # Nothing else of the caller's: a LANG that was never generated makes initdb fail, PG* redirect
    # it, and secrets are none of the server's business.
    "LC_ALL": "C",
    "PATH": os.defpath,
    **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
}


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot serve; the message says what to do next."""


@dataclass(frozen=True)
class Account:
    """The user that the server runs as; `switch` when that is not the user we are."""

    uid: int
    gid: int
    switch: bool

    def run(
        self, command: list[str], timeout_s: float, lock_fds: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as this user, with nothing of ours open but `lock_fds`."""
        return subprocess.run(  # noqa: S603 - our own command lines
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=ENVIRONMENT,
            cwd="/",  # ours may be closed to that user
            pass_fds=lock_fds,
            timeout=timeout_s,
            check=False,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )


@dataclass(frozen=True)
class Home:
    """Where one server lives, and as whom."""

    path: Path
    account: Account

    @property
    def cluster(self) -> Path:
        """The directory that PostgreSQL calls its data directory."""
        return self.path / "pgdata"

    @property
    def socket_dir(self) -> Path:
        """Below the data when its name is plain and short enough, else in /tmp.

        Servers and clients take a comma apart, and the kernel limits the length.
        """
        natural = self.path / "run"
        length = len(os.fsencode(natural / SOCKET_NAME))
        if length <= SOCKET_PATH_LIMIT and re.fullmatch(r"[A-Za-z0-9/._+-]+", str(natural)):
            return natural
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(f"/tmp/controlplane-{self.account.uid}-{digest}")  # noqa: S108 - made private

    def open(self, name: str) -> int:
        """Open or make a file that whoever owns the directory can open again."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        opened = os.open(self.path / name, flags, 0o600)
        if self.account.switch:
            owner = self.path.stat()
            os.fchown(opened, owner.st_uid, owner.st_gid)
        return opened

    @contextmanager
    def attempt(self, name: str) -> Iterator[int | None]:
        """Hold a lock exclusively if it is free; a child that inherits it holds on to it."""
        opened = self.open(name)
        try:
            yield opened if try_lock(opened, fcntl.LOCK_EX) else None
        finally:
            os.close(opened)


def home_of(data_dir: Path) -> Home:
    """Return where the data of a directory is, making the directory.

    PostgreSQL refuses to run as root. Then the owner of the directory runs it, so that he can go
    on without root; for a directory of root's own it is `nobody`, whom every system has.
    """
    path = data_dir.resolve()
    path.mkdir(parents=True, exist_ok=True)
    link = path / "elsewhere"
    if os.geteuid() != 0:
        account = Account(os.geteuid(), os.getegid(), switch=False)
        return Home(_follow(link) if link.is_symlink() else path, account)
    owner = path.stat().st_uid
    user = _named(owner) or _named("nobody")
    if user is None:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and there is no user `nobody` to run it instead."
            " Start as a plain user, or use a server of your own."
        )
    account = Account(user.pw_uid, user.pw_gid, switch=True)
    if owner == 0 and not any(path.iterdir()):
        path.chmod(0o711)  # new and ours; what is in it stays private
    if not link.is_symlink():
        if account.run(["test", "-x", str(path)], timeout_s=10).returncode == 0:
            return Home(path, account)
        new = Path(tempfile.mkdtemp(prefix="data-", dir=shelter()))
        new.chmod(0o711)
        try:
            link.symlink_to(new)
        except FileExistsError:  # another process was faster
            new.rmdir()
    return Home(_follow(link), account)


def _named(user: int | str) -> pwd.struct_passwd | None:
    """Return a user other than root that has a name, on which initdb insists."""
    with suppress(KeyError):
        found = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
        return found if found.pw_uid != 0 else None
    return None


def shelter() -> Path:
    """Return SHELTER, making it."""
    if not SHELTER.exists():
        SHELTER.mkdir(parents=True, exist_ok=True)
        SHELTER.chmod(0o755)
    return SHELTER


def _follow(link: Path) -> Path:
    path = link.readlink()
    if path.parent != SHELTER or not path.is_dir() or path.is_symlink():
        raise EmbeddedPostgresError(
            f"{link} says that the data is in {path}, which is gone or no place of ours. Bring it"
            f" back, or delete {link} to begin with an empty database."
        )
    return path


def make_private(directory: Path, account: Account) -> None:
    """Make a directory that the server's user owns and nobody else can enter."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if account.switch and found.st_uid == 0 and stat.S_ISDIR(found.st_mode):
        os.chown(directory, account.uid, account.gid, follow_symlinks=False)
        found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise EmbeddedPostgresError(
            f"{directory} must be a directory of user {account.uid} with mode 0700. Delete it."
        )
