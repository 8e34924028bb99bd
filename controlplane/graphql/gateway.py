"""Gateway groups, and the gateways in them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import strawberry
from asyncpg import Record

from controlplane.graphql import gateway_config, product, visibility
from controlplane.graphql.as_of import AsOfArgument
from controlplane.graphql.gateway_config import GatewayConfig
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node, named_key
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
    from controlplane.graphql.product import ApiProduct, ApiProductConnection


@strawberry.type
class Gateway(Node):
    """One process at the edge that enforces the configuration of its group."""

    group_key: strawberry.Private[Key]
    name: str = strawberry.field(description="Its name for people.")
    drained_at: datetime | None = strawberry.field(
        description="Since when it is out of service; null when it is in."
    )
    stale_since: datetime | None = strawberry.field(
        description="Since when nothing was heard of it, once that was recorded as too long."
    )
    diverged_since: datetime | None = strawberry.field(
        description="Since when it is recorded that it runs something else than it says."
    )
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
class HeldBack:
    """The end of a product that is not handed out: too much would go with it at once."""

    product_key: strawberry.Private[Key]
    rows: int = strawberry.field(description="How many rows of the configuration would go.")
    of_rows: int = strawberry.field(description="Of how many.")
    since: datetime = strawberry.field(description="Since when it is held back.")

    @strawberry.field
    async def product(
        self, info: Info
    ) -> Annotated["ApiProduct", strawberry.lazy("controlplane.graphql.product")] | None:
        """Return the product."""
        return await one(info, product.PRODUCT, self.product_key)


@strawberry.type
class GatewayGroup(Node):
    """The gateways of one environment that serve the same products."""

    slug: str = strawberry.field(description="Its name in addresses, unique in the organization.")
    environment: str = strawberry.field(description="The slug of the environment.")
    serves_all: bool = strawberry.field(
        description="Whether it serves whatever product there is, and not those listed only."
    )
    confirmed_epoch: int = strawberry.field(
        description="Up to which epoch gateways need not go on refusing what others took away."
    )
    held_back: list[HeldBack] = strawberry.field(
        description="What is held back from its gateways until releaseConfig; none is as it should."
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
        drained_at=row["drained_at"],
        stale_since=row["stale_since"],
        diverged_since=row["diverged_since"],
        version=row["version"],
        created_at=row["created_at"],
    )


def _group(row: Record) -> GatewayGroup:
    return GatewayGroup(
        key=(row["organization_id"], row["id"]),
        slug=row["slug"],
        environment=row["environment"],
        serves_all=not orjson.loads(row["product_ids"]),
        confirmed_epoch=row["confirmed_epoch"],
        held_back=[
            HeldBack(
                product_key=(row["organization_id"], UUID(each["product"])),
                rows=each["rows"],
                of_rows=each["of_rows"],
                since=datetime.fromisoformat(each["since"]),
            )
            for each in orjson.loads(row["held_back"])
        ],
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
