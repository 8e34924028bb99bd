"""What was taken away from a gateway, and goes on being refused when another epoch gives it back.

A failover or a restore may lose the newest history, and with it revocations: the next epoch then
hands out again what a gateway has dropped already. So a gateway remembers what was taken away, and
goes on refusing it in other epochs, until somebody who can know has confirmed the epoch for its
group. docs/gateway-config.md is the published description.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from domain.cursor import read_cursor
from domain.routing import KINDS, LISTS, SUBSCRIPTION, Body, Document

KEY = "key"
TOMBSTONES = 100_000
"""The oldest are forgotten first."""
Change: TypeAlias = tuple[str, str, Body | None, Body | None]
"""Kind and id of a row, as it was and as it is; None where it is not there."""
Away: TypeAlias = Mapping[tuple[str, str], "Tombstone"]
"""The strictest tombstone of a row or a key, by its kind and id."""


@dataclass(frozen=True)
class Tombstone:
    """That a row, or a key, was taken away under an epoch: gone, or ending at an instant."""

    kind: str
    id: str
    epoch: int
    not_after: str | None = None


class Tombstones:
    """The tombstones of one gateway."""

    def __init__(self, kept: Iterable[Mapping[str, Any]] = ()) -> None:
        """Begin with what was kept. Raises TypeError if it is something else."""
        read = [Tombstone(**each) for each in kept]
        self._all = {(each.kind, each.id, each.epoch): each for each in read}
        self._trimmed: dict[str, tuple[Body, Body]] = {}
        self._away: tuple[int, Away] | None = None
        """What is kept out of an epoch: in the course of it that does not change."""

    def kept(self) -> list[dict[str, Any]]:
        """Return what to keep beside a snapshot, and to begin with again."""
        return [asdict(each) for each in self._all.values()]

    def take(self, before: Document, after: Document, changes: Iterable[Change]) -> None:
        """Take in how what is held has changed; only the heads of the documents are looked at.

        In one epoch what is gone or ends earlier gets a tombstone, and what is back loses it; an
        end that moves away again takes it along. What another epoch does not have was not taken
        away. An epoch that is confirmed needs no others.
        """
        epoch = epoch_of(after)
        if epoch == epoch_of(before):
            for kind, id_, was, now in changes:
                if kind in KINDS:
                    self._bury(epoch, kind, id_, was, now)
                if kind == SUBSCRIPTION:
                    had, has = _keys(was), _keys(now)
                    for key_id in had | has:
                        self._bury(epoch, KEY, key_id, had.get(key_id), has.get(key_id))
            while len(self._all) > TOMBSTONES:
                del self._all[next(iter(self._all))]
                self._away = None
        if after["group"].get("confirmed_epoch", 0) >= epoch:
            self._all = {at: each for at, each in self._all.items() if each.epoch == epoch}
            self._trimmed, self._away = {}, None

    def in_force(self, epoch: int) -> bool:
        """Tell whether anything is refused that this epoch hands out, or may."""
        return bool(self._kept_out(epoch))

    def enforced(self, document: Document) -> Document:
        """Return the snapshot to enforce: what is held, without what other epochs took away.

        What is not touched is the same object, and again when its row is.
        """
        epoch = epoch_of(document)
        if not self.in_force(epoch):
            return document
        lists = {
            LISTS[kind]: [
                left for row in document[LISTS[kind]] if (left := self.left(epoch, kind, row))
            ]
            for kind in KINDS
        }
        return {**document, **lists}

    def left(self, epoch: int, kind: str, row: Body) -> Body | None:
        """Return what is enforced of a row that an epoch hands out, None for nothing of it."""
        away = self._kept_out(epoch)
        if _is_gone(away.get((kind, row["id"]))):
            return None
        return self._without(row, away) if kind == SUBSCRIPTION else row

    def _kept_out(self, epoch: int) -> Away:
        if self._away is None or self._away[0] != epoch:
            away: dict[tuple[str, str], Tombstone] = {}
            for each in self._all.values():
                if each.epoch != epoch:
                    at = (each.kind, each.id)
                    away[at] = _stricter(away.get(at, each), each)
            self._away = epoch, away
        return self._away[1]

    def _bury(self, epoch: int, kind: str, id_: str, was: Body | None, now: Body | None) -> None:
        at = (kind, id_, epoch)  # beside those of other epochs, which stay
        if was is not None and (now is None or _ends_earlier(was, now)):
            until = None if now is None else now["not_after"]
            self._all.pop(at, None)
            self._all[at] = Tombstone(kind, id_, epoch, until)
        elif now is not None and at in self._all:
            until = now.get("not_after")
            if until is None or self._all[at].not_after is None:
                del self._all[at]
            else:
                self._all[at] = Tombstone(kind, id_, epoch, until)

    def _without(self, row: Body, away: Away) -> Body:
        """Return the row of a subscription without what was taken away."""
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


def epoch_of(document: Document) -> int:
    """Return the epoch of a document's cursor."""
    cursor = read_cursor(document["cursor"])
    assert cursor is not None
    return cursor.epoch


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
