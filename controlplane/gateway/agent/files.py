"""Files that are there as a whole or not at all, also after a loss of power."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from domain.aggregate import DomainError

DOCUMENT_BYTES = 512 * 2**20
MODE = 0o640
"""Of what has key hashes: the gateway reads it, and nobody else."""


class FileUnusableError(DomainError):
    """A file that was named cannot be read, or is not what it should be."""


def read(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises FileUnusableError."""
    try:
        with path.open("rb") as file:
            found = orjson.loads(file.read(DOCUMENT_BYTES))
    except OSError as error:
        raise FileUnusableError(detail=f"{path}: {error.strerror}.") from None
    except orjson.JSONDecodeError as error:
        raise FileUnusableError(detail=f"{path} is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise FileUnusableError(detail=f"{path} is no JSON object.")
    return found


def write(path: Path, content: bytes, mode: int = MODE) -> None:
    """Put a file in the place of another, atomically; `mode` is what the umask leaves of it."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)  # what a crash left has its own mode
    try:
        opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_all(folder: Path, files: dict[str, bytes], last: str = "") -> None:
    """Write those of some files that are different, the one that names the others last."""
    for name in sorted(files, key=lambda name: (name == last, name)):
        path = folder / name
        with suppress(FileNotFoundError):
            if path.stat().st_size == len(files[name]) and path.read_bytes() == files[name]:
                continue
        write(path, files[name])


def remove_all(paths: Iterable[Path]) -> None:
    """Remove files that may be gone already."""
    for path in paths:
        path.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Have a rename or a new name in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
