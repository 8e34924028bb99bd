"""What a gateway does with the documents it receives: it applies deltas, and hashes what it holds.

The rows are those of `domain.routing`; docs/gateway-config.md is the published description.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from hashlib import sha256

import orjson

from domain.routing import GROUP, KINDS, LISTS, Body, Document

MANY = 1_000


class DeltaMisfitError(ValueError):
    """A delta fits only the configuration whose group and cursor it names; take a snapshot."""


def canonical(row: Body) -> bytes:
    """Return a row as JSON in the form of RFC 8785, by which every party hashes the same bytes.

    Rows hold strings, integers below 2^53, null, lists and objects; for these, sorted names and
    no blanks are all that the RFC asks for.
    """
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def leaf(kind: str, canonical_row: bytes) -> bytes:
    """Return the hash of one row: SHA-256 of its kind, a line feed and its canonical form."""
    return sha256(b"%b\n%b" % (kind.encode(), canonical_row)).digest()


class ContentHash:
    """The hash of a set of rows, kept up to date at the cost of a 256th of them for each change.

    The leaves are put into 256 buckets by their first byte. A bucket's hash is the SHA-256 of its
    leaves in ascending order, the content hash that of the 256 hashes of the buckets.
    """

    def __init__(self, leaves: Iterable[bytes]) -> None:
        """Begin with some leaves, each once."""
        self._buckets: list[list[bytes]] = [[] for _ in range(256)]
        for each in leaves:
            self._buckets[each[0]].append(each)
        for bucket in self._buckets:
            bucket.sort()
        self._hashes = [sha256(b"".join(bucket)).digest() for bucket in self._buckets]
        self._changed: set[int] = set()

    def add(self, added: bytes) -> None:
        """Take a leaf in, which is not there yet."""
        insort(self._buckets[added[0]], added)
        self._changed.add(added[0])

    def remove(self, gone: bytes) -> None:
        """Leave a leaf out, which is there."""
        self._buckets[gone[0]].remove(gone)
        self._changed.add(gone[0])

    def hexdigest(self) -> str:
        """Return the content hash as 64 hexadecimal digits."""
        for nth in self._changed:
            self._hashes[nth] = sha256(b"".join(self._buckets[nth])).digest()
        self._changed.clear()
        return sha256(b"".join(self._hashes)).hexdigest()


def content_hash(snapshot: Document) -> str:
    """Return the hash of what a snapshot says: its group and all its rows."""
    leaves = [leaf(GROUP, canonical(snapshot["group"]))]
    for kind, name in LISTS.items():
        leaves.extend(leaf(kind, canonical(row)) for row in snapshot[name])
    return ContentHash(leaves).hexdigest()


def apply(document: Document, received: Document) -> Document:
    """Return the snapshot that a gateway holds after it received a document.

    Nothing is changed in place. Raises DeltaMisfitError. Whether the hash of the result is the
    one it names is for the gateway to check; if not, it asks for a snapshot.
    """
    if received["full"]:
        return received
    same_group = received["group"]["id"] == document["group"]["id"]
    if not same_group or received["since"] != document["cursor"]:
        raise DeltaMisfitError
    gone: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for each in received["removed"]:
        gone.setdefault(each["kind"], []).append(each["id"])
    head = {name: value for name, value in received.items() if name not in {"since", "removed"}}
    lists = {
        name: _merged(document[name], received[name], gone[kind]) for kind, name in LISTS.items()
    }
    return {**head, **lists, "full": True}


def _merged(held: Sequence[Body], changed: Sequence[Body], gone: Iterable[str]) -> Sequence[Body]:
    """Put rows in their places; what did not change is the same object."""
    rows = list(held)
    for id_ in gone:
        nth = bisect_left(rows, id_, key=_id)
        if nth < len(rows) and rows[nth]["id"] == id_:
            del rows[nth]
    if len(changed) > MANY:  # a few are put in between, many are sorted in
        by_id = {row["id"]: row for row in (*rows, *changed)}
        return [by_id[id_] for id_ in sorted(by_id)]
    for row in changed:
        nth = bisect_left(rows, row["id"], key=_id)
        there = nth < len(rows) and rows[nth]["id"] == row["id"]
        rows[nth : nth + there] = [row]
    return rows


def _id(row: Body) -> str:
    id_: str = row["id"]
    return id_
