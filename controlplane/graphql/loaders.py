"""What one request reads: kinds of nodes, and one SQL statement for all rows wanted alike."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, Generic, TypeAlias, TypeVar, TypeVarTuple

from aiohttp import web
from asyncpg import Record
from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from controlplane.app import App
from controlplane.context import Caller, Context
from controlplane.graphql.errors import RefusedError, invalid
from controlplane.graphql.feed import Feed
from controlplane.graphql.past import STREAMS, Moment, has_history
from controlplane.graphql.scalars import Position
from controlplane.graphql.visibility import Visible
from domain.aggregate import Aggregate
from domain.sealed import Sealed
from domain.text import storable
from projections.paging import Column, Condition, Pages

ROWS = 10_000
"""Nodes that one request reads, whatever its pages could hold; each costs about 50 us."""
N = TypeVar("N")
K = TypeVar("K")
V = TypeVar("V")
Given = TypeVarTuple("Given")
Key: TypeAlias = tuple[object, ...]
ORGANIZATION = Column("n.organization_id", "uuid")
ID = (ORGANIZATION, Column("n.id", "uuid"))


def same_noun(topic: str) -> Callable[[Aggregate.Event], Key | None]:
    """Return how to find the key of an aggregate's row in an event of it."""

    def key(event: Aggregate.Event) -> Key | None:
        noun = event.TOPIC.partition(".")[0]
        return (event.originator_id,) if noun == topic else None

    return key


@dataclass(frozen=True, eq=False)
class Kind(Generic[N]):
    """One kind of node: its table, who sees its rows, and how a row becomes a node.

    `key` is the organization and what follows the name of the type in a global id. `key_in`
    finds that in an event. `needs` is the permission that a caller lacks who sees no row.
    """

    name: str
    table: str
    visible: Visible
    needs: str
    node: Callable[[Record], N]
    key_in: Callable[[Aggregate.Event], Key | None] = lambda _: None
    key: tuple[Column, ...] = ID


_SEEN_BY_SUBSCRIBERS = {"plan", "plan_version"}
_SUBSCRIPTIONS = (
    "SELECT id FROM subscription WHERE organization_id = $1 AND team_id = $2 AND plan_id = ANY($3)"
    " ORDER BY created_at, id LIMIT 100"  # so that they leave room for what was asked for
)


@dataclass(frozen=True)
class Request:
    """The `info.context` of one GraphQL request."""

    app: App
    context: Context
    loaders: dict[object, DataLoader[Any, Any]] = field(default_factory=dict)
    pages: dict[object, Pages] = field(default_factory=dict)
    """What was asked for so far, by the arguments it was asked with."""
    spent: Counter[Pages] = field(default_factory=Counter)
    """How many rows were read, by what was asked for."""
    moments: dict[str | int, Moment] = field(default_factory=dict)
    """The past moments that fields of the root, by their names in the answer, ask about."""
    sender: web.Request | None = None
    """What it came by, over HTTP or as the handshake of a WebSocket."""
    feed: Feed | None = None
    """Who tells subscriptions that something happened; none but over a WebSocket."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.context.caller

    @property
    def now(self) -> datetime:
        """What the clock of the process says."""
        return self.app.services.now()

    def position(self, number: int) -> Position:
        """Return a position of this epoch."""
        return Position(self.app.epoch, number)

    def number(self, position: Position) -> int:
        """Return the number of a position that a client kept.

        Raises RefusedError for a position of another epoch.
        """
        if position.epoch != self.app.epoch:
            raise RefusedError(
                "ANOTHER_EPOCH",
                f"Position {position} is of epoch {position.epoch}, and this is epoch"
                f" {self.app.epoch}: the history was restored or moved. Read anew.",
            )
        return position.position

    def loaded(
        self,
        load: Callable[["Request", *Given, list[K]], Awaitable[list[V]]],
        key: K,
        *given: *Given,
    ) -> Awaitable[V]:
        """Return what `load` finds for a key; it is asked once for all keys asked for together."""
        loader = self.loaders.get((load, given))
        if loader is None:
            loader = self.loaders[load, given] = DataLoader(lambda keys: load(self, *given, keys))
        return loader.load(key)

    async def rows(
        self, kind: Kind[Any], pages: Pages, moment: Moment | None, parents: list[Key]
    ) -> list[list[Record]]:
        """Return the rows of each parent, by one statement; with a moment those of that time.

        Raises RefusedError for more rows than one request may read, UnavailableError.
        """
        left = ROWS - self.spent.total()
        sql, bound = pages.statement(left + 1)
        values: list[object] = [list(column) for column in zip(*parents, strict=True)] + bound
        if moment is not None:
            streams = await self._streams(pages, kind, parents)
            await moment.include(kind.table, streams)
            if kind.table in _SEEN_BY_SUBSCRIBERS and self.caller.team_id is not None:
                seen_by = self.caller.organization_id, self.caller.team_id, list(streams)
                subscribed = await self.fetch(_SUBSCRIPTIONS, *seen_by)
                await moment.include("subscription", (row["id"] for row in subscribed))
            sql, values = moment.shadowed(sql, values)
        rows = await self.fetch(sql, *values)
        if len(rows) > left:
            raise RefusedError("TOO_MUCH_DATA", f"One request reads {ROWS:,} nodes; ask for less.")
        self.spent[pages] += len(rows)
        found: list[list[Record]] = [[] for _ in parents]
        for row in sorted(rows, key=itemgetter("nth", "place")):
            found[row["nth"] - 1].append(row)
        return found

    async def _streams(self, pages: Pages, kind: Kind[Any], parents: list[Key]) -> set[Any]:
        """Return the streams whose rows may be among the pages: of those seen now, or the parent.

        A row that is part of a larger thing, as a version of a plan, is in the stream of that. Its
        list is below that thing, which was seen; by its own id it must be seen itself.
        """
        stream = kind.key[1]
        if stream in pages.parents and kind.key[-1] not in pages.parents:
            return {parent[pages.parents.index(stream)] for parent in parents}
        every = replace(pages, order=(), after=None, before=None, limit=STREAMS + 1)
        sql, bound = every.statement(STREAMS + 1)
        arrays = [list(column) for column in zip(*parents, strict=True)]
        rows = await self.fetch(sql, *arrays, *bound)
        return {row[stream.sql.removeprefix("n.")] for row in rows}

    async def fetch(self, sql: str, *values: object) -> Sequence[Record]:
        """Return the rows of one statement. Raises RefusedError, UnavailableError."""
        for value in values:
            if isinstance(value, str):
                require_storable(value)
        async with self.app.services.lend() as connection:
            return await connection.fetch(sql, *values)

    def opened(self, sealed: Sealed) -> Awaitable[str | None]:
        """Return a text about a person of the caller's organization; None once forgotten."""
        return self.loaded(Request._open, sealed)

    async def _open(self, sealed: list[Sealed]) -> list[str | None]:
        return await self.app.services.vault.open(self.caller.organization_id, sealed)


