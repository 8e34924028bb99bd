"""Schemas: every pair that is reached is judged once, whatever refers to it.

References are followed, never inlined: a pair is known by where its two schemas are written, so
cycles end and what a thousand operations share is compared once.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from domain.contract.diff.containment import Containment, Outcome, shown
from domain.contract.diff.pair import Child, Pair, Said, named, quoted, way
from domain.contract.diff.same import Sameness
from domain.contract.diff.spot import Spot
from domain.contract.diff.terms import Terms
from domain.contract.diff.view import View, view
from domain.contract.finding import TOO_MANY, Finding, Level, Witness
from domain.contract.rules import (
    lifecycle,
    schema_bounds,
    schema_composition,
    schema_objects,
    schema_types,
    schema_values,
)
from domain.contract.rules.rest import LEVELS
from domain.contract.rules.schema_composition import matched
from domain.contract.rules.schema_objects import described, written

STEPS = 500_000
"""So many pairs are looked at, from all operations together; GitHub's description takes 3,000."""

RULES: tuple[Callable[[Pair], Iterator[Said]], ...] = (
    schema_types.types,
    schema_types.nullability,
    schema_types.remote_references,
    schema_values.enums,
    schema_values.constants,
    schema_bounds.bounds,
    schema_bounds.multiples,
    schema_bounds.uniqueness,
    schema_objects.requirement,
    schema_objects.additional,
    schema_objects.named_by_pattern,
    schema_objects.dependencies,
    schema_objects.judged_keywords,
    schema_composition.compositions,
    schema_composition.places,
    schema_values.extensible_enums,
    schema_values.defaults,
    schema_values.patterns,
    schema_values.contents,
    schema_objects.existence,
    schema_objects.access,
    schema_composition.discriminators,
    lifecycle.properties,
)

_SINGLE = {
    "items": "each element",
    "contains": "the required element",
    "propertyNames": "each property name",
    "unevaluatedItems": "each element nobody described",
    "unevaluatedProperties": "each property nobody described",
    "additionalProperties": "each other property",
    "contentSchema": "the content",
    "if": "the condition",
    "then": "the case where the condition holds",
    "else": "the other case",
    "not": "the excluded case",
}
_NAMED = {
    "patternProperties": "each property like",
    "dependentSchemas": "the case with",
}
_PART = {"allOf": "condition", "anyOf": "alternative", "oneOf": "alternative"}
"""What sentences call what keywords describe."""


_REWRITINGS = {
    "all-of-added",
    "wrapped-in-one-of",
    "type-changed",
    "type-generalized",
    "list-of-types-narrowed",
    "list-of-types-widened",
    "became-enum",
    "const-added",
    "const-removed",
    "not-added",
    "not-removed",
    "items-added",
    "items-removed",
    "became-nullable",
    "became-not-nullable",
    "prefix-items-added",
}
"""Changes that are often another way to write the same, which containment can prove.

Of alternatives it cannot: two open objects accept nearly the same, and mean different things.
"""

_WRAPPINGS = {"one-of-added", "one-of-removed", "any-of-removed"}
"""Alternatives where there were none, or none where there were some: written anew as well."""

_ECHOED = ("pattern-added", "pattern-changed")
"""Clients send back what they have read, read-only properties too, and their text is checked."""


