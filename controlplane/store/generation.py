"""One generation of a read model: its tables in a schema of their own, and its position.

Queries see views that point at the live generation, so that another one can be built beside it
and take its place in one transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from controlplane.store import Connection, tables
from projections.readmodel import Key, ReadModel, Recorded, Rows

LIVE_ROWS = 250_000
"""Rows that a fold holds before it stores them: about 250 MB of memory at the most."""


def views(model: ReadModel) -> str:
    """Return the schema in which queries of this code find a read model."""
    return f"{model.NAME}_v{model.VERSION}"


@dataclass(frozen=True)
class Generation:
    """Tables of a read model, numbered from 1."""

    model: ReadModel
    number: int

    @property
    def schema(self) -> str:
        """The schema of this generation; its position is tracked under the same name."""
        return f"{views(self.model)}_{self.number}"

    async def create(self, connection: Connection) -> None:
        """Create the tables, at position 0 and without keys and indexes."""
        await connection.execute(f"CREATE SCHEMA {self.schema}")
        for table in self.model.TABLES:
            await tables.create(connection, self.schema, table)
        await connection.execute("INSERT INTO notification_tracking VALUES ($1, 0)", self.schema)

    async def add_keys(self, connection: Connection) -> None:
        """Add the primary keys of the tables."""
        for table in self.model.TABLES:
            await tables.add_key(connection, self.schema, table)

    async def add_indexes(self, connection: Connection) -> None:
        """Add the other indexes of the tables."""
        for table in self.model.TABLES:
            await tables.add_indexes(connection, self.schema, table)

    async def make_live(self, connection: Connection) -> None:
        """Let queries read this generation from the end of the transaction on."""
        model = self.model
        await connection.execute(
            "INSERT INTO read_models VALUES ($1, $2, $3) ON CONFLICT (name, version)"
            " DO UPDATE SET generation = EXCLUDED.generation",
            model.NAME,
            model.VERSION,
            self.number,
        )
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {views(model)}")
        for table in model.TABLES:
            await connection.execute(
                f"CREATE OR REPLACE VIEW {views(model)}.{table.name} AS"
                f" SELECT * FROM {self.schema}.{table.name}"  # our own names
            )

    async def drop(self, connection: Connection) -> None:
        """Remove the tables and the position; nothing may read them any more."""
        await connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        await connection.execute(
            "DELETE FROM notification_tracking WHERE application_name = $1", self.schema
        )

    async def lock(self, connection: Connection) -> int | None:
        """Return the position, kept from changing until the transaction ends.

        A second projector waits here and then finds the new position. None: dropped meanwhile.
        """
        position = await connection.fetchval(
            "SELECT notification_id FROM notification_tracking"
            " WHERE application_name = $1 FOR UPDATE",
            self.schema,
        )
        assert position is None or isinstance(position, int)
        return position

    def next(self) -> "Generation":
        """Return the generation after this one."""
        return replace(self, number=self.number + 1)


async def live(connection: Connection, model: ReadModel) -> Generation:
    """Return the generation that queries read, created if this VERSION is new here.

    Call it in a transaction; one process at a time gets through.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", views(model))
    number = await connection.fetchval(
        "SELECT generation FROM read_models WHERE (name, version) = ($1, $2)",
        model.NAME,
        model.VERSION,
    )
    if number is not None:
        return Generation(model, number)
    first = Generation(model, 1)
    await first.create(connection)
    await first.add_keys(connection)
    await first.add_indexes(connection)
    await first.make_live(connection)
    return first


async def moved(connection: Connection, generations: Iterable[Generation], position: int) -> None:
    """Note up to which position events are in the rows of the generations.

    One that is further already stays there: its events would be folded a second time.
    """
    await connection.execute(
        "UPDATE notification_tracking SET notification_id = greatest(notification_id, $2)"
        " WHERE application_name = ANY($1)",
        [generation.schema for generation in generations],
        position,
    )


class Fold:
    """Rows of one generation in memory, with the events of some pages folded into them.

    It knows which rows are stored: those it loaded, or in a generation that was empty when it
    began (`fresh`) those it stored itself, of which it keeps the hashes, about 70 bytes each.
    """

    def __init__(self, generation: Generation, *, fresh: bool) -> None:
        self._generation = generation
        self._flushed: set[int] | None = set() if fresh else None
        self._asked: set[Key] = set()
        self._found: set[Key] = set()
        self._keyed = not fresh
        self.rows: Rows = {}

    async def add(self, connection: Connection, page: Sequence[Recorded]) -> None:
        """Fold a page of events in, loading the rows they concern at once."""
        model = self._generation.model
        folded = _folded(model)
        relevant = [recorded for recorded in page if type(recorded.event) in folded]
        if self._flushed is None or self._flushed:
            concerned = {key for recorded in relevant for key in model.keys(recorded)}
            await self._load(connection, concerned)
        project, rows = model.project, self.rows
        for recorded in relevant:
            project(recorded, rows)

    async def _load(self, connection: Connection, concerned: set[Key]) -> None:
        missing = concerned - self._asked - self.rows.keys()
        self._asked |= missing
        if self._flushed is not None:
            missing = {key for key in missing if hash(key) in self._flushed}
        if not missing:
            return
        await self._add_keys(connection)
        schema, model = self._generation.schema, self._generation.model
        found = await tables.load(connection, schema, model.TABLES, missing)
        self._found |= found.keys()
        self.rows |= found

    async def flush(self, connection: Connection) -> None:
        """Store what was folded, and forget it; `moved` belongs into the same transaction."""
        schema, model = self._generation.schema, self._generation.model
        new = self._new()
        if len(new) < len(self.rows):
            await self._add_keys(connection)
        await tables.flush(connection, schema, model.TABLES, self.rows, new=new)
        if self._flushed is not None:
            self._flushed.update(map(hash, self.rows))
        self.rows, self._asked, self._found = {}, set(), set()

    def _new(self) -> set[Key]:
        """Return the keys of rows that are certainly not stored yet."""
        if self._flushed is None:
            return self._asked - self._found
        flushed = self._flushed
        return {key for key in self.rows if key.table.appends or hash(key) not in flushed}

    async def complete(self, connection: Connection) -> None:
        """Add the keys and indexes that a fresh generation still lacks."""
        await self._add_keys(connection)
        if self._flushed is not None:
            await self._generation.add_indexes(connection)

    async def _add_keys(self, connection: Connection) -> None:
        if not self._keyed:
            await self._generation.add_keys(connection)
            self._keyed = True

    @property
    def full(self) -> bool:
        """Whether it is time to store, lest memory grow without bound."""
        return len(self.rows) >= LIVE_ROWS


_FOLDED: dict[str, frozenset[type]] = {}


def _folded(model: ReadModel) -> frozenset[type]:
    """Return the events of a model as a set; there are as many as read models."""
    return _FOLDED.setdefault(model.NAME, frozenset(model.EVENTS))
