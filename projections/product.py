"""The catalogue: products, their versions and the operations of those."""

from collections.abc import Iterator

import orjson

from domain.aggregate import Aggregate
from domain.api_product import ApiProduct, ProductState
from domain.api_version import ApiVersion, VersionState
from projections.readmodel import Key, Recorded, Row, Rows, Table

NAME = "product"
VERSION = 1
PRODUCT = Table(
    "product",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "slug": "text",
        "name": "text",
        "description": "text",
        "visibility": "text",
        "state": "text",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=(
        "organization_id, slug",
        "organization_id, name, id",
        "organization_id, created_at, id",
        "state, visibility, name, id",  # the public catalogue of all organizations
        "state, visibility, created_at, id",
        "id",  # a node asked for without a token
    ),
)
API_VERSION = Table(
    "api_version",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "product_id": "uuid",
        "number": "text",
        "contract_kind": "text",
        "contract_sha256": "text",
        "contract_bytes": "bigint",
        "title": "text",
        "description": "text",
        "upstreams": "jsonb",
        "operations": "bigint",
        "state": "text",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=("organization_id, product_id, created_at, id", "id"),
)
OPERATION = Table(
    "operation",
    key={"organization_id": "uuid", "version_id": "uuid", "ordinal": "bigint"},
    columns={
        "operation_id": "text",
        "method": "text",
        "path": "text",
        "name": "text",
        "summary": "text",
        "deprecated": "boolean",
        "tags": "jsonb",
    },
    appends=True,
)
TABLES: tuple[Table, ...] = (PRODUCT, API_VERSION, OPERATION)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    ApiProduct.Defined,
    ApiProduct.Published,
    ApiVersion.Defined,
    ApiVersion.Published,
)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the product or version it happened to."""
    table = PRODUCT if isinstance(recorded.event, ApiProduct.Event) else API_VERSION
    return (Key(table, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    (key,) = keys(recorded)
    row = rows.setdefault(key, {"created_at": event.timestamp})
    row |= {"version": event.originator_version, "changed_at": event.timestamp}
    match event:
        case ApiProduct.Defined():
            row |= {"slug": event.slug, "name": event.name, "description": event.description}
            row |= {"visibility": event.visibility, "state": ProductState.DRAFT.value}
        case ApiProduct.Published():
            row["state"] = ProductState.PUBLISHED.value
        case ApiVersion.Defined():
            row |= _defined(event)
            rows.update(_operations(recorded, event))
        case ApiVersion.Published():
            row["state"] = VersionState.PUBLISHED.value


def _defined(event: ApiVersion.Defined) -> Row:
    return {
        "product_id": event.product_id,
        "number": event.number,
        "contract_kind": event.contract_kind,
        "contract_sha256": event.contract_sha256,
        "contract_bytes": event.contract_bytes,
        "title": event.title,
        "description": event.description,
        "upstreams": orjson.dumps([vars(upstream) for upstream in event.upstreams]).decode(),
        "operations": len(event.operations),
        "state": VersionState.DRAFT.value,
    }


def _operations(recorded: Recorded, event: ApiVersion.Defined) -> Iterator[tuple[Key, Row]]:
    for ordinal, operation in enumerate(event.operations, 1):
        key = Key(OPERATION, (recorded.organization_id, event.originator_id, ordinal))
        yield (
            key,
            {
                "operation_id": operation.id,
                "method": operation.method,
                "path": operation.path,
                "name": operation.name,
                "summary": operation.summary,
                "deprecated": operation.deprecated,
                "tags": orjson.dumps(operation.tags).decode(),
            },
        )
