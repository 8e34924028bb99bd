"""The documents that gateways receive: snapshots and deltas, spliced from stored bytes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from controlplane.gateway.group import Changes, View
from domain.aggregate import DomainError
from domain.cursor import Cursor, read_cursor
from domain.routing import FORMAT, KINDS, LISTS, MAX_STALENESS_S


class CursorInvalidError(DomainError):
    """A cursor is what a document calls so, such as 1.42: of an ETag all before the hyphen."""


def cursor_of(text: str, about: str) -> Cursor:
    """Read a cursor back. Raises CursorInvalidError about the argument that holds it."""
    found = read_cursor(text)
    if found is None:
        raise CursorInvalidError(about)
    return found


@dataclass(frozen=True)
class Document:
    """What is sent: the values at its head, and the rows as they are stored."""

    head: dict[str, Any]
    rows: dict[str, list[bytes]]

    def encode(self) -> bytes:
        """Return the document as JSON; the rows are not parsed for it."""
        lists = b"".join(
            b',"%b":[%b]' % (LISTS[kind].encode(), b",".join(self.rows[kind])) for kind in KINDS
        )
        return orjson.dumps(self.head)[:-1] + lists + b"}"


def snapshot(view: View, epoch: int, issued_at: datetime) -> Document:
    """Return the whole configuration of a group; the cost is that of all its rows."""
    return Document(_head(view, epoch, issued_at, full=True), view.bodies())


def delta(view: View, epoch: int, issued_at: datetime, since: int, changes: Changes) -> Document:
    """Return how the group's configuration differs from that at `since`."""
    head = _head(view, epoch, issued_at, full=False)
    head["since"] = str(Cursor(epoch, since))
    removed: list[dict[str, str]] = []
    rows: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    for kind, id_ in sorted(changes):
        row = changes[kind, id_]
        if row is None:
            removed.append({"kind": kind, "id": id_})
        else:
            rows[kind].append(row.body)
    return Document({**head, "removed": removed}, rows)


def size_bytes(changes: Changes) -> int:
    """Return how long a delta is, apart from the head it has in common with a snapshot."""
    return sum(
        len(row.body) + 1 if row is not None else len(kind) + len(id_) + len('{"kind":"","id":""},')
        for (kind, id_), row in changes.items()
    )


def _head(view: View, epoch: int, issued_at: datetime, *, full: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "group": view.group.head,
        "cursor": str(Cursor(epoch, view.cursor)),
        "content_hash": view.content_hash,
        "full": full,
        "issued_at": issued_at.isoformat(),
        "max_staleness_s": MAX_STALENESS_S,
        "intentionally_empty": not view.rows,
    }
