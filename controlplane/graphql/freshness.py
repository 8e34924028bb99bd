"""How long an answer to GET may be used again, and whether the client has it already."""

import re
from hashlib import sha256

from aiohttp import web

MAX_AGE_S = 10
"""How old the public catalogue may be in a shared cache."""
VARY = "Accept, Authorization, X-Min-Position"
_TAGS = re.compile(r'(?:W/)?("[^"]*")')


def fresh(request: web.Request, response: web.Response, *, anonymous: bool) -> web.Response:
    """Return the answer to a query without errors as caches may keep it; 304 if the client has it.

    The ETag is strong: the hash of the bytes. What a token sees is kept by its own client only.
    """
    assert isinstance(response.body, bytes)
    tag = f'"{sha256(response.body).hexdigest()[:32]}"'
    held = request.headers.get("If-None-Match", "")
    caching = f"public, max-age={MAX_AGE_S}" if anonymous else "private, no-cache"
    headers = {"ETag": tag, "Cache-Control": caching, "Vary": VARY}
    if held.strip() == "*" or tag in _TAGS.findall(held):
        return web.Response(status=304, headers=headers)
    response.headers.update(headers)
    return response