Info: TypeAlias = StrawberryInfo[Request, None]


def require_storable(text: str) -> None:
    """Raise RefusedError for a text that PostgreSQL cannot hold."""
    if not storable(text):
        raise invalid("A text has no NUL and no half of a surrogate pair.")


def root_of(info: Info) -> str | int:
    """Return the name in the answer of the root's field below which this one is."""
    path = info.path
    while path.prev is not None:  # ends: a document is nested so deep only
        path = path.prev
    return path.key


def told_at(info: Info) -> datetime:
    """Return at which instant states are told that the clock alone changes: of `asOf`, else now."""
    moment = info.context.moments.get(root_of(info)) if info.context.moments else None
    return moment.at if moment else info.context.now


def rows_of(info: Info, kind: Kind[Any], pages: Pages, parent: Key) -> Awaitable[list[Record]]:
    """Return the rows of one parent, of the moment that the root's field asks about."""
    moment = None
    if info.context.moments and has_history(kind.table):
        moment = info.context.moments.get(root_of(info))
    return info.context.loaded(Request.rows, parent, kind, pages, moment)


async def one(info: Info, kind: Kind[N], key: Key) -> N | None:
    """Return the node with this key, None when there is none that the caller may see."""
    pages = info.context.pages.get(kind)
    if pages is None:
        conditions = kind.visible(info.context.caller)
        if conditions is None:
            return None
        pages = Pages(f"{kind.table} AS n", kind.key, conditions, limit=1)
        info.context.pages[kind] = pages
    if None in key:
        return None
    rows = await rows_of(info, kind, pages, key)
    return kind.node(rows[0]) if rows else None


async def one_anywhere(info: Info, kind: Kind[N], id_: Key) -> N | None:
    """Return the node with this key in whichever organization the caller may see."""
    conditions = kind.visible(info.context.caller)
    if conditions is None or None in id_:
        return None
    pages = Pages(f"{kind.table} AS n", kind.key[1:], conditions, limit=1)
    rows = await rows_of(info, kind, pages, id_)
    return kind.node(rows[0]) if rows else None


async def first_where(info: Info, kind: Kind[N], *conditions: Condition) -> N | None:
    """Return a node that meets the conditions, None when there is none to be seen."""
    visible = kind.visible(info.context.caller)
    if visible is None:
        return None
    pages = Pages(f"{kind.table} AS n", (), (*visible, *conditions), limit=1)
    rows = await rows_of(info, kind, pages, ())
    return kind.node(rows[0]) if rows else None
