"""The HTTP edge: request ids, bearer tokens, errors as problem details (RFC 9457), bounds."""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web, web_response
from aiohttp.typedefs import Middleware

from controlplane.app import App
from controlplane.auth import ANONYMOUS, IssuerAwayError, NotAuthenticatedError, bearer
from controlplane.commands import NotFoundError, NotPermittedError
from controlplane.context import Caller, Context
from controlplane.logs import REQUEST
from controlplane.store import UNREACHABLE, UnavailableError
from controlplane.store.history import HistoryReplacedError
from controlplane.store.projector import ReadModelsBehindError
from controlplane.throttle import TooManyAttemptsError
from domain.aggregate import DomainError

SOFTWARE = "controlplane"
"""What we call ourselves: which releases of what we run on is nobody's business."""
# Not a signal on each answer: those to what is no HTTP at all pass no application.
web_response.SERVER_SOFTWARE = SOFTWARE  # type: ignore[attr-defined]  # aiohttp offers no setting
CONTEXT = web.RequestKey("context", Context)
"""Set for every request before its handler runs."""

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_REQUEST_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)
AWAY = (ReadModelsBehindError, UnavailableError, IssuerAwayError)
_STATUS: dict[type[Exception], int] = {
    NotAuthenticatedError: 401,
    NotPermittedError: 403,
    NotFoundError: 404,
    ReadModelsBehindError: 503,
    UnavailableError: 503,
    IssuerAwayError: 503,
}


def problem(status: int, title: str, reference: str, detail: str = "") -> web.Response:
    """Return an error in the form of RFC 9457; `reference` is the id of the request."""
    headers = {"WWW-Authenticate": "Bearer"} if status == web.HTTPUnauthorized.status_code else {}
    if status == web.HTTPServiceUnavailable.status_code:
        headers["Retry-After"] = "1"
    return web.json_response(
        {"status": status, "title": title, "detail": detail, "reference": reference},
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


def _told(error: Exception, reference: str, path: str) -> web.Response:
    """Return what a client is told of an error; what was not foreseen is logged and masked."""
    match error:
        case web.HTTPException():
            response = problem(error.status, error.reason, reference, error.text or "")
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        case TooManyAttemptsError():
            response = problem(429, str(error), reference)
            response.headers["Retry-After"] = str(error.retry_after_s)
        case DomainError() | NotAuthenticatedError() | IssuerAwayError():
            response = _refused(error, reference)
        case ReadModelsBehindError() | UnavailableError():
            response = _refused(error, reference)
        case HistoryReplacedError():
            response = problem(503, str(error), reference)
        case _ if isinstance(error, UNREACHABLE):
            log.warning("http.database_away", exc_info=error)
            response = problem(503, "The database is away; try again.", reference)
        case _:
            log.error("http.failed", path=path, exc_info=error)
            response = problem(500, "Something went wrong; name the reference.", reference)
    return response


def _refused(error: Exception, reference: str) -> web.Response:
    status = next((found for kind, found in _STATUS.items() if isinstance(error, kind)), 422)
    return problem(status, str(type(error).__doc__), reference, str(error))


def request_ids(app: App) -> Callable[[], str]:
    """Return what gives each request an id.

    It is as unique as one of its own for each would be, and made in a tenth of the time.
    """
    first, counted = app.services.new_id().hex, itertools.count(1)
    return lambda: f"{first}.{next(counted)}"


def middleware(app: App) -> Middleware:
    """Return the middleware that gives each request its id, its caller and readable errors."""
    settings = app.settings
    new_id = request_ids(app)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        offered = request.headers.get("X-Request-Id", "")
        if not (offered and _REQUEST_ID.fullmatch(offered)):
            offered = new_id()
        reference = offered
        REQUEST.set(reference)  # for this task; another request has its own
        try:
            token = bearer(request.headers.get("Authorization"))
            caller = ANONYMOUS if token is None else await caller_of(app, request, token)
            request[CONTEXT] = app.context(caller, reference)
            if request.can_read_body and not request.content.is_eof():
                await _read_in_time(request, settings.body_s)
            response = await handler(request)
        except Exception as error:
            if (
                isinstance(error, web.HTTPException)
                and error.status < web.HTTPBadRequest.status_code
            ):
                raise
            response = _told(error, reference, request.path)
        if not response.prepared:
            response.headers["X-Request-Id"] = reference
        return response

    return answer


async def caller_of(app: App, request: web.Request, token: str) -> Caller:
    """Return who shows the token in a request.

    Where too many were refused, only what needs no question to the database is looked at: whoever
    works behind the same address goes on working. Raises NotAuthenticatedError,
    TooManyAttemptsError, IssuerAwayError, UnavailableError.
    """
    throttle = app.logins
    if not (throttle.is_quiet or app.is_at_hand(token)):
        closed_s = throttle.closed_s(throttle.names(request, token))
        if closed_s:
            raise TooManyAttemptsError(closed_s)
    try:
        return await app.authenticated(token)
    except NotAuthenticatedError:
        names = throttle.names(request, token)
        closed_s = throttle.closed_s(names)
        if closed_s:
            raise TooManyAttemptsError(closed_s) from None
        throttle.count(names)
        raise


async def _read_in_time(request: web.Request, limit_s: float) -> None:
    """Have the body here before its handler runs. Raises HTTPRequestTimeout."""
    try:
        async with asyncio.timeout(limit_s):
            await request.read()  # it is kept for the handler, within client_max_size
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The body took too long.") from None
