"""Whether an OpenAPI document is made as its version says."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationError, ValidationErrorKind

from domain.contract.document import shown
from domain.contract.lint.check import Place
from domain.contract.lint.json_schema import Problem, validator
from domain.contract.lint.openapi_objects import NEWER, OBJECTS, SIMPLE, Members
from domain.contract.lint.place import UNDEFINED, Path, Value

PROBLEMS = 1_000

_STYLES = {
    "path": ["matrix", "label", "simple"],
    "query": ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
    "header": ["simple"],
    "cookie": ["form"],
}
_SCHEMES = {
    "apiKey": ["name", "in"],
    "http": ["scheme"],
    "oauth2": ["flows"],
    "openIdConnect": ["openIdConnectUrl"],
}
_EXTENSIONS: dict[str, Any] = {"^x-": {}}
_COMPONENT = "^[a-zA-Z0-9._-]+$"


def _kind(kind: str) -> dict[str, Any]:
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind.startswith("["):
        is_set = kind in {"[Parameter?]", "[Tag]"}
        return {"type": "array", "items": _kind(kind[1:-1]), "uniqueItems": is_set}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": _kind(kind[1:-1])}
    return {"$ref": f"#/$defs/{kind}"}


def _object(members: Members) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name.removesuffix("!"): _kind(kind) for name, kind in members.items()},
        "required": [name[:-1] for name in members if name.endswith("!")],
        "patternProperties": _EXTENSIONS,
        "additionalProperties": False,
    }


def _keyed(pattern: str, kind: str, **more: object) -> dict[str, Any]:
    return {
        "type": "object",
        "patternProperties": {pattern: _kind(kind), **_EXTENSIONS},
        "additionalProperties": False,
        **more,
    }


def _one_of(*names: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [name]} for name in names]}


def _if(member: str, value: str, then: dict[str, Any]) -> dict[str, Any]:
    is_so = {"properties": {member: {"const": value}}, "required": [member]}
    return {"if": is_so, "then": then}


_WORDS: dict[type, str] = {
    ValidationErrorKind.OneOfNotValid: "has neither a schema nor content",
    ValidationErrorKind.OneOfMultipleValid: "has both a schema and content",
    ValidationErrorKind.Not: "has both an example and examples",
}
"""Of the combinations that the schema below makes, each has one meaning."""


@cache
def _schema(version: str) -> jsonschema_rs.Validator:
    """Return the validator of documents of the version, oas3.0 or oas3.1."""
    is_newer = version == "oas3.1"
    objects = OBJECTS | NEWER if is_newer else OBJECTS
    kinds = {name: _object(members) for name, members in objects.items()}
    kinds |= {
        "Paths": _keyed("^/", "PathItem"),
        "Callback": _keyed("^(?!x-)", "PathItem"),
        "Responses": _keyed("^(?:default|[1-5](?:[0-9][0-9]|XX))$", "Response?", minProperties=1),
        "SecurityRequirement": _kind("{texts}"),
        "Reference": {"properties": {"$ref": SIMPLE["url"]}},
    }
    for name in ("Parameter", "Header"):
        kinds[name] |= _one_of("schema", "content")
    kinds["Parameter"]["allOf"] = [
        _if("in", "path", {"properties": {"required": {"const": True}}, "required": ["required"]}),
        *(
            _if("in", location, {"properties": {"style": {"enum": styles}}})
            for location, styles in _STYLES.items()
        ),
    ]
    kinds["SecurityScheme"]["allOf"] = [
        _if("type", kind, {"required": members}) for kind, members in _SCHEMES.items()
    ]
    for members in kinds["Components"]["properties"].values():
        members["propertyNames"] = {"pattern": _COMPONENT}
    if is_newer:
        kinds["Document"]["anyOf"] = [
            {"required": [name]} for name in ("paths", "components", "webhooks")
        ]
        kinds["Schema"] = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    else:
        for name in ("Parameter", "Header", "MediaType"):
            kinds[name]["not"] = {"required": ["example", "examples"]}
    referring = {"type": "object", "required": ["$ref"]}
    kinds |= {
        f"{name}?": {"if": referring, "then": _kind("Reference"), "else": _kind(name)}
        for name in list(kinds)
    }
    return validator({**_kind("Document"), "$defs": kinds}, "draft2020-12", validate_formats=True)


def structure(value: Value, place: Place) -> Iterator[Problem]:
    """Return what in the document is not as its version of OpenAPI has it, at most 1,000 places."""
    version = "oas3.1" if "oas3.1" in place.source.formats else "oas3.0"
    count = 0
    if value is UNDEFINED:
        return
    for error in _schema(version).iter_errors(value):
        for problem in _problems(error, place.path):
            yield problem
            count += 1
            if count >= PROBLEMS:
                return


def _problems(error: ValidationError, path: Path) -> Iterator[Problem]:
    there = (*path, *error.instance_path)
    name = shown(str(there[-1])) if there else "the document"
    if isinstance(error.kind, ValidationErrorKind.AdditionalProperties):
        for unexpected in error.kind.unexpected:
            yield f"{shown(unexpected)} is not expected here", (*there, unexpected)
        return
    known = next((words for kind, words in _WORDS.items() if isinstance(error.kind, kind)), None)
    yield f"{name} {known}" if known else f"{name}: {shown(error.message)}", there
