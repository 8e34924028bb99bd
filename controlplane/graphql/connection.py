"""One WebSocket connection: the protocol graphql-transport-ws, every part of it bounded."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

import orjson
import structlog
from aiohttp import WSMsgType, hdrs, web
from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationType,
    create_source_event_stream,
    execute,
    get_operation_ast,
)

from controlplane.app import App
from controlplane.auth import NotAuthenticatedError, bearer
from controlplane.context import Context
from controlplane.graphql.documents import Document
from controlplane.graphql.feed import Feed
from controlplane.graphql.graphql_request import GraphQLRequest, RefusedRequestError
from controlplane.graphql.loaders import Request
from controlplane.graphql.schema import schema
from controlplane.http import AWAY, caller_of
from controlplane.store import UNREACHABLE, UnavailableError
from controlplane.throttle import TooManyAttemptsError

PROTOCOL = "graphql-transport-ws"
OPERATIONS = 100
"""At a time in one connection."""
ID_CHARS = 200
SEND_S = 10.0
"""How long a client may take to accept a message; what waits for it is one message a operation."""
TRUST_S = 1.0
"""How often it is looked whether the token still holds, also when nothing is to be sent."""
CLOSE_S = 2.0
"""How long the other side may take to agree that it is over."""
FINISH_S = 5.0
"""How long queries and mutations may take to end when the process stops."""

GOING_AWAY, TRY_AGAIN = 1001, 1013
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 4400, 4401, 4403
INIT_TIMEOUT, ALREADY_EXISTS, TOO_MANY_INITS, INTERNAL = 4408, 4409, 4429, 4500

log = structlog.get_logger()
Message: TypeAlias = dict[str, Any]


class Engine(NamedTuple):
    """How a request is read and admitted, executed, and its errors shown, however it came."""

    admit: Callable[
        [Mapping[str, object], Request, int], Coroutine[Any, Any, tuple[GraphQLRequest, Document]]
    ]
    execute: Callable[[Document, GraphQLRequest, Request], Awaitable[ExecutionResult]]
    shown: Callable[[GraphQLError, Request], GraphQLError]


class _BrokenError(Exception):
    """The client broke the protocol: the code and the reason with which it is told."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Connection:
    """A connection from the handshake to its end."""

    def __init__(
        self,
        app: App,
        engine: Engine,
        feed: Feed,
        context: Context,
        socket: web.WebSocketResponse,
        request: web.Request,
    ) -> None:
        """Take over a socket; the request may have brought a token."""
        self._app = app
        self._engine = engine
        self._feed = feed
        self._context = context
        self._socket = socket
        self._sender = request
        self._transport = request.transport
        self._token = bearer(request.headers.get(hdrs.AUTHORIZATION))
        self._initialised = False
        self._acknowledged = asyncio.Event()
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # also those that are about to end
        self._following: set[asyncio.Task[None]] = set()

    def end(self, code: int, reason: str) -> None:
        """Have the connection closed with a code; only the first one counts."""
        if not self._ended.done():
            self._ended.set_result((code, reason))

    async def serve(self) -> None:
        """Serve until either side closes; nothing of it is left then."""
        reading = asyncio.create_task(self._read(), name="websocket")
        guarding = asyncio.create_task(self._guard(), name="websocket-guard")
        try:
            either: set[asyncio.Future[Any]] = {reading, self._ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await _stopped([reading, guarding, *self._following])
            if self._ended.done():
                code, reason = self._ended.result()
                if code == GOING_AWAY and self._tasks:
                    await asyncio.wait(self._tasks, timeout=FINISH_S)
                await self.close(code, reason)
        finally:
            await _stopped([reading, guarding, *self._tasks])

    async def close(self, code: int, reason: str) -> None:
        """Close the socket, by force if the other side does not follow."""
        try:
            async with asyncio.timeout(2 * CLOSE_S):
                await self._socket.close(code=code, message=reason.encode())
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is WSMsgType.ERROR:  # too large, no UTF-8: aiohttp has closed it
                    return
                await self._handle(_parsed(message.type, message.data))
        except _BrokenError as error:
            self.end(error.code, str(error))
        except ConnectionError:
            return
        except UnavailableError:
            self.end(TRY_AGAIN, "The database is away; try again.")
        except Exception:
            log.exception("websocket.failed")
            self.end(INTERNAL, "Something went wrong.")

    async def _guard(self) -> None:
        """Close what does not begin, and what its token no longer covers."""
        try:
            async with asyncio.timeout(self._app.settings.websocket_init_s):
                await self._acknowledged.wait()
        except TimeoutError:
            self.end(INIT_TIMEOUT, "Connection initialisation timeout")
        while await self._trusted():  # noqa: ASYNC110  # a token that expires sets no event
            await asyncio.sleep(TRUST_S)

    async def _trusted(self) -> bool:
        """Tell whether the token still holds; if not, the connection ends."""
        try:
            with suppress(*UNREACHABLE, *AWAY):  # nothing can be told then anyway
                await self._app.authenticated(self._token)
        except NotAuthenticatedError:
            self.end(FORBIDDEN, "Forbidden: the token is revoked or expired.")
            return False
        return True

    async def _handle(self, message: Message) -> None:
        kind, payload = message.get("type"), message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            raise _BrokenError(BAD_REQUEST, "The payload of a message is an object.")
        if kind == "connection_init":
            await self._initialise(payload or {})
        elif kind == "ping":
            await self._send({"type": "pong", **({} if payload is None else {"payload": payload})})
        elif kind == "subscribe":
            self._subscribe(_id(message), payload)
        elif kind == "complete":
            operation = self._operations.pop(_id(message), None)
            if operation is not None:
                operation.cancel()
        elif kind != "pong":
            raise _BrokenError(BAD_REQUEST, "A message has a type that clients may send.")

    async def _initialise(self, payload: Message) -> None:
        if self._initialised:
            raise _BrokenError(TOO_MANY_INITS, "Too many initialisation requests")
        self._initialised = True
        authorization = payload.get("authorization", payload.get("Authorization"))
        if authorization is not None:
            if not isinstance(authorization, str):
                raise _BrokenError(BAD_REQUEST, "`authorization` is a string.")
            try:
                self._token = bearer(authorization)
                caller = await caller_of(self._app, self._sender, self._token or "")
            except NotAuthenticatedError:
                said = "Forbidden: the token is unknown, mistyped, revoked or expired."
                raise _BrokenError(FORBIDDEN, said) from None
            except (TooManyAttemptsError, *AWAY) as error:
                raise _BrokenError(TRY_AGAIN, str(error)) from None
            self._context = self._app.context(caller, self._context.correlation)
        await self._send({"type": "connection_ack"})
        self._acknowledged.set()

    def _subscribe(self, id_: str, payload: Message | None) -> None:
        if not self._acknowledged.is_set():
            raise _BrokenError(UNAUTHORIZED, "Unauthorized: send connection_init first.")
        if payload is None:
            raise _BrokenError(BAD_REQUEST, "The payload of subscribe is an object.")
        if id_ in self._operations:
            raise _BrokenError(ALREADY_EXISTS, f"Subscriber for {id_[:60]!a} already exists")
        if len(self._tasks) >= OPERATIONS:
            raise _BrokenError(TRY_AGAIN, f"A connection has at most {OPERATIONS} operations.")
        task = asyncio.create_task(self._operate(id_, payload), name="websocket-operation")
        self._operations[id_] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._following.discard)

    async def _operate(self, id_: str, payload: Message) -> None:
        """Answer one operation; whatever goes wrong is told under its id."""
        request = self._request()
        try:
            errors = await self._answer(id_, payload, request)
        except RefusedRequestError as refused:
            errors = refused.errors
        except ConnectionError:
            return
        except Exception as error:  # noqa: BLE001  # `shown` logs it, and masks it
            errors = [_foreseen(error)]
        if self._forget(id_):
            shown = [self._engine.shown(error, request).formatted for error in errors]
            with suppress(ConnectionError):
                await self._send(
                    {"id": id_, "type": "error", "payload": shown}
                    if shown
                    else {"id": id_, "type": "complete"}
                )

    async def _answer(self, id_: str, payload: Message, request: Request) -> list[GraphQLError]:
        """Send the results; return why there are none, or no more."""
        asked, document = await self._engine.admit(payload, request, 400)
        operation = get_operation_ast(document.parsed, asked.operation_name)
        if operation is None or operation.operation is not OperationType.SUBSCRIPTION:
            result = await self._engine.execute(document, asked, request)
            if result.data is None and all(error.path is None for error in result.errors or ()):
                return result.errors or []
            await self._next(id_, result, request)
            return []
        task = asyncio.current_task()
        assert task is not None
        self._following.add(task)
        source = await create_source_event_stream(
            schema,
            document.parsed,
            context_value=request,
            variable_values=asked.variables,
            operation_name=asked.operation_name,
        )
        if isinstance(source, ExecutionResult):
            return source.errors or []
        await self._follow(id_, source, document, asked)
        return []

    async def _follow(
        self, id_: str, source: AsyncIterable[object], document: Document, asked: GraphQLRequest
    ) -> None:
        try:
            async for event in source:
                if not await self._trusted():
                    return
                request = self._request()  # what was read for the event before is old
                result = execute(
                    schema,
                    document.parsed,
                    root_value=event,
                    context_value=request,
                    variable_values=asked.variables,
                    operation_name=asked.operation_name,
                )
                ready = result if isinstance(result, ExecutionResult) else await result
                await self._next(id_, ready, request)
                await asyncio.sleep(0)  # a long replay lets others have their turn
        finally:
            await source.aclose()  # type: ignore[attr-defined]  # ours are generators

    async def _next(self, id_: str, result: ExecutionResult, request: Request) -> None:
        errors = [self._engine.shown(error, request).formatted for error in result.errors or ()]
        payload = {"data": result.data, **({"errors": errors} if errors else {})}
        await self._send({"id": id_, "type": "next", "payload": payload})

    async def _send(self, message: Message) -> None:
        """Send a message once the client has taken most of those before. Raises ConnectionError."""
        try:
            async with asyncio.timeout(SEND_S):
                await self._socket.send_frame(orjson.dumps(message), WSMsgType.TEXT)
        except TimeoutError:
            self.end(TRY_AGAIN, "Too slow: messages were not taken in time.")
            raise ConnectionResetError from None

    def _request(self) -> Request:
        return Request(self._app, self._context, sender=self._sender, feed=self._feed)

    def _forget(self, id_: str) -> bool:
        """Tell whether the client still waits for this task, and free the id for another one."""
        if self._operations.get(id_) is not asyncio.current_task():
            return False
        del self._operations[id_]
        return True


async def _stopped(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel the tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _parsed(kind: WSMsgType, data: Any) -> Message:  # noqa: ANN401  # whatever was sent
    if kind is WSMsgType.TEXT:
        with suppress(orjson.JSONDecodeError):
            message = orjson.loads(data)
            if isinstance(message, dict):
                return message
    raise _BrokenError(BAD_REQUEST, "A message is one JSON object, as text.")


def _id(message: Message) -> str:
    id_ = message.get("id")
    if not isinstance(id_, str) or not 0 < len(id_) <= ID_CHARS:
        raise _BrokenError(BAD_REQUEST, f"The id of an operation is 1 to {ID_CHARS} characters.")
    return id_


def _foreseen(error: Exception) -> GraphQLError:
    """Return the error as one of execution, of which nothing is shown that was not meant to be."""
    if isinstance(error, GraphQLError):
        return error
    return GraphQLError(type(error).__name__, path=["subscription"], original_error=error)
