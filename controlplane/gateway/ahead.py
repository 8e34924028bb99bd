"""A gateway that is ahead proves that the newest history is lost, and the epoch is raised.

After a failover or a restore in place, positions are used a second time. A gateway that holds a
later one than there is shows what we signed for it. Nobody can make that up, and once the epoch is
raised above it it proves nothing more: no gateway can have the epoch raised twice for one loss.
"""

from typing import Any, NamedTuple

import orjson
import structlog
from aiohttp import web
from prometheus_client import Counter

from controlplane.app import App
from controlplane.auth import NotAuthenticatedError
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.document import CursorInvalidError, cursor_of
from controlplane.http import CONTEXT
from controlplane.store.eventstore import head
from controlplane.store.history import raise_epoch
from domain.cursor import Cursor
from domain.signed import UntrustedError, verify

PATH = "/gateway/v1/ahead"
BODY_BYTES = 64 * 2**10
log = structlog.get_logger()
REPORTS = Counter(
    "controlplane_gateway_ahead_total",
    "Gateways that reported to be ahead, by whether the epoch was raised.",
    ["answer"],
)


class Ahead:
    """Answers gateways that hold more than there is."""

    def __init__(self, app: App, delivery: Delivery) -> None:
        self._app = app
        self._delivery = delivery

    async def post(self, request: web.Request) -> web.Response:
        """Raise the epoch if what a gateway shows was signed here and is not there any more.

        The process, and within a second every other, then starts over in the new epoch.
        """
        caller = request[CONTEXT].caller
        if caller.role is None:
            raise NotAuthenticatedError
        shown = await _shown(request)
        served = await self._delivery.served(caller, shown.group_slug, ())
        keys = (await self._delivery.keyring.ring()).jwks
        try:
            verify(shown.document, keys)
        except UntrustedError as error:
            REPORTS.labels("unproven").inc()
            log.warning("gateway.ahead_unproven", cursor=str(shown.cursor), why=str(error))
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        if served.view.group.id != shown.group_id:
            raise web.HTTPUnprocessableEntity(text="It is another group's.")
        epoch = await self._raised(shown.cursor)
        REPORTS.labels("known" if epoch is None else "raised").inc()
        if epoch is not None:
            log.error("gateway.ahead", cursor=str(shown.cursor), epoch=epoch)
            self._app.history.replaced.set()
        return web.json_response({"raised": epoch is not None, "epoch": epoch or self._app.epoch})

    async def _raised(self, cursor: Cursor) -> int | None:
        """Return the new epoch, None if the history has all that the cursor stands for."""
        async with self._app.services.lend() as connection, connection.transaction():
            await connection.execute("LOCK TABLE epochs IN EXCLUSIVE MODE")  # one at a time
            current = await connection.fetchval("SELECT current_epoch()")
            last = await head(connection)
            if (cursor.epoch, cursor.position) <= (current, last):
                return None
            return await raise_epoch(connection, cursor.epoch)


class _Shown(NamedTuple):
    document: dict[str, Any]
    cursor: Cursor
    group_id: str
    group_slug: str


async def _shown(request: web.Request) -> _Shown:
    """Read what a gateway shows: a document without its rows. Raises HTTPBadRequest."""
    if (request.content_length or 0) > BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(BODY_BYTES, request.content_length or 0)
    body = await request.read()
    try:
        document = orjson.loads(body[: BODY_BYTES + 1])
        group = document["group"]
        slug, id_, cursor = group["slug"], group["id"], document["cursor"]
        if not all(isinstance(text, str) for text in (slug, id_, cursor)):
            raise TypeError  # noqa: TRY301  # one message for whatever it is
        return _Shown(document, cursor_of(cursor, "cursor"), id_, slug)
    except (ValueError, LookupError, TypeError, CursorInvalidError):
        raise web.HTTPBadRequest(text="Show a document of ours, without its rows.") from None
