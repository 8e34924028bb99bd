"""Documents that clients send, parsed and validated once and kept while they are used."""

from collections import OrderedDict
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    GraphQLError,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import MaxIntrospectionDepthRule

from controlplane.graphql import limits
from controlplane.graphql.compiled import Compiled
from controlplane.graphql.compiler import Budget, compiled
from controlplane.graphql.errors import RefusedError
from controlplane.graphql.schema import schema

DOCUMENTS = 500
DOCUMENT_CHARS = 10_000
"""A longer document is not kept."""
KEPT_CHARS = 500_000
"""Of all documents together, about 10 MB: the more is kept, the longer garbage is looked for."""
MAX_ERRORS = 20
"""Validation stops here."""
_RULES = (*specified_rules, MaxIntrospectionDepthRule)


class InvalidDocumentError(Exception):
    """A document that the schema does not allow."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


@dataclass(frozen=True)
class Document:
    """A valid document within the limits."""

    parsed: DocumentNode
    introspects: bool
    looks_back: bool
    """Whether it may ask about the past, which the fields of the root tell those below."""
    _compiled: dict[str | None, Compiled | None] = field(default_factory=dict)
    _budget: Budget = field(default_factory=Budget)

    def compiled(self, operation_name: str | None) -> Compiled | None:
        """Return the operation compiled; None if it is another's to execute, or there is none."""
        if operation_name not in self._compiled:
            operation = get_operation_ast(self.parsed, operation_name)
            if operation is None:  # not kept: there are ever so many names
                return None
            self._compiled[operation_name] = (
                None if self.looks_back else compiled(schema, self.parsed, operation, self._budget)
            )
        return self._compiled[operation_name]

    def admit(self, *, anonymous: bool) -> None:
        """Raise RefusedError when this caller may not ask for it."""
        if anonymous and self.introspects:
            raise RefusedError(
                "NOT_PERMITTED",
                "Introspection needs a token; the schema is published as schema.graphql.",
            )


class Documents:
    """The documents that were used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._chars = 0

    def read(self, text: str) -> Document:
        """Return the document. Raises GraphQLError, InvalidDocumentError."""
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            return document
        try:
            document = _read(text)
        except RecursionError:
            raise RefusedError("TOO_MUCH_DEPTH", "The document is nested too deep.") from None
        if len(text) <= DOCUMENT_CHARS:
            self._kept[text] = document
            self._chars += len(text)
            while len(self._kept) > DOCUMENTS or self._chars > KEPT_CHARS:
                dropped, _ = self._kept.popitem(last=False)
                self._chars -= len(dropped)
        return document


def _read(text: str) -> Document:
    parsed = parse(text, max_tokens=limits.TOKENS)
    introspects = limits.measured(parsed)
    errors = validate(schema, parsed, _RULES, max_errors=MAX_ERRORS)
    if errors:
        raise InvalidDocumentError(errors)
    return Document(parsed, introspects, looks_back="asOf" in text)
