"""The event store: loads streams, appends to them, and recognises what was asked before."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Record

from controlplane.store import Connection, Pool, lent
from controlplane.store.mapper import to_domain_event, to_stored_event
from controlplane.store.news import News
from controlplane.store.recent import Recent
from controlplane.store.turns import Turns
from controlplane.store.writer import Receipt, Save, Writer
from domain.aggregate import Aggregate, DomainError
from projections.readmodel import Recorded

EVENT_COLUMNS = ("notification_id", "topic", "state", "originator_id", "originator_version")
SELECT_EVENTS = f"SELECT {', '.join(EVENT_COLUMNS)} FROM stored_events"  # noqa: S608  # literal names
CACHED_AGGREGATES = 20_000
"""About 2 KB each; a version of a large contract is not kept, for its rules read little of it."""


class IdempotencyKeyReusedError(DomainError):
    """The idempotency key was already used for another request."""


@dataclass(frozen=True)
class Outcome:
    """What a command did; `position` is that of its last event, None after a dry run."""

    position: int | None
    events: tuple[Aggregate.Event, ...]
    repeated: bool = False
    """Whether the command was done earlier, and this is what it did then."""


class EventStore:
    """Streams of events, with the aggregates last seen kept at hand.

    What is at hand may be stale: every decision is validated where it matters, on appending by
    the versions of all streams it read, and before a refusal is believed by `is_current`.
    """

    def __init__(self, pool: Pool, writer: Writer, budget_s: float) -> None:
        self._pool = pool
        self._writer = writer
        self._budget_s = budget_s
        self.turns = Turns(budget_s)
        self.news = News()
        """What this process appended."""
        self.recent = Recent()
        """The same, until the read models have it."""
        self._at_hand: OrderedDict[UUID, Aggregate] = OrderedDict()
        self._suspect: dict[UUID, object] = {}  # of those at hand; each doubt is an object

    async def load(self, aggregate_id: UUID) -> Aggregate | None:
        """Return the aggregate as last seen, or None if there is no such stream.

        It is shared: change a `copy()`. Raises UnavailableError.
        """
        at_hand = self.at_hand(aggregate_id)
        if at_hand is not None:
            return at_hand
        known = self._at_hand.get(aggregate_id)
        doubt = self._suspect.setdefault(aggregate_id, object())
        try:
            async with lent(self._pool, self._budget_s) as connection:
                rows = await connection.fetch(
                    "SELECT topic, state, originator_version FROM stored_events WHERE"
                    " originator_id = $1 AND originator_version > $2 ORDER BY originator_version",
                    aggregate_id,
                    known.version if known else 0,
                )
        except BaseException:
            if known is None:
                self._suspect.pop(aggregate_id, None)
            raise
        # Doubted anew meanwhile, it stays so: what we read may be from before the reason.
        if self._suspect.get(aggregate_id) is doubt or not (known or rows):
            self._suspect.pop(aggregate_id, None)
        aggregate: Any = known.copy() if known else None
        for row in rows:
            event = to_domain_event(row["topic"], row["state"], aggregate_id, row[2])
            aggregate = event.mutate(aggregate)
        if aggregate is not None:
            self._keep(aggregate)
        return aggregate  # type: ignore[no-any-return]  # the library does not type `mutate`

    def at_hand(self, aggregate_id: UUID) -> Aggregate | None:
        """Return what `load` would without asking the database, None if it had to."""
        known = self._at_hand.get(aggregate_id)
        if known is None or aggregate_id in self._suspect:
            return None
        self._at_hand.move_to_end(aggregate_id)
        return known

    async def append(
        self,
        aggregates: Iterable[Aggregate],
        asserted: Mapping[UUID, int],
        documents: Sequence[tuple[bytes, bytes]],
        receipt: Receipt,
    ) -> Outcome:
        """Commit what is pending in the aggregates, and the receipt, or nothing.

        `asserted` are the streams that were only read. Raises ConflictError, UnavailableError.
        """
        changed = list(aggregates)
        events = tuple(event for aggregate in changed for event in aggregate.happened)
        stored = [to_stored_event(event) for event in events]
        save = Save(
            receipt,
            stored,
            tuple(asserted.items()),
            documents,
            asyncio.get_running_loop().create_future(),
        )
        position = await self._writer.commit(save)
        self.news.heard_of({event.TOPIC for event in events}, position)
        self.recent.add(position, events, [len(each.state) for each in stored])
        for aggregate in changed:
            aggregate.pending_events.clear()
            self._keep(aggregate)
        return Outcome(position, events)

    async def recall(self, receipt: Receipt) -> Outcome | None:
        """Return what the same request did before.

        Raises IdempotencyKeyReusedError, UnavailableError.
        """
        async with lent(self._pool, self._budget_s) as connection:
            row = await connection.fetchrow(
                "SELECT request_hash, events, position FROM commands"
                " WHERE organization = $1 AND actor = $2 AND key = $3",
                receipt.organization,
                receipt.actor,
                receipt.key,
            )
            if row is None:
                return None
            if row["request_hash"] != receipt.request_hash:
                raise IdempotencyKeyReusedError("idempotency_key")
            first = row["position"] - row["events"]
            recorded = await read(connection, after=first, upto=row["position"])
        return Outcome(row["position"], tuple(each.event for each in recorded), repeated=True)

    async def is_current(self, versions: Mapping[UUID, int]) -> bool:
        """Tell whether no stream has moved on since it was seen at the version given."""
        if not versions:
            return True
        async with lent(self._pool, self._budget_s) as connection:
            moved = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM unnest($1::uuid[], $2::bigint[]) AS seen (id, version)"
                " JOIN stored_events ON originator_id = id AND originator_version = version + 1)",
                list(versions),
                list(versions.values()),
            )
        return not moved

    async def document(self, sha256: bytes) -> bytes | None:
        """Return the content with this hash. Raises UnavailableError."""
        async with lent(self._pool, self._budget_s) as connection:
            body = await connection.fetchval("SELECT body FROM documents WHERE sha256 = $1", sha256)
        assert body is None or isinstance(body, bytes)
        return body

    def is_at_hand(self, aggregate_id: UUID) -> bool:
        """Tell whether loading it would not ask the database."""
        return aggregate_id in self._at_hand and aggregate_id not in self._suspect

    def suspect(self, versions: Mapping[UUID, int]) -> None:
        """Have these brought up to date when they are asked for next, unless they were since."""
        for aggregate_id, version in versions.items():
            known = self._at_hand.get(aggregate_id)
            if known is not None and known.version <= version:
                self._suspect[aggregate_id] = object()

    def suspect_all(self, aggregate_ids: Iterable[UUID]) -> None:
        """Have these brought up to date when they are asked for next."""
        for aggregate_id in aggregate_ids:
            if aggregate_id in self._at_hand or aggregate_id in self._suspect:
                self._suspect[aggregate_id] = object()

    def _keep(self, aggregate: Aggregate) -> None:
        known = self._at_hand.get(aggregate.id)
        if known is None or known.version < aggregate.version:
            self._at_hand[aggregate.id] = aggregate
            self._at_hand.move_to_end(aggregate.id)
        while len(self._at_hand) > CACHED_AGGREGATES:
            dropped, _ = self._at_hand.popitem(last=False)
            self._suspect.pop(dropped, None)


async def read(
    connection: Connection, *, after: int, upto: int, topics: Sequence[str] | None = None
) -> list[Recorded]:
    """Return the events of every stream after a position up to another, in order.

    With `topics` only those. The caller bounds the range: positions have no gaps.
    """
    rows = await rows_between(connection, after=after, upto=upto, topics=topics)
    return [recorded(row) for row in rows]


async def rows_between(
    connection: Connection, *, after: int, upto: int, topics: Sequence[str] | None = None
) -> list[Record]:
    """Return what `read` does, undecoded: also events of a later release than this one."""
    only = "" if topics is None else " AND topic = ANY($3)"
    return await connection.fetch(
        f"{SELECT_EVENTS} WHERE notification_id > $1 AND notification_id <= $2"
        f"{only} ORDER BY notification_id",
        after,
        upto,
        *([] if topics is None else [topics]),
    )


def recorded(row: Record) -> Recorded:
    """Return the event in a row that begins with EVENT_COLUMNS."""
    return Recorded(row[0], to_domain_event(row[1], row[2], row[3], row[4]))


async def head(connection: Connection) -> int:
    """Return the last position, 0 before the first event."""
    position = await connection.fetchval(
        "SELECT notification_id FROM stored_events ORDER BY notification_id DESC LIMIT 1"
    )
    return position or 0
