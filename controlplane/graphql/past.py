"""A past moment: the events of the streams concerned, folded anew by the read models themselves.

The statement that reads the present reads the past too: what was folded stands before it as
expressions of the same names, which hide the tables. Who sees what, order and pages are then
those of the present, and a noun has nothing to add for it.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from asyncpg import Record

from controlplane.graphql.errors import RefusedError
from controlplane.store.eventstore import SELECT_EVENTS, recorded
from projections import application, gateway, page, plan, product, subscription, team
from projections.readmodel import ReadModel, Rows, Table

HISTORIES: tuple[ReadModel, ...] = (application, gateway, page, plan, product, subscription, team)
"""The read models whose past can be asked for: each row is made of the events of one stream."""
EVENTS = 10_000
"""Events that one question about the past folds; a thousand take about 30 ms."""
EVENT_BYTES = 16 * 2**20
STREAMS = 1_000
_MODELS = {table.name: model for model in HISTORIES for table in model.TABLES}
_OF_PRODUCTS = {product: product.API_VERSION, page: page.PAGE}
"""The read models of what products have, and their tables that tell of which product."""
_WORD = re.compile(r"\w+")
_MEASURE = (
    "SELECT count(*) AS events, coalesce(sum(octet_length(state)), 0) AS bytes FROM stored_events"
    " WHERE originator_id = ANY($1) AND notification_id <= $2 AND topic = ANY($3)"
)
_READ = (
    f"{SELECT_EVENTS} WHERE originator_id = ANY($1) AND notification_id <= $2 AND topic = ANY($3)"
    " ORDER BY notification_id"
)
Fetch: TypeAlias = Callable[..., Coroutine[Any, Any, Sequence[Record]]]


def has_history(table: str) -> bool:
    """Tell whether the past of a table can be asked for; that of the audit trail never changes."""
    return table in _MODELS


class Moment:
    """What one answer has folded so far of the history up to a position."""

    def __init__(self, position: int, at: datetime, fetch: Fetch) -> None:
        """Begin with nothing; `at` is when it was, for what the clock alone decides."""
        self.position = position
        self.at = at
        self._fetch = fetch
        self._rows: Rows = {}
        self._folded: set[tuple[str, UUID]] = set()
        self._events = 0
        self._bytes = 0
        self._turn = asyncio.Lock()

    async def include(self, table: str, streams: Iterable[UUID]) -> None:
        """Fold these streams into the tables of the read model that has this one.

        With a version or a page its product, whose audience sees it. Raises RefusedError beyond
        EVENTS, EVENT_BYTES or STREAMS.
        """
        model = _MODELS[table]
        await self._include(model, streams)
        if model in _OF_PRODUCTS:
            parts = [row for key, row in self._rows.items() if key.table is _OF_PRODUCTS[model]]
            products = {of for row in parts if isinstance(of := row["product_id"], UUID)}
            await self._include(product, products)

    async def _include(self, model: ReadModel, streams: Iterable[UUID]) -> None:
        async with self._turn:
            new = [
                each for each in dict.fromkeys(streams) if (model.NAME, each) not in self._folded
            ]
            if not new:
                return
            _bound(len(self._folded) + len(new), STREAMS, "things")
            topics = [event.TOPIC for event in model.EVENTS]
            (measured,) = await self._fetch(_MEASURE, new, self.position, topics)
            self._events += measured["events"]
            self._bytes += measured["bytes"]
            _bound(self._events, EVENTS, "events")
            _bound(self._bytes, EVENT_BYTES, "bytes of events")
            stored = await self._fetch(_READ, new, self.position, topics)
            # In a thread: others are served while a large contract is decoded.
            await asyncio.to_thread(_fold, model, stored, self._rows)
            self._folded.update((model.NAME, each) for each in new)

    def shadowed(self, sql: str, values: Sequence[object]) -> tuple[str, list[object]]:
        """Return a SELECT, and its parameters, that sees what was folded instead of the tables.

        What was not folded is not there, so that nothing of another moment is mixed in.
        """
        bound, shadows = list(values), []
        words = set(_WORD.findall(sql))
        for model in HISTORIES:
            for table in model.TABLES:
                if table.name in words:
                    shadows.append(self._shadow(table, len(bound)))
                    bound += self._columns(table)
        return f"WITH {', '.join(shadows)} {sql}", bound

    def _shadow(self, table: Table, before: int) -> str:
        columns = {**table.key, **table.columns}
        given = ", ".join(
            f"${nth}::{kind}[]" for nth, kind in enumerate(columns.values(), before + 1)
        )
        # Names and types are those of literal tables; every value is bound.
        return f"{table.name} AS (SELECT * FROM unnest({given}) AS t ({', '.join(columns)}))"  # noqa: S608

    def _columns(self, table: Table) -> list[object]:
        records = [
            (*key.values, *map(row.get, table.columns))
            for key, row in self._rows.items()
            if key.table is table
        ]
        width = len(table.key) + len(table.columns)
        return [[record[nth] for record in records] for nth in range(width)]


def _fold(model: ReadModel, stored: Sequence[Record], rows: Rows) -> None:
    for row in stored:
        model.project(recorded(row), rows)


def _bound(wanted: int, limit: int, of: str) -> None:
    if wanted > limit:
        raise RefusedError(
            "TOO_MUCH_DATA", f"A question about the past reads {limit:,} {of}; ask for less."
        )
