"""GraphQL over HTTP: POST, and GET for queries, at /graphql."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
import structlog
from aiohttp import hdrs, web
from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationType,
    execute,
    get_operation_ast,
)

from controlplane.app import App
from controlplane.graphql.compiled import LeftToGraphQLCoreError
from controlplane.graphql.connection import PROTOCOL, Engine
from controlplane.graphql.documents import Document, Documents, InvalidDocumentError
from controlplane.graphql.feed import Feed
from controlplane.graphql.freshness import fresh
from controlplane.graphql.graphql_request import GraphQLRequest, RefusedRequestError, loaded
from controlplane.graphql.kept_answers import ROOTS, Answers
from controlplane.graphql.loaders import Request
from controlplane.graphql.persisted import Persisted
from controlplane.graphql.scalars import read_position
from controlplane.graphql.schema import schema
from controlplane.graphql.websocket import WebSockets, is_handshake
from controlplane.http import AWAY, CONTEXT
from controlplane.store import UNREACHABLE

PATH = "/graphql"
POSITION_HEADER = "X-Min-Position"
JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
_ACCEPTED = {
    JSON: JSON,
    "application/*": JSON,
    "*/*": JSON,
    RESPONSE_JSON: RESPONSE_JSON,
}
_FAILED = web.ResponseKey("failed", bool)
log = structlog.get_logger()


def routes(app: App) -> list[web.RouteDef]:
    """Return the routes of the surface for portals and administrators."""
    documents, answers, persisted, feed = Documents(), Answers(app), Persisted(app), Feed(app)

    async def admit(
        given: Mapping[str, object], context: Request, refused: int
    ) -> tuple[GraphQLRequest, Document]:
        asked = await persisted.read(given, refused)
        document = _admitted(documents, asked, context, refused)
        await persisted.register(asked, anonymous=context.caller.role is None)
        return asked, document

    engine = Engine(admit, _executed, _shown)
    sockets = WebSockets(app, engine, feed)

    async def get(request: web.Request) -> web.StreamResponse:
        if is_handshake(request):
            return await sockets.serve(request)
        response = await _answered(app, engine, answers, request)
        if response.status != web.HTTPOk.status_code or response[_FAILED]:
            return response
        return fresh(request, response, anonymous=request[CONTEXT].caller.role is None)

    async def post(request: web.Request) -> web.Response:
        return await _answered(app, engine, answers, request)

    return [web.get(PATH, get, allow_head=False), web.post(PATH, post)]


async def _answered(
    app: App, engine: Engine, answers: Answers, request: web.Request
) -> web.Response:
    media = _media(request.headers.get("Accept"))
    if media is None:
        return _response(JSON, 406, [GraphQLError(f"Accept {JSON} or {RESPONSE_JSON}.")])
    context = Request(app, request[CONTEXT], sender=request)
    try:
        result = await _result(engine, answers, request, context, media)
    except RefusedRequestError as error:
        return _response(media, error.status, error.errors)
    errors = [_shown(error, context) for error in result.errors or ()]
    away = any((error.extensions or {}).get("code") == "UNAVAILABLE" for error in errors)
    done = not away or any(value is not None for value in (result.data or {}).values())
    return _response(media, 200 if done else 503, errors, data=result.data)


async def _result(
    engine: Engine, answers: Answers, request: web.Request, context: Request, media: str
) -> ExecutionResult:
    given = _from_url(request) if request.method == "GET" else await _from_body(request)
    # Clients of plain JSON read the errors of a document only when the status is 200.
    refused = 400 if media == RESPONSE_JSON else 200
    asked, document = await engine.admit(given, context, refused)
    kind = _kind(document, asked.operation_name)
    if request.method == "GET" and kind not in {None, OperationType.QUERY}:
        raise RefusedRequestError(405, "GET is for queries; send mutations by POST.")
    if kind is OperationType.SUBSCRIPTION:
        raise RefusedRequestError(refused, f"Subscriptions need a WebSocket and {PROTOCOL}.")
    await _wait(context, request.headers.get(POSITION_HEADER))
    result = await _answer(answers, document, asked, context)
    if result.data is None and all(error.path is None for error in result.errors or ()):
        raise RefusedRequestError(refused, *(result.errors or ()))  # unknown operation, variables
    return result


def _admitted(
    documents: Documents, asked: GraphQLRequest, context: Request, refused: int
) -> Document:
    try:
        document = documents.read(asked.query)
        document.admit(anonymous=context.caller.role is None)
    except InvalidDocumentError as invalid:
        raise RefusedRequestError(refused, *invalid.errors) from None
    except GraphQLError as error:
        raise RefusedRequestError(refused, error) from None
    return document


async def _answer(
    answers: Answers, document: Document, asked: GraphQLRequest, context: Request
) -> ExecutionResult:
    """Return the result of an operation, for whoever has no token one that was made before."""
    found = document.compiled(asked.operation_name)
    if found is None or context.caller.role is not None or not found.roots <= ROOTS:
        return await _executed(document, asked, context)
    make = partial(_executed, document, asked, context)
    return await answers.get(asked.query, asked.operation_name, asked.variables, make)


async def _executed(document: Document, asked: GraphQLRequest, context: Request) -> ExecutionResult:
    found, middleware = document.compiled(asked.operation_name), None
    if found is not None:
        try:
            return ExecutionResult(await found.run(context, asked.variables))
        except LeftToGraphQLCoreError as left:
            middleware = left.middleware
    result = execute(
        schema,
        document.parsed,
        context_value=context,
        variable_values=asked.variables,
        operation_name=asked.operation_name,
        middleware=middleware,
    )
    return result if isinstance(result, ExecutionResult) else await result


async def _wait(context: Request, header: str | None) -> None:
    """Wait until queries see the position in the header. Raises ReadModelsBehindError."""
    if header is None:
        return
    try:
        number = context.number(read_position(header))
    except GraphQLError as error:
        raise RefusedRequestError(400, error) from None
    await context.app.projector.wait_until(number)


def _kind(document: Document, operation_name: str | None) -> OperationType | None:
    operation = get_operation_ast(document.parsed, operation_name)
    return None if operation is None else operation.operation


def _media(accept: str | None) -> str | None:
    """Return the media type of the answer that the client likes best, JSON if it does not care."""
    if accept is None or not accept.strip():
        return JSON
    best, best_quality = None, 0.0
    for part in accept.split(",", 50)[:50]:
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        media = _ACCEPTED.get(name)
        quality = _quality(parameters)
        if media is not None and quality > best_quality:
            best, best_quality = media, quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _from_url(request: web.Request) -> Mapping[str, object]:
    given: dict[str, object] = {}
    for name in ("query", "operationName", "documentId"):
        if name in request.query:
            given[name] = request.query[name]
    for name in ("variables", "extensions"):
        text = request.query.get(name)
        if text:
            given[name] = loaded(text.encode(errors="replace"), f"The parameter {name}")
    return given


async def _from_body(request: web.Request) -> Mapping[str, object]:
    if request.headers.get(hdrs.CONTENT_TYPE) != JSON:  # which is what nearly everyone says
        if request.content_type != JSON:
            raise RefusedRequestError(415, f"Send the request as {JSON}.")
        charset = request.charset or "utf-8"
        if charset.lower().replace("-", "") != "utf8":
            raise RefusedRequestError(415, "Send the request in UTF-8.")
    body = loaded(await request.read(), "The body")
    if not isinstance(body, dict):
        raise RefusedRequestError(400, "The body is one JSON object; batches are not served.")
    return body


def _shown(error: GraphQLError, context: Request) -> GraphQLError:
    """Return the error as the client may see it; what was not foreseen is logged and masked."""
    original = error.original_error
    if error.path is None or original is None or isinstance(original, GraphQLError):
        return error
    extensions: dict[str, Any] = {"reference": context.context.correlation}
    if isinstance(original, (*AWAY, *UNREACHABLE)):
        log.warning("graphql.away", error=type(original).__name__)
        message = "The data are away; nothing was acknowledged. Try again."
        extensions["code"] = "UNAVAILABLE"
    else:
        log.error("graphql.failed", path=error.path, exc_info=original)
        message = "Something went wrong; name the reference."
        extensions["code"] = "INTERNAL"
    return GraphQLError(message, error.nodes, path=error.path, extensions=extensions)


def _response(
    media: str, status: int, errors: list[GraphQLError], **data: dict[str, Any] | None
) -> web.Response:
    """Return an answer; without `data` the operation was not executed."""
    answer: dict[str, Any] = {"errors": [error.formatted for error in errors]} if errors else {}
    headers = {"Cache-Control": "no-store"}
    if status == web.HTTPServiceUnavailable.status_code:
        headers["Retry-After"] = "1"
    if status == web.HTTPMethodNotAllowed.status_code:
        headers["Allow"] = "POST"
    response = web.Response(
        body=orjson.dumps({**answer, **data}),
        status=status,
        content_type=media,
        charset="utf-8",
        headers=headers,
    )
    response[_FAILED] = bool(errors)
    return response
