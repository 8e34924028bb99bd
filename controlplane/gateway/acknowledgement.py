"""What gateways say they run, ran and could not run, and when: observations, not events.

Every instant is the database's. Each statement takes what many gateways say at once; no two of
one gateway in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from asyncpg import Record

from controlplane.store import Connection
from domain.cursor import Cursor

_COLUMNS = (
    "gateway_id, epoch, position, content_hash, diverged, running_since, acknowledged_at,"
    " (SELECT committed_at FROM commits WHERE commits.position >= latest.position"
    " ORDER BY commits.position LIMIT 1) AS committed_at"
)
_SAME = (
    "(latest.epoch, latest.position, latest.content_hash)"
    " = (EXCLUDED.epoch, EXCLUDED.position, EXCLUDED.content_hash)"
)
EVER_GIVEN = "((SELECT max(epoch) FROM epochs), (SELECT max(position) FROM commits))"
"""SQL for the epoch and position beyond which nobody was ever given anything."""
# Rows are locked in one order, or two processes that hear of the same gateways wait for each other.
# What follows something else began after that was last said, even if its statement did not. No
# gateway goes back within an epoch, but a process that is slow writes down what one said before.
# Only what nobody was ever given makes room for anything.
_RUN = (
    "INSERT INTO gateway_acknowledgements AS latest (organization_id, gateway_id, epoch, position,"  # noqa: S608
    " content_hash, diverged, running_since, acknowledged_at)"
    " SELECT organization_id, gateway_id, epoch, position, content_hash, diverged,"
    " statement_timestamp(), statement_timestamp()"
    " FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::boolean[])"
    " AS said (organization_id, gateway_id, epoch, position, content_hash, diverged)"
    " ORDER BY organization_id, gateway_id"
    " ON CONFLICT (organization_id, gateway_id) DO UPDATE SET epoch = EXCLUDED.epoch,"
    " position = EXCLUDED.position, content_hash = EXCLUDED.content_hash,"
    f" diverged = EXCLUDED.diverged OR {_SAME} AND latest.diverged,"
    f" running_since = CASE WHEN {_SAME} THEN latest.running_since"
    " ELSE greatest(EXCLUDED.running_since, latest.acknowledged_at + '1 microsecond') END,"
    " acknowledged_at ="
    " greatest(EXCLUDED.acknowledged_at, latest.acknowledged_at + '1 microsecond')"
    " WHERE (latest.epoch, latest.position) <= (EXCLUDED.epoch, EXCLUDED.position)"
    f" OR (latest.epoch, latest.position) > {EVER_GIVEN}"
    f" RETURNING {_COLUMNS}"
)
_LATEST = f"SELECT {_COLUMNS} FROM gateway_acknowledgements AS latest"  # noqa: S608
_LATEST_OF = (
    f"{_LATEST} WHERE (organization_id, gateway_id)"  # noqa: S608  # as above
    " IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
)
_REJECT = (
    "INSERT INTO gateway_rejections AS earlier"
    " (organization_id, gateway_id, epoch, position, reason, first_at, last_at, times)"
    " SELECT organization_id, gateway_id, epoch, position, reason,"
    " statement_timestamp(), statement_timestamp(), 1"
    " FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])"
    " AS said (organization_id, gateway_id, epoch, position, reason)"
    " ORDER BY organization_id, gateway_id"
    " ON CONFLICT (organization_id, gateway_id, epoch, position) DO UPDATE SET"
    " reason = EXCLUDED.reason, last_at = EXCLUDED.last_at, times = earlier.times + 1"
    " RETURNING gateway_id, last_at"
)
_HEAR = (
    "INSERT INTO gateway_contacts (organization_id, gateway_id, heard_at)"
    " SELECT organization_id, gateway_id, statement_timestamp()"
    " FROM unnest($1::uuid[], $2::uuid[]) AS said (organization_id, gateway_id)"
    " ORDER BY organization_id, gateway_id"
    " ON CONFLICT (organization_id, gateway_id) DO UPDATE SET heard_at = EXCLUDED.heard_at"
)


class Heard(NamedTuple):
    """Which gateway said or asked something."""

    organization_id: UUID
    gateway_id: UUID


class Speaks(Protocol):
    """Something that a gateway said."""

    @property
    def gateway(self) -> Heard:
        """Which one."""


class Runs(NamedTuple):
    """A gateway says what it runs."""

    gateway: Heard
    cursor: Cursor
    content_hash: str
    diverged: bool
    """Whether it is the current configuration with another hash than ours."""


class Rejects(NamedTuple):
    """A gateway says what it cannot run."""

    gateway: Heard
    cursor: Cursor
    reason: str


@dataclass(frozen=True)
class Acknowledgement:
    """The configuration a gateway runs, as it says."""

    gateway_id: UUID
    cursor: Cursor
    content_hash: str
    diverged: bool
    running_since: datetime
    acknowledged_at: datetime
    committed_at: datetime | None
    """When the change was committed that its cursor names; None if that is none of ours."""

    @property
    def is_news(self) -> bool:
        """Whether it said something else before."""
        return self.running_since == self.acknowledged_at


async def run(connection: Connection, said: Sequence[Runs]) -> list[Acknowledgement]:
    """Keep what gateways run now in place of what they ran before, which becomes their past.

    Return of each what is known now: something later, if it said so before.
    """
    which = gateways(said)
    rows = await connection.fetch(
        _RUN,
        *which,
        [each.cursor.epoch for each in said],
        [each.cursor.position for each in said],
        [each.content_hash for each in said],
        [each.diverged for each in said],
    )
    if len(rows) < len(said):
        rows = await connection.fetch(_LATEST_OF, *which)
    kept = {row["gateway_id"]: _acknowledgement(row) for row in rows}
    return [kept[each.gateway.gateway_id] for each in said]


async def reject(connection: Connection, said: Sequence[Rejects]) -> list[datetime]:
    """Keep what gateways could not run; return when they said so."""
    rows = await connection.fetch(
        _REJECT,
        *gateways(said),
        [each.cursor.epoch for each in said],
        [each.cursor.position for each in said],
        [each.reason for each in said],
    )
    kept = {row["gateway_id"]: row["last_at"] for row in rows}
    return [kept[each.gateway.gateway_id] for each in said]


async def hear(connection: Connection, said: Sequence[Heard]) -> list[None]:
    """Keep that gateways were heard now."""
    await connection.execute(_HEAR, *map(list, zip(*said, strict=True)))
    return [None] * len(said)


async def latest(
    connection: Connection, organization_id: UUID, gateway_ids: Sequence[UUID]
) -> dict[UUID, Acknowledgement]:
    """Return the latest acknowledgement of each of these gateways that has made one."""
    rows = await connection.fetch(
        f"{_LATEST} WHERE organization_id = $1 AND gateway_id = ANY($2)",
        organization_id,
        gateway_ids,
    )
    return {row["gateway_id"]: _acknowledgement(row) for row in rows}


def gateways(said: Sequence[Speaks]) -> tuple[list[UUID], list[UUID]]:
    """Return who said each: organizations and gateways, as columns."""
    return (
        [each.gateway.organization_id for each in said],
        [each.gateway.gateway_id for each in said],
    )


def _acknowledgement(row: Record) -> Acknowledgement:
    return Acknowledgement(
        row["gateway_id"],
        Cursor(row["epoch"], row["position"]),
        row["content_hash"],
        row["diverged"],
        row["running_since"],
        row["acknowledged_at"],
        row["committed_at"],
    )
