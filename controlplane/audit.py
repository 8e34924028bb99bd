"""The audit trail over HTTP: every event of the caller's organization, resumable, as NDJSON."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import orjson
import structlog
from aiohttp import web

from controlplane.app import App
from controlplane.commands import NotPermittedError
from controlplane.http import CONTEXT
from controlplane.store import UNREACHABLE, Pool
from controlplane.store.eventstore import recorded
from domain.aggregate import Aggregate
from domain.cursor import read_cursor

LIMIT_EVENTS = 1_000
LIMIT_EVENTS_MAX = 10_000
PAGE_EVENTS = 500
PAGE_BYTES = 4 * 2**20
"""About what one page may weigh; one event may weigh more, and is then a page of its own."""
WRITE_S = 30.0
"""How long a client may take to accept a page."""

_ENVELOPE = {"originator_id", "originator_version", "originator_topic", "timestamp", "why"}
_POSITIONS = (
    "SELECT position FROM audit WHERE organization_id = $1 AND position > $2"
    " ORDER BY position LIMIT $3"
)
_PAGE = """
SELECT position, topic, state, noun_id, noun_version, noun FROM (
    SELECT a.position, a.noun, a.noun_id, a.noun_version, s.topic, s.state,
        sum(octet_length(s.state)) OVER (ORDER BY a.position) - octet_length(s.state) AS before
    FROM audit AS a JOIN stored_events AS s ON s.notification_id = a.position
    WHERE a.organization_id = $1 AND a.position > $2 AND a.position <= $3
    ORDER BY a.position LIMIT $4
) AS page WHERE before < $5 ORDER BY position
"""

log = structlog.get_logger()


def routes(app: App) -> list[web.RouteDef]:
    """Return the route of the audit trail."""

    async def events(request: web.Request) -> web.StreamResponse:
        caller = request[CONTEXT].caller
        if caller.role is None:
            raise web.HTTPUnauthorized(text="Show a token that may read the audit trail.")
        if "audit:read" not in caller.permissions:
            raise NotPermittedError(None, "It needs audit:read.")
        after, limit = _after(request, app.epoch), _limit(request)
        pool, organization_id = app.services.pool, caller.organization_id
        async with asyncio.timeout(app.settings.database_budget_s):
            rows = await pool.fetch(_POSITIONS, organization_id, after, limit)
        upto = rows[-1]["position"] if rows else after
        cursor = f"{app.epoch}.{upto}"
        response = web.StreamResponse(
            headers={
                "Content-Type": "application/x-ndjson",
                "Next-Cursor": cursor,
                "Link": f'<{request.path}?after={cursor}&limit={limit}>; rel="next"',
                "X-Request-Id": request[CONTEXT].correlation,
            }
        )
        # The first page comes before the status, so that only long answers can break off.
        following = pages(pool, app.epoch, organization_id, after, upto)
        page = await anext(following, b"")
        await response.prepare(request)
        try:
            while page:
                async with asyncio.timeout(WRITE_S):
                    await response.write(page)
                page = await anext(following, b"")
        except UNREACHABLE as error:
            # Too late for another status: a body that breaks off is how the client learns, and
            # it goes on after the last line that it has.
            log.warning("audit.broken_off", error=str(error) or type(error).__name__)
            if request.transport is not None:
                request.transport.abort()
        return response

    return [web.get("/audit/v1/events", events, allow_head=False)]


def _after(request: web.Request, epoch: int) -> int:
    offered = request.query.get("after", f"{epoch}.0")
    cursor = read_cursor(offered)
    if cursor is None:
        raise web.HTTPBadRequest(text="`after` is a cursor of the audit trail, such as 1.250.")
    if cursor.epoch != epoch:
        raise web.HTTPConflict(
            text=f"The cursor is of epoch {cursor.epoch} and this is epoch {epoch}: the database"
            " was restored or replaced. Begin again, without `after`."
        )
    return cursor.position


def _limit(request: web.Request) -> int:
    offered = request.query.get("limit", str(LIMIT_EVENTS))
    if not re.fullmatch(r"[1-9]\d{0,4}", offered, re.ASCII) or int(offered) > LIMIT_EVENTS_MAX:
        raise web.HTTPBadRequest(text=f"`limit` is a number from 1 to {LIMIT_EVENTS_MAX:,}.")
    return int(offered)


async def pages(
    pool: Pool, epoch: int, organization_id: UUID, after: int, upto: int
) -> AsyncIterator[bytes]:
    """Yield the events after a position up to another as lines, a page at a time.

    No connection is held while a page is on its way. Raises what UNREACHABLE names.
    """
    while after < upto:  # each page moves `after` on
        bounds = organization_id, after, upto, PAGE_EVENTS, PAGE_BYTES
        rows = await pool.fetch(_PAGE, *bounds)
        if not rows:
            return
        yield b"".join(_lines(epoch, rows))
        after = rows[-1]["position"]


def _lines(epoch: int, rows: list[Any]) -> Iterator[bytes]:
    for row in rows:
        position, event = recorded(row)
        yield orjson.dumps(
            {"cursor": f"{epoch}.{position}", **entry(event, row["noun"])},
            str,
            orjson.OPT_APPEND_NEWLINE,
        )


def entry(event: Aggregate.Event, noun: str) -> dict[str, object]:
    """Return what the audit trail says of an event; what is sealed stays sealed."""
    return {
        "at": event.timestamp,
        "noun": noun,
        "id": event.originator_id,
        "version": event.originator_version,
        "event": event.TOPIC,
        "why": event.why,
        "data": content(event),
    }


def content(event: Aggregate.Event) -> dict[str, Any]:
    """Return what an event says beside its envelope."""
    return {name: value for name, value in vars(event).items() if name not in _ENVELOPE}
