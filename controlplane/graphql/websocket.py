"""GraphQL over WebSockets: handshakes at /graphql, in the protocol graphql-transport-ws only."""

from aiohttp import hdrs, web
from prometheus_client import Gauge

from controlplane.app import App
from controlplane.graphql.connection import CLOSE_S, GOING_AWAY, PROTOCOL, Connection, Engine
from controlplane.graphql.cors import is_listed, is_own
from controlplane.graphql.feed import Feed
from controlplane.http import CONTEXT

CONNECTIONS = 1_000
"""Open at a time in one process."""
FRAME_BYTES = 256 * 2**10
"""The largest message that is accepted; a larger one closes the connection with 1009."""
WRONG_PROTOCOL = 4406
OPEN = Gauge("controlplane_websockets", "WebSockets that are open.", multiprocess_mode="livesum")


def is_handshake(request: web.Request) -> bool:
    """Tell whether a request wants to become a WebSocket."""
    return "websocket" in request.headers.get(hdrs.UPGRADE, "").lower()


class WebSockets:
    """The WebSockets of one process."""

    def __init__(self, app: App, engine: Engine, feed: Feed) -> None:
        self._app = app
        self._engine = engine
        self._feed = feed
        self._open: set[Connection] = set()
        app.projector.watchers.append(self._look)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Answer a handshake, and serve until either side closes.

        Raises HTTPForbidden for pages of another origin, HTTPServiceUnavailable when too many are
        open, HTTPBadRequest.
        """
        settings = self._app.settings
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and not (
            is_own(origin, request.host) or is_listed(origin, settings.origins)
        ):
            raise web.HTTPForbidden(text="Pages of this origin may not connect.")
        if len(self._open) >= CONNECTIONS or self._app.stopping.is_set():
            raise web.HTTPServiceUnavailable(text="Too many WebSockets are open; try again.")
        offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
        spoken = PROTOCOL in {each.strip() for each in offered}
        socket = web.WebSocketResponse(
            protocols=[PROTOCOL] if spoken else [],
            heartbeat=settings.websocket_heartbeat_s,
            max_msg_size=FRAME_BYTES,
            compress=False,  # a small frame could hold a large message
            timeout=CLOSE_S,
        )
        connection = Connection(
            self._app, self._engine, self._feed, request[CONTEXT], socket, request
        )
        self._open.add(connection)  # before anything is awaited, so that the bound holds
        OPEN.inc()
        try:
            await socket.prepare(request)
            if spoken:
                await connection.serve()
            else:
                await connection.close(WRONG_PROTOCOL, f"Only {PROTOCOL} is spoken here.")
        finally:
            self._open.discard(connection)
            OPEN.dec()
        return socket

    def _look(self) -> None:
        if self._app.stopping.is_set():
            for connection in list(self._open):
                connection.end(GOING_AWAY, "The process is stopping; connect again.")
