"""How long changes take to the gateways of a group: from their commit to the first word of them."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from math import ceil
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, NamedTuple
from uuid import UUID

import strawberry

from controlplane.commands import NotFoundError
from controlplane.graphql import gateway as gateways
from controlplane.graphql.errors import RefusedError, invalid
from controlplane.graphql.loaders import Info, Key, one
from controlplane.graphql.scalars import Position

if TYPE_CHECKING:
    from controlplane.graphql.gateway import Gateway

WINDOW_S = 7 * 24 * 3_600
GATEWAYS = 1_000
RUNS = 100_000
PAIRS = 1_000_000
"""Changes times gateways; as many take about a second."""
MILLISECOND = timedelta(milliseconds=1)
_SINCE = (
    "SELECT coalesce(max(position), 0) AS position FROM (SELECT position FROM commits"
    " WHERE committed_at < clock_timestamp() - make_interval(secs => $1)"
    " ORDER BY committed_at DESC, position DESC LIMIT 1) AS earlier"
)
_COMMITTED = (
    "SELECT given.position, (SELECT committed_at FROM commits"
    " WHERE commits.position >= given.position ORDER BY commits.position LIMIT 1) AS committed_at"
    " FROM unnest($1::bigint[]) AS given (position) ORDER BY position"
)
_GATEWAYS = (
    "SELECT id FROM gateway WHERE organization_id = $1 AND group_id = $2 AND drained_at IS NULL"  # noqa: S608
    f" ORDER BY created_at, id LIMIT {GATEWAYS + 1}"
)
# From the configuration on that a gateway ran when the first of the changes was committed.
_RUNS = (
    "WITH began AS MATERIALIZED (SELECT g.gateway_id, coalesce((SELECT running_since"  # noqa: S608
    " FROM gateway_run WHERE organization_id = $1 AND gateway_id = g.gateway_id"
    " AND running_since <= $4 ORDER BY running_since DESC LIMIT 1), '-infinity') AS at"
    " FROM unnest($2::uuid[]) AS g (gateway_id)),"
    " ran AS (SELECT gateway_id, running_since, position FROM began JOIN gateway_run AS run"
    " USING (gateway_id) WHERE run.organization_id = $1 AND run.epoch = $3"
    f" AND run.running_since >= began.at LIMIT {RUNS + 1})"
    " SELECT gateway_id, array_agg(running_since ORDER BY running_since) AS since,"
    " array_agg(position ORDER BY running_since) AS positions FROM ran GROUP BY gateway_id"
    " ORDER BY gateway_id"
)


class Change(NamedTuple):
    """A position at which a group's configuration changed, and when that was committed."""

    position: int
    committed_at: datetime


