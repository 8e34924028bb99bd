"""What is known of gateways now: when they were heard, what they run, what they could not."""

from bisect import bisect_right
from collections.abc import Awaitable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import strawberry
from asyncpg import Record

from controlplane.commands import NotFoundError
from controlplane.graphql.gateway_run import GatewayRun, run_of
from controlplane.graphql.loaders import Info, Key, Request
from controlplane.graphql.scalars import Position

_SEEN = (
    "SELECT g.gateway_id, c.heard_at,"
    " extract(epoch FROM clock_timestamp() - c.heard_at)::float AS silent_s,"
    " a.running_since, NULL::timestamptz AS running_until, a.acknowledged_at, a.epoch, a.position,"
    " a.content_hash, a.diverged, r.epoch AS rejected_epoch, r.position AS rejected_position,"
    " r.reason, r.first_at, r.last_at, r.times"
    " FROM unnest($1::uuid[], $2::uuid[]) AS g (organization_id, gateway_id)"
    " LEFT JOIN gateway_contacts AS c USING (organization_id, gateway_id)"
    " LEFT JOIN gateway_acknowledgements AS a USING (organization_id, gateway_id)"
    " LEFT JOIN LATERAL (SELECT * FROM gateway_rejections AS e"
    " WHERE e.organization_id = g.organization_id AND e.gateway_id = g.gateway_id"
    " ORDER BY e.last_at DESC LIMIT 1) AS r ON true"
)
_AGO = (
    "SELECT given.position, (SELECT extract(epoch FROM clock_timestamp() - committed_at)::float"
    " FROM commits WHERE commits.position >= given.position ORDER BY commits.position LIMIT 1)"
    " AS ago_s FROM unnest($1::bigint[]) AS given (position)"
)


@strawberry.type
class GatewayError:
    """A configuration that a gateway could not run."""

    cursor: Position = strawberry.field(description="The configuration.")
    reason: str = strawberry.field(description="Why not, in the words of the gateway; plain text.")
    first_at: datetime = strawberry.field(description="When it said so first.")
    last_at: datetime = strawberry.field(description="When it said so last.")
    times: int = strawberry.field(description="How often it said so.")
    standing: bool = strawberry.field(
        description="Whether it has run neither this nor a later configuration since."
    )


@strawberry.type
class Behind:
    """How far a gateway is behind what its group should enforce."""

    changes: int | None = strawberry.field(
        description="Changes of its group that it does not run; null if too many to count."
    )
    seconds: float | None = strawberry.field(
        description="How long ago the oldest of them was committed; 0 when there are none."
    )


class Seen(NamedTuple):
    """What is known of one gateway."""

    heard_at: datetime | None
    silent_s: float | None
    run: GatewayRun | None
    error: GatewayError | None


def seen(info: Info, key: Key) -> Awaitable[Seen]:
    """Return what is known of a gateway; of all that are asked about, by one statement."""
    return info.context.loaded(_all_seen, key)


async def _all_seen(request: Request, keys: list[Key]) -> list[Seen]:
    organizations, gateways = zip(*keys, strict=True)
    rows = await request.fetch(_SEEN, organizations, gateways)
    found = {row["gateway_id"]: _seen(row) for row in rows}
    return [found[id_] for id_ in gateways]


def _seen(row: Record) -> Seen:
    run = None if row["running_since"] is None else run_of(row)
    error = None
    if row["reason"] is not None:
        cursor = Position(row["rejected_epoch"], row["rejected_position"])
        error = GatewayError(
            cursor=cursor,
            reason=row["reason"],
            first_at=row["first_at"],
            last_at=row["last_at"],
            times=row["times"],
            standing=run is None or run.cursor < cursor or run.acknowledged_at < row["last_at"],
        )
    return Seen(row["heard_at"], row["silent_s"], run, error)


def behind(info: Info, group_key: Key, position: int) -> Awaitable[Behind]:
    """Return how far whoever runs a position is behind its group.

    Of all that are asked about in one group, the changes are worked out once.
    """
    return info.context.loaded(_behind, (group_key, position))


async def _behind(request: Request, asked: list[tuple[Key, int]]) -> list[Behind]:
    oldest: dict[tuple[Key, int], int] = {}
    counts: dict[tuple[Key, int], int | None] = {}
    for group_key in dict.fromkeys(key for key, _ in asked):
        of_group = [each for each in asked if each[0] == group_key]
        changes = await _changes(request, group_key, min(position for _, position in of_group))
        for each in of_group:
            after = 0 if changes is None else bisect_right(changes, each[1])
            counts[each] = None if changes is None else len(changes) - after
            if changes is not None and after < len(changes):
                oldest[each] = changes[after]
    rows = await request.fetch(_AGO, sorted(set(oldest.values()))) if oldest else []
    ago_s = {row["position"]: row["ago_s"] for row in rows}
    return [
        Behind(
            changes=counts[each],
            seconds=ago_s[oldest[each]] if each in oldest else 0.0 if counts[each] == 0 else None,
        )
        for each in asked
    ]


async def _changes(request: Request, group_key: Key, since: int) -> list[int] | None:
    organization_id, group_id = group_key
    assert isinstance(organization_id, UUID)
    try:
        return await request.app.mirrors.changed_at(organization_id, str(group_id), since)
    except NotFoundError:  # it is newer than what gateways are served
        return []
