"""The schemas of an OpenAPI document, compiled where they stand."""

from collections.abc import Iterator
from functools import cached_property
from urllib.parse import quote

import jsonschema_rs
from jsonschema_rs import Draft4, Draft202012, ReferencingError

from domain.contract.document import Tree, shown
from domain.contract.lint.costs import UNCHECKED, Costs
from domain.contract.lint.json_schema import (
    OptionError,
    Problem,
    nothing,
    schema_problems,
    validator,
)
from domain.contract.lint.place import UNDEFINED, Path
from domain.contract.lint.regex import PatternError, regex
from domain.contract.lint.source import Source, walked

COMPILED = 500_000
"""So many parts of schemas are compiled for one document; GitHub's has 76,000 with examples."""

KEPT = 100_000
"""So many stay compiled at a time, in about 150 MB."""

ASKED, EXPLAINED = 20_000_000, 100_000
"""So many schemas are asked about a value, and so many about what exactly is wrong with one."""

DOCUMENT = "https://document.invalid/"

FORMATS = {
    name: jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True).is_valid
    for name in ("date", "duration", "json-pointer", "time", "uri-reference", "uuid")
}
"""Formats that draft 4 does not have, and OpenAPI 3.0 uses."""

_NAMES, _DATA = {"id", "$id"}, {"enum", "const"}
"""What would give a schema another name than its place, and what holds no schemas."""


class Schemas:
    """The schemas of one document; what a property that is only read or only written has to be.

    `direction` is "" for both, or "readOnly" or "writeOnly" for the properties that may be left
    out although they are required.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.compiled: dict[tuple[str, str], jsonschema_rs.Validator] = {}
        self.patterns: dict[str, str] = {}
        self.left_to_compile, self.kept = COMPILED, 0
        self.left_to_ask, self.left_to_explain = ASKED, EXPLAINED
        self.registries: dict[str, jsonschema_rs.Registry] = {}

    @cached_property
    def dialect(self) -> str:
        """The dialect of JSON Schema that the document's version of OpenAPI is closest to."""
        return "draft2020-12" if "oas3.1" in self.source.formats else "draft4"

    @cached_property
    def costs(self) -> Costs:
        """What trying values costs here."""
        return Costs(self.source)

    @cached_property
    def directions(self) -> frozenset[str]:
        """Which of the two directions the document has properties of."""
        return frozenset(
            direction
            for _, value in walked(self.source.root)
            if isinstance(value, dict)
            for direction in ("readOnly", "writeOnly")
            if value.get(direction) is True
        )

    def first_problem(
        self, value: Tree, path: Path, schema: Path, direction: str
    ) -> Iterator[Problem]:
        """Return the first that the schema at that path says against a value at `path`, if any."""
        place, target = self._pointed(schema)
        cost = self.costs.of_value(target, value, self.left_to_ask + 1)
        if self.costs.is_too_deep(value) or cost > self.left_to_ask:
            yield f"it {UNCHECKED}", path
            return
        self.left_to_ask -= cost
        try:
            compiled = self._validator(place, target, direction)
        except OptionError as error:
            yield str(error), path
            return
        if compiled.is_valid(value):
            return
        if cost > self.left_to_explain:
            yield "it is not valid", path
            return
        self.left_to_explain -= cost
        yield from schema_problems(compiled, value, path, limit=1)

    def _pointed(self, path: Path) -> tuple[str, Tree]:
        """Return the schema at the path and a reference to it: its own, if it is nothing else."""
        value, _ = self.source.at(self.source.root, (), path, follow=False)
        if isinstance(value, dict) and len(value) == 1 and "$ref" in value:
            reference = value["$ref"]
            if isinstance(reference, str) and (target := self.source.target(reference)):
                return reference, target[0]
        keys = (str(key).replace("~", "~0").replace("/", "~1") for key in path)
        return "#/" + quote("/".join(keys), safe="/~"), None if value is UNDEFINED else value

    def _validator(self, place: str, schema: Tree, direction: str) -> jsonschema_rs.Validator:
        """Return the schema compiled. Raises OptionError when it is none, or costs too much."""
        direction = direction if direction in self.directions else ""
        if (place, direction) in self.compiled:
            return self.compiled[place, direction]
        cost = self.costs.of_schema(schema, self.left_to_compile)
        if cost > self.left_to_compile:
            raise OptionError(f"it {UNCHECKED}")
        self.left_to_compile -= cost
        self.kept += cost
        if self.kept > KEPT:
            self.compiled.clear()
            self.kept = cost
        self.compiled[place, direction] = made = validator(
            {"$ref": DOCUMENT + place},
            self.dialect,
            registry=self._registry(direction),
            formats=FORMATS,
            validate_formats=True,
        )
        return made

    def _registry(self, direction: str) -> jsonschema_rs.Registry:
        if direction not in self.registries:
            draft = Draft4 if self.dialect == "draft4" else Draft202012
            tree = self._rewritten(self.source.root, direction)
            try:
                registry = jsonschema_rs.Registry(
                    [(DOCUMENT, tree)], draft=draft, retriever=nothing
                )
            except (ReferencingError, ValueError) as error:
                raise OptionError(f"references cannot be followed: {shown(str(error))}") from None
            self.registries[direction] = registry
        return self.registries[direction]

    def _rewritten(self, value: Tree, direction: str) -> Tree:
        """Return the tree with `nullable` as JSON Schema says it, and what is required relaxed.

        What needs no change is the same object as before.
        """
        if isinstance(value, list):
            items = [self._rewritten(inner, direction) for inner in value]
            is_same = all(made is inner for made, inner in zip(items, value, strict=True))
            return value if is_same else items
        if not isinstance(value, dict):
            return value
        made = {
            key: inner if key in _DATA else self._rewritten(inner, direction)
            for key, inner in value.items()
            if not (key in _NAMES and isinstance(inner, str))
        }
        changes = self._changes(value, direction)
        is_same = len(made) == len(value) and all(made[key] is value[key] for key in made)
        if not changes and is_same:
            return value
        made |= changes
        if made.get("required") == []:  # draft 4 wants at least one
            del made["required"]
        return made

    def _changes(self, value: dict[str, Tree], direction: str) -> dict[str, Tree]:
        changes: dict[str, Tree] = {}
        if value.get("nullable") is True and isinstance(value.get("type"), str):
            changes["type"] = [value["type"], "null"]
            if isinstance(values := value.get("enum"), list):
                changes["enum"] = [*values, None]
        if isinstance(pattern := value.get("pattern"), str):
            usable = self._pattern(pattern)
            if usable != pattern:
                changes["pattern"] = usable
        required, properties = value.get("required"), value.get("properties")
        if direction and isinstance(required, list) and isinstance(properties, dict):
            kept = [name for name in required if not self._is_relaxed(properties, name, direction)]
            if kept != required:
                changes["required"] = kept
        return changes

    def _pattern(self, pattern: str) -> str:
        """Return the pattern as our engine has it; one that it cannot have matches everything."""
        if pattern not in self.patterns:
            try:
                self.patterns[pattern] = regex(pattern).pattern
            except PatternError:
                self.patterns[pattern] = ""
        return self.patterns[pattern]

    def _is_relaxed(self, properties: dict[str, Tree], name: Tree, direction: str) -> bool:
        inner = properties.get(name) if isinstance(name, str) else None
        schema, _ = self.source.followed(inner, ())
        return isinstance(schema, dict) and schema.get(direction) is True