@strawberry.type
class ChangeAtGateway:
    """When a change reached a gateway."""

    number: strawberry.Private[int]
    gateway_key: strawberry.Private[Key]
    committed_at: datetime = strawberry.field(description="When the change was committed.")
    running_at: datetime | None = strawberry.field(
        description="When the gateway first said that it runs it; null if it has not yet."
    )
    delay_ms: float | None = strawberry.field(description="What lies between the two.")

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return the position of the change."""
        return info.context.position(self.number)

    @strawberry.field
    async def gateway(
        self, info: Info
    ) -> Annotated["Gateway", strawberry.lazy("controlplane.graphql.gateway")] | None:
        """Return the gateway."""
        return await one(info, gateways.GATEWAY, self.gateway_key)


@strawberry.type
class Propagation:
    """How long the changes of a window took to the gateways of a group that are in service.

    A gateway counts from its first acknowledgement on.
    """

    changes: int = strawberry.field(description="How often the configuration changed.")
    p50_ms: float | None = strawberry.field(
        description="Half of the changes took at most so long to a gateway; null without any."
    )
    p99_ms: float | None = strawberry.field(
        description="99 of 100 changes took at most so long to a gateway; null without any."
    )
    missing: int = strawberry.field(
        description="Changes that a gateway does not run yet, counted for each gateway."
    )
    slowest: ChangeAtGateway | None = strawberry.field(
        description="What took longest, one that is still missing before all others."
    )


class Runs(NamedTuple):
    """What one gateway ran: since when, and the furthest position that it had run by then."""

    gateway_id: UUID
    since: Sequence[datetime]
    furthest: Sequence[int]

    def reached(self, changes: Sequence[Change]) -> Iterator["Reached"]:
        """Yield when it first ran each change that was committed while it ran anything."""
        for change in changes[
            bisect_left(changes, self.since[0], key=attrgetter("committed_at")) :
        ]:
            nth = bisect_left(self.furthest, change.position)
            at = None if nth == len(self.since) else max(self.since[nth], change.committed_at)
            yield Reached(None if at is None else at - change.committed_at, change, self.gateway_id)


class Reached(NamedTuple):
    """How long a change took to a gateway; None while it has not arrived."""

    delay: timedelta | None
    change: Change
    gateway_id: UUID

    def slowness(self) -> tuple[bool, timedelta, int]:
        """Return by which the slowest comes last, and of those that are missing the oldest."""
        return self.delay is None, self.delay or timedelta(0), -self.change.position


async def propagation(info: Info, group_key: Key, last_s: int) -> Propagation:
    """Return how long what changed in the last seconds took. Raises RefusedError."""
    if not 0 < last_s <= WINDOW_S:
        raise invalid(f"`lastS` is 1 to {WINDOW_S:,} seconds.")
    (row,) = await info.context.fetch(_SINCE, last_s)
    changes = await _changes(info, group_key, row["position"])
    ran = await _runs(info, group_key, changes)
    if len(changes) * len(ran) > PAIRS:
        raise RefusedError("TOO_MUCH_DATA", "Too many changes at too many gateways; ask for less.")
    # In a thread: others are served meanwhile.
    delays, missing, slowest = await asyncio.to_thread(_measured, changes, ran)
    return Propagation(
        changes=len(changes),
        p50_ms=_percentile_ms(delays, 0.50),
        p99_ms=_percentile_ms(delays, 0.99),
        missing=missing,
        slowest=None if slowest is None else _shown(group_key, slowest),
    )


def _measured(
    changes: list[Change], ran: list[Runs]
) -> tuple[list[timedelta], int, Reached | None]:
    """Return the delays in their order, how many are missing, and the slowest."""
    reached = [each for runs in ran for each in runs.reached(changes)]
    delays = sorted(each.delay for each in reached if each.delay is not None)
    slowest = max(reached, key=Reached.slowness, default=None)
    return delays, len(reached) - len(delays), slowest


async def propagation_of(
    info: Info, group_key: Key, position: Position
) -> list[ChangeAtGateway] | None:
    """Return when a change reached each gateway, None for what did not change the group.

    Raises RefusedError.
    """
    number = info.context.number(position)
    changes = await _changes(info, group_key, max(number - 1, 0))
    if not changes or changes[0].position != number:
        return None
    ran = await _runs(info, group_key, changes[:1])
    return [_shown(group_key, each) for runs in ran for each in runs.reached(changes[:1])]


async def _changes(info: Info, group_key: Key, since: int) -> list[Change]:
    organization_id, group_id = group_key
    assert isinstance(organization_id, UUID)
    try:
        found = await info.context.app.mirrors.changed_at(organization_id, str(group_id), since)
    except NotFoundError:  # it is newer than what gateways are served
        found = []
    if found is None:
        raise RefusedError("TOO_MUCH_DATA", "Too much has changed since then; ask for less.")
    rows = await info.context.fetch(_COMMITTED, found) if found else []
    return [Change(row["position"], row["committed_at"]) for row in rows]


async def _runs(info: Info, group_key: Key, changes: list[Change]) -> list[Runs]:
    if not changes:
        return []
    request = info.context
    members = [row["id"] for row in await request.fetch(_GATEWAYS, *group_key)]
    if len(members) > GATEWAYS:
        raise RefusedError("TOO_MUCH_DATA", f"The group has more than {GATEWAYS:,} gateways.")
    since = changes[0].committed_at
    rows = await request.fetch(_RUNS, group_key[0], members, request.app.epoch, since)
    if sum(len(row["since"]) for row in rows) > RUNS:
        raise RefusedError("TOO_MUCH_DATA", f"They ran more than {RUNS:,} configurations since.")
    return [
        Runs(row["gateway_id"], row["since"], list(accumulate(row["positions"], max)))
        for row in rows
    ]


def _shown(group_key: Key, reached: Reached) -> ChangeAtGateway:
    delay, change, gateway_id = reached
    return ChangeAtGateway(
        number=change.position,
        gateway_key=(group_key[0], gateway_id),
        committed_at=change.committed_at,
        running_at=None if delay is None else change.committed_at + delay,
        delay_ms=None if delay is None else delay / MILLISECOND,
    )


def _percentile_ms(ordered: list[timedelta], share: float) -> float | None:
    return ordered[ceil(share * len(ordered)) - 1] / MILLISECOND if ordered else None
