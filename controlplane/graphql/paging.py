"""Relay connections: every list is paged the one way, by opaque cursors."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Annotated, Any, Generic, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import orjson
import strawberry
from asyncpg import Record

from controlplane.graphql.enums import described
from controlplane.graphql.errors import RefusedError, invalid, not_permitted
from controlplane.graphql.loaders import Info, Key, Kind, rows_of
from domain.text import storable
from projections.paging import Column, Condition, Pages

PAGE = 100
DEFAULT_PAGE = 20
CURSOR_CHARS = 2_000
N = TypeVar("N")


class Order(Enum):
    """In which order a list comes."""

    NAME_ASC = "NAME_ASC"
    NAME_DESC = "NAME_DESC"
    CREATED_AT_ASC = "CREATED_AT_ASC"
    CREATED_AT_DESC = "CREATED_AT_DESC"


described(
    Order,
    {
        "NAME_ASC": "By name, A first.",
        "NAME_DESC": "By name, A last.",
        "CREATED_AT_ASC": "By when it began, oldest first.",
        "CREATED_AT_DESC": "By when it began, newest first.",
    },
)


@strawberry.type(description="A node and its place in the list.")
class Edge(Generic[N]):
    """A node and its place in the list."""

    place: strawberry.Private[Callable[[], str]]
    """Writes the cursor, which most do not ask for."""
    node: N = strawberry.field(description="The node.")

    @strawberry.field
    def cursor(self) -> str:
        """Return its place, opaque, for `after` and `before`."""
        return self.place()


@strawberry.type
class PageInfo:
    """Where a page is in its list."""

    edges: strawberry.Private[list[Edge[Any]]]
    has_next_page: bool = strawberry.field(
        description="Whether there is more after it; with `last`, whether `before` was given."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether there is more before it; with `first`, whether `after` was given."
    )

    @strawberry.field
    def start_cursor(self) -> str | None:
        """Return the cursor of its first node; null when it is empty."""
        return self.edges[0].place() if self.edges else None

    @strawberry.field
    def end_cursor(self) -> str | None:
        """Return the cursor of its last node; null when it is empty."""
        return self.edges[-1].place() if self.edges else None


@strawberry.type
class Connection(Generic[N]):
    """A page of a list."""

    edges: list[Edge[N]] = strawberry.field(description="The nodes of the page with their places.")
    page_info: PageInfo = strawberry.field(description="Where the page is in its list.")

    @strawberry.field
    def nodes(self) -> list[N]:
        """Return the nodes of the page, for those who need no cursor of each."""
        return [edge.node for edge in self.edges]


First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description=f"How many nodes at most, from the start; 1 to {PAGE}, else {DEFAULT_PAGE}."
    ),
]
After: TypeAlias = Annotated[
    str | None, strawberry.argument(description="Only what comes after this cursor.")
]
Last: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description=f"How many nodes at most, from the end; 1 to {PAGE}, and not with `first`."
    ),
]
Before: TypeAlias = Annotated[
    str | None, strawberry.argument(description="Only what comes before this cursor.")
]
OrderBy: TypeAlias = Annotated[Order, strawberry.argument(description="The order of the list.")]


class Window(NamedTuple):
    """Which part of a list is wanted."""

    first: int | None
    after: str | None
    last: int | None
    before: str | None

    @property
    def size(self) -> int:
        """How many nodes at most. Raises RefusedError."""
        if self.first is not None and self.last is not None:
            raise invalid("Give `first` or `last`, not both.")
        size = self.last if self.last is not None else self.first
        if size is None:
            return DEFAULT_PAGE
        if not 0 < size <= PAGE:
            raise RefusedError("PAGE_SIZE", f"A page has 1 to {PAGE} nodes.")
        return size


_CREATED: Mapping[str, tuple[Column, ...]] = {
    "CREATED_AT": (Column("n.created_at", "timestamptz"), Column("n.id", "uuid"))
}
NAMED: Mapping[str, tuple[Column, ...]] = {
    "NAME": (Column("n.name", "text"), Column("n.id", "uuid")),
    **_CREATED,
}


@dataclass(frozen=True, eq=False)
class Listing(Generic[N]):
    """A list of nodes, of those that belong to one parent or of all.

    `parents` are the columns that hold the parent's key; `joins` follows the table; `orders` are
    the columns of each order, the last of them unique in the list.
    """

    kind: Kind[N]
    connection: type[Connection[N]]
    parents: tuple[Column, ...] = ()
    joins: str = ""
    orders: Mapping[str, tuple[Column, ...]] = field(default_factory=lambda: _CREATED)


async def page(
    info: Info,
    listing: Listing[N],
    window: Window,
    *,
    parent: Key = (),
    conditions: tuple[Condition | None, ...] = (),
    order: str = "CREATED_AT_ASC",
) -> Any:  # noqa: ANN401  # the listing's own class of connections
    """Return one page of a list. Raises RefusedError."""
    asked = (listing, window, conditions, order)
    pages = info.context.pages.get(asked)
    if pages is None:  # the same for all parents of which it is asked
        pages = info.context.pages[asked] = _pages(info, listing, window, conditions, order)
    rows = await rows_of(info, listing.kind, pages, parent)
    size, backwards = window.size, window.last is not None
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    node, cursor = listing.kind.node, pages.cursor
    edges = [Edge(place=partial(_cursor, order, row, cursor), node=node(row)) for row in rows]
    return listing.connection(
        edges=edges,
        page_info=PageInfo(
            edges=edges,
            has_next_page=window.before is not None if backwards else more,
            has_previous_page=more if backwards else window.after is not None,
        ),
    )


def _pages(
    info: Info,
    listing: Listing[N],
    window: Window,
    conditions: tuple[Condition | None, ...],
    order: str,
) -> Pages:
    """Return which rows a page of a list has. Raises RefusedError."""
    kind = listing.kind
    visible = kind.visible(info.context.caller)
    if visible is None:
        raise not_permitted(kind.needs)
    size, backwards = window.size, window.last is not None
    name, _, direction = order.rpartition("_")
    columns = listing.orders[name]
    # Backwards is forwards in the opposite order, between the same places.
    after, before = window.after, window.before
    later, earlier = (before, after) if backwards else (after, before)
    return Pages(
        f"{kind.table} AS n {listing.joins}",
        listing.parents,
        (*visible, *(each for each in conditions if each is not None)),
        limit=size + 1,
        order=columns,
        descending=(direction == "DESC") is not backwards,
        after=_read(later, order, columns),
        before=_read(earlier, order, columns),
    )


def nested(listing: Callable[[], Listing[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the resolver of a list of a node; the listing may be in a later module."""

    async def resolve(
        root: strawberry.Parent[Any],
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Any:  # noqa: ANN401  # the field says which connection
        window = Window(first, after, last, before)
        (order, *_) = listing().orders
        return await page(info, listing(), window, parent=root.key, order=f"{order}_ASC")

    return resolve


def listed(listing: Listing[Any]) -> Callable[..., Awaitable[Any]]:
    """Return the resolver of a list of all that the caller sees, oldest first."""

    async def resolve(
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Any:  # noqa: ANN401  # the field says which connection
        return await page(info, listing, Window(first, after, last, before))

    return resolve


def _cursor(order: str, row: Record, columns: tuple[str, ...]) -> str:
    values = [order, *(row[name] for name in columns)]
    return urlsafe_b64encode(orjson.dumps(values, default=str)).decode().rstrip("=")


def _read(cursor: str | None, order: str, columns: tuple[Column, ...]) -> Key | None:
    if cursor is None:
        return None
    try:
        if len(cursor) > CURSOR_CHARS:
            raise ValueError  # noqa: TRY301  # one message for whatever it is
        values = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if values[0] != order:
            raise ValueError  # noqa: TRY301
        kinds = [column.kind for column in columns]
        return tuple(_READ[kind](value) for kind, value in zip(kinds, values[1:], strict=True))
    except (ValueError, TypeError, LookupError, AttributeError):
        message = "That is not a cursor of this list in this order; take one from an answer."
        raise RefusedError("BAD_CURSOR", message) from None


def _text(value: str) -> str:
    if not storable(value):
        raise ValueError
    return value


def _number(value: int) -> int:
    if not re.fullmatch("[0-9]{1,18}", str(value)):
        raise ValueError
    return int(value)


def _instant(value: str) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError
    return instant


_READ: Mapping[str, Callable[[Any], object]] = {
    "uuid": UUID,
    "timestamptz": _instant,
    "bigint": _number,
    "text": _text,
}
