"""Gateway groups, and the gateways in them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import strawberry
from asyncpg import Record

from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.graphql import gateway_config, product, visibility
from controlplane.graphql.as_of import AsOfArgument
from controlplane.graphql.changes import Asked, Changed, change
from controlplane.graphql.errors import Rejected
from controlplane.graphql.gateway_config import GatewayConfig
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node, named, named_key
from controlplane.graphql.paging import (
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Window,
    nested,
    page,
)
from projections.paging import Column

if TYPE_CHECKING:
    from controlplane.graphql.product import ApiProductConnection


@strawberry.type
class Gateway(Node):
    """One process at the edge that enforces the configuration of its group."""

    group_key: strawberry.Private[Key]
    name: str = strawberry.field(description="Its name for people.")
    version: int = strawberry.field(description="How often it changed.")
    created_at: datetime = strawberry.field(description="When it was registered.")

    @strawberry.field
    async def group(self, info: Info) -> "GatewayGroup | None":
        """Return the group it belongs to."""
        return await one(info, GATEWAY_GROUP, self.group_key)


@strawberry.type
class GatewayConnection(Connection[Gateway]):
    """Gateways, oldest first."""


@strawberry.type
class GatewayGroup(Node):
    """The gateways of one environment that serve the same products."""

    slug: str = strawberry.field(description="Its name in addresses, unique in the organization.")
    environment: str = strawberry.field(description="The slug of the environment.")
    serves_all: bool = strawberry.field(
        description="Whether it serves whatever product there is, and not those listed only."
    )
    version: int = strawberry.field(description="How often it changed.")
    created_at: datetime = strawberry.field(description="When it was set up.")
    gateways: GatewayConnection = strawberry.field(
        resolver=nested(lambda: GATEWAYS_OF_GROUP), description="Its gateways, oldest first."
    )
    products: Annotated["ApiProductConnection", strawberry.lazy("controlplane.graphql.product")] = (
        strawberry.field(
            resolver=nested(lambda: product.OF_GROUP),
            description="The products that were named for it, by name; none when it serves all.",
        )
    )


@strawberry.type
class GatewayGroupConnection(Connection[GatewayGroup]):
    """Gateway groups, oldest first."""


def _gateway(row: Record) -> Gateway:
    return Gateway(
        key=(row["organization_id"], row["id"]),
        group_key=(row["organization_id"], row["group_id"]),
        name=row["name"],
        version=row["version"],
        created_at=row["created_at"],
    )


def _group(row: Record) -> GatewayGroup:
    return GatewayGroup(
        key=(row["organization_id"], row["id"]),
        slug=row["slug"],
        environment=row["environment"],
        serves_all=not orjson.loads(row["product_ids"]),
        version=row["version"],
        created_at=row["created_at"],
    )


GATEWAY = Kind(
    "Gateway", "gateway", visibility.gateways, "gateway:read", _gateway, same_noun("gateway")
)
GATEWAY_GROUP = Kind(
    "GatewayGroup",
    "gateway_group",
    visibility.gateways,
    "gateway:read",
    _group,
    same_noun("gateway_group"),
)
GATEWAYS: Listing[Gateway] = Listing(GATEWAY, GatewayConnection)
GROUPS: Listing[GatewayGroup] = Listing(GATEWAY_GROUP, GatewayGroupConnection)
GATEWAYS_OF_GROUP: Listing[Gateway] = Listing(
    GATEWAY, GatewayConnection, parents=(ORGANIZATION, Column("n.group_id", "uuid"))
)


@strawberry.type
class GatewayQueries:
    """What can be read about gateways."""

    @strawberry.field
    async def gateway_groups(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> GatewayGroupConnection:
        """List the gateway groups of the organization, oldest first; needs gateway:read."""
        window = Window(first, after, last, before)
        found: GatewayGroupConnection = await page(info, GROUPS, window)
        return found

    @strawberry.field
    async def gateways(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> GatewayConnection:
        """List the gateways of the organization, oldest first; needs gateway:read."""
        window = Window(first, after, last, before)
        found: GatewayConnection = await page(info, GATEWAYS, window)
        return found

    @strawberry.field
    async def gateway_config(
        self,
        info: Info,
        *,
        group_id: Annotated[strawberry.ID, strawberry.argument(description="The group's id.")],
        as_of: AsOfArgument = None,
    ) -> GatewayConfig | None:
        """Return what the gateways of a group enforce, or enforced; needs gateway:read.

        Null if there was no such group then.
        """
        key = named_key(group_id, "GatewayGroup", ("uuid",))
        return await gateway_config.read(info, GATEWAY_GROUP, key or (None,), as_of)


@strawberry.input
class OpenGatewayGroupInput(Asked):
    """The group to set up."""

    slug: str = strawberry.field(
        description="Unique in the organization; 1 to 63 lower-case letters, digits and hyphens."
    )
    environment: str = strawberry.field(description="The slug of the environment.")
    product_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="The ids of the products it serves, at most 1,000; none means all.",
    )


@strawberry.input
class RegisterGatewayInput(Asked):
    """The gateway to announce."""

    group_id: strawberry.ID = strawberry.field(description="The id of its group.")
    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.type
class GatewayGroupChanged(Changed):
    """The group, and what happened to it."""

    @strawberry.field
    async def gateway_group(self, info: Info) -> GatewayGroup | None:
        """Return the group; null after a dry run."""
        return await self.node(info, GATEWAY_GROUP)


@strawberry.type
class GatewayChanged(Changed):
    """The gateway, and what happened to it."""

    @strawberry.field
    async def gateway(self, info: Info) -> Gateway | None:
        """Return the gateway; null after a dry run."""
        return await self.node(info, GATEWAY)


OpenGatewayGroupResult = Annotated[
    GatewayGroupChanged | Rejected,
    strawberry.union(
        "OpenGatewayGroupResult", description="What openGatewayGroup did, or why not."
    ),
]
RegisterGatewayResult = Annotated[
    GatewayChanged | Rejected,
    strawberry.union("RegisterGatewayResult", description="What registerGateway did, or why not."),
]


@strawberry.type
class GatewayMutations:
    """What can be done about gateways."""

    @strawberry.mutation
    async def open_gateway_group(
        self, info: Info, input: OpenGatewayGroupInput
    ) -> OpenGatewayGroupResult:
        """Set up gateways that enforce the same configuration; needs gateway:register."""
        return await change(
            info,
            GatewayGroupChanged,
            GATEWAY_GROUP,
            input,
            lambda: OpenGatewayGroup(
                slug=input.slug,
                environment=input.environment,
                product_ids=tuple(
                    named(id_, "ApiProduct", "product_ids") for id_ in input.product_ids
                ),
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def register_gateway(
        self, info: Info, input: RegisterGatewayInput
    ) -> RegisterGatewayResult:
        """Announce a gateway, which polls once it has a token; needs gateway:register."""
        return await change(
            info,
            GatewayChanged,
            GATEWAY,
            input,
            lambda: RegisterGateway(
                group_id=named(input.group_id, "GatewayGroup", "group_id"),
                name=input.name,
                **input.said(),
            ),
        )
