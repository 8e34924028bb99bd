"""Which pages of other origins may ask: those of a setting, by default none.

Nothing is sent along by a browser unasked, no cookies and no credentials, so an origin that is let
in can do no more than whoever holds a token, or nobody.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

PATH = "/graphql"
PREFLIGHT_S = 600
METHODS = "GET, POST"
ACCEPTED = "Accept, Authorization, Content-Type, If-None-Match, X-Min-Position, X-Request-Id"
EXPOSED = "Allow, ETag, Retry-After, X-Request-Id"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def middleware(origins: frozenset[str]) -> Middleware:
    """Return the middleware that lets pages of these origins read the answers of /graphql."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if request.path != PATH:
            return await handler(request)
        let_in = origin is not None and is_listed(origin, origins)
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
        if request.method == hdrs.METH_OPTIONS and let_in and asked is not None:
            response: web.StreamResponse = web.Response(status=204)
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = METHODS
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ACCEPTED
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_S)
        else:
            response = await handler(request)
        if response.prepared:  # a WebSocket, to which none of this applies
            return response
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if let_in:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin or ""
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED
        return response

    return answer


def is_listed(origin: str, origins: frozenset[str]) -> bool:
    """Tell whether pages of an origin are let in; `*` lets in all of them."""
    return "*" in origins or origin.lower() in origins


def is_own(origin: str, host: str) -> bool:
    """Tell whether an origin is the host that was asked, whichever the scheme before a proxy."""
    try:
        page, asked = urlsplit(origin.lower()), urlsplit(f"//{host.lower()}")
        port = _PORTS.get(page.scheme)
        ports = page.port or port, asked.port or port
    except ValueError:
        return False
    return bool(page.hostname) and page.hostname == asked.hostname and ports[0] == ports[1]
