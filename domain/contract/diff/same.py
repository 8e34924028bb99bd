"""Whether two values are the same, whatever they refer to included."""

from collections.abc import Iterator

import orjson

from domain.contract.diff.spot import BrokenReferenceError, Document, Spot
from domain.contract.document import Tree


class Sameness:
    """Which parts of two documents are the same, to the last reference.

    References are compared by what they lead to, once each: O(size of the two documents).
    """

    def __init__(self, old: Document, new: Document) -> None:
        self._references: dict[int, tuple[Tree, frozenset[str]]] = {}
        self._changed = self._changed_references(old, new)

    def same(self, old: Spot, new: Spot) -> bool:
        """Whether nothing at all is different between the two; prose counts."""
        return _written(old.value) == _written(new.value) and self._changed.isdisjoint(
            self._below(old.value)
        )

    def _below(self, value: Tree) -> frozenset[str]:
        known = self._references.get(id(value))
        if known is None:
            # The value is kept too: its id must not become that of another one.
            known = self._references[id(value)] = value, frozenset(_references(value))
        return known[1]

    def _changed_references(self, old: Document, new: Document) -> frozenset[str]:
        """Return the references whose target differs, or has others below it that do."""
        used_by: dict[str, set[str]] = {}
        changed: list[str] = []
        waiting = list(self._below(old.root))
        seen = set(waiting)
        while waiting:
            reference = waiting.pop()
            targets = [_target(document, reference) for document in (old, new)]
            if targets[0] is None or targets[1] is None:
                if targets[0] is not targets[1]:
                    changed.append(reference)
                continue
            if _written(targets[0].value) != _written(targets[1].value):
                changed.append(reference)
            for below in self._below(targets[0].value):
                used_by.setdefault(below, set()).add(reference)
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)
        reached = set(changed)
        while changed:
            for user in used_by.get(changed.pop(), ()):
                if user not in reached:
                    reached.add(user)
                    changed.append(user)
        return frozenset(reached)


def _target(document: Document, reference: str) -> Spot | None:
    if not reference.startswith("#"):
        return Spot(document, reference, reference)
    try:
        return Spot(document, {"$ref": reference}, "").follow()
    except BrokenReferenceError:
        return None


def _written(value: Tree) -> bytes:
    return orjson.dumps(value)


def _references(value: Tree) -> Iterator[str]:
    waiting: list[Tree] = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            reference = inner.get("$ref")
            if isinstance(reference, str):
                yield reference
            waiting.extend(inner.values())
        elif isinstance(inner, list):
            waiting.extend(inner)
