"""Versions of API products, and the operations that their contracts declare."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import strawberry
from asyncpg import Record

from controlplane.graphql import product, review, visibility
from controlplane.graphql.contract_test import ContractTest, contract_test_of
from controlplane.graphql.enums import VersionState
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node
from controlplane.graphql.paging import Connection, Listing, nested
from controlplane.graphql.review import (
    ContractRevisionConnection,
    GateResult,
    ReviewStepConnection,
    gate_of,
)
from controlplane.graphql.scalars import Count
from projections.paging import Column

if TYPE_CHECKING:
    from controlplane.graphql.product import ApiProduct


@strawberry.type
class Operation(Node):
    """One thing that a subscriber can call."""

    operation_id: str = strawberry.field(
        description='Unique in the version, as "GET /users/{id}" or "Query.user".'
    )
    method: str = strawberry.field(description="That of HTTP, or QUERY, MUTATION, SUBSCRIPTION.")
    path: str = strawberry.field(description="The template of the path, or the field.")
    name: str = strawberry.field(description="The operationId or the field; may be empty.")
    summary: str = strawberry.field(description="What it does, on one line; may be empty.")
    deprecated: bool = strawberry.field(description="Whether the contract advises against it.")
    tags: list[str] = strawberry.field(description="The groups it is in, by its contract.")


@strawberry.type
class OperationConnection(Connection[Operation]):
    """Operations, in the order of the contract."""


@strawberry.type
class Upstream:
    """Where the calls of one environment are forwarded to."""

    environment: str = strawberry.field(description="The slug of the environment.")
    url: str = strawberry.field(description="The address of the server.")


@strawberry.type
class ApiVersion(Node):
    """One contract of a product; what it says never changes once it is published."""

    product_key: strawberry.Private[Key]
    all_upstreams: strawberry.Private[str]
    successor_key: strawberry.Private[Key]
    said_by_gate: strawberry.Private[str | None]
    tested_last: strawberry.Private[str | None]
    api: str = strawberry.field(
        description='The API of the product that it is of, a slug; "default" of the only one.'
    )
    number: str = strawberry.field(description="The semantic version, as 1.4.0.")
    revision: int = strawberry.field(description="How often its contract was corrected.")
    contract_kind: str = strawberry.field(description="OPENAPI_3_0, OPENAPI_3_1 or GRAPHQL.")
    contract_sha256: str = strawberry.field(description="The hash of the document, as hex.")
    contract_bytes: Count = strawberry.field(description="The size of the document.")
    title: str = strawberry.field(description="The title in the document.")
    description: str = strawberry.field(description="The description in the document.")
    operation_count: int = strawberry.field(description="How many operations it declares.")
    state: VersionState = strawberry.field(description="Where it is in its life.")
    deprecated_at: datetime | None = strawberry.field(
        description="Since when it is advised against; null if it is not."
    )
    sunset_at: datetime | None = strawberry.field(
        description="Until when it lasts at least; null if that is open."
    )
    link: str | None = strawberry.field(description="A page that says why it is deprecated.")
    blocked_at: datetime | None = strawberry.field(
        description="Since when the operator of the installation has it blocked; null if not so."
    )
    version: int = strawberry.field(description="How often it changed, for expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was defined.")
    changed_at: datetime = strawberry.field(description="When it changed last.")
    operations: OperationConnection = strawberry.field(
        resolver=nested(lambda: OPERATIONS_OF_VERSION),
        description="What can be called, in the order of the contract.",
    )

    revisions: ContractRevisionConnection = strawberry.field(
        resolver=nested(lambda: review.REVISIONS_OF_VERSION),
        description="The contracts that it kept, first to last.",
    )
    review: ReviewStepConnection = strawberry.field(
        resolver=nested(lambda: review.OF_VERSION),
        description="What the gate and people said of it, first to last; only for the provider.",
    )

    @strawberry.field
    def gate(self, info: Info) -> GateResult | None:
        """Return what the gate said when it was submitted last; null for all but the provider."""
        if not visibility.is_provider(info.context.caller):
            return None
        return gate_of(self.key[0], self.said_by_gate)

    @strawberry.field
    def last_test(self, info: Info) -> ContractTest | None:
        """Return what came of its last contract test; null before, and for all but the provider."""
        if not visibility.is_provider(info.context.caller):
            return None
        return contract_test_of(self.tested_last)

    @strawberry.field
    def upstreams(self, info: Info) -> list[Upstream] | None:
        """Return where calls are forwarded to; null for all but the provider."""
        if not visibility.is_provider(info.context.caller):
            return None
        return [Upstream(**upstream) for upstream in orjson.loads(self.all_upstreams)]

    @strawberry.field
    async def product(
        self, info: Info
    ) -> Annotated["ApiProduct", strawberry.lazy("controlplane.graphql.product")] | None:
        """Return the product it is a version of."""
        return await one(info, product.PRODUCT, self.product_key)

    @strawberry.field
    async def successor(
        self, info: Info
    ) -> Annotated["ApiVersion", strawberry.lazy("controlplane.graphql.version")] | None:
        """Return the version to call instead; null when none is named."""
        return await one(info, VERSION, self.successor_key)


@strawberry.type
class ApiVersionConnection(Connection[ApiVersion]):
    """Versions, oldest first."""


def _operation(row: Record) -> Operation:
    return Operation(
        key=(row["organization_id"], row["version_id"], row["ordinal"]),
        operation_id=row["operation_id"],
        method=row["method"],
        path=row["path"],
        name=row["name"],
        summary=row["summary"],
        deprecated=row["deprecated"],
        tags=orjson.loads(row["tags"]),
    )


def _version(row: Record) -> ApiVersion:
    return ApiVersion(
        key=(row["organization_id"], row["id"]),
        product_key=(row["organization_id"], row["product_id"]),
        all_upstreams=row["upstreams"],
        successor_key=(row["organization_id"], row["successor_id"]),
        said_by_gate=row["gate"],
        tested_last=row["last_test"],
        api=row["api"],
        deprecated_at=row["deprecated_at"],
        sunset_at=row["sunset_at"],
        link=row["link"] or None,
        blocked_at=row["blocked_at"],
        number=row["number"],
        revision=row["revision"],
        contract_kind=row["contract_kind"],
        contract_sha256=row["contract_sha256"],
        contract_bytes=row["contract_bytes"],
        title=row["title"],
        description=row["description"],
        operation_count=row["operations"],
        state=VersionState(row["state"]),
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


OPERATION = Kind(
    "Operation",
    "operation",
    visibility.operations,
    "catalogue:read",
    _operation,
    key=(ORGANIZATION, Column("n.version_id", "uuid"), Column("n.ordinal", "bigint")),
)
VERSION = Kind(
    "ApiVersion",
    "api_version",
    visibility.versions,
    "catalogue:read",
    _version,
    same_noun("api_version"),
)
OF_PRODUCT: Listing[ApiVersion] = Listing(
    VERSION, ApiVersionConnection, parents=(ORGANIZATION, Column("n.product_id", "uuid"))
)
OPERATIONS_OF_VERSION: Listing[Operation] = Listing(
    OPERATION,
    OperationConnection,
    parents=(ORGANIZATION, Column("n.version_id", "uuid")),
    orders={"ORDINAL": (Column("n.ordinal", "bigint"),)},
)
