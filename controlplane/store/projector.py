"""Keeps the read models up to date: rows of all of them and their position commit together."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from uuid import UUID

import asyncpg
import structlog

from controlplane.store import UNREACHABLE, Connection, Pool, UnavailableError
from controlplane.store.eventstore import EventStore, head, recorded, rows_between
from controlplane.store.generation import Fold, Generation, live, moved
from controlplane.store.news import News
from controlplane.store.recent import Recent
from controlplane.store.writer import Connect
from domain.access_token import AccessToken
from projections.readmodel import ReadModel, Recorded

log = structlog.get_logger()
PAGE_EVENTS = 5_000
POLL_S = 1.0
PAGE_S = 0.02
"""So far apart pages begin unless somebody waits: a change on its own is shown at once."""
WAIT_S = 5.0


class ReadModelsBehindError(Exception):
    """The read models have not reached this position yet; ask again in a moment."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Projector:
    """Folds new events into the live generation of every read model.

    Any number of processes may run one: whoever holds the positions works, the others hear of it.
    """

    def __init__(
        self,
        pool: Pool,
        models: Sequence[ReadModel],
        probe_s: float,
        recent: Recent | None = None,
    ) -> None:
        """Fold what is in `recent` without reading it from the store."""
        self._pool = pool
        self._models = models
        self._recent = recent or Recent()
        self._topics = frozenset(event.TOPIC for model in models for event in model.EVENTS)
        self._probe_s = probe_s
        self._moved = asyncio.Condition()
        self._woken = asyncio.Event()
        self._awaited = asyncio.Event()
        self._heard = 0  # up to where `news` is told
        self._done = 0  # up to where this process folded itself
        self._seen = 0  # up to where this process knows what others did
        self._abreast = False  # whether that is up to the last page, so that nobody need be asked
        self._revoked: list[UUID] = []  # tokens of which the last pages told
        self.news = News()
        """What happened up to the position, and maybe after it, since this process began."""
        self.position = -1
        """The position that all read models have reached, as far as this process knows.

        Those that fail do not count: who waits for the others need not wait for them.
        """
        self.caught_up = False
        """Whether they reached, at least once, what was the last position then."""
        self.failing: set[str] = set()
        """Read models that an event breaks; the others go on."""
        self._heard_at = -float("inf")
        self.watchers: list[Callable[[], None]] = []
        """Called whenever the position has moved."""

    def unheard_s(self) -> float:
        """Return how long ago this process last learned what others did."""
        return asyncio.get_running_loop().time() - self._heard_at

    async def prepare(self) -> None:
        """Create the tables of read models that are new here."""
        for model in self._models:
            async with self._pool.acquire() as connection, connection.transaction():
                await live(connection, model)
        async with self._pool.acquire() as connection:
            self._seen = self._heard = await head(connection)

    async def catch_up(self) -> bool:
        """Project the next page; tell whether there may be more."""
        try:
            upto, more = await self._project(self._models)
        except UNREACHABLE:
            raise
        except Exception:
            log.exception("projector.page_failed")
            return await self._catch_up_apart()
        self.failing.clear()
        await self._reached(upto)
        return more

    async def _catch_up_apart(self) -> bool:
        """Project each read model for itself, so that one broken fold holds up no other."""
        any_more, positions = False, []
        for model in self._models:
            try:
                upto, more = await self._project([model])
            except UNREACHABLE:
                raise
            except Exception:
                log.exception("projector.failed", model=model.NAME)
                self.failing.add(model.NAME)
            else:
                self.failing.discard(model.NAME)
                any_more |= more
                positions.append(upto)
        if positions:
            await self._reached(min(positions))
        return any_more

    async def _project(self, models: Sequence[ReadModel]) -> tuple[int, bool]:
        """Return the position that the models have reached, and whether there may be more."""
        asked_at, self._abreast = asyncio.get_running_loop().time(), False
        async with self._pool.acquire() as connection, connection.transaction():
            positions, last = await _lock(connection, models)
            if len(positions) < len(models):  # another process is at it
                return -1, False
            start = min(positions.values())
            upto = min(start + PAGE_EVENTS, last)
            if start < last:
                page = await self._page(connection, start, upto)
                for generation, reached in positions.items():
                    fold = Fold(generation, fresh=False)
                    await fold.add(connection, [each for each in page if each.position > reached])
                    await fold.flush(connection)
                await moved(connection, positions, upto)
                self._done = upto  # before anybody, and so this process too, hears of it
                await connection.execute("SELECT pg_notify('projected', $1)", str(upto))
            else:  # another process folded these: cached answers rest on the news as well
                await self._hear(connection, upto)
        if start <= self._seen and upto >= last:
            self._abreast, self._seen, self._heard_at = True, max(last, self._seen), asked_at
        return upto, upto < last

    async def _page(self, connection: Connection, after: int, upto: int) -> list[Recorded]:
        """Return the events that somebody folds; take in what all of them say to this process."""
        page = self._recent.take(after=after, upto=upto)
        if page is None:
            rows = await rows_between(connection, after=after, upto=upto)
            # A later release beside us writes topics unknown here.
            page = [recorded(row) for row in rows if row["topic"] in self._topics]
            told = [(row["topic"], row["originator_id"], row["notification_id"]) for row in rows]
        else:
            told = [(each.TOPIC, each.originator_id, position) for position, each in page]
        self._revoked += [id_ for topic, id_, _ in told if topic == AccessToken.Revoked.TOPIC]
        if after > self._heard:
            await self._hear(connection, upto)
        else:
            self._take_in(((topic, position) for topic, _, position in told), upto)
        return page

    async def wait_until(self, position: int) -> None:
        """Wait until queries see what happened up to a position.

        Raises ReadModelsBehindError after WAIT_S.
        """
        if self.position >= position:
            return
        self._awaited.set()
        try:
            async with asyncio.timeout(WAIT_S), self._moved:
                await self._moved.wait_for(lambda: self.position >= position)
        except TimeoutError:
            raise ReadModelsBehindError from None

    async def _hear(self, connection: Connection, upto: int) -> None:
        """Take in what happened, before anybody is told that queries see it."""
        if upto <= self._heard:
            return
        rows = await connection.fetch(
            "SELECT topic, max(notification_id) AS position FROM stored_events"
            " WHERE notification_id > $1 AND notification_id <= $2 GROUP BY 1 ORDER BY 2",
            self._heard,
            upto,
        )
        self._take_in(((row["topic"], row["position"]) for row in rows), upto)

    def _take_in(self, topics: Iterable[tuple[str, int]], upto: int) -> None:
        last = {topic.partition(".")[0]: position for topic, position in topics}
        for noun, position in last.items():
            self.news.heard(noun, position)
        self._heard = max(upto, self._heard)

    async def _reached(self, position: int) -> None:
        if position <= self.position:
            return
        async with self._moved:
            self.position = position
            self._moved.notify_all()
        for watcher in self.watchers:
            watcher()

    async def follow(self, connect: Connect, store: EventStore) -> None:
        """Catch up for ever; without the database, try again every POLL_S."""
        while True:
            try:
                link = await connect()
                try:
                    await self._listen(link, store)
                finally:
                    link.terminate()
            except (*UNREACHABLE, UnavailableError) as error:
                log.warning("projector.database_away", error=str(error) or type(error).__name__)
            except Exception:
                log.exception("projector.failed")
            await asyncio.sleep(POLL_S)

    async def _listen(self, link: "asyncpg.Connection[asyncpg.Record]", store: EventStore) -> None:
        def wake(*_: object) -> None:
            self._woken.set()

        def hear_of(_link: object, _pid: int, _channel: str, upto: object) -> None:
            if int(str(upto)) > max(self.position, self._done):  # not what we did ourselves
                self._woken.set()

        async with asyncio.timeout(self._probe_s):
            await link.add_listener("stored_events", wake)
            await link.add_listener("projected", hear_of)
        now_s = asyncio.get_running_loop().time
        look_at_s = now_s()
        while True:  # The notification wakes, the poll guarantees, the position decides.
            self._woken.clear()
            self._awaited.clear()
            began_s = now_s()
            more = True
            while more:
                more = await self.catch_up()
                store.suspect_all(self._revoked)
                self._revoked.clear()
            # A half-open connection never notifies, and only fails when it is used.
            if now_s() >= look_at_s or not self._abreast:
                async with asyncio.timeout(self._probe_s):
                    await self._observe(link, store)
                look_at_s = now_s() + POLL_S
            await _within(POLL_S, self._woken)
            await _within(began_s + PAGE_S - now_s(), self._awaited)

    async def _observe(self, link: Connection, store: EventStore) -> None:
        """Learn what other processes did: how far they projected, which tokens they revoked."""
        asked_at = asyncio.get_running_loop().time()
        generations = await live_now(link, self._models)
        rows = await link.fetch(
            "SELECT application_name, notification_id FROM notification_tracking"
            " WHERE application_name = ANY($1)",
            [each.schema for each in generations],
        )
        positions = {row["application_name"]: row["notification_id"] for row in rows}
        well = [each.schema for each in generations if each.model.NAME not in self.failing]
        last = await head(link)
        revoked = await link.fetch(
            "SELECT originator_id FROM stored_events WHERE notification_id > $1"
            " AND notification_id <= $2 AND topic = $3",
            self._seen,
            last,
            AccessToken.Revoked.TOPIC,
        )
        store.suspect_all(row["originator_id"] for row in revoked)
        await self._hear(link, last)
        await self._reached(min((positions.get(schema, -1) for schema in well), default=-1))
        self.caught_up = self.caught_up or min(positions.values(), default=-1) >= self._seen
        self._seen = last
        self._heard_at = asked_at


