"""Our event store behind the package's own interface, for its own test cases.

The package is synchronous, so an event loop runs in a thread of its own. What it writes goes
through our Writer; what it reads is the SQL that everybody reads our tables with.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from threading import Thread
from typing import Any, Never, TypeVar
from uuid import UUID, uuid4

import asyncpg
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    StoredEvent,
)

from controlplane.app import App, running
from controlplane.store.writer import ConflictError, Receipt, Save, Writer

Result = TypeVar("Result")


class Background:
    """A control plane on an event loop of its own."""

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="store")
        self._thread.start()
        self._stack = AsyncExitStack()
        self.app: App = self.run(self._stack.enter_async_context(running(dsn, follow=False)))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what the coroutine returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        """Stop the control plane and its loop."""
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class OurAggregateRecorder(AggregateRecorder):
    """Streams alone: what was written has no number."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._pool = background.app.services.pool
        self._writer: Writer = vars(background.app.services.store)["_writer"]

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Append the events as one save."""
        self._insert(stored_events)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Return a stream, or a part of it."""
        rows = self._background.run(
            self._pool.fetch(
                "SELECT originator_id, originator_version, topic, state FROM stored_events"
                " WHERE originator_id = $1 AND originator_version > coalesce($2, -1)"
                " AND originator_version <= coalesce($3, 9223372036854775807)"
                " ORDER BY originator_version * $4::int LIMIT $5",
                originator_id,
                gt,
                lte,
                -1 if desc else 1,
                limit,
            )
        )
        return [StoredEvent(row[0], row[1], row[2], row[3]) for row in rows]

    def _insert(self, stored_events: Sequence[StoredEvent]) -> Sequence[int]:
        if not stored_events:
            return []

        async def commit() -> int:
            receipt = Receipt("o", "package", str(uuid4()), b"")
            committed = asyncio.get_running_loop().create_future()
            return await self._writer.commit(Save(receipt, stored_events, (), (), committed))

        try:
            last = self._background.run(commit())
        except (ConflictError, asyncpg.UniqueViolationError) as error:
            raise IntegrityError from error
        return range(last - len(stored_events) + 1, last + 1)


class OurApplicationRecorder(OurAggregateRecorder, ApplicationRecorder):
    """Streams in one order: what was written has a position."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Append the events as one save; return their positions."""
        return list(self._insert(stored_events))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return a part of the history."""
        rows = self._background.run(
            self._pool.fetch(
                "SELECT originator_id, originator_version, topic, state, notification_id"
                " FROM stored_events WHERE notification_id > $1"
                " AND notification_id <= coalesce($2, 9223372036854775807)"
                " AND (topic = ANY($3) OR $3 = '{}') ORDER BY notification_id LIMIT $4",
                (start or 0) - (1 if start and inclusive_of_start else 0),
                stop,
                list(topics),
                limit,
            )
        )
        return [Notification(row[0], row[1], row[2], row[3], id=row[4]) for row in rows]

    def max_notification_id(self) -> int | None:
        """Return the last position."""
        found: int | None = self._background.run(
            self._pool.fetchval("SELECT max(notification_id) FROM stored_events")
        )
        return found

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Never:
        """Refuse: our readers are asynchronous; projections are tested with the projector."""
        raise NotImplementedError


Opened = Callable[[], Background]