_UNASKED = Outcome(None)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is said of one pair, and where it goes on."""

    said: tuple[tuple[Said, Level, Witness | None], ...]
    children: tuple[Child, ...]


@dataclass(slots=True)
class Schemas:
    """Compares schemas of two documents; remembers what it has seen."""

    sameness: Sameness
    terms: Terms
    containment: Containment
    _judged: dict[tuple[object, ...], _Judged] = field(default_factory=dict)
    _views: dict[tuple[str, str], View] = field(default_factory=dict)
    _steps: int = 0

    def compare(self, root: Child, where: str, noun: str) -> Iterator[Finding]:
        """Return what changed between two schemas, the nearest first.

        `noun` is what the root is called in a sentence: "the request body". After STEPS pairs the
        comparison is given up with an error that says so.
        """
        waiting: deque[tuple[Child, tuple[Child, ...]]] = deque([(root, ())])
        seen: set[tuple[object, ...]] = set()
        is_quiet = True
        while waiting:
            child, path = waiting.popleft()
            if self.sameness.same(child.old, child.new):
                continue
            pair = self._pair(child)
            if pair.key in seen:
                continue
            seen.add(pair.key)
            self._steps += 1
            if self._steps >= STEPS:
                yield from self._given_up(where)
                return
            judged = self._judge(pair)
            subject = f"In {noun}, {way(path)}" if path else noun[:1].upper() + noun[1:]
            for said, level, witness in judged.said:
                is_quiet = False
                sentence = f"{subject} {said.predicate}."
                yield Finding(said.rule, level, where, said.old, said.new, sentence, witness)
            for each in judged.children:
                waiting.append((each, (*path, each)))
        if is_quiet and seen:
            yield from self._unsaid(self._pair(root), where, noun)

    def _unsaid(self, pair: Pair, where: str, noun: str) -> Iterator[Finding]:
        """Return what no rule saw: a payload that one side accepts and the other refuses."""
        outcome = self.containment.judge(pair)
        if not outcome.payloads:
            return
        rule = "request-schema-narrowed" if pair.place.is_request else "response-schema-widened"
        said = "no longer accepts" if pair.place.is_request else "may now be"
        payload = outcome.payloads[0]
        sentence = f"{noun[:1].upper()}{noun[1:]} {said} {quoted(payload)}."
        pointers = pair.old.pointer, pair.new.pointer
        yield Finding(rule, LEVELS[rule], where, *pointers, sentence, shown(pair, payload))

    def _given_up(self, where: str) -> Iterator[Finding]:
        if self._steps == STEPS:
            sentence = f"More than {STEPS:,} schemas differ; from here on they were not compared."
            yield Finding(TOO_MANY, Level.ERROR, where, None, None, sentence)

    def _view(self, spot: Spot) -> View:
        key = (spot.document.about, spot.pointer)
        known = self._views.get(key)
        if known is None:
            known = self._views[key] = view(spot)
        return known

    def _pair(self, child: Child) -> Pair:
        return Pair(
            self._view(child.old),
            self._view(child.new),
            child.place,
            is_text=child.is_text,
            is_exploded=child.is_exploded,
            is_negated=child.is_negated,
            terms=self.terms,
        )

    def _judge(self, pair: Pair) -> _Judged:
        known = self._judged.get(pair.key)
        if known is None:
            said = [(each, _level(pair, each)) for rule in RULES for each in rule(pair)]
            outcome = _UNASKED
            if any(level is Level.ERROR for _, level in said):
                outcome = self.containment.judge(pair)
            weighed = tuple(self._weighed(pair, outcome, *each) for each in said)
            known = self._judged[pair.key] = _Judged(weighed, tuple(_children(pair)))
        return known

    def _weighed(
        self, pair: Pair, outcome: Outcome, said: Said, level: Level
    ) -> tuple[Said, Level, Witness | None]:
        if level is not Level.ERROR:
            return said, level, None
        if outcome.is_contained and _is_rewritten(pair, said):
            return said, Level.INFO, None
        return said, level, self.containment.witness(pair, outcome, said.proof)


def _is_rewritten(pair: Pair, said: Said) -> bool:
    # Formats are not all known to whoever judges containment: the rule has the last word.
    change = said.rule.removeprefix(f"{pair.place}-")
    is_wrapping = change in _WRAPPINGS and pair.old.has(said.proof) != pair.new.has(said.proof)
    return (change in _REWRITINGS or is_wrapping) and said.proof != schema_types.FORMAT


def _level(pair: Pair, said: Said) -> Level:
    level = LEVELS[said.rule]
    if pair.is_negated:
        # Below a `not` more is less: of the two it is the graver.
        mirrored = said.rule.replace(str(pair.place), str(pair.place.mirrored), 1)
        level = min(level, LEVELS.get(mirrored, level), key=lambda each: each.rank)
    if said.is_moot or (not pair.is_sent(pair.new) and not said.rule.endswith(_ECHOED)):
        return Level.INFO
    return level


def _children(pair: Pair) -> Iterator[Child]:
    old, new = pair.old, pair.new
    had, has = (described([side]).properties for side in (old, new))
    written_here = {name for side in written(pair) for name in side.properties}
    for name in sorted(had.keys() & has.keys() & written_here):
        yield pair.within(name, had[name], has[name])
    for keyword, label in _SINGLE.items():
        before, after = old.at(keyword), new.at(keyword)
        is_closing = keyword == "additionalProperties" and (
            before.value is False or after.value is False
        )
        if before and after and not is_closing:  # Of closing and opening a rule tells.
            yield pair.within(label, before, after, keyword)
    for keyword, label in _NAMED.items():
        before, after = old.at(keyword), new.at(keyword)
        for name in sorted(before.members().keys() & after.members().keys()):
            yield pair.within(f"{label} {named([name])}", before.at(name), after.at(name), keyword)
    yield from _parts(pair)


def _parts(pair: Pair) -> Iterator[Child]:
    old, new = pair.old, pair.new
    places = zip(old.at("prefixItems").elements(), new.at("prefixItems").elements(), strict=False)
    for index, (before, after) in enumerate(places, 1):
        yield pair.within(f"element {index}", before, after, "prefixItems")
    for keyword, label in _PART.items():
        parts = matched(old.at(keyword).elements(), new.at(keyword).elements())
        for before, after in parts.pairs:
            number = int(after.pointer.rpartition("/")[2]) + 1
            yield pair.within(f"{label} {number}", before, after, keyword)
