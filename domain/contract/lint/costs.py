"""What it costs to try a value out against a schema, counted before it is done.

jsonschema-rs has no bounds of its own. It recurses for each schema that applies to a value because
of another, and 30,000 of them take the process with them; it compiles what a schema leads to anew
for each; and alternatives within alternatives take it as long as there are ways through them.
"""

from collections.abc import Iterator

from domain.contract.document import Tree
from domain.contract.lint.source import Source, walked

RECURSION = 10_000
"""So many schemas at so many levels are left to it, a third of what its stack bears."""

DEPTH = 300
"""So many of them are counted one by one; what has more is too much for that."""

UNCHECKED = "is not checked, for that takes too many schemas"

_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_APPLYING = frozenset({*_LISTS, *_SINGLE, "dependentSchemas", "$ref"})


class Costs:
    """What trying values costs in one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.chain = _Chains(source).longest()
        self._held: dict[int, tuple[int, frozenset[str]]] = {}

    def is_too_deep(self, value: Tree) -> bool:
        """Whether more schemas and levels come together than the stack may bear."""
        return self.chain * (_nesting(value) + 1) > RECURSION

    def of_schema(self, schema: Tree, limit: int) -> int:
        """Return how much has to be compiled for a schema, with what it leads to, up to `limit`."""
        total, references = self._own(schema)
        seen = set(references)
        left = list(references)
        while left and total <= limit:
            target = self.source.target(left.pop())
            if target is None:
                continue
            held, references = self._own(target[0])
            # Each goes on from where it is found, and these places grow longer.
            total += held + len(references) + len(seen) // 500
            left.extend(references - seen)
            seen |= references
        return total

    def of_value(self, schema: Tree, value: Tree, limit: int) -> int:
        """Return how many schemas are asked about a part of the value, `limit` if it is more."""
        if self.chain * (_nesting(value) + 1) > DEPTH:
            return limit
        return min(_Effort(self.source).of(schema, value), limit)

    def _own(self, schema: Tree) -> tuple[int, frozenset[str]]:
        """Return how many objects a schema holds, and what they refer to."""
        if id(schema) not in self._held:
            count, references = 0, set()
            for _, inner in walked(schema):
                count += 1
                if isinstance(inner, dict) and isinstance(reference := inner.get("$ref"), str):
                    references.add(reference)
            self._held[id(schema)] = count, frozenset(references)
        return self._held[id(schema)]


def _nesting(value: Tree) -> int:
    """Return how deep the value is nested, 0 for a text or number."""
    level, depth = [value], -1
    while level:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
    return depth


def _applied(schema: Tree, source: Source) -> Iterator[dict[str, Tree]]:
    """Return the schemas that apply to whatever this one applies to."""
    if not isinstance(schema, dict) or _APPLYING.isdisjoint(schema):
        return
    candidates: list[Tree] = [schema.get(name) for name in _SINGLE]
    for name in _LISTS:
        listed = schema.get(name)
        candidates += listed if isinstance(listed, list) else []
    dependent = schema.get("dependentSchemas")
    candidates += dependent.values() if isinstance(dependent, dict) else []
    reference = schema.get("$ref")
    if isinstance(reference, str) and (target := source.target(reference)):
        candidates.append(target[0])
    for inner in candidates:
        if isinstance(inner, dict):
            yield inner


class _Effort:
    """Counts how many schemas are asked; of one schema and one value the count is kept."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.counts: dict[tuple[int, int], int] = {}

    def of(self, schema: Tree, value: Tree) -> int:
        pair = id(schema), id(value)
        if pair not in self.counts:
            self.counts[pair] = 0  # a circle is left where it began
            count = 1 + sum(self.of(inner, value) for inner in _applied(schema, self.source))
            for key, inner_value in _members(value):
                count += sum(self.of(inner, inner_value) for inner in _for_member(schema, key))
            self.counts[pair] = count
        return self.counts[pair]


def _members(value: Tree) -> Iterator[tuple[str | None, Tree]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((None, inner) for inner in value)


def _for_member(schema: Tree, key: str | None) -> Iterator[Tree]:
    """Return the schemas of a member of that name, or of an element."""
    if not isinstance(schema, dict):
        return
    if key is None:
        for name in ("items", "additionalItems", "contains", "unevaluatedItems"):
            if isinstance(schema.get(name), dict):
                yield schema[name]
        for name in ("prefixItems", "items"):
            listed = schema.get(name)
            yield from listed if isinstance(listed, list) else ()
        return
    properties = schema.get("properties")
    if isinstance(properties, dict) and key in properties:
        yield properties[key]
    patterns = schema.get("patternProperties")
    yield from patterns.values() if isinstance(patterns, dict) else ()
    for name in ("additionalProperties", "unevaluatedProperties"):
        if isinstance(schema.get(name), dict):
            yield schema[name]


class _Chains:
    """The longest chain of schemas that apply to a value because of each other.

    Those that lead to each other in a circle count all, since any order of them may occur. It is
    the algorithm of Tarjan, without recursion: a circle is found after all that it leads to.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.order: dict[int, int] = {}
        self.lowest: dict[int, int] = {}
        self.waiting: list[int] = []
        self.length: dict[int, int] = {}  # of what is found, its circle complete
        self.leads: dict[int, list[int]] = {}

    def longest(self) -> int:
        """Return the number of schemas in it."""
        for _, value in walked(self.source.root):
            is_applying = isinstance(value, dict) and not _APPLYING.isdisjoint(value)
            if is_applying and id(value) not in self.order:
                self._visit(value)
        return max(self.length.values(), default=1)

    def _visit(self, root: Tree) -> None:
        path = [self._entered(root)]
        while path:
            node, following = path[-1]
            inner = next(following, None)
            if inner is None:
                path.pop()
                if path:
                    holder = path[-1][0]
                    self.lowest[holder] = min(self.lowest[holder], self.lowest[node])
                self._left(node)
                continue
            self.leads[node].append(id(inner))
            if id(inner) not in self.order:
                path.append(self._entered(inner))
            elif id(inner) not in self.length:
                self.lowest[node] = min(self.lowest[node], self.order[id(inner)])

    def _entered(self, schema: Tree) -> tuple[int, Iterator[dict[str, Tree]]]:
        node = id(schema)
        self.order[node] = self.lowest[node] = len(self.order)
        self.waiting.append(node)
        self.leads[node] = []
        return node, _applied(schema, self.source)

    def _left(self, node: int) -> None:
        if self.lowest[node] != self.order[node]:
            return
        circle = [self.waiting.pop()]
        while circle[-1] != node:
            circle.append(self.waiting.pop())
        beyond = (self.length.get(other, 0) for each in circle for other in self.leads[each])
        length = len(circle) + max(beyond, default=0)
        self.length.update(dict.fromkeys(circle, length))
