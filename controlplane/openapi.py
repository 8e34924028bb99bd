"""The description of our own HTTP routes: kept by hand in openapi.yaml, served as JSON."""

from functools import cache
from importlib.resources import files

import orjson
import yaml
from aiohttp import web

from controlplane.app import App


@cache
def document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    text = files("controlplane").joinpath("openapi.yaml").read_text()
    return orjson.dumps(yaml.safe_load(text), option=orjson.OPT_INDENT_2)


def routes(_: App) -> list[web.RouteDef]:
    """Return the route of the document."""

    async def described(_: web.Request) -> web.Response:
        return web.Response(body=document(), content_type="application/json")

    return [web.get("/openapi.json", described)]
