"""Two GraphQL schemas, element by element."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from domain.contract.document import one_line
from domain.contract.finding import Finding, Level
from domain.contract.graphql_schema import Element, Kind, Schema

SENTENCE_CHARS = 500
BUILT_IN = {
    *("Int", "Float", "String", "Boolean", "ID"),
    *("@skip", "@include", "@deprecated", "@specifiedBy", "@oneOf"),
}
"""What every schema has, whether or not it says so."""


@dataclass(frozen=True)
class Comparison:
    """What two schemas have in common, and what only one of them has.

    What belongs to an element that was added, removed, or changed its kind is not told of: that
    element tells for it.
    """

    old: Schema
    new: Schema
    levels: Mapping[str, Level]

    def kept(self, *kinds: Kind) -> Iterator[tuple[Element, Element]]:
        """Return the elements of these kinds that both have, as the same kind."""
        for kind in kinds:
            yield from self._kept.get(kind, ())

    def removed(self, *kinds: Kind) -> Iterator[Element]:
        """Return the elements of these kinds that only the old one has."""
        return _missing(self.old, self.new, kinds)

    def added(self, *kinds: Kind) -> Iterator[Element]:
        """Return the elements of these kinds that only the new one has."""
        return _missing(self.new, self.old, kinds)

    def finding(
        self, rule: str, old: Element | None, new: Element | None, sentence: str
    ) -> Finding:
        """Return the finding of a rule about an element as it was and as it is."""
        before = None if old is None else old.coordinate
        after = None if new is None else new.coordinate
        where = before if after is None else after
        return Finding(
            rule, self.levels[rule], where or "", before, after, one_line(sentence, SENTENCE_CHARS)
        )

    def removal(self, rule: str, old: Element, consequence: str) -> Finding:
        """Return the finding about an element that is gone; a deprecation makes a difference."""
        if old.deprecated_because is not None:
            sentence = f"{old.coordinate}, which was deprecated, was removed; {consequence}."
            return self.finding(rule, old, None, sentence)
        sentence = f"{old.coordinate} was removed and had not been deprecated; {consequence}."
        return self.finding(f"{rule}-without-deprecation", old, None, sentence)

    @cached_property
    def _kept(self) -> dict[Kind, list[tuple[Element, Element]]]:
        by_kind: dict[Kind, list[tuple[Element, Element]]] = {}
        for coordinate, element in self.old.elements.items():
            other = self.new.elements.get(coordinate)
            if other is not None and other.kind is element.kind:
                by_kind.setdefault(element.kind, []).append((element, other))
        return by_kind


def _missing(schema: Schema, other: Schema, kinds: tuple[Kind, ...]) -> Iterator[Element]:
    for coordinate, element in schema.elements.items():
        if element.kind not in kinds or coordinate in other.elements or coordinate in BUILT_IN:
            continue
        owner = schema.elements[element.parent] if element.parent else None
        counterpart = other.elements.get(element.parent) if element.parent else None
        if owner is None or (counterpart is not None and counterpart.kind is owner.kind):
            yield element
