"""The HTTP edge: request ids, bearer tokens, errors as problem details (RFC 9457), bounds."""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from controlplane.app import App
from controlplane.auth import Bearers, NotAuthenticatedError, bearer
from controlplane.commands import NotFoundError, NotPermittedError
from controlplane.context import Context
from controlplane.logs import REQUEST
from controlplane.store import UNREACHABLE, UnavailableError
from controlplane.store.projector import ReadModelsBehindError
from domain.aggregate import DomainError

CONTEXT = web.RequestKey("context", Context)
"""Set for every request before its handler runs."""

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_REQUEST_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)
AWAY = (ReadModelsBehindError, UnavailableError)
_STATUS: dict[type[Exception], int] = {
    NotAuthenticatedError: 401,
    NotPermittedError: 403,
    NotFoundError: 404,
    ReadModelsBehindError: 503,
    UnavailableError: 503,
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


def middleware(app: App) -> Middleware:
    """Return the middleware that gives each request its id, its caller and readable errors."""
    bearers = Bearers(app.services.store)
    # Unique as an id of its own for each would be, and made in a tenth of the time.
    first, counted = app.services.new_id().hex, itertools.count(1)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        offered = request.headers.get("X-Request-Id", "")
        if not (offered and _REQUEST_ID.fullmatch(offered)):
            offered = f"{first}.{next(counted)}"
        reference = offered
        REQUEST.set(reference)  # for this task; another request has its own
        try:
            token = bearer(request.headers.get("Authorization"))
            caller = await bearers.caller(token, app.services.now())
            request[CONTEXT] = app.context(caller, reference)
            if request.can_read_body and not request.content.is_eof():
                await _read_in_time(request, app.settings.body_s)
            response = await handler(request)
        except web.HTTPException as error:
            if error.status < web.HTTPBadRequest.status_code:
                raise
            response = problem(error.status, error.reason, reference, error.text or "")
            response.headers.extend(
                {name: error.headers[name] for name in ("Allow",) if name in error.headers}
            )
        except (DomainError, NotAuthenticatedError, *AWAY) as error:
            status = _STATUS.get(type(error), 422)
            response = problem(status, str(type(error).__doc__), reference, str(error))
        except UNREACHABLE:
            log.warning("http.database_away", exc_info=True)
            response = problem(503, "The database is away; try again.", reference)
        except Exception:
            log.exception("http.failed", path=request.path)
            response = problem(500, "Something went wrong; name the reference.", reference)
        if not response.prepared:
            response.headers["X-Request-Id"] = reference
        return response

    return answer


async def _read_in_time(request: web.Request, limit_s: float) -> None:
    """Have the body here before its handler runs. Raises HTTPRequestTimeout."""
    try:
        async with asyncio.timeout(limit_s):
            await request.read()  # it is kept for the handler, within client_max_size
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The body took too long.") from None
