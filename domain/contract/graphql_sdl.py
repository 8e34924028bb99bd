"""GraphQL SDL: the fields of the root types become operations.

Only the syntax is checked and the root types are looked up: a subgraph of a federation is not a
complete schema, and the directives and types that it takes from elsewhere are no mistake.
"""

import re
from collections.abc import Iterator

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldDefinitionNode,
    GraphQLSyntaxError,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    Source,
    parse,
)

from domain.contract.contract import (
    DESCRIPTION_CHARS,
    OPERATIONS,
    Contract,
    TooManyOperationsError,
)
from domain.contract.document import (
    DocumentTooComplexError,
    DocumentTooLargeError,
    NotAnApiDocumentError,
    broken,
    cut,
    one_line,
    shown,
)
from domain.contract.operation import NAME_CHARS, SUMMARY_CHARS, Operation
from domain.text import storable

SDL_BYTES = 10_000_000
TOKENS = 500_000
COMMENTS = 100_000

_IGNORED = r"(?:[\s,]|\#[^\r\n]*+)*+"
_SDL = re.compile(
    rf"""{_IGNORED}(?:
        \"\"\"                                               # a description is no YAML,
        | (?:"(?:[^"\\\r\n]|\\.)*+"{_IGNORED})?+             # a short one might be;
        (?:schema|type|interface|union|enum|input|scalar|directive|extend
           |query|mutation|subscription|fragment)(?=[\s,{{(@\#]|$)(?!\s*:)  # no key of a mapping;
        | \{{\s*+[_A-Za-z]\w*+\s*+[{{(@]                     # a query without the word
    )""",
    re.VERBOSE,
)
_ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}


def is_sdl(text: str) -> bool:
    """Whether the text begins as GraphQL does, not as JSON or YAML."""
    return bool(_SDL.match(text))


def read_sdl(text: str) -> Contract:
    """Return the contract of a GraphQL schema.

    Raises DocumentTooLargeError, DocumentBrokenError, DocumentTooComplexError,
    TooManyOperationsError, and NotAnApiDocumentError when it has operations to execute or no
    Query type.
    """
    document = parsed(text)
    schemas: list[SchemaDefinitionNode | SchemaExtensionNode] = []
    fields: dict[str, list[FieldDefinitionNode]] = {}
    for definition in document.definitions:
        if isinstance(definition, ExecutableDefinitionNode):
            raise NotAnApiDocumentError(
                "document", "This one holds an operation or fragment to execute, not a schema."
            )
        if isinstance(definition, SchemaDefinitionNode | SchemaExtensionNode):
            schemas.append(definition)
        elif isinstance(definition, ObjectTypeDefinitionNode | ObjectTypeExtensionNode):
            fields.setdefault(definition.name.value, []).extend(definition.fields)
    described = next((node for node in schemas if isinstance(node, SchemaDefinitionNode)), None)
    return Contract(
        kind="GRAPHQL",
        title="",
        version="",
        description=cut(_description(described, "the schema"), DESCRIPTION_CHARS),
        operations=tuple(_operations(_roots(schemas, fields), fields)),
        servers=(),
    )


def parsed(text: str) -> DocumentNode:
    """Return the syntax tree of a document, without the places in it.

    Raises DocumentTooLargeError, DocumentTooComplexError, DocumentBrokenError.
    """
    if len(text) > SDL_BYTES:
        raise DocumentTooLargeError("document", f"This one has {len(text):,} characters.")
    try:
        return parse(
            Source(text), no_location=True, max_lexical_tokens=TOKENS, max_comments=COMMENTS
        )
    except GraphQLSyntaxError as error:
        line, column = error.locations[0] if error.locations else (1, 1)
        if error.description.endswith("Parsing aborted."):
            raise DocumentTooComplexError(
                "document", f"Line {line}, column {column}: {error.description}"
            ) from None
        raise broken("GraphQL", line, column, shown(error.description)) from None


def _description(node: SchemaDefinitionNode | FieldDefinitionNode | None, what: str) -> str:
    text = node.description.value.strip() if node and node.description else ""
    if not storable(text):
        raise NotAnApiDocumentError(
            "document", f"The description of {what} holds a NUL; remove it."
        )
    return text


def _roots(
    schemas: list[SchemaDefinitionNode | SchemaExtensionNode],
    fields: dict[str, list[FieldDefinitionNode]],
) -> dict[str, str]:
    """Return the name of the type for query, mutation and subscription.

    Without a schema definition the usual names count; a federated schema only extends it.
    """
    named = {
        operation.operation.value: operation.type.name.value
        for schema in schemas
        for operation in schema.operation_types
    }
    for type_ in named.values():
        if type_ not in fields:
            raise NotAnApiDocumentError(
                "document", f"The schema names {shown(type_)}, but has no such object type."
            )
    is_complete = any(isinstance(schema, SchemaDefinitionNode) for schema in schemas)
    usual = {} if is_complete else {root: name for root, name in _ROOTS.items() if name in fields}
    roots = usual | named
    if not fields.get(roots.get("query", "")):
        raise NotAnApiDocumentError(
            "document", "This one has no fields of type Query; a schema needs them."
        )
    return {root: roots[root] for root in _ROOTS if root in roots}


def _operations(
    roots: dict[str, str], fields: dict[str, list[FieldDefinitionNode]]
) -> Iterator[Operation]:
    seen: set[str] = set()
    for root, type_ in roots.items():
        for field in fields[type_]:
            operation = _operation(root, field)
            if operation.id in seen:
                raise NotAnApiDocumentError("document", f"{operation.id} is defined twice.")
            seen.add(operation.id)
            if len(seen) > OPERATIONS:
                raise TooManyOperationsError("document", f"{operation.id} is the first too many.")
            yield operation


def _operation(root: str, field: FieldDefinitionNode) -> Operation:
    name = field.name.value
    if len(name) > NAME_CHARS:
        raise DocumentTooComplexError(
            "document", f"{shown(name)} has more than {NAME_CHARS} characters."
        )
    identity = f"{_ROOTS[root]}.{name}"
    first_line, *_ = _description(field, identity).splitlines() or [""]
    return Operation(
        id=identity,
        method=root.upper(),
        path=name,
        name=name,
        summary=one_line(first_line, SUMMARY_CHARS),
        deprecated=any(directive.name.value == "deprecated" for directive in field.directives),
        tags=[],
    )
