"""A request in the words of GraphQL over HTTP, whichever way it came."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError


class GraphQLRequest(NamedTuple):
    """A document, with what it needs to be executed."""

    query: str
    variables: dict[str, Any]
    operation_name: str | None
    register: str | None = None
    """The hash under which the document is to be kept, if the client asks for that."""


class RefusedRequestError(Exception):
    """A request that is not executed: the status of the answer, and what was wrong.

    A document that is refused has 400, or 200 for clients of plain JSON.
    """

    def __init__(self, status: int, *errors: GraphQLError | str) -> None:
        super().__init__()
        self.status = status
        self.errors = [GraphQLError(each) if isinstance(each, str) else each for each in errors]


def loaded(text: bytes, what: str) -> object:
    """Return the value of a JSON text. Raises RefusedRequestError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RefusedRequestError(400, f"{what} is not JSON in UTF-8: {error.msg}.") from None


def request_of(given: Mapping[str, object]) -> GraphQLRequest:
    """Return the request with these members. Raises RefusedRequestError."""
    query, name = given.get("query"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    if not isinstance(query, str) or not query:
        raise RefusedRequestError(400, "`query` is missing, or no string.")
    if name is not None and not isinstance(name, str):
        raise RefusedRequestError(400, "`operationName` is no string.")
    if variables is not None and not isinstance(variables, dict):
        raise RefusedRequestError(400, "`variables` is no object.")
    if extensions is not None and not isinstance(extensions, dict):
        raise RefusedRequestError(400, "`extensions` is no object.")
    return GraphQLRequest(query, variables or {}, name or None)
