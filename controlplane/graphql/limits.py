"""How much one document may ask for: measured once per fragment, before anything else walks it.

Fragments that spread others twice double what a naive walk visits with every level, so each is
measured once and its measure reused: the time grows with the length of the document only.
"""

from collections import Counter
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from controlplane.graphql.errors import RefusedError

DEPTH = 10
INTROSPECTION_DEPTH = 16
ALIASES = 30
TOKENS = 2_000
SELECTIONS = 2_000
"""Fields after every fragment is written out: what validation and execution walk."""
REPEATS = 50
"""Occurrences of one field name: validation compares them in pairs."""
_INTROSPECTION = {"__schema", "__type"}


class Measure(NamedTuple):
    """What a selection asks for at most."""

    depth: int = 0
    introspection_depth: int = 0
    aliases: int = 0
    selections: int = 0


def measured(document: DocumentNode) -> bool:
    """Tell whether the document introspects. Raises RefusedError for one that asks for too much."""
    return _Walk(document).measured()


def _too(code: str, said: str, limit: int) -> RefusedError:
    return RefusedError(
        f"TOO_MUCH_{code}", f"The document {said}, at most {limit:,} are allowed; ask for less."
    )


class _Walk:
    def __init__(self, document: DocumentNode) -> None:
        self._document = document
        self._fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self._known: dict[str, Measure] = {}
        self._names: Counter[str] = Counter()

    def measured(self) -> bool:
        """Measure each operation, and each fragment whether it is spread or not."""
        spread = [self._fragment(name) for name in self._fragments]
        asked = [
            self._selections(each.selection_set)
            for each in self._document.definitions
            if isinstance(each, OperationDefinitionNode)
        ]
        for name, limit, said, measures in (
            ("depth", DEPTH, "is nested {} deep", asked),
            ("introspection_depth", INTROSPECTION_DEPTH, "introspects {} deep", asked),
            ("aliases", ALIASES, "has {} aliases", asked + spread),
            ("selections", SELECTIONS, "has {} fields", asked + spread),
        ):
            most = max((getattr(measure, name) for measure in measures), default=0)
            if most > limit:
                # The number itself may have thousands of digits.
                shown = f"{most:,}" if most < 10 * limit else f"over {10 * limit:,}"
                raise _too(name.upper(), said.format(shown), limit)
        for name, times in self._names.items():
            if times > REPEATS:
                raise _too("REPETITION", f"has a field {name} {times:,} times", REPEATS)
        return not _INTROSPECTION.isdisjoint(self._names)

    def _fragment(self, name: str) -> Measure:
        known = self._known.get(name)
        if known is not None:
            return known
        self._known[name] = Measure()  # a cycle ends here; validation reports it
        fragment = self._fragments.get(name)
        if fragment is not None:
            self._known[name] = self._selections(fragment.selection_set)
        return self._known[name]

    def _selections(self, selected: SelectionSetNode) -> Measure:
        total = Measure()
        for measure in map(self._selection, selected.selections):
            total = Measure(
                max(total.depth, measure.depth),
                max(total.introspection_depth, measure.introspection_depth),
                total.aliases + measure.aliases,
                total.selections + measure.selections,
            )
        return total

    def _selection(self, selection: SelectionNode) -> Measure:
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            return self._selections(selection.selection_set)
        assert isinstance(selection, FieldNode)
        name = selection.name.value
        self._names[name] += 1
        if selection.alias is not None:
            self._names[selection.alias.value] += 1
        inner = self._selections(selection.selection_set) if selection.selection_set else Measure()
        introspects = name in _INTROSPECTION
        return Measure(
            0 if introspects else inner.depth + 1,
            inner.depth + 1 if introspects else inner.introspection_depth,
            inner.aliases + (selection.alias is not None),
            inner.selections + 1,
        )
