"""Gateway groups, and the gateways in them."""

from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import strawberry
from asyncpg import Record

from controlplane.commands import NotFoundError
from controlplane.global_id import named_key
from controlplane.graphql import (
    gateway_config,
    gateway_run,
    observed,
    product,
    propagation,
    unserved,
    visibility,
)
from controlplane.graphql.as_of import AsOfArgument
from controlplane.graphql.enums import GatewayState
from controlplane.graphql.gateway_config import GatewayConfig
from controlplane.graphql.gateway_run import GatewayRun, GatewayRunConnection
from controlplane.graphql.loaders import (
    ORGANIZATION,
    Info,
    Key,
    Kind,
    one,
    root_of,
    same_noun,
)
from controlplane.graphql.node import Node
from controlplane.graphql.observed import Behind, GatewayError
from controlplane.graphql.paging import Connection, Listing, listed, nested
from controlplane.graphql.propagation import ChangeAtGateway, Propagation
from controlplane.graphql.scalars import Position
from controlplane.graphql.unserved import Unserved
from domain.gateway import effective
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

    history: GatewayRunConnection = strawberry.field(
        resolver=nested(lambda: gateway_run.OF_GATEWAY),
        description="What it ran, first to last, for as long as that is kept.",
    )

    @strawberry.field
    async def state(self, info: Info) -> GatewayState:
        """Return where it is in its life; of a past moment as it was recorded."""
        known = await observed.seen(info, self.key)
        silent_s = known.silent_s
        if silent_s is not None and info.context.moments.get(root_of(info)) is not None:
            silent_s = inf if self.stale_since else 0
        stale_s = info.context.app.settings.gateway_stale_s
        return effective(drained=self.drained_at is not None, silent_s=silent_s, stale_s=stale_s)

    @strawberry.field
    async def heard_at(self, info: Info) -> datetime | None:
        """Return when it last asked or said anything, to within ten seconds; null for never."""
        return (await observed.seen(info, self.key)).heard_at

    @strawberry.field
    async def runs(self, info: Info) -> GatewayRun | None:
        """Return what it runs now, as it said last; null if it said nothing yet."""
        return (await observed.seen(info, self.key)).run

    @strawberry.field
    async def behind(self, info: Info) -> Behind | None:
        """Return how far what it runs is behind; null if it runs nothing of this epoch."""
        run = (await observed.seen(info, self.key)).run
        if run is None or run.cursor.epoch != info.context.app.epoch:
            return None
        return await observed.behind(info, self.group_key, run.cursor.position)

    @strawberry.field
    async def last_error(self, info: Info) -> GatewayError | None:
        """Return the last configuration that it could not run."""
        return (await observed.seen(info, self.key)).error

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

    @strawberry.field
    async def cursor(self, info: Info) -> Position | None:
        """Return the position of the last change of what its gateways should enforce now."""
        organization_id, group_id = self.key
        assert isinstance(organization_id, UUID)
        try:
            served = await info.context.app.mirrors.served(organization_id, str(group_id), None)
        except NotFoundError:  # it is newer than what gateways are served
            return None
        return info.context.position(served.view.cursor)

    @strawberry.field
    async def unserved(self, info: Info) -> list[Unserved]:
        """Return what was sold and none of its gateways can serve, at most 100; none is right."""
        return await unserved.read(info, self.key)

    @strawberry.field
    async def propagation(
        self,
        info: Info,
        *,
        last_s: Annotated[
            int, strawberry.argument(description="The window: seconds until now, at most a week.")
        ] = 3_600,
    ) -> Propagation:
        """Return how long the changes of the last seconds took to its gateways."""
        return await propagation.propagation(info, self.key, last_s)

    @strawberry.field
    async def propagation_of(
        self,
        info: Info,
        *,
        position: Annotated[Position, strawberry.argument(description="The position of an event.")],
    ) -> list[ChangeAtGateway] | None:
        """Return when a change reached each gateway; null for what did not change the group."""
        return await propagation.propagation_of(info, self.key, position)


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

    gateway_groups: GatewayGroupConnection = strawberry.field(
        resolver=listed(GROUPS),
        description="List the gateway groups of the organization, oldest first; needs"
        " gateway:read.",
    )

    gateways: GatewayConnection = strawberry.field(
        resolver=listed(GATEWAYS),
        description="List the gateways of the organization, oldest first; needs gateway:read.",
    )

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
