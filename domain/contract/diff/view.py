"""A schema as the rules look at it: the spellings of OpenAPI 3.0 and 3.1 made one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from domain.contract.diff.spot import Spot, joined
from domain.contract.document import Tree

ANNOTATIONS = frozenset(
    {"$comment", "title", "description", "summary", "example", "examples", "externalDocs", "xml"}
)
"""Keywords that nothing is judged by."""

_ALTERNATIVES = ("oneOf", "anyOf")
_WRAPPINGS = 20
"""So many times a schema may be wrapped as "this or null" before it is taken as it is."""


@dataclass(frozen=True, slots=True)
class View:
    """What a schema says. `schema` is the object, references followed, without "or null".

    `types` is empty when any type will do; null is not among them: `nullable` is. `reference` is
    what the place refers to, "" when the schema is written there. `is_listed` says that the types
    were written as alternatives that say nothing else.
    """

    spot: Spot
    schema: dict[str, Any]
    types: frozenset[str]
    nullable: bool
    reference: str
    is_listed: bool

    @property
    def pointer(self) -> str:
        """Where the schema is written."""
        return self.spot.pointer

    def has(self, keyword: str) -> bool:
        """Whether the schema has the keyword; null counts for the keywords that can hold it."""
        return keyword in self.schema

    def at(self, keyword: str) -> Spot:
        """Return what a keyword says."""
        return Spot(
            self.spot.document, self.schema.get(keyword), joined(self.spot.pointer, keyword)
        )


def view(spot: Spot) -> View:
    """Return the schema at a spot; true and nothing are the schema of everything."""
    nullable = False
    reference = spot.reference
    for _ in range(_WRAPPINGS):
        spot = _followed(spot)
        inner = _besides_null(spot)
        if inner is None:
            break
        nullable, spot = True, inner
        reference = reference or spot.reference
    schema = _normal(spot, spot.members())
    types = _types(spot)
    listed = None if types else _listed(spot)
    if listed:
        keyword, types = listed
        schema = {key: value for key, value in schema.items() if key != keyword}
    nullable = nullable or "null" in types or _is_nullable(spot)
    return View(spot, schema, types - {"null"}, nullable, reference, is_listed=bool(listed))


def _followed(spot: Spot) -> Spot:
    """Return the schema without reference and as an object."""
    target = spot.followed(to_remote=spot.document.allows_remote)
    beside = _beside(spot)
    if beside and target is not spot:
        merged: dict[str, Tree] = {**target.members(), **beside}
        if any(key in target.members() for key in beside if key not in ANNOTATIONS):
            merged = {"allOf": [{"$ref": spot.reference}], **beside}
        target = Spot(spot.document, merged, spot.pointer)
    if target.value is True or target.value is None:
        return Spot(target.document, {}, target.pointer)
    if target.value is False:
        return Spot(target.document, {"not": {}}, target.pointer)
    return target


def _beside(spot: Spot) -> dict[str, Tree]:
    """Return what is written beside a reference and means something there."""
    if not spot.reference or spot.document.is_3_0 or len(spot.members()) == 1:
        return {}
    return {key: value for key, value in spot.members().items() if key != "$ref"}


def _besides_null(spot: Spot) -> Spot | None:
    """Return X of a schema that is nothing but "X or null"."""
    members = spot.members()
    for keyword in _ALTERNATIVES:
        alternatives = members.get(keyword)
        if not isinstance(alternatives, list) or any(
            key not in ANNOTATIONS and key not in (keyword, "nullable", "default")
            for key in members
        ):
            continue
        others = [each for each in spot.at(keyword).elements() if each.value != {"type": "null"}]
        if len(others) == len(alternatives) or not others:
            continue
        if len(others) == 1:
            return others[0]
        rest = {**members, keyword: [each.value for each in others]}
        return Spot(spot.document, rest, spot.pointer)
    return None


def _listed(spot: Spot) -> tuple[str, frozenset[str]] | None:
    """Return the types that alternatives name when they name nothing else, and the keyword."""
    for keyword in _ALTERNATIVES:
        alternatives = spot.at(keyword).elements()
        if alternatives and all(
            isinstance(each.value, dict) and set(each.value) - ANNOTATIONS == {"type"}
            for each in alternatives
        ):
            return keyword, frozenset().union(*map(_types, alternatives))
    return None


def _types(spot: Spot) -> frozenset[str]:
    types = spot.at("type")
    if isinstance(types.value, list):
        return frozenset(types.texts())
    return frozenset({types.text()} - {""})


def _is_nullable(spot: Spot) -> bool:
    return spot.document.is_3_0 and spot.at("nullable").flag()


def _normal(spot: Spot, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with exclusive limits as numbers and no null among its values."""
    normal = schema
    for limit, exclusive in (
        ("maximum", "exclusiveMaximum"),
        ("minimum", "exclusiveMinimum"),
    ):
        if isinstance(schema.get(exclusive), bool):
            normal = {key: value for key, value in normal.items() if key != exclusive}
            if schema[exclusive] and limit in schema:
                normal[exclusive] = normal.pop(limit)
    if "enum" in schema and any(each.value is None for each in spot.at("enum").elements()):
        normal = {**normal, "enum": [value for value in schema["enum"] if value is not None]}
    return normal


def is_annotation_only(schemas: Iterable[Spot]) -> bool:
    """Whether none of the schemas judges anything."""
    return all(
        isinstance(each.value, dict) and ANNOTATIONS.issuperset(each.value) for each in schemas
    )
