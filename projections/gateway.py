"""Gateway groups and their gateways."""

import orjson

from domain.aggregate import Aggregate
from domain.gateway import Gateway
from domain.gateway_group import GatewayGroup
from projections.readmodel import Key, Recorded, Row, Rows, Table, row_of

NAME = "gateway"
VERSION = 3
GATEWAY_GROUP = Table(
    "gateway_group",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "slug": "text",
        "environment": "text",
        "product_ids": "jsonb",
        "confirmed_epoch": "bigint",
        "held_back": "jsonb",
        "version": "bigint",
        "created_at": "timestamptz",
        "position": "bigint",
    },
    indexes=("organization_id, slug", "organization_id, created_at, id"),
)
GATEWAY = Table(
    "gateway",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "group_id": "uuid",
        "name": "text",
        "drained_at": "timestamptz",
        "stale_since": "timestamptz",
        "diverged_since": "timestamptz",
        "version": "bigint",
        "created_at": "timestamptz",
    },
    indexes=("organization_id, group_id, created_at, id", "organization_id, created_at, id"),
)
TABLES: tuple[Table, ...] = (GATEWAY_GROUP, GATEWAY)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    GatewayGroup.Opened,
    GatewayGroup.EpochConfirmed,
    GatewayGroup.ConfigHeldBack,
    GatewayGroup.ConfigReleased,
    Gateway.Registered,
    Gateway.Drained,
    Gateway.Reinstated,
    Gateway.Staled,
    Gateway.Returned,
    Gateway.Diverged,
    Gateway.Converged,
)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the group or the gateway."""
    table = GATEWAY_GROUP if isinstance(recorded.event, GatewayGroup.Event) else GATEWAY
    return (Key(table, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    row = row_of(recorded, rows, *keys(recorded))
    match event:
        case GatewayGroup.Event():
            _project_group(recorded, event, row)
        case Gateway.Registered():
            row |= {"group_id": event.group_id, "name": event.name}
        case Gateway.Drained():
            row |= {"drained_at": event.timestamp, "stale_since": None, "diverged_since": None}
        case Gateway.Reinstated():
            row["drained_at"] = None
        case Gateway.Staled():
            row["stale_since"] = event.heard_at
        case Gateway.Returned():
            row["stale_since"] = None
        case Gateway.Diverged():
            row["diverged_since"] = event.timestamp
        case Gateway.Converged():
            row["diverged_since"] = None


def _project_group(recorded: Recorded, event: GatewayGroup.Event, row: Row) -> None:
    match event:
        case GatewayGroup.Opened():
            row |= {"slug": event.slug, "environment": event.environment}
            row["product_ids"] = orjson.dumps(
                [str(product) for product in event.product_ids]
            ).decode()
            row |= {"position": recorded.position, "confirmed_epoch": 0, "held_back": "[]"}
        case GatewayGroup.EpochConfirmed():
            row["confirmed_epoch"] = event.epoch
        case GatewayGroup.ConfigHeldBack():
            row["held_back"] = _held_back(row, event)
        case GatewayGroup.ConfigReleased():
            row["held_back"] = "[]"


def _held_back(row: Row, event: GatewayGroup.ConfigHeldBack) -> str:
    product_id = str(event.product_id)
    held = [each for each in orjson.loads(str(row["held_back"])) if each["product"] != product_id]
    told = {"product": product_id, "rows": event.rows, "of_rows": event.of_rows}
    return orjson.dumps([*held, {**told, "since": event.timestamp.isoformat()}]).decode()
