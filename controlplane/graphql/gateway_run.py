"""What a gateway ran, from its first word of it until its first word of something else."""

from datetime import datetime
from typing import Any

import strawberry
from asyncpg import Record

from controlplane.graphql import visibility
from controlplane.graphql.loaders import ORGANIZATION, Kind
from controlplane.graphql.paging import Connection, Listing
from controlplane.graphql.scalars import Position
from projections.paging import Column


@strawberry.type
class GatewayRun:
    """A configuration that a gateway ran, as it said; every instant is the database's."""

    cursor: Position = strawberry.field(
        description="The position of the last change that it has, of the epoch it was of."
    )
    content_hash: str = strawberry.field(
        description="The hash that the gateway computed of what it enforces."
    )
    diverged: bool = strawberry.field(
        description="Whether it was then known that this hash is not that of the cursor."
    )
    since: datetime = strawberry.field(
        description="When it said so first; it began to enforce it at most a moment before."
    )
    until: datetime | None = strawberry.field(
        description="When it first said that it runs something else; null if it did not yet."
    )
    acknowledged_at: datetime = strawberry.field(description="When it said so last.")


@strawberry.type
class GatewayRunConnection(Connection[GatewayRun]):
    """What a gateway ran, first to last."""


def run_of(row: Record | dict[str, Any]) -> GatewayRun:
    """Return a row of `gateway_run`."""
    return GatewayRun(
        cursor=Position(row["epoch"], row["position"]),
        content_hash=row["content_hash"],
        diverged=row["diverged"],
        since=row["running_since"],
        until=row["running_until"],
        acknowledged_at=row["acknowledged_at"],
    )


_SINCE = Column("n.running_since", "timestamptz")
_GATEWAY = Column("n.gateway_id", "uuid")
GATEWAY_RUN: Kind[GatewayRun] = Kind(
    "GatewayRun",
    "gateway_run",
    visibility.gateways,
    "gateway:read",
    run_of,
    key=(ORGANIZATION, _GATEWAY, _SINCE),
)
OF_GATEWAY: Listing[GatewayRun] = Listing(
    GATEWAY_RUN,
    GatewayRunConnection,
    parents=(ORGANIZATION, _GATEWAY),
    orders={"SINCE": (_SINCE,)},
)