async def live_now(connection: Connection, models: Sequence[ReadModel]) -> list[Generation]:
    """Return the generations that queries read."""
    rows = await connection.fetch(
        "SELECT name, generation FROM read_models"
        " JOIN unnest($1::text[], $2::int[]) AS wanted (name, version) USING (name, version)",
        [model.NAME for model in models],
        [model.VERSION for model in models],
    )
    numbers = {row["name"]: row["generation"] for row in rows}
    return [Generation(model, numbers[model.NAME]) for model in models]


async def _lock(
    connection: Connection, models: Sequence[ReadModel]
) -> tuple[dict[Generation, int], int]:
    """Return the positions of what queries read of these models, and the last of the history.

    Those that somebody else is projecting are missing. All of them are locked under the first
    one's name before: two that are woken at the same moment would else get some each, and both
    give up until the next event.
    """
    rows = await connection.fetch(
        "SELECT name, generation, notification_id, coalesce((SELECT notification_id"
        " FROM stored_events ORDER BY notification_id DESC LIMIT 1), 0) AS last"
        " FROM read_models JOIN unnest($1::text[], $2::int[]) AS wanted (name, version)"
        " USING (name, version) JOIN notification_tracking"
        " ON application_name = name || '_v' || version || '_' || generation"
        " WHERE (SELECT pg_try_advisory_xact_lock(hashtext($3)))"
        " ORDER BY application_name FOR UPDATE OF notification_tracking SKIP LOCKED",
        [model.NAME for model in models],
        [model.VERSION for model in models],
        f"project {models[0].NAME}",
    )
    by_name = {model.NAME: model for model in models}
    positions = {
        Generation(by_name[row["name"]], row["generation"]): row["notification_id"] for row in rows
    }
    return positions, rows[0]["last"] if rows else -1


async def _within(limit_s: float, event: asyncio.Event) -> None:
    """Wait for the event, but not longer than that."""
    if event.is_set() or limit_s <= 0:
        return
    with suppress(TimeoutError):  # Not wait_for: in Python 3.11 it can swallow a cancellation.
        async with asyncio.timeout(limit_s):
            await event.wait()
