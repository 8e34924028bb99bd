"""Pages of rows in an order (keyset paging): one statement, whatever the number of parents."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

OWN = "n."


class Column(NamedTuple):
    """A column, qualified (`n` is the row wanted), with its PostgreSQL type."""

    sql: str
    kind: str


@dataclass(frozen=True)
class Condition:
    """A clause of WHERE; each {} in it stands for the next of the values, which are bound."""

    sql: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True)
class Pages:
    """Which rows to read: for each parent those between two places of an order, at most `limit`.

    `source` is what follows FROM; `parents` are the columns that equal the values of the parent.
    An order ends in a unique column; without one the rows of a parent come in any.
    """

    source: str
    parents: tuple[Column, ...]
    conditions: tuple[Condition, ...]
    limit: int
    order: tuple[Column, ...] = ()
    descending: bool = False
    after: tuple[object, ...] | None = None
    before: tuple[object, ...] | None = None

    def __hash__(self) -> int:
        """Return what is worked out once: by it the rows of every parent are looked up."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.source, self.parents, self.conditions, self.limit, self.order))

    @cached_property
    def cursor(self) -> tuple[str, ...]:
        """The columns of a row that say its place in the order."""
        return tuple(
            column.sql.removeprefix(OWN) if column.sql.startswith(OWN) else f"cursor_{nth}"
            for nth, column in enumerate(self.order)
        )

    def statement(self, rows: int) -> tuple[str, list[object]]:
        """Return the SQL that yields at most `rows`, and the values of its last parameters.

        The first parameters are one array for each column of `parents`. Rows carry `nth`, which
        counts parents from 1; `place`, by which those of a parent sort; and `cursor`: their place
        in the order. They come in no order, lest the database sort more of them than it is asked
        for.
        """
        bound: list[object] = []
        clauses = [f"{column.sql} = parent.m{nth}" for nth, column in enumerate(self.parents)]
        for condition in self.conditions:
            places = [self._place(bound, value) for value in condition.values]
            clauses.append(condition.sql.format(*places))
        later, earlier = ("<", ">") if self.descending else (">", "<")
        clauses += self._beyond(later, self.after, bound)
        clauses += self._beyond(earlier, self.before, bound)
        cursors = [
            f"{column.sql} AS {name}"
            for name, column in zip(self.cursor, self.order, strict=True)
            if not column.sql.startswith(OWN)
        ]
        direction = " DESC" if self.descending else ""
        order = ", ".join(f"{column.sql}{direction}" for column in self.order)
        by = f"ORDER BY {order}" if order else ""
        columns = ", ".join(["n.*", *cursors, f"row_number() OVER ({by}) AS place"])
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        limit = self._place(bound, self.limit)
        return (
            f"SELECT parent.nth, node.* FROM {self._given()} CROSS JOIN LATERAL"  # noqa: S608
            f" (SELECT {columns} FROM {self.source} {where} {by} LIMIT {limit}) AS node"
            f" LIMIT {self._place(bound, rows)}"
        ), bound

    def _given(self) -> str:
        if not self.parents:
            return "(VALUES (1::bigint)) AS parent (nth)"
        arrays = ", ".join(f"${nth}::{column.kind}[]" for nth, column in enumerate(self.parents, 1))
        names = ", ".join(f"m{nth}" for nth in range(len(self.parents)))
        return f"unnest({arrays}) WITH ORDINALITY AS parent ({names}, nth)"

    def _place(self, bound: list[object], value: object) -> str:
        bound.append(value)
        return f"${len(self.parents) + len(bound)}"

    def _beyond(
        self, sign: str, values: tuple[object, ...] | None, bound: list[object]
    ) -> list[str]:
        if values is None:
            return []
        places = [
            f"{self._place(bound, value)}::{column.kind}"
            for column, value in zip(self.order, values, strict=True)
        ]
        columns = ", ".join(column.sql for column in self.order)
        return [f"({columns}) {sign} ({', '.join(places)})"]
