"""What gateways say they run: the latest acknowledgement of each, by the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from controlplane.gateway.document import Cursor
from controlplane.store import Connection

_COLUMNS = "gateway_id, epoch, position, content_hash, running_since, acknowledged_at"
_RECORD = (
    "INSERT INTO gateway_acknowledgements AS latest"  # noqa: S608
    " (organization_id, gateway_id, epoch, position, content_hash, running_since, acknowledged_at)"
    " VALUES ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp())"
    " ON CONFLICT (organization_id, gateway_id) DO UPDATE SET epoch = EXCLUDED.epoch,"
    " position = EXCLUDED.position, content_hash = EXCLUDED.content_hash,"
    " acknowledged_at = EXCLUDED.acknowledged_at, running_since = CASE"
    " WHEN (latest.epoch, latest.position, latest.content_hash)"
    " = (EXCLUDED.epoch, EXCLUDED.position, EXCLUDED.content_hash)"
    " THEN latest.running_since ELSE EXCLUDED.running_since END"
    f" RETURNING {_COLUMNS}"
)


@dataclass(frozen=True)
class Acknowledgement:
    """The configuration a gateway runs, as it says."""

    gateway_id: UUID
    cursor: Cursor
    content_hash: str
    running_since: datetime
    acknowledged_at: datetime


async def record(
    connection: Connection,
    organization_id: UUID,
    gateway_id: UUID,
    cursor: Cursor,
    content_hash: str,
) -> Acknowledgement:
    """Keep an acknowledgement in place of the gateway's earlier one."""
    row = await connection.fetchrow(
        _RECORD, organization_id, gateway_id, cursor.epoch, cursor.position, content_hash
    )
    assert row is not None
    return _acknowledgement(row)


async def latest(
    connection: Connection, organization_id: UUID, gateway_ids: Sequence[UUID]
) -> dict[UUID, Acknowledgement]:
    """Return the latest acknowledgement of each of these gateways that has made one."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM gateway_acknowledgements"  # noqa: S608
        " WHERE organization_id = $1 AND gateway_id = ANY($2)",
        organization_id,
        gateway_ids,
    )
    return {row["gateway_id"]: _acknowledgement(row) for row in rows}


def _acknowledgement(row: Record) -> Acknowledgement:
    return Acknowledgement(
        row["gateway_id"],
        Cursor(row["epoch"], row["position"]),
        row["content_hash"],
        row["running_since"],
        row["acknowledged_at"],
    )
