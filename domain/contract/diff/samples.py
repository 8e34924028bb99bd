"""Samples: values that a schema may accept, to be tried out."""

import string
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

from domain.contract.document import Tree

SAMPLES = 80
"""So many values of one schema are tried at most."""

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
    """Return up to SAMPLES different values, most of which the schema is likely to accept."""
    return islice(_values(schema, schema.get("$defs", {}), DEPTH), SAMPLES)


def _values(schema: _Anything, definitions: dict[str, Any], depth: int) -> Iterator[Tree]:
    if not isinstance(schema, dict):
        schema = {}
    if depth <= 0:
        return
    if "const" in schema:
        yield schema["const"]
        return
    if "enum" in schema:
        yield from schema["enum"]
        return
    merged, alternatives = _merged(schema, definitions, depth)
    for alternative in alternatives:
        yield from islice(_values({**merged, **alternative}, definitions, depth - 1), FEW)
    for kind in _kinds(merged):
        yield from islice(_of_kind(kind, merged, definitions, depth), SAMPLES // 2)


def _merged(
    schema: dict[str, Any], definitions: dict[str, Any], depth: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the schema with its conditions made one, and its alternatives."""
    merged: dict[str, Any] = {}
    alternatives: list[dict[str, Any]] = []
    waiting: list[tuple[Any, int]] = [(schema, depth)]
    while waiting:
        part, left = waiting.pop()
        if not isinstance(part, dict) or left <= 0:
            continue
        reference = str(part.get("$ref", "")).rpartition("/")[2]
        waiting += [(each, left - 1) for each in part.get("allOf", [])]
        waiting.append((definitions.get(reference), left - 1))
        for keyword in ("anyOf", "oneOf"):
            alternatives += [_plain(each, definitions) for each in part.get(keyword, [])]
        for key, value in part.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, []), *value]
            elif key not in ("$ref", "$defs", "allOf", "anyOf", "oneOf"):
                merged[key] = value
    return merged, alternatives[:FEW]


def _plain(schema: _Anything, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema, dict) and set(schema) == {"$ref"}:
        schema = definitions.get(str(schema["$ref"]).rpartition("/")[2])
    return schema if isinstance(schema, dict) else {}


def _kinds(schema: dict[str, Any]) -> tuple[str, ...]:
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return (kinds,)
    if isinstance(kinds, list):
        return tuple(kinds)
    hinted = [kind for kind, keys in _HINTS.items() if any(key in schema for key in keys)]
    return tuple(dict.fromkeys((*hinted, *_KINDS)))


def _of_kind(
    kind: str, schema: dict[str, Any], definitions: dict[str, Any], depth: int
) -> Iterator[Tree]:
    if kind == "object":
        yield from _objects(schema, definitions, depth)
    elif kind == "array":
        yield from _arrays(schema, definitions, depth)
    elif kind == "string":
        yield from _texts(schema)
    elif kind in ("integer", "number"):
        yield from _numbers(schema, kind)
    elif kind == "boolean":
        yield from (True, False)
    else:
        yield None


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


def _arrays(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> Iterator[Tree]:
    least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
    places = [_first(each, definitions, depth) for each in schema.get("prefixItems", [])]
    items = list(islice(_values(schema.get("items", {}), definitions, depth - 1), FEW)) or [None]
    counts = {least, max(least, 1), least + 1, FEW}
    if most is not None and most <= LONG_CHARS:
        counts.add(int(most))
    for count in sorted(counts):
        if count <= LONG_CHARS:
            yield (places + [items[index % len(items)] for index in range(count)])[: max(count, 0)]
    for item in items:
        yield [*places, *([item] * max(least - len(places), 1))]


def _objects(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> Iterator[Tree]:
    properties = schema.get("properties", {})
    required = list(dict.fromkeys(schema.get("required", [])))
    base: dict[str, Tree] = {
        name: _first(properties.get(name, {}), definitions, depth) for name in required
    }
    yield dict(base)
    everything = dict(base)
    for name in islice(properties, FEW):
        everything.setdefault(name, _first(properties[name], definitions, depth))
    yield everything
    for name in [*required, *(name for name in properties if name not in base)][: FEW * 2]:
        for value in islice(_values(properties.get(name, {}), definitions, depth - 1), FEW):
            yield {**base, name: value}
    yield {**base, "anything": "else"}
    for name in everything:
        yield {key: value for key, value in everything.items() if key != name}


def _first(schema: _Anything, definitions: dict[str, Any], depth: int) -> Tree:
    return next(_values(schema, definitions, depth - 1), None)
