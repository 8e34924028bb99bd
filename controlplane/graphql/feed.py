"""Wakes those who wait for news: one question when the read models moved, however many wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from controlplane.app import App
from controlplane.store import UNREACHABLE, UnavailableError

log = structlog.get_logger()
PAUSE_S = 0.05
"""At least between two questions; what happens meanwhile is told at once."""
RETRY_S = 1.0
RANGE_EVENTS = 10_000
"""If more happened, everybody is woken unasked."""
_HAPPENED = """
SELECT own.id, newest.position FROM unnest($3::uuid[]) AS own (id) CROSS JOIN LATERAL (
    SELECT a.position FROM audit AS a WHERE a.organization_id = own.id AND a.position > $1
    AND a.position <= $2 ORDER BY a.position DESC LIMIT 1) AS newest
UNION ALL
SELECT s.originator_id, s.notification_id FROM stored_events AS s
WHERE s.notification_id > $1 AND s.notification_id <= $2 AND s.originator_id = ANY($3)
UNION ALL
SELECT v.product_id, s.notification_id FROM stored_events AS s
JOIN api_version AS v ON v.id = s.originator_id
WHERE s.notification_id > $1 AND s.notification_id <= $2 AND s.topic LIKE 'api\\_version.%'
AND v.product_id = ANY($3)
"""


class Feed:
    """Who waits for news of what: of an organization, or of a product and its versions."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._moved = asyncio.Event()
        self._waiting: dict[UUID, dict[asyncio.Event, int]] = {}  # and since which position
        self._seen = 0
        self._following: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def news(self, id_: UUID) -> AsyncIterator[asyncio.Event]:
        """Lend an event that is set whenever something happens to what has this id.

        It is also set when the process stops.
        """
        woken = asyncio.Event()
        # Who reads after this sees what is up to this position, and is told of the rest.
        self._waiting.setdefault(id_, {})[woken] = max(self._app.projector.position, 0)
        self._follow()
        try:
            yield woken
        finally:
            waiting = self._waiting[id_]
            del waiting[woken]
            if not waiting:
                del self._waiting[id_]

    def _follow(self) -> None:
        if self._following is not None and not self._following.done():
            return
        self._seen = max(self._app.projector.position, 0)
        if self._moved.set not in self._app.projector.watchers:
            self._app.projector.watchers.append(self._moved.set)
        self._following = asyncio.create_task(self._run(), name="feed")

    async def _run(self) -> None:
        """Wake whoever is concerned, while anybody waits and the process does not stop."""
        stopping = self._app.stopping
        while self._waiting and not stopping.is_set():
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._tell()
            except (*UNREACHABLE, UnavailableError) as error:
                log.warning("feed.database_away", error=str(error) or type(error).__name__)
                self._moved.set()
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("feed.failed")
                self._wake()
            await asyncio.sleep(PAUSE_S)
        self._wake()

    async def _tell(self) -> None:
        upto = self._app.projector.position
        if upto <= self._seen or not self._waiting:
            return
        if upto - self._seen > RANGE_EVENTS:
            self._wake()
        else:
            async with self._app.services.lend() as connection:
                rows = await connection.fetch(_HAPPENED, self._seen, upto, list(self._waiting))
            for id_, position in rows:
                for woken, since in self._waiting.get(id_, {}).items():
                    if position > since:
                        woken.set()
        self._seen = upto

    def _wake(self) -> None:
        for waiting in self._waiting.values():
            for woken in waiting:
                woken.set()
