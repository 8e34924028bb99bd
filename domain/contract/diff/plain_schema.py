"""A schema of OpenAPI as plain JSON Schema 2020-12, with all that it refers to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from domain.contract.diff.spot import Document, Spot
from domain.contract.diff.view import ANNOTATIONS, view
from domain.contract.document import Tree

NODES = 200
"""A schema with more objects in it, those that it refers to included, is not judged as a whole."""

JsonSchema = dict[str, Any]

_IDLE = ANNOTATIONS | {
    "default",
    "deprecated",
    "discriminator",
    "nullable",
    "readOnly",
    "writeOnly",
    "contentSchema",
    "contentMediaType",
    "contentEncoding",
    "$id",
    "$schema",
    "$anchor",
    "$defs",
}
_SCHEMAS = ("items", "contains", "propertyNames", "not", "if", "then", "else")
_SCHEMAS_OR_FLAGS = ("additionalProperties", "unevaluatedProperties", "unevaluatedItems")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas")


@dataclass(frozen=True, slots=True)
class _Part:
    """One schema without what it refers to."""

    schema: JsonSchema | bool
    nodes: int
    references: dict[str, Spot]


@dataclass(slots=True)
class PlainSchemas:
    """Writes the schemas of one document as those of what requests, or responses, hold.

    What is read-only is no part of a request, and what is write-only none of a response: it may be
    anything there and need not be there. Whoever reads a response skips properties it does not
    know: in responses `additionalProperties: false` says nothing.
    """

    document: Document
    is_request: bool
    _parts: dict[tuple[str, int], tuple[Spot, _Part]] = field(default_factory=dict)

    def written(self, spot: Spot) -> JsonSchema | None:
        """Return the schema at a spot, None when it has more than NODES objects."""
        root = self._part(spot)
        definitions: JsonSchema = {}
        waiting, nodes = dict(root.references), root.nodes
        while waiting:
            reference, target = waiting.popitem()
            part = self._part(target)
            nodes += part.nodes
            if nodes > NODES:
                return None
            definitions[reference] = part.schema
            waiting |= {
                key: each for key, each in part.references.items() if key not in definitions
            }
        if nodes > NODES:
            return None
        schema = root.schema if isinstance(root.schema, dict) else {"allOf": [root.schema]}
        return {**schema, "$defs": definitions} if definitions else schema

    def _part(self, spot: Spot) -> _Part:
        # What a view made of a schema stands at the same place; the spot keeps it alive.
        key = (spot.pointer, id(spot.value))
        if key not in self._parts:
            writing = _Writing(self.is_request)
            schema = writing.schema(spot)
            self._parts[key] = spot, _Part(schema, writing.nodes, writing.references)
        return self._parts[key][1]


@dataclass(slots=True)
class _Writing:
    is_request: bool
    nodes: int = 0
    references: dict[str, Spot] = field(default_factory=dict)

    def schema(self, spot: Spot) -> JsonSchema | bool:
        self.nodes += 1
        if isinstance(spot.value, bool):
            return spot.value
        members = spot.members()
        if spot.reference:
            target = spot.follow()
            name = str(len(target.pointer)) + target.pointer.replace("/", "_").replace("~", "_")
            self.references[name] = target
            reference = {"$ref": f"#/$defs/{name}"}
            if spot.document.is_3_0 or len(members) == 1:
                return reference
            rest = {key: value for key, value in members.items() if key != "$ref"}
            beside = self._plain(Spot(spot.document, rest, spot.pointer), rest)
            return {"allOf": [reference, beside]}
        return self._plain(spot, members)

    def _plain(self, spot: Spot, members: dict[str, Tree]) -> JsonSchema:
        plain: JsonSchema = {}
        for key, value in members.items():
            if key in _IDLE or key.startswith("x-") or value is None:
                continue
            plain[key] = self._keyword(key, spot.at(key))
        if "const" in members:
            plain["const"] = members["const"]
        self._drop_what_is_not_sent(spot, plain)
        return _without_3_0(spot, plain)

    def _keyword(self, key: str, spot: Spot) -> object:
        if key in _SCHEMAS_OR_FLAGS and isinstance(spot.value, bool):
            return spot.value or not self.is_request
        if key in _SCHEMAS or key in _SCHEMAS_OR_FLAGS:
            return self.schema(spot)
        if key in _LISTS:
            return [self.schema(each) for each in spot.elements()]
        if key in _MAPS:
            return {name: self.schema(each) for name, each in spot.each()}
        return spot.value

    def _drop_what_is_not_sent(self, spot: Spot, plain: JsonSchema) -> None:
        keyword = "readOnly" if self.is_request else "writeOnly"
        unsent = set(_flagged(spot.at("properties"), keyword))
        if not unsent:
            return
        plain["properties"] = {
            name: True if name in unsent else schema for name, schema in plain["properties"].items()
        }
        if "required" in plain:
            plain["required"] = [name for name in plain["required"] if name not in unsent]


def _flagged(properties: Spot, keyword: str) -> Iterator[str]:
    for name, each in properties.each():
        if not isinstance(each.value, bool) and view(each).at(keyword).flag():
            yield name


def _without_3_0(spot: Spot, plain: JsonSchema) -> JsonSchema:
    """Return the schema with the keywords that only OpenAPI 3.0 spells its own way."""
    for limit, exclusive in (("maximum", "exclusiveMaximum"), ("minimum", "exclusiveMinimum")):
        if isinstance(plain.get(exclusive), bool) and plain.pop(exclusive) and limit in plain:
            plain[exclusive] = plain.pop(limit)
    if spot.document.is_3_0 and spot.at("nullable").flag():
        if isinstance(plain.get("enum"), list) and None not in plain["enum"]:
            plain["enum"] = [*plain["enum"], None]
        if isinstance(plain.get("type"), str):
            plain["type"] = [plain["type"], "null"]
        if not {"allOf", "anyOf", "oneOf", "not"}.isdisjoint(plain):
            return {"anyOf": [{"type": "null"}, plain]}
    return plain
