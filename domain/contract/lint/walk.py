"""All expressions of a rule set, matched in one walk over the document.

The expressions together are an automaton, as those of a lexer are: its states are sets of
(expression, step), made when they are first needed, and a key leads from one to the next. A
reference is followed in place, so nothing is inlined: what it leads to is visited again only
with the states it has not been visited with, and so at most once for each step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from domain.contract.document import Tree
from domain.contract.lint.json_path import JsonPath
from domain.contract.lint.place import Key, Path
from domain.contract.lint.predicate import Candidate, Predicate
from domain.contract.lint.source import Source

_Position: TypeAlias = tuple[int, int]
"""The number of an expression, and how many of its steps are done."""

_Conditions: TypeAlias = tuple[tuple[Predicate, frozenset[_Position]], ...]
_NOWHERE: frozenset[_Position] = frozenset()

_Trail: TypeAlias = "tuple[_Trail, Key] | None"
"""A path from its end: making one costs the same at any depth."""


@dataclass(frozen=True, slots=True)
class Match:
    """A value that the expression of that number selects, and where it is."""

    expression: int
    value: Tree
    path: Path


@dataclass(slots=True)
class _State:
    """A set of positions, and where each key leads from it."""

    positions: frozenset[_Position]
    moves: "dict[Key | None, _Move]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Move:
    """Where a key leads: always, and further under a condition; `plain` are those of scalars."""

    always: frozenset[_Position]
    conditions: _Conditions
    plain: _Conditions


@dataclass(slots=True)  # not frozen: there are hundreds of thousands, made twice as fast so
class _Visit:
    """A value to be looked into, in which state; `key` is the one it was found under."""

    value: Tree
    trail: _Trail
    key: Key | None
    state: _State


class Automaton:
    """Expressions compiled together."""

    def __init__(self, expressions: list[JsonPath]) -> None:
        self.expressions = expressions
        self.states: dict[frozenset[_Position], _State] = {}
        self.names = {
            key
            for expression in expressions
            for step in expression.steps
            for key in step.keys or ()
        }

    def matches(
        self, source: Source, *, follow: bool, start: tuple[Tree, Path] | None = None
    ) -> Iterator[Match]:
        """Return every match from the root or the `start`, each once.

        Where `follow`, what a reference leads to stands in its place.
        """
        return _Walk(self, source, follow=follow).matches(*(start or (source.root, ())))

    def state(self, positions: frozenset[_Position]) -> _State:
        """Return the state of these positions."""
        state = self.states.get(positions)
        if state is None:
            state = self.states[positions] = _State(positions)
        return state

    def move(self, state: _State, key: Key) -> _Move:
        """Return where the key leads from the state."""
        known = key if key in self.names else None
        move = state.moves.get(known)
        if move is None:
            move = state.moves[known] = self._move(state, known)
        return move

    def _move(self, state: _State, key: Key | None) -> _Move:
        always: set[_Position] = set()
        conditions: dict[str, tuple[Predicate, set[_Position]]] = {}
        for number, done in state.positions:
            steps = self.expressions[number].steps
            if done == len(steps):
                continue
            step = steps[done]
            if step.is_deep:
                always.add((number, done))
            if step.keys is not None and key not in step.keys:
                continue
            if step.condition is None:
                always.add((number, done + 1))
            else:
                text = step.text.removeprefix("..")
                conditions.setdefault(text, (step.condition, set()))[1].add((number, done + 1))
        asked = tuple((condition, frozenset(then)) for condition, then in conditions.values())
        plain = tuple(item for item in asked if not item[0].is_of_objects)
        return _Move(frozenset(always), asked, plain)


class _Walk:
    def __init__(self, automaton: Automaton, source: Source, *, follow: bool) -> None:
        self.automaton = automaton
        self.source = source
        self.follow = follow
        self.ends = {
            (number, len(expression.steps))
            for number, expression in enumerate(automaton.expressions)
        }
        # What a reference leads to may be reached several times.
        self.shared = source.shared if follow else frozenset()
        self.seen: dict[int, set[_Position]] = {}

    def matches(self, root: Tree, path: Path) -> Iterator[Match]:
        start = frozenset((number, 0) for number in range(len(self.automaton.expressions)))
        for number, _ in start & self.ends:
            yield Match(number, root, path)
        left = [_Visit(root, _trail(path), None, self.automaton.state(start))]
        while left:
            visit = left.pop()
            for inner, positions in self._inner(visit):
                for number, _ in positions & self.ends:
                    yield Match(number, inner.value, _path(inner.trail))
                if isinstance(inner.value, dict | list):
                    left.append(inner)

    def _inner(self, visit: "_Visit") -> Iterator[tuple["_Visit", frozenset[_Position]]]:
        """Return the members of a value that a position leads to, and these positions."""
        holder, move = visit.value, self.automaton.move
        items: Iterable[tuple[Key, Tree]] = ()
        if isinstance(holder, dict):
            items = holder.items()
        elif isinstance(holder, list):
            items = enumerate(holder)
        for key, inner in items:
            to = move(visit.state, key)
            if not to.always and not to.conditions:
                continue
            value: Tree = inner
            trail: _Trail = (visit.trail, key)
            if self.follow and isinstance(value, dict) and "$ref" in value:
                value, trail = self._followed(value, trail)
            positions = to.always
            conditions = to.conditions if isinstance(value, dict | list) else to.plain
            if conditions:
                positions |= _fulfilled(conditions, Candidate(value, key, holder, visit.key))
            if id(value) in self.shared:
                seen = self.seen.setdefault(id(value), set())
                positions -= seen
                seen |= positions
            if positions:
                yield _Visit(value, trail, key, self.automaton.state(positions)), positions

    def _followed(self, value: Tree, trail: _Trail) -> tuple[Tree, _Trail]:
        target = None
        if isinstance(value, dict) and isinstance(reference := value["$ref"], str):
            target = self.source.target(reference)
        if target is None:
            return value, trail
        return target[0], _trail(target[1])


def _fulfilled(conditions: _Conditions, candidate: Candidate) -> frozenset[_Position]:
    """Return where the conditions lead that hold."""
    held = [then for condition, then in conditions if condition.holds(candidate)]
    return _NOWHERE.union(*held) if held else _NOWHERE


def _trail(path: Path) -> _Trail:
    trail: _Trail = None
    for key in path:
        trail = (trail, key)
    return trail


def _path(trail: _Trail) -> Path:
    keys: list[Key] = []
    while trail is not None:
        trail, key = trail
        keys.append(key)
    return tuple(reversed(keys))
