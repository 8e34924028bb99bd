"""Whether this process is alive and ready, and what it measures; none of it asks for a token."""

import asyncio
from contextlib import suppress

from aiohttp import web

from controlplane import metrics
from controlplane.app import App
from controlplane.store import UNREACHABLE
from controlplane.store.eventstore import head

PROBE_S = 1.0
READY_LAG_EVENTS = 10_000
"""What a few pages of the projector make good: reads that wait for their write still succeed."""


class Health:
    """Answers of one process about itself."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._probe: asyncio.Task[int] | None = None

    async def alive(self, _: web.Request) -> web.Response:
        """Answer whenever the process can answer at all."""
        return web.json_response({"status": "alive"})

    async def ready(self, _: web.Request) -> web.Response:
        """Tell whether requests should be sent here, and if not why: 200 or 503."""
        projector = self._app.projector
        last = await self._last_position()
        reasons = [
            reason
            for reason, holds in (
                ("The process is stopping.", self._app.stopping.is_set()),
                (
                    "The database is another one now; the process starts over.",
                    self._app.history.replaced.is_set(),
                ),
                ("The database does not answer.", last is None),
                ("The read models have not caught up yet.", not projector.caught_up),
                (
                    "The read models are too far behind.",
                    last is not None and last - projector.position > READY_LAG_EVENTS,
                ),
                *((f"The read model {name} fails.", True) for name in sorted(projector.failing)),
            )
            if holds
        ]
        return web.json_response(
            {"ready": not reasons, "reasons": reasons, "position": projector.position},
            status=503 if reasons else 200,
        )

    async def metrics(self, _: web.Request) -> web.Response:
        """Return the metrics in the format of Prometheus, with or without the database."""
        position = self._app.projector.position
        metrics.PROJECTED.set(position)
        last = await self._last_position()
        if last is not None:
            metrics.HEAD.set(last)
            metrics.LAG.set(max(0, last - position))
        body, content_type = await asyncio.to_thread(metrics.exposition)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _last_position(self) -> int | None:
        """Return the last position, or None when the database does not say within PROBE_S.

        One probe runs at a time and outlives its asker: cancelling a query waits for a server
        that may not answer that either.
        """
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask())
        await asyncio.wait([self._probe], timeout=PROBE_S)
        if not self._probe.done():
            return None
        with suppress(*UNREACHABLE):
            return self._probe.result()
        return None

    async def _ask(self) -> int:
        async with self._app.services.pool.acquire() as connection:
            return await head(connection)


def routes(app: App) -> list[web.RouteDef]:
    """Return the routes for load balancers and monitoring."""
    health = Health(app)
    return [
        web.get("/healthz", health.alive),
        web.get("/readyz", health.ready),
        web.get("/metrics", health.metrics),
    ]
