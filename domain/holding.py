"""What a gateway holds: the configuration it was given last, and what was taken away before that.

A failover or a restore may lose the newest history, and with it revocations: the next epoch then
hands out again what a gateway has dropped already. So a gateway remembers what was taken away, and
goes on refusing it in other epochs, until somebody who can know has confirmed the epoch for its
group. docs/gateway-config.md is the published description.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from domain.routing import (
    GROUP,
    KINDS,
    LISTS,
    SUBSCRIPTION,
    Body,
    ContentHash,
    DeltaMisfitError,
    Document,
    apply,
    canonical,
    find,
    leaf,
)
from domain.signed import SKEW_S, ContentMismatchError, Jwk, UntrustedError, trusted, verify

KEY = "key"
TOMBSTONES = 100_000
"""The oldest are forgotten first."""
Pair: TypeAlias = tuple[str, str, Body | None, Body | None]
"""Kind and id of a row, as it was and as it is."""


class DocumentOlderError(UntrustedError):
    """The document is older than what is held: it was kept for long, or its writer was set back."""


@dataclass(frozen=True)
class Tombstone:
    """That a row, or a key, was taken away under an epoch: gone, or ending at an instant."""

    kind: str
    id: str
    epoch: int
    not_after: str | None = None


class Holding:
    """The configuration that one gateway holds, and its tombstones; nothing in it changes in place.

    What `enforced` returns is what to enforce: what was not touched since is the same object.
    """

    def __init__(self, document: Document, tombstones: Iterable[Tombstone] = ()) -> None:
        """Begin with a snapshot that was verified."""
        self.document = document
        self._tombstones = {(each.kind, each.id, each.epoch): each for each in tombstones}
        self._hash = ContentHash(_leaves(document))
        self._trimmed: dict[str, tuple[Body, Body]] = {}

    @property
    def epoch(self) -> int:
        """The epoch of the configuration."""
        return _cursor(self.document)[0]

    @property
    def keys(self) -> list[Jwk]:
        """The keys by which the next document must be signed."""
        return trusted(self.document)

    @property
    def tombstones(self) -> list[Tombstone]:
        """What to keep beside the snapshot, and to begin with again."""
        return list(self._tombstones.values())

    def receive(self, received: Document) -> None:
        """Hold what a snapshot or a delta leads to.

        Raises UntrustedError or DeltaMisfitError, after which it holds what it held: then ask for
        a snapshot. How old a document may be is for `check_age`.
        """
        verify(received, self.keys)
        self._require_later(received)
        try:
            read = self._snapshot if received["full"] else self._delta
            now, pairs, hashed = read(received)
        except (UntrustedError, DeltaMisfitError):
            raise
        except (LookupError, TypeError, ValueError, AttributeError):
            # Rows are not signed one by one: until the hash is right they are anybody's.
            raise ContentMismatchError from None
        if _cursor(received)[0] == self.epoch:
            self._remember(pairs)
        self.document, self._hash = now, hashed
        self._forget()

    def enforced(self) -> Document:
        """Return the snapshot to enforce: what is held, without what other epochs took away."""
        away: dict[tuple[str, str], Tombstone] = {}
        for each in self._tombstones.values():
            if each.epoch != self.epoch:
                at = (each.kind, each.id)
                away[at] = _stricter(away.get(at, each), each)
        if not away:
            return self.document
        lists = {
            LISTS[kind]: [
                self._without(row, away) if kind == SUBSCRIPTION else row
                for row in self.document[LISTS[kind]]
                if not _is_gone(away.get((kind, row["id"])))
            ]
            for kind in KINDS
        }
        return {**self.document, **lists}

    def _snapshot(self, received: Document) -> tuple[Document, list[Pair], ContentHash]:
        hashed = ContentHash(_leaves(received))
        if hashed.hexdigest() != received["content_hash"]:
            raise ContentMismatchError
        return received, _compared(self.document, received), hashed

    def _delta(self, received: Document) -> tuple[Document, list[Pair], ContentHash]:
        now = apply(self.document, received)
        pairs = list(_touched(self.document, received, now))
        return now, pairs, self._rehashed(received, pairs)

    def _require_later(self, received: Document) -> None:
        (epoch, position), (held_epoch, held) = _cursor(received), _cursor(self.document)
        if epoch == held_epoch:
            older = position < held
        else:
            issued, before = (_issued_at(each) for each in (received, self.document))
            older = issued < before - timedelta(seconds=2 * SKEW_S)
        if older:
            raise DocumentOlderError

    def _rehashed(self, received: Document, pairs: Iterable[Pair]) -> ContentHash:
        """Return the hash of what a delta leads to, at the cost of the delta.

        Raises ContentMismatchError; then the hash is the one of before.
        """
        was, now = [_group_leaf(self.document)], [_group_leaf(received)]
        for kind, _, before, after in pairs:
            was += [] if before is None else [leaf(kind, canonical(before))]
            now += [] if after is None else [leaf(kind, canonical(after))]
        self._hash.replace(was, now)
        if self._hash.hexdigest() != received["content_hash"]:
            self._hash.replace(now, was)
            raise ContentMismatchError
        return self._hash

    def _remember(self, pairs: Iterable[Pair]) -> None:
        """Have a tombstone for what is gone or ends earlier, and none for what is back."""
        for kind, id_, was, now in pairs:
            self._bury(kind, id_, was, now)
            if kind == SUBSCRIPTION:
                before, after = _keys(was), _keys(now)
                for key_id in before | after:
                    self._bury(KEY, key_id, before.get(key_id), after.get(key_id))
        while len(self._tombstones) > TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]

    def _bury(self, kind: str, id_: str, was: Body | None, now: Body | None) -> None:
        at = (kind, id_, self.epoch)  # beside those of other epochs, which stay
        if was is not None and (now is None or _ends_earlier(was, now)):
            until = None if now is None else now["not_after"]
            self._tombstones.pop(at, None)
            self._tombstones[at] = Tombstone(kind, id_, self.epoch, until)
        elif now is not None and at in self._tombstones:
            kept = self._tombstones[at]
            back = kept.not_after is None or now.get("not_after") != kept.not_after
            if back:
                del self._tombstones[at]

    def _forget(self) -> None:
        """Drop tombstones of other epochs once this one is confirmed."""
        if self.document["group"].get("confirmed_epoch", 0) >= self.epoch:
            self._tombstones = {
                at: each for at, each in self._tombstones.items() if each.epoch == self.epoch
            }
            self._trimmed = {}

    def _without(self, row: Body, away: Mapping[tuple[str, str], Tombstone]) -> Body:
        """Return the row of a subscription without what was taken away; the same for the same."""
        own = away.get((SUBSCRIPTION, row["id"]))
        ends = own.not_after if own else None
        if not ends and not any((KEY, key["id"]) in away for key in row["keys"]):
            return row
        known = self._trimmed.get(row["id"])
        if known is None or known[0] is not row:
            keys = [
                _until(key, found.not_after) if found else key
                for key in row["keys"]
                if not _is_gone(found := away.get((KEY, key["id"])))
            ]
            known = self._trimmed[row["id"]] = (row, {**_until(row, ends), "keys": keys})
        return known[1]


def stored(tombstones: Iterable[Tombstone]) -> list[dict[str, Any]]:
    """Return tombstones as JSON has them; `Tombstone(**each)` reads one."""
    return [asdict(each) for each in tombstones]


def _cursor(document: Document) -> tuple[int, int]:
    epoch, _, position = document["cursor"].partition(".")
    return int(epoch), int(position)


def _issued_at(document: Document) -> datetime:
    return datetime.fromisoformat(document["issued_at"])


def _group_leaf(document: Document) -> bytes:
    return leaf(GROUP, canonical(document["group"]))


def _leaves(document: Document) -> Iterator[bytes]:
    yield _group_leaf(document)
    for kind, name in LISTS.items():
        for row in document[name]:
            yield leaf(kind, canonical(row))


def _compared(held: Document, received: Document) -> list[Pair]:
    """Return the rows in which two snapshots differ. Raises DeltaMisfitError for other groups."""
    if held["group"]["id"] != received["group"]["id"]:
        raise DeltaMisfitError
    pairs: list[Pair] = []
    for kind, name in LISTS.items():
        was = {row["id"]: row for row in held[name]}
        now = {row["id"]: row for row in received[name]}
        for id_ in sorted(was.keys() | now.keys()):
            before, after = was.get(id_), now.get(id_)
            if before != after:
                pairs.append((kind, id_, before, after))
    return pairs


def _touched(held: Document, received: Document, now: Document) -> Iterator[Pair]:
    """Yield the rows that a delta names, as they were and as they are."""
    for kind, name in LISTS.items():
        ids = {row["id"] for row in received[name]}
        ids |= {each["id"] for each in received["removed"] if each["kind"] == kind}
        for id_ in sorted(ids):
            yield kind, id_, find(held[name], id_), find(now[name], id_)


def _keys(row: Body | None) -> dict[str, Body]:
    return {} if row is None else {key["id"]: key for key in row["keys"]}


def _stricter(one: Tombstone, two: Tombstone) -> Tombstone:
    if one.not_after is None or two.not_after is None:
        return one if one.not_after is None else two
    return min(one, two, key=lambda each: each.not_after or "")


def _is_gone(tombstone: Tombstone | None) -> bool:
    return tombstone is not None and tombstone.not_after is None


def _ends_earlier(was: Body, now: Body) -> bool:
    return _until(was, now.get("not_after")) is not was


def _until(row: Body, not_after: str | None) -> Body:
    """Return a row that ends then, or when it ended anyway; instants compare as texts."""
    ends = row.get("not_after")
    if not_after is None or (ends is not None and ends <= not_after):
        return row
    return {**row, "not_after": not_after}
