"""What a read model is: tables, the rows an event concerns, and how it changes them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

from domain.aggregate import Aggregate


class Recorded(NamedTuple):
    """An event and its place in the history."""

    position: int
    event: Aggregate.Event

    @property
    def organization_id(self) -> UUID:
        """The organization it happened in."""
        return _uuid(self.event.why["organization"])


@lru_cache(10_000)  # most of a page is of few organizations, and to read a UUID takes 3 us
def _uuid(text: str) -> UUID:
    return UUID(text)


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a read model: its columns and their PostgreSQL types, the key's apart.

    A list is kept as jsonb, of which a row holds the text. `indexes` are column lists after the
    key's, `texts` expressions of the type tsvector; `appends` says that no row is ever read back
    or changed.
    """

    name: str
    key: Mapping[str, str]
    columns: Mapping[str, str]
    indexes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    appends: bool = False


class Key(NamedTuple):
    """One row of one table; an organization leads the values."""

    table: Table
    values: tuple[object, ...]


Row: TypeAlias = dict[str, object]
Rows: TypeAlias = dict[Key, Row]


def row_of(recorded: Recorded, rows: Rows, key: Key) -> Row:
    """Return the row of the aggregate that an event is of, which begins with its first one."""
    row = rows.setdefault(key, {"created_at": recorded.event.timestamp})
    row["version"] = recorded.event.originator_version
    return row


class ReadModel(Protocol):
    """A module of this package. Raise VERSION when TABLES or `project` change what is stored."""

    NAME: str
    VERSION: int
    TABLES: tuple[Table, ...]
    EVENTS: tuple[type[Aggregate.Event], ...]
    """The events it folds; all others are passed over unread."""

    def keys(self, recorded: Recorded) -> Iterable[Key]:
        """Name the rows `project` reads for this event; there may be others it only writes."""

    def project(self, recorded: Recorded, rows: Rows) -> None:
        """Change the rows, which hold those of `keys` that exist, as the event says."""
