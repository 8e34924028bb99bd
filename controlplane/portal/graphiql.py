"""GraphiQL at /graphiql, from our own files: it works offline, and nobody else hears of it.

The published files of the npm packages are kept unchanged, but for the pointer to a source map.
"""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType

from aiohttp import web

from controlplane.app import App

MAX_AGE_S = 3_600
_FOLDER = "controlplane.portal"
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "LICENSES.txt": "text/plain",
        "graphiql.min.css": "text/css",
        "graphiql.min.js": "text/javascript",
        "page.css": "text/css",
        "page.js": "text/javascript",
        "react-dom.production.min.js": "text/javascript",
        "react.production.min.js": "text/javascript",
    }
)
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # Styles only are lax: the editor and the menus place themselves by style elements.
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self';"
        " style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)


def routes(app: App) -> list[web.RouteDef]:
    """Return the routes of the page and its files, none when the setting switches it off."""
    if not app.settings.graphiql:
        return []
    known: dict[str, tuple[bytes, str]] = {}

    def file(name: str) -> tuple[bytes, str]:
        if name not in known:
            body = files(_FOLDER).joinpath("graphiql", name).read_bytes()
            known[name] = body, f'"{sha256(body).hexdigest()[:32]}"'
        return known[name]

    def answer(request: web.Request, name: str, kind: str, cached: str) -> web.Response:
        body, tag = file(name)
        headers = {**_HEADERS, "Cache-Control": cached, "ETag": tag}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)

    async def page(request: web.Request) -> web.Response:
        return answer(request, "page.html", "text/html", "no-cache")

    async def part(request: web.Request) -> web.Response:
        name = request.match_info["file"]
        kind = _KINDS.get(name)
        if kind is None:
            raise web.HTTPNotFound
        return answer(request, name, kind, f"public, max-age={MAX_AGE_S}")

    async def home(_: web.Request) -> web.Response:
        raise web.HTTPFound("/graphiql")

    return [
        web.get("/", home, allow_head=False),
        web.get("/graphiql", page, allow_head=False),
        web.get("/graphiql/{file}", part, allow_head=False),
    ]
