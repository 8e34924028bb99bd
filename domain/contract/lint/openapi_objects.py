"""What an OpenAPI document is made of, as a table.

The names of members that are required end in an exclamation mark. `X` is a value of that kind,
`X?` that or a reference to it, `[X]` a list, `{X}` an object with any names.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

Members: TypeAlias = Mapping[str, str]

SIMPLE: dict[str, dict[str, Any]] = {
    "any": {},
    "object": {"type": "object"},
    "text": {"type": "string"},
    "url": {"type": "string", "format": "uri-reference"},
    "flag": {"type": "boolean"},
    "number": {"type": "number"},
    "count": {"type": "integer", "minimum": 0},
    "email": {"type": "string", "format": "email"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "names": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
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

_OPERATION: Members = {
    "tags": "texts",
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
_CARRIER: Members = {
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
OBJECTS: dict[str, Members] = {
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
    "Contact": {"name": "text", "url": "url", "email": "email"},
    "License": {"name!": "text", "url": "url"},
    "Server": {"url!": "text", "description": "text", "variables": "{ServerVariable}"},
    "ServerVariable": {"enum": "texts", "default!": "text", "description": "text"},
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
NEWER: dict[str, Members] = {
    "Document": {
        **{name: kind for name, kind in OBJECTS["Document"].items() if name != "paths!"},
        "paths": "Paths",
        "webhooks": "{PathItem}",
        "jsonSchemaDialect": "url",
    },
    "Info": {**OBJECTS["Info"], "summary": "text"},
    "License": {**OBJECTS["License"], "identifier": "text"},
    "Operation": {
        **{name: kind for name, kind in _OPERATION.items() if name != "responses!"},
        "responses": "Responses",
    },
    "Components": {**OBJECTS["Components"], "pathItems": "{PathItem}"},
}
