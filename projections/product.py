"""The catalogue: products, their versions and the operations of those."""

from collections.abc import Iterator
from dataclasses import asdict

import orjson

from domain.aggregate import Aggregate
from domain.api_product import ApiProduct, ProductState
from domain.api_version import ApiVersion
from domain.contract.operation import Operation
from domain.version_life import VersionState
from projections.readmodel import Key, Recorded, Row, Rows, Table, row_of

NAME = "product"
VERSION = 7
REVISION_ORDINALS = 1_000_000
"""Operations of each revision of a contract are numbered from a multiple of it."""
PRODUCT = Table(
    "product",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "slug": "text",
        "name": "text",
        "description": "text",
        "visibility": "text",
        "team_ids": "jsonb",
        "tags": "jsonb",
        "owner": "text",
        "state": "text",
        "listed": "boolean",  # published, deprecated or not: in the catalogue
        "contract_policy": "jsonb",  # null for none of its own
        "deprecated_at": "timestamptz",
        "sunset_at": "timestamptz",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=(
        "organization_id, slug",
        "organization_id, name, id",
        "organization_id, created_at, id",
        "listed, visibility, name, id",  # the public catalogue of all organizations
        "listed, visibility, created_at, id",
        "id",  # a node asked for without a token
    ),
)
API_VERSION = Table(
    "api_version",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "product_id": "uuid",
        "api": "text",
        "number": "text",
        "revision": "bigint",
        "contract_kind": "text",
        "contract_sha256": "text",
        "contract_bytes": "bigint",
        "title": "text",
        "description": "text",
        "upstreams": "jsonb",
        "operations": "bigint",
        "state": "text",
        "listed": "boolean",
        "deprecated_at": "timestamptz",
        "sunset_at": "timestamptz",
        "successor_id": "uuid",
        "link": "text",
        "gate": "jsonb",  # what the gate said when it was submitted last; null if nothing
        "last_test": "jsonb",  # null before the first
        "blocked_at": "timestamptz",
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
    ApiProduct.Described,
    ApiProduct.Tagged,
    ApiProduct.OwnerNamed,
    ApiProduct.AudienceChosen,
    ApiProduct.Published,
    ApiProduct.PublicationWithdrawn,
    ApiProduct.Deprecated,
    ApiProduct.SunsetScheduled,
    ApiProduct.DeprecationWithdrawn,
    ApiProduct.Retired,
    ApiProduct.Reinstated,
    ApiProduct.ContractPolicyAdopted,
    ApiVersion.Defined,
    ApiVersion.Revised,
    ApiVersion.Submitted,
    ApiVersion.Approved,
    ApiVersion.ChangesRequested,
    ApiVersion.GateOverridden,
    ApiVersion.Published,
    ApiVersion.PublicationWithdrawn,
    ApiVersion.Deprecated,
    ApiVersion.SunsetScheduled,
    ApiVersion.DeprecationWithdrawn,
    ApiVersion.Retired,
    ApiVersion.Reinstated,
    ApiVersion.Blocked,
    ApiVersion.Unblocked,
    ApiVersion.ContractTested,
    ApiVersion.UpstreamChosen,
    ApiVersion.UpstreamWithdrawn,
)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the product or version it happened to."""
    table = PRODUCT if isinstance(recorded.event, ApiProduct.Event) else API_VERSION
    return (Key(table, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    row = row_of(recorded, rows, *keys(recorded))
    row["changed_at"] = event.timestamp
    match event:
        case ApiProduct.Defined():
            row |= {"slug": event.slug, "name": event.name, "description": event.description}
            row |= {"visibility": event.visibility, "team_ids": "[]", "tags": "[]", "owner": ""}
            row |= _state(ProductState.DRAFT)
        case ApiProduct.Described():
            row |= {"name": event.name, "description": event.description}
        case ApiProduct.Tagged():
            row["tags"] = orjson.dumps(event.tags).decode()
        case ApiProduct.OwnerNamed():
            row["owner"] = event.owner
        case ApiProduct.AudienceChosen():
            row["visibility"] = event.visibility
            row["team_ids"] = orjson.dumps(event.team_ids, str).decode()
        case ApiProduct.ContractPolicyAdopted():
            row["contract_policy"] = orjson.dumps(event.policy).decode()
        case ApiVersion.Defined() | ApiVersion.Revised():
            row |= _contract(event)
            rows.update(_operations(recorded, event))
        case ApiVersion.Submitted():
            gate = event.gate and orjson.dumps(event.gate, str).decode()
            row |= {"state": VersionState.IN_REVIEW.value, "listed": False, "gate": gate}
        case ApiVersion.UpstreamChosen() | ApiVersion.UpstreamWithdrawn():
            row["upstreams"] = _moved(event, orjson.loads(str(row["upstreams"])))
        case _:
            row |= _befell(event) or _lived(event)


def _befell(event: Aggregate.Event) -> Row:
    """Return what changes beside the life of a version; nothing if it is a step of that."""
    match event:
        case ApiVersion.ContractTested():
            tested = {"at": event.timestamp.isoformat(), **asdict(event.test)}
            return {"last_test": orjson.dumps(tested).decode()}
        case ApiVersion.Blocked() | ApiVersion.Unblocked():
            blocked = isinstance(event, ApiVersion.Blocked)
            return {"blocked_at": event.timestamp if blocked else None}
    return {}


def _lived(event: Aggregate.Event) -> Row:
    """Return what a step in the life of a product or a version changes; they live alike."""
    change: Row = {}
    match event:
        case ApiProduct.Published() | ApiVersion.Published():
            change = _state(ProductState.PUBLISHED)
        case (
            ApiProduct.PublicationWithdrawn()
            | ApiVersion.PublicationWithdrawn()
            | ApiVersion.ChangesRequested()
        ):
            change = _state(ProductState.DRAFT)
        case ApiProduct.Deprecated() | ApiVersion.Deprecated():
            change = _state(ProductState.DEPRECATED)
            change |= {"deprecated_at": event.timestamp, "sunset_at": event.sunset_at}
            if isinstance(event, ApiVersion.Deprecated):
                change |= {"successor_id": event.successor_id, "link": event.link}
        case ApiProduct.SunsetScheduled() | ApiVersion.SunsetScheduled():
            change = {"sunset_at": event.sunset_at}
        case ApiProduct.DeprecationWithdrawn() | ApiVersion.DeprecationWithdrawn():
            change = _state(ProductState.PUBLISHED)
            change |= {"deprecated_at": None, "sunset_at": None}
            if isinstance(event, ApiVersion.DeprecationWithdrawn):
                change |= {"successor_id": None, "link": ""}
        case ApiProduct.Retired() | ApiVersion.Retired():
            change = _state(ProductState.RETIRED)
        case ApiProduct.Reinstated() | ApiVersion.Reinstated():
            change = {**_state(ProductState.DEPRECATED), "sunset_at": None}
    return change


def _state(state: ProductState) -> Row:
    listed = state in {ProductState.PUBLISHED, ProductState.DEPRECATED}
    return {"state": state.value, "listed": listed}


def _defined(event: ApiVersion.Defined) -> Row:
    return {
        "product_id": event.product_id,
        "number": event.number,
        "upstreams": orjson.dumps([vars(upstream) for upstream in event.upstreams]).decode(),
        "api": event.api,
        "link": "",
        **_state(ProductState.DRAFT),
    }


def _moved(
    event: ApiVersion.UpstreamChosen | ApiVersion.UpstreamWithdrawn, upstreams: list[dict[str, str]]
) -> str:
    """Return the upstreams of a version after one of them moved; a new one is the last."""
    by_environment = {each["environment"]: each for each in upstreams}
    if isinstance(event, ApiVersion.UpstreamChosen):
        by_environment[event.upstream.environment] = vars(event.upstream)
    else:
        by_environment.pop(event.environment)
    return orjson.dumps(list(by_environment.values())).decode()


def _contract(event: ApiVersion.Defined | ApiVersion.Revised) -> Row:
    return {
        "revision": _revision(event),
        "contract_kind": event.contract_kind,
        "contract_sha256": event.contract_sha256,
        "contract_bytes": event.contract_bytes,
        "title": event.title,
        "description": event.description,
        "operations": len(event.operations),
        **(_defined(event) if isinstance(event, ApiVersion.Defined) else {}),
    }


def ordinals(event: ApiVersion.Defined | ApiVersion.Revised) -> Iterator[tuple[int, Operation]]:
    """Yield the operations of a contract, numbered apart from those of other revisions of it."""
    return enumerate(event.operations, _revision(event) * REVISION_ORDINALS + 1)


def _revision(event: ApiVersion.Defined | ApiVersion.Revised) -> int:
    return event.revision if isinstance(event, ApiVersion.Revised) else 0


def _operations(
    recorded: Recorded, event: ApiVersion.Defined | ApiVersion.Revised
) -> Iterator[tuple[Key, Row]]:
    for ordinal, operation in ordinals(event):
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
