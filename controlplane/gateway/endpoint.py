"""POST /gateway/graphql: bounds, policies and masked errors around the gateways' schema."""

from functools import lru_cache
from typing import Any

import orjson
import structlog
from aiohttp import web
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationType,
    execute,
    get_operation_ast,
    parse,
    validate,
)
from graphql.language import Lexer, OperationDefinitionNode, Source, TokenKind

from controlplane.auth import NotAuthenticatedError
from controlplane.commands import NotFoundError, NotPermittedError
from controlplane.context import Context
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.policy import FORBIDDEN, demand, policies, refusal
from controlplane.gateway.schema import Asked, build
from controlplane.graphql.graphql_request import (
    GraphQLRequest,
    RefusedRequestError,
    loaded,
    request_of,
)
from controlplane.http import AWAY, CONTEXT
from controlplane.store import UNREACHABLE
from domain.aggregate import DomainError

log = structlog.get_logger()
BODY_BYTES = 64 * 2**10
TOKENS = 500
DEPTH = 20
DOCUMENTS = 256
_OPENING = {TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L}
_CLOSING = {TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R}
_GRAPHQL, _JSON = "application/graphql-response+json", "application/json"
_CODES: dict[type[Exception], str] = {
    NotFoundError: "NOT_FOUND",
    NotPermittedError: FORBIDDEN,
}


def question(body: bytes) -> GraphQLRequest:
    """Read the body of a request. Raises HTTPBadRequest."""
    try:
        said = loaded(body, "The body")
        if isinstance(said, dict):
            return request_of(said)
    except RefusedRequestError as refused:
        raise web.HTTPBadRequest(text=refused.errors[0].message) from None
    raise web.HTTPBadRequest(text="The body is one JSON object.")


class Endpoint:
    """Runs the operations of gateways; what is declared on the schema holds for each."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._schema = build().graphql_schema
        self._policies = policies(self._schema)
        self._document = lru_cache(DOCUMENTS)(self._read)

    async def post(self, request: web.Request) -> web.Response:
        """Answer one operation as GraphQL over HTTP says; 401 without a token."""
        context = request[CONTEXT]
        if context.caller.role is None:
            raise NotAuthenticatedError
        if request.content_type not in {_JSON, _GRAPHQL}:
            raise web.HTTPUnsupportedMediaType(text="Send application/json.")
        if (request.content_length or 0) > BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(BODY_BYTES, request.content_length or 0)
        body = await request.read()
        if len(body) > BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(BODY_BYTES, len(body))
        result = await self.run(question(body), context)
        answer: dict[str, Any] = {} if result.data is None else {"data": result.data}
        ran = result.extensions == {"ran": True}
        if ran and result.data is None:
            answer["data"] = None
        if result.errors:
            answer["errors"] = [_told(error, context) for error in result.errors]
        strict = _GRAPHQL in request.headers.get("Accept", "")
        return web.Response(
            body=orjson.dumps(answer),
            status=400 if strict and not ran else 200,
            headers={"Content-Type": f"{_GRAPHQL if strict else _JSON}; charset=utf-8"},
        )

    async def run(self, asked: GraphQLRequest, context: Context) -> ExecutionResult:
        """Return what an operation yields; with the extension `ran` if it was begun at all."""
        document = self._document(asked.query)
        if isinstance(document, list):
            return ExecutionResult(None, document)
        operation = get_operation_ast(document, asked.operation_name)
        if operation is None:
            return ExecutionResult(None, [GraphQLError("Say which operation to run.")])
        refused = self._refusal(document, operation, context)
        if refused is not None:
            return ExecutionResult(None, [refused])
        result = execute(
            self._schema,
            document,
            context_value=Asked(context, self._delivery),
            variable_values=asked.variables,
            operation_name=asked.operation_name,
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        # Errors without a path came before execution: the variables do not fit.
        ran = result.data is not None or any(error.path for error in result.errors or ())
        return ExecutionResult(result.data, result.errors, {"ran": True}) if ran else result

    def _refusal(
        self, document: DocumentNode, operation: OperationDefinitionNode, context: Context
    ) -> GraphQLError | None:
        if operation.operation is OperationType.SUBSCRIPTION:
            return GraphQLError("There are no subscriptions here.")
        needed = demand(self._schema, self._policies, document, operation)
        return refusal(needed, context.caller.permissions)

    def _read(self, query: str) -> DocumentNode | list[GraphQLError]:
        """Return a valid document, or what is wrong with it; both are remembered."""
        try:
            _check_size(query)
            document = parse(query)
        except GraphQLError as error:
            return [error]
        return validate(self._schema, document, max_errors=10) or document


def _check_size(query: str) -> None:
    """Raise GraphQLError for a document too long or too deep for a parser that calls itself."""
    lexer, depth = Lexer(Source(query)), 0
    for _ in range(TOKENS + 1):
        kind = lexer.advance().kind
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if depth > DEPTH:
            raise GraphQLError(f"A document may be nested {DEPTH} deep.")
        if kind is TokenKind.EOF:
            return
    raise GraphQLError(f"A document may have {TOKENS} tokens.")


def _told(error: GraphQLError, context: Context) -> dict[str, Any]:
    """Return an error as its client may see it."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    told = dict(error.formatted)
    if cause is None:
        told["extensions"] = {"code": "BAD_REQUEST", **(error.extensions or {})}
    elif isinstance(cause, DomainError):
        told["message"] = str(cause)
        told["extensions"] = {"code": _CODES.get(type(cause), "BAD_INPUT"), "about": cause.about}
    elif isinstance(cause, (*AWAY, *UNREACHABLE)):
        told["message"] = str(type(cause).__doc__ if isinstance(cause, AWAY) else "Try again.")
        told["extensions"] = {"code": "UNAVAILABLE", "reference": context.correlation}
    else:
        log.error("gateway.graphql_failed", exc_info=cause, path=error.path)
        told["message"] = "Something went wrong; name the reference."
        told["extensions"] = {"code": "INTERNAL", "reference": context.correlation}
    return told
