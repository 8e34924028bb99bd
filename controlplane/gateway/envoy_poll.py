"""What one poll of an Envoy asks for, and what it says to run."""

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import web

from controlplane.gateway.document import cursor_of
from controlplane.gateway.offered import Part
from controlplane.gateway.renderers.envoy_resource import FILTERS, KINDS, ROUTES
from domain.cursor import Cursor

HEAD_BYTES, TAIL_BYTES = 1_000, 16 * 2**10
"""Where in a poll of 77 KB the versions and names are; between them Envoy lists its extensions."""
PORTS = range(1, 65_536)
_VERSION = re.compile(
    rb'\{"version_info":"(([0-9a-f]{1,64})[^"]{0,50}?([0-9]{1,18}[.][0-9]{1,18})?)"'
)
_LISTEN = re.compile(rb'"metadata":\{"listen":"([0-9a-fA-F:.]{1,45}) ([0-9]{1,5})"\}')
_NAMES = re.compile(rb'"resource_names":\["([a-z0-9-]{1,50})"\]')


@dataclass(frozen=True)
class Poll:
    """What one poll asks."""

    part: Part
    version: str
    """The one it runs; "" for none."""
    said: str
    """That with the process that sent it, and the position it was at."""
    held: tuple[Cursor, ...]
    """The configuration it was sent that of: whoever answers must have come as far."""
    host: str
    port: int

    @property
    def what(self) -> str:
        """The part in one text."""
        return " ".join(filter(None, self.part))

    @classmethod
    def of(cls, word: str, body: bytes) -> "Poll":
        """Read the beginning and the end of a request. Raises HTTPBadRequest, HTTPNotFound."""
        if word not in KINDS:
            raise web.HTTPNotFound(text="No resources of this kind are served.")
        head, name = body[:HEAD_BYTES], ""
        version, listen = _VERSION.match(head), _LISTEN.search(head)
        if word in {FILTERS.word, ROUTES.word}:
            named = _NAMES.search(body, max(0, len(body) - TAIL_BYTES))
            if named is None:
                raise web.HTTPBadRequest(text="resource_names names one of them.")
            name = named[1].decode()
        host, port = (listen[1].decode(), int(listen[2])) if listen else ("127.0.0.1", 8000)
        with suppress(ValueError):
            host = str(ip_address(host))
            if port in PORTS:
                said, runs, at = (
                    (each or b"").decode() for each in (version.groups() if version else (b"",) * 3)
                )
                held = (cursor_of(at, "version_info"),) if at else ()
                return cls((word, name), runs, said, held, host, port)
        raise web.HTTPBadRequest(text="listen in the metadata of the node is an address and port.")
