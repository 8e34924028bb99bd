"""What an OpenAPI document is made of, as a table; JSON Schemas are made of it.

The names of members that are required end in an exclamation mark. `X` is a value of that kind,
`X?` that or a reference to it, `[X]` a list, `{X}` an object with any names.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

import jsonschema_rs
from jsonschema_rs import ValidationError, ValidationErrorKind

from domain.contract.document import shown
from domain.contract.lint.check import Place
from domain.contract.lint.json_schema import Problem, validator
from domain.contract.lint.place import UNDEFINED, Path, Value

PROBLEMS = 1_000

_Members: TypeAlias = Mapping[str, str]

_SIMPLE: dict[str, dict[str, Any]] = {
    "any": {},
    "object": {"type": "object"},
    "text": {"type": "string"},
    "url": {"type": "string", "format": "uri-reference"},
    "flag": {"type": "boolean"},
    "number": {"type": "number"},
    "count": {"type": "integer", "minimum": 0},
    "names": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "values": {"type": "array", "minItems": 1},
    "type": {"enum": ["array", "boolean", "integer", "number", "object", "string"]},
    "location": {"enum": ["path", "query", "header", "cookie"]},
    "style": {
        "enum": [
            *("matrix", "label", "form", "simple"),
            *("spaceDelimited", "pipeDelimited", "deepObject"),
        ]
    },
    "scheme": {"enum": ["apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"]},
    "key location": {"enum": ["header", "query", "cookie"]},
    "schema or flag": {"if": {"type": "boolean"}, "else": {"$ref": "#/$defs/Schema?"}},
}

_OPERATION: _Members = {
    "tags": "names",
    "summary": "text",
    "description": "text",
    "externalDocs": "ExternalDocs",
    "operationId": "text",
    "parameters": "[Parameter?]",
    "requestBody": "RequestBody?",
    "responses!": "Responses",
    "callbacks": "{Callback?}",
    "deprecated": "flag",
    "security": "[SecurityRequirement]",
    "servers": "[Server]",
}
_CARRIER: _Members = {
    "description": "text",
    "required": "flag",
    "deprecated": "flag",
    "allowEmptyValue": "flag",
    "style": "style",
    "explode": "flag",
    "allowReserved": "flag",
    "schema": "Schema?",
    "example": "any",
    "examples": "{Example?}",
    "content": "{MediaType}",
}
_OBJECTS: dict[str, _Members] = {
    "Document": {
        "openapi!": "text",
        "info!": "Info",
        "externalDocs": "ExternalDocs",
        "servers": "[Server]",
        "security": "[SecurityRequirement]",
        "tags": "[Tag]",
        "paths!": "Paths",
        "components": "Components",
    },
    "Info": {
        "title!": "text",
        "description": "text",
        "termsOfService": "url",
        "contact": "Contact",
        "license": "License",
        "version!": "text",
    },
    "Contact": {"name": "text", "url": "url", "email": "text"},
    "License": {"name!": "text", "url": "url"},
    "Server": {"url!": "text", "description": "text", "variables": "{ServerVariable}"},
    "ServerVariable": {"enum": "names", "default!": "text", "description": "text"},
    "Tag": {"name!": "text", "description": "text", "externalDocs": "ExternalDocs"},
    "ExternalDocs": {"description": "text", "url!": "url"},
    "PathItem": {
        "$ref": "text",
        "summary": "text",
        "description": "text",
        "servers": "[Server]",
        "parameters": "[Parameter?]",
        **dict.fromkeys(
            ("get", "put", "post", "delete", "options", "head", "patch", "trace"), "Operation"
        ),
    },
    "Operation": _OPERATION,
    "Parameter": {"name!": "text", "in!": "location", **_CARRIER},
    "Header": _CARRIER,
    "RequestBody": {"description": "text", "content!": "{MediaType}", "required": "flag"},
    "MediaType": {
        "schema": "Schema?",
        "example": "any",
        "examples": "{Example?}",
        "encoding": "{Encoding}",
    },
    "Encoding": {
        "contentType": "text",
        "headers": "{Header?}",
        "style": "style",
        "explode": "flag",
        "allowReserved": "flag",
    },
    "Response": {
        "description!": "text",
        "headers": "{Header?}",
        "content": "{MediaType}",
        "links": "{Link?}",
    },
    "Example": {
        "summary": "text",
        "description": "text",
        "value": "any",
        "externalValue": "url",
    },
    "Link": {
        "operationRef": "url",
        "operationId": "text",
        "parameters": "object",
        "requestBody": "any",
        "description": "text",
        "server": "Server",
    },
    "Components": {
        "schemas": "{Schema?}",
        "responses": "{Response?}",
        "parameters": "{Parameter?}",
        "examples": "{Example?}",
        "requestBodies": "{RequestBody?}",
        "headers": "{Header?}",
        "securitySchemes": "{SecurityScheme?}",
        "links": "{Link?}",
        "callbacks": "{Callback?}",
    },
    "SecurityScheme": {
        "type!": "scheme",
        "description": "text",
        "name": "text",
        "in": "key location",
        "scheme": "text",
        "bearerFormat": "text",
        "flows": "Flows",
        "openIdConnectUrl": "url",
    },
    "Flows": {
        "implicit": "ImplicitFlow",
        "password": "TokenFlow",
        "clientCredentials": "TokenFlow",
        "authorizationCode": "CodeFlow",
    },
    "ImplicitFlow": {"authorizationUrl!": "url", "refreshUrl": "url", "scopes!": "{text}"},
    "TokenFlow": {"tokenUrl!": "url", "refreshUrl": "url", "scopes!": "{text}"},
    "CodeFlow": {
        "authorizationUrl!": "url",
        "tokenUrl!": "url",
        "refreshUrl": "url",
        "scopes!": "{text}",
    },
    "Discriminator": {"propertyName!": "text", "mapping": "{text}"},
    "Xml": {
        "name": "text",
        "namespace": "text",
        "prefix": "text",
        "attribute": "flag",
        "wrapped": "flag",
    },
    "Schema": {
        **dict.fromkeys(("title", "description", "format", "pattern"), "text"),
        **dict.fromkeys(("multipleOf", "maximum", "minimum"), "number"),
        **dict.fromkeys(
            ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"),
            "count",
        ),
        **dict.fromkeys(
            (
                *("exclusiveMaximum", "exclusiveMinimum", "uniqueItems", "nullable"),
                *("readOnly", "writeOnly", "deprecated"),
            ),
            "flag",
        ),
        **dict.fromkeys(("allOf", "oneOf", "anyOf"), "[Schema?]"),
        **dict.fromkeys(("not", "items"), "Schema?"),
        **dict.fromkeys(("default", "example"), "any"),
        "required": "names",
        "enum": "values",
        "type": "type",
        "properties": "{Schema?}",
        "additionalProperties": "schema or flag",
        "discriminator": "Discriminator",
        "xml": "Xml",
        "externalDocs": "ExternalDocs",
    },
}
_NEWER: dict[str, _Members] = {
    "Document": {
        **{name: kind for name, kind in _OBJECTS["Document"].items() if name != "paths!"},
        "paths": "Paths",
        "webhooks": "{PathItem}",
        "jsonSchemaDialect": "url",
    },
    "Info": {**_OBJECTS["Info"], "summary": "text"},
    "License": {**_OBJECTS["License"], "identifier": "text"},
    "Operation": {
        **{name: kind for name, kind in _OPERATION.items() if name != "responses!"},
        "responses": "Responses",
    },
    "Components": {**_OBJECTS["Components"], "pathItems": "{PathItem}"},
}
_EXTENSIONS: dict[str, Any] = {"^x-": {}}
_COMPONENT = "^[a-zA-Z0-9._-]+$"


def _kind(kind: str) -> dict[str, Any]:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind.startswith("["):
        return {"type": "array", "items": _kind(kind[1:-1])}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": _kind(kind[1:-1])}
    return {"$ref": f"#/$defs/{kind}"}


def _object(members: _Members) -> dict[str, Any]:
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


def _needs(kind: str, *names: str) -> dict[str, Any]:
    of = {"properties": {"type": {"const": kind}}, "required": ["type"]}
    return {"if": of, "then": {"required": list(names)}}


@cache
def _schema(version: str) -> jsonschema_rs.Validator:
    """Return the validator of documents of the version, oas3.0 or oas3.1."""
    is_newer = version == "oas3.1"
    objects = _OBJECTS | _NEWER if is_newer else _OBJECTS
    kinds = {name: _object(members) for name, members in objects.items()}
    kinds |= {
        "Paths": _keyed("^/", "PathItem"),
        "Callback": {"type": "object", "additionalProperties": _kind("PathItem")},
        "Responses": _keyed("^(?:default|[1-5](?:[0-9][0-9]|XX))$", "Response?", minProperties=1),
        "SecurityRequirement": _kind("{names}"),
        "Reference": {"properties": {"$ref": _SIMPLE["url"]}},
    }
    kinds["Parameter"] |= _one_of("schema", "content") | {
        "if": {"properties": {"in": {"const": "path"}}, "required": ["in"]},
        "then": {"properties": {"required": {"const": True}}, "required": ["required"]},
    }
    kinds["SecurityScheme"]["allOf"] = [
        _needs("apiKey", "name", "in"),
        _needs("http", "scheme"),
        _needs("oauth2", "flows"),
        _needs("openIdConnect", "openIdConnectUrl"),
    ]
    for members in kinds["Components"]["properties"].values():
        members["propertyNames"] = {"pattern": _COMPONENT}
    if is_newer:
        kinds["Document"]["anyOf"] = [
            {"required": [name]} for name in ("paths", "components", "webhooks")
        ]
        kinds["Schema"] = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
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
    name = there[-1] if there else "the document"
    if isinstance(error.kind, ValidationErrorKind.AdditionalProperties):
        for unexpected in error.kind.unexpected:
            yield f"{shown(unexpected)} is not expected here", (*there, unexpected)
    else:
        yield f"{shown(str(name))}: {shown(error.message)}", there
