"""What is held back from a gateway group: the end of a product with which too much would go.

A row grants nothing without its parents, so one event can take away all that a group has: a
product ends, and its versions, plans and subscriptions with it. If that is more than a set share,
or everything, the product's row goes on being handed out until somebody says that it is right.
Whatever is empty is therefore meant to be. Nothing else is
held back: a key that was revoked, a subscription that was cancelled or suspended, and a version
that was blocked or retired go at once, below such a product too, for each ends by itself.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from prometheus_client import Gauge

from controlplane.gateway.group import Group, Interval, Live, interval
from controlplane.store import Connection
from domain.routing import KINDS, PLAN

FROM_ROWS = 20
"""A part of a smaller configuration is never held back: a large share of it is soon a few rows."""
ENDS = 1_000
"""Of more products than these have ended since somebody released, the latest are looked at."""
_ENDED = (
    "SELECT kind, id, from_position, until_position, body"  # noqa: S608  # names are literal
    " FROM config WHERE organization_id = $1"
    " AND kind = 'product' AND until_position > $2 AND until_position <= $3"
    f" ORDER BY until_position DESC LIMIT {ENDS}"
)
_DECIDED = (
    "SELECT product_id, position, withheld, rows, of_rows FROM config_decisions"
    " WHERE organization_id = $1 AND group_id = $2 AND position > $3"
)
_DECIDE = "INSERT INTO config_decisions VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
HELD_BACK = Gauge(
    "controlplane_gateway_config_held_back",
    "Products whose end is held back from gateway groups that are served.",
    multiprocess_mode="livemax",
)


class Decision(NamedTuple):
    """Whether the end of a product is held back, and how much would have gone with it."""

    withheld: bool
    rows: int
    of_rows: int


class Withheld(NamedTuple):
    """A product's row that goes on being handed out."""

    row: Interval
    decision: Decision


async def withheld(
    connection: Connection, organization_id: UUID, group: Group, live: Live, upto: int
) -> list[Withheld]:
    """Return what is held back from a group at a position, by what was decided until now."""
    decisions = await _decisions(connection, organization_id, group)
    return [
        Withheld(row, decision)
        for row in await _ended(connection, organization_id, group, live, upto)
        if (decision := decisions.get((row.key[1], row.until_position or 0))) and decision.withheld
    ]


async def decide(
    connection: Connection,
    organization_id: UUID,
    group: Group,
    live: Live,
    upto: int,
    *,
    percent: int,
    now: datetime,
) -> list[Withheld]:
    """Return what is held back from a group, after deciding what nobody has yet.

    The end of a product is held back if more than `percent` of the rows would go with it, or if
    nothing would be left, unless that was intended. Whoever decides first decides for all.
    """
    decisions = await _decisions(connection, organization_id, group)
    found: list[Withheld] = []
    left: int | None = None
    for row in await _ended(connection, organization_id, group, live, upto):
        position = row.until_position or 0
        decision = decisions.get((row.key[1], position))
        if decision is None:
            if left is None:
                left = await asyncio.to_thread(_count, group, live)
            group.withhold([each.row for each in found])
            gone = 1 + _below(group, live, row)
            of_rows = left + sum(each.decision.rows for each in found) + gone
            emptied = gone == of_rows > 1  # of a product alone, nothing was served
            too_much = emptied or (of_rows >= FROM_ROWS and 100 * gone > percent * of_rows)
            mine = Decision(too_much and not _is_intended(group, row, now), gone, of_rows)
            named = (organization_id, UUID(group.id), UUID(row.key[1]), position)
            await connection.execute(_DECIDE, *named, *mine)
            decisions = await _decisions(connection, organization_id, group)
            decision = decisions[row.key[1], position]
        if decision.withheld:
            found.append(Withheld(row, decision))
    return found


def _count(group: Group, live: Live) -> int:
    """Return how many rows a group has of itself."""
    return sum(
        1 for row in live.rows.values() if row.key[0] in KINDS and group.has(row, live.rows.get)
    )


def _is_intended(group: Group, product: Interval, now: datetime) -> bool:
    """Tell whether somebody said beforehand that this would end: for the group, or by a sunset."""
    until, sunset = group.shrink_intended_until, orjson.loads(product.body)["sunset"]
    return (until is not None and now < datetime.fromisoformat(until)) or (
        sunset is not None and datetime.fromisoformat(sunset) <= now
    )


def _below(group: Group, live: Live, product: Interval) -> int:
    """Return how many rows are only below this product, which has ended."""
    gone = 0
    for key in live.children(product.key):
        row = live.rows[key]
        if not group.has(row, live.rows.get):
            gone += 1 + (sum(1 for _ in live.children(key)) if key[0] == PLAN else 0)
    return gone


async def _decisions(
    connection: Connection, organization_id: UUID, group: Group
) -> dict[tuple[str, int], Decision]:
    rows = await connection.fetch(
        _DECIDED, organization_id, UUID(group.id), group.released_position
    )
    return {
        (str(row["product_id"]), row["position"]): Decision(
            row["withheld"], row["rows"], row["of_rows"]
        )
        for row in rows
    }


async def _ended(
    connection: Connection, organization_id: UUID, group: Group, live: Live, upto: int
) -> Sequence[Interval]:
    """Return the products of a group that have ended since it was opened or last released."""
    rows = await connection.fetch(_ENDED, organization_id, group.released_position, upto)
    ended = [interval(*row) for row in reversed(rows)]
    return [row for row in ended if group.serves(row.key[1]) and row.key not in live.rows]
