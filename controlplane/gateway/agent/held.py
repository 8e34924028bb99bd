"""The configuration that an agent holds: a delta costs what changed, and its hash is checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.aggregate import DomainError
from domain.config_document import ContentHash, DeltaMisfitError, canonical, leaf
from domain.routing import GROUP, KINDS, LISTS, PRODUCT, VERSION, Body, Document
from domain.signed import SKEW_S
from domain.tombstones import Tombstones, epoch_of

_NOT_HEAD = {*LISTS.values(), "since", "removed"}


class ContentHashWrongError(DomainError):
    """The rows are not those that the content hash stands for; take a snapshot."""


class EmptyByAccidentError(DomainError):
    """The configuration has no rows and does not say that this is intended."""


class DocumentOlderError(DomainError):
    """The document is older than what is held: it was kept for long, or its writer was set back."""


class GroupOtherError(DomainError):
    """The document is of another group than what is held; begin with an empty state for that."""


@dataclass(frozen=True)
class Change:
    """One row before and after; None where it is not there."""

    kind: str
    id: str
    before: Body | None
    after: Body | None


class Held:
    """A snapshot, and what was applied to it; rows that did not change stay the same objects."""

    def __init__(
        self, snapshot: Document, before: "Held | None" = None, tombstones: Tombstones | None = None
    ) -> None:
        """Take a snapshot, in place of what was held before, or with the tombstones of then.

        Raises GroupOtherError, DocumentOlderError, what `_checked` raises, KeyError or TypeError if
        it is none.
        """
        self.head = _head(snapshot)
        self.rows: dict[str, dict[str, Body]] = {
            kind: {row["id"]: row for row in snapshot[name]} for kind, name in LISTS.items()
        }
        self.rows[GROUP] = {snapshot["group"]["id"]: snapshot["group"]}
        self._hash = ContentHash(
            leaf(kind, canonical(row)) for kind, rows in self.rows.items() for row in rows.values()
        )
        self._checked(self.head)
        self.tombstones = tombstones or Tombstones()
        if before is not None:
            if before.head["group"]["id"] != self.head["group"]["id"]:
                raise GroupOtherError
            _require_later(self.head, before.head)
            self.tombstones = before.tombstones
            self._remember(before.head, before.changes_to(self))

    @property
    def cursor(self) -> str:
        """The state it is at."""
        return str(self.head["cursor"])

    def content_hash(self) -> str:
        """Return the hash that was computed of the rows, not the one that was told."""
        return self._hash.hexdigest()

    @property
    def epoch(self) -> int:
        """The epoch it is in."""
        return epoch_of(self.head)

    def kept_out(self, changes: Iterable[Change]) -> list[Change]:
        """Return changes within its epoch as those of what it enforces."""

        def left(change: Change, row: Body | None) -> Body | None:
            if row is None or change.kind == GROUP:
                return row
            return self.tombstones.left(self.epoch, change.kind, row)

        return [
            Change(each.kind, each.id, left(each, each.before), left(each, each.after))
            for each in changes
        ]

    def names(self, kind: str, id_: str) -> dict[str, str]:
        """Return what people call a version: the slug of its product and its number; else none."""
        row = self.rows[VERSION].get(id_) if kind == VERSION else None
        if row is None:
            return {}
        product = self.rows[PRODUCT].get(row["product"], {"slug": row["product"]})
        return {"product": product["slug"], "number": row["number"]}

    def enforced(self) -> Document:
        """Return the snapshot to enforce: without what was taken away under other epochs."""
        return self.tombstones.enforced(self.document())

    def document(self) -> dict[str, Any]:
        """Return the snapshot, as `domain.config_document.apply` would have made it."""
        lists = {
            name: [row for _, row in sorted(self.rows[kind].items())]
            for kind, name in LISTS.items()
        }
        return {**self.head, **lists, "full": True}

    def apply(self, delta: Document) -> list[Change]:
        """Take a delta in and return what it changed; if it cannot be, nothing has changed.

        What it begins with is not signed, so it may lead back: to a state of before that was.
        Raises DeltaMisfitError, DocumentOlderError, ContentHashWrongError, EmptyByAccidentError.
        """
        if delta["since"] != self.cursor or delta["group"]["id"] not in self.rows[GROUP]:
            raise DeltaMisfitError
        _require_later(delta, self.head)
        wanted: dict[tuple[str, str], Body | None] = {
            (kind, row["id"]): row for kind, name in LISTS.items() for row in delta[name]
        }
        wanted[GROUP, delta["group"]["id"]] = delta["group"]
        wanted |= {(each["kind"], each["id"]): None for each in delta["removed"]}
        changes = [
            Change(kind, id_, self.rows[kind].get(id_), after)
            for (kind, id_), after in wanted.items()
            if self.rows[kind].get(id_) != after
        ]
        self._put(changes)
        try:
            self._checked(delta)
        except DomainError:
            self._put([Change(each.kind, each.id, each.after, each.before) for each in changes])
            raise
        before, self.head = self.head, {**_head(delta), "full": True}
        self._remember(before, changes)
        return changes

    def changes_to(self, other: "Held") -> list[Change]:
        """Return how another configuration differs from this one."""
        return [
            Change(kind, id_, before, after)
            for kind in (GROUP, *KINDS)
            for id_ in {**self.rows[kind], **other.rows[kind]}
            if (before := self.rows[kind].get(id_)) != (after := other.rows[kind].get(id_))
        ]

    def _remember(self, before: Document, changes: Iterable[Change]) -> None:
        told = ((each.kind, each.id, each.before, each.after) for each in changes)
        self.tombstones.take(before, self.head, told)

    def _put(self, changes: Iterable[Change]) -> None:
        for each in changes:
            rows = self.rows[each.kind]
            if each.before is not None:
                self._hash.remove(leaf(each.kind, canonical(each.before)))
                del rows[each.id]
            if each.after is not None:
                self._hash.add(leaf(each.kind, canonical(each.after)))
                rows[each.id] = each.after

    def _checked(self, head: Mapping[str, Any]) -> None:
        if self.content_hash() != head["content_hash"]:
            raise ContentHashWrongError
        if not any(self.rows[kind] for kind in KINDS) and not head["intentionally_empty"]:
            raise EmptyByAccidentError


def _require_later(head: Document, before: Document) -> None:
    """Raise DocumentOlderError for what can only have been kept somewhere, or of a lost history."""
    (epoch, position), (held_epoch, held) = (
        tuple(map(int, each["cursor"].split("."))) for each in (head, before)
    )
    issued, held_at = (datetime.fromisoformat(each["issued_at"]) for each in (head, before))
    if (epoch == held_epoch and position < held) or (
        epoch != held_epoch and issued < held_at - timedelta(seconds=2 * SKEW_S)
    ):
        raise DocumentOlderError


def _head(document: Document) -> dict[str, Any]:
    return {name: said for name, said in document.items() if name not in _NOT_HEAD}
