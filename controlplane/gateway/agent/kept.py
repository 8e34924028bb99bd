"""What an agent keeps on disk: a snapshot, and a journal of the deltas since, as they were sent.

A change costs its own bytes. What is read back is checked like what is received: a line that was
cut off or changed ends the journal, and a snapshot that is broken is none.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import structlog

from controlplane.gateway.agent import files
from domain.tombstones import Tombstones

SNAPSHOT, JOURNAL, TOMBSTONES = "snapshot.json", "journal.ndjson", "tombstones.json"
JOURNAL_DELTAS = 5_000
JOURNAL_BYTES = 32 * 2**20
log = structlog.get_logger()


class Kept:
    """A directory with what an agent held last."""

    def __init__(self, folder: Path) -> None:
        """Use a directory, which is made if it is not there; nobody else writes to it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.remove_all(folder.glob(".*.new"))  # what crashes left of large files
        self._snapshot, self._journal = folder / SNAPSHOT, folder / JOURNAL
        self._tombstones = folder / TOMBSTONES
        self._deltas, self._end = 0, 0
        """Of the journal as far as it was taken; what is behind that is cut off."""

    def tombstones(self) -> Tombstones:
        """Return the tombstones there were before the snapshot and its journal."""
        found = read(self._tombstones)
        try:
            return Tombstones((found or {}).get("tombstones", ()))
        except TypeError:
            log.warning("agent.file_broken", file=TOMBSTONES, error="TypeError")
            return Tombstones()

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield the snapshot and then the deltas, as far as they can be read."""
        snapshot = read(self._snapshot)
        if snapshot is None:
            return
        yield snapshot
        if not self._journal.exists():
            return
        with self._journal.open("rb") as lines:
            for line in lines:
                try:
                    delta = orjson.loads(line)
                except orjson.JSONDecodeError:
                    delta = None
                if delta is None or not line.endswith(b"\n"):
                    log.warning("agent.journal_cut_off", line=self._deltas + 1)
                    return
                yield delta
                self._deltas += 1  # it was taken, or no more would be asked for
                self._end += len(line)

    def append(self, delta: dict[str, Any]) -> bool:
        """Keep a delta; False if the journal is long, and a snapshot is due instead."""
        line = orjson.dumps(delta, option=orjson.OPT_APPEND_NEWLINE)
        with self._journal.open("ab") as journal:
            if self._deltas >= JOURNAL_DELTAS or self._end + len(line) > JOURNAL_BYTES:
                return False
            journal.truncate(self._end)
            journal.write(line)
            journal.flush()
            os.fsync(journal.fileno())
        self._deltas += 1
        self._end += len(line)
        return True

    def replace(self, snapshot: dict[str, Any], tombstones: Tombstones) -> None:
        """Keep a snapshot, and what was taken away until then, in place of all there was.

        Between the two steps the journal does not fit, which is found when it is read.
        """
        files.write(self._tombstones, orjson.dumps({"tombstones": tombstones.kept()}))
        files.write(self._snapshot, orjson.dumps(snapshot))
        files.write(self._journal, b"")
        self._deltas, self._end = 0, 0


def read(path: Path) -> dict[str, Any] | None:
    """Return a document, None if there is none or it cannot be read."""
    if not path.exists():
        return None
    try:
        return files.read(path)
    except files.FileUnusableError as error:
        log.warning("agent.file_broken", file=path.name, error=str(error))
        return None
