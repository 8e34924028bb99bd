"""The queries over `config` and `config_past`: what held at a position, what changed since one."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg.transaction import Transaction

from controlplane.gateway.fitting import fits
from controlplane.gateway.group import (
    Group,
    Interval,
    Live,
    View,
    interval,
    last_change,
    look_through,
)
from controlplane.store import Connection
from domain.routing import PLAN, PRODUCT

CHANGES = 50_000
"""More changes than this are not followed one by one: everything is loaded anew."""
PAGE = 500

_ROW = "kind, id, from_position, until_position, body"
_HELD = (
    f"SELECT {_ROW} FROM config WHERE organization_id = $1 AND from_position <= $2"  # noqa: S608
    " AND (until_position IS NULL OR until_position > $2)"
    f" UNION ALL SELECT {_ROW} FROM config_past WHERE organization_id = $1"
    " AND from_position <= $2 AND until_position > $2"
)
_CHANGED = (
    f"SELECT {_ROW} FROM config WHERE organization_id = $1"  # noqa: S608
    " AND (from_position > $2 OR until_position > $2)"
    f" UNION ALL SELECT {_ROW} FROM config_past WHERE organization_id = $1"
    " AND until_position > $2 LIMIT $3"
)
_CATALOGUE = (
    f"SELECT {_ROW} FROM config WHERE organization_id = $1"  # noqa: S608
    " AND kind IN ('product', 'plan') AND from_position IS NOT NULL"
    f" UNION ALL SELECT {_ROW} FROM config_past WHERE organization_id = $1"
    " AND kind IN ('product', 'plan')"
)
_ENDED = (
    f"SELECT {_ROW} FROM (SELECT {_ROW} FROM config"  # noqa: S608
    " WHERE organization_id = $1 AND until_position > $2 AND until_position < $3"
    f" UNION ALL SELECT {_ROW} FROM config_past"
    " WHERE organization_id = $1 AND until_position > $2 AND until_position < $3) AS ended"
    " WHERE CASE kind WHEN 'product' THEN id = ANY($4) WHEN 'plan' THEN id = ANY($5)"
    " WHEN 'version' THEN body::jsonb->>'product' = ANY($4)"
    " WHEN 'subscription' THEN body::jsonb->>'plan' = ANY($5) ELSE false END"
    f" ORDER BY until_position DESC LIMIT {PAGE}"
)


def one_moment(connection: Connection) -> Transaction:
    """Return a transaction in which all questions are answered of one moment."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


async def position_of(connection: Connection, organization_id: UUID) -> int:
    """Return the position of the last change of an organization's rows, 0 before the first."""
    position = await connection.fetchval(
        "SELECT position FROM config_cursor WHERE organization_id = $1", organization_id
    )
    return position or 0


async def held_at(
    connection: Connection, organization_id: UUID, position: int
) -> Sequence[tuple[str, str, int, int | None, str]]:
    """Return the rows of an organization as they were at a position."""
    return [tuple(row) for row in await connection.fetch(_HELD, organization_id, position)]


async def changed_since(
    connection: Connection, organization_id: UUID, position: int, limit: int = CHANGES
) -> list[Interval] | None:
    """Return the intervals that began or ended after a position, None if beyond the limit."""
    rows = await connection.fetch(_CHANGED, organization_id, position, limit + 1)
    if len(rows) > limit:
        return None
    return [interval(*row) for row in rows if fits(row["kind"], row["id"], row["body"])]


async def cursor_of(
    connection: Connection, organization_id: UUID, view: View, live: Live, upto: int
) -> int:
    """Return the position, at most `upto`, of the last change of a group's rows.

    What began is seen in the rows that hold; what ended is looked for from its end, and found
    at once unless the group serves few of many products.
    """
    group = view.group
    floor = max([group.from_position, *(row.from_position for row in view.rows.values())])
    catalogue = [interval(*row) for row in await connection.fetch(_CATALOGUE, organization_id)]
    products, plans = _scope(group, catalogue)
    look_at = look_through(catalogue, live)
    below = upto + 1
    while below > floor:
        page = [
            interval(*row)
            for row in await connection.fetch(
                _ENDED, organization_id, floor, below, products, plans
            )
        ]
        position = last_change(group, page, look_at, floor)
        if position > floor or len(page) < PAGE:
            return position
        below = page[-1].until_position or 0
    return floor


def _scope(group: Group, catalogue: Sequence[Interval]) -> tuple[list[str], list[str]]:
    """Return the ids of products and plans that ever were, or could be, the group's."""
    every = {row.key[1] for row in catalogue if row.key[0] == PRODUCT}
    products = set(group.products) or every
    return list(products), [
        row.key[1]
        for row in catalogue
        if row.key[0] == PLAN and any(id_ in products for _, id_ in row.parents)
    ]
