"""Samples: values that a schema may accept, to be tried out."""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from domain.contract.document import Tree

SAMPLES = 80
"""So many values of one schema are tried at most."""

STEPS = 5_000
CONDITIONS = 200
FEW = 12
DEPTH = 6
LONG_CHARS = 300

_Anything: TypeAlias = Any
"""What stands where a schema should: it may come from arithmetic with schemas."""

_FORMATS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_TEXTS = ("a", "", "text", "A", "1", "10", "a-b", "true", *_FORMATS.values())
_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
_HINTS = {
    "object": ("properties", "required", "additionalProperties", "propertyNames", "minProperties"),
    "array": ("items", "minItems", "maxItems", "uniqueItems", "contains", "prefixItems"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


def samples(schema: dict[str, Any]) -> Iterator[Tree]:
    """Return up to SAMPLES different values, most of which the schema is likely to accept.

    A schema that refers to itself a hundred times is given up after STEPS.
    """
    return islice(_Sampling(schema.get("$defs", {})).values(schema, DEPTH), SAMPLES)


@dataclass(slots=True)
class _Sampling:
    """The way down one schema; `left` is how many schemas may still be entered."""

    definitions: dict[str, Any]
    left: int = STEPS

    def values(self, schema: _Anything, depth: int) -> Iterator[Tree]:
        self.left -= 1
        if depth <= 0 or self.left <= 0:
            return
        if not isinstance(schema, dict):
            schema = {}
        if "const" in schema:
            yield schema["const"]
            return
        if "enum" in schema:
            yield from schema["enum"]
            return
        merged, alternatives = self._merged(schema)
        for alternative in alternatives:
            yield from islice(self.values({**merged, **alternative}, depth - 1), FEW)
        for kind in _kinds(merged):
            yield from islice(self._of_kind(kind, merged, depth), SAMPLES // 2)

    def _merged(self, schema: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the schema with its conditions made one, and its alternatives."""
        merged: dict[str, Any] = {}
        alternatives: list[dict[str, Any]] = []
        waiting: list[_Anything] = [schema]
        for _ in range(CONDITIONS):
            if not waiting:
                break
            part = waiting.pop()
            if not isinstance(part, dict):
                continue
            waiting += [*part.get("allOf", []), _named(part, self.definitions)]
            for keyword in ("anyOf", "oneOf"):
                alternatives += [_plain(each, self.definitions) for each in part.get(keyword, [])]
            for key, value in part.items():
                if key == "properties":
                    merged[key] = {**merged.get(key, {}), **value}
                elif key == "required":
                    merged[key] = [*merged.get(key, []), *value]
                elif key not in ("$ref", "$defs", "allOf", "anyOf", "oneOf"):
                    merged[key] = value
        return merged, alternatives[:FEW]

    def _of_kind(self, kind: str, schema: dict[str, Any], depth: int) -> Iterator[Tree]:
        if kind == "object":
            yield from self._objects(schema, depth)
        elif kind == "array":
            yield from self._arrays(schema, depth)
        elif kind == "string":
            yield from _texts(schema)
        elif kind in ("integer", "number"):
            yield from _numbers(schema, kind)
        elif kind == "boolean":
            yield from (True, False)
        else:
            yield None

    def _arrays(self, schema: dict[str, Any], depth: int) -> Iterator[Tree]:
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        places = [self._first(each, depth) for each in schema.get("prefixItems", [])]
        items = list(islice(self.values(schema.get("items", {}), depth - 1), FEW)) or [None]
        counts = {least, max(least, 1), least + 1, FEW}
        if most is not None:
            counts.add(int(most))
        for count in sorted(count for count in counts if 0 <= count <= LONG_CHARS):
            yield (places + [items[index % len(items)] for index in range(count)])[:count]
        for item in items:
            yield [*places, *([item] * min(max(least - len(places), 1), LONG_CHARS))]

    def _objects(self, schema: dict[str, Any], depth: int) -> Iterator[Tree]:
        properties = schema.get("properties", {})
        required = list(dict.fromkeys(schema.get("required", [])))
        base = {name: self._first(properties.get(name, {}), depth) for name in required}
        yield dict(base)
        everything = dict(base)
        for name in islice(properties, FEW):
            everything.setdefault(name, self._first(properties[name], depth))
        yield everything
        for name in [*required, *(name for name in properties if name not in base)][: FEW * 2]:
            for value in islice(self.values(properties.get(name, {}), depth - 1), FEW):
                yield {**base, name: value}
        yield {**base, "anything": "else"}
        for name in everything:
            yield {key: value for key, value in everything.items() if key != name}

    def _first(self, schema: _Anything, depth: int) -> Tree:
        return next(self.values(schema, depth - 1), None)


def _named(schema: dict[str, Any], definitions: dict[str, Any]) -> _Anything:
    """Return what the schema refers to, None when to nothing."""
    return definitions.get(str(schema.get("$ref", "")).rpartition("/")[2])


def _plain(schema: _Anything, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema, dict) and set(schema) == {"$ref"}:
        schema = _named(schema, definitions)
    return schema if isinstance(schema, dict) else {}


def _kinds(schema: dict[str, Any]) -> tuple[str, ...]:
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return (kinds,)
    if isinstance(kinds, list):
        return tuple(kinds)
    hinted = [kind for kind, keys in _HINTS.items() if any(key in schema for key in keys)]
    return tuple(dict.fromkeys((*hinted, *_KINDS)))


def _texts(schema: dict[str, Any]) -> Iterator[str]:
    if schema.get("format") in _FORMATS:
        yield _FORMATS[schema["format"]]
    least, most = int(schema.get("minLength", 1)), schema.get("maxLength")
    longest = LONG_CHARS if most is None else int(most)
    for chars in (least, longest, least + 1, 0):
        if chars <= LONG_CHARS:
            yield "a" * chars
            yield (string.digits * chars)[:chars]
    yield from _TEXTS


def _numbers(schema: dict[str, Any], kind: str) -> Iterator[float]:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    ends = [end for end in (least, most) if isinstance(end, (int, float))]
    step = schema.get("multipleOf", 1)
    for end in (*ends, 0):
        yield from (end, end + step, end - step)
    yield from (1, -1, 2, 3, 10, 1_000_000, -1_000_000, 2**40)
    if kind == "number":
        yield from (0.5, 1.5, -0.5, *(end + 0.5 for end in ends))
