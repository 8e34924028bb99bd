"""API products: what is in the catalogue."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import strawberry
from asyncpg import Record

from controlplane.global_id import global_id, named_key
from controlplane.graphql import page as documentation
from controlplane.graphql import plan, version, visibility
from controlplane.graphql.as_of import AsOfArgument, look_back
from controlplane.graphql.catalogue import OfOrganization, in_organization, named_like
from controlplane.graphql.enums import ProductState, Visibility
from controlplane.graphql.errors import invalid
from controlplane.graphql.loaders import (
    ORGANIZATION,
    Info,
    Kind,
    first_where,
    one_anywhere,
    same_noun,
)
from controlplane.graphql.node import Node
from controlplane.graphql.paging import (
    NAMED,
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Order,
    OrderBy,
    Window,
    nested,
    page,
)
from projections.paging import Column, Condition

if TYPE_CHECKING:
    from controlplane.graphql.page import PageConnection
    from controlplane.graphql.plan import PlanConnection
    from controlplane.graphql.version import ApiVersionConnection


@strawberry.type
class ApiProduct(Node):
    """One or more APIs under one name, offered, described and sold as one thing."""

    audience: strawberry.Private[str]
    slug: str = strawberry.field(description="Its name in addresses, unique in the organization.")
    name: str = strawberry.field(description="Its name for people.")
    description: str = strawberry.field(description="What it is good for; may be empty.")
    visibility: Visibility = strawberry.field(description="Who finds it once it is published.")
    tags: list[str] = strawberry.field(description="What it is found under; slugs.")
    owner: str = strawberry.field(description="Who answers for it; may be empty.")
    state: ProductState = strawberry.field(description="Where it is in its life.")
    deprecated_at: datetime | None = strawberry.field(
        description="Since when it is advised against; null if it is not."
    )
    sunset_at: datetime | None = strawberry.field(
        description="Until when it lasts at least; null if that is open."
    )
    version: int = strawberry.field(description="How often it changed, for expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was defined.")
    changed_at: datetime = strawberry.field(description="When it changed last.")
    versions: Annotated["ApiVersionConnection", strawberry.lazy("controlplane.graphql.version")] = (
        strawberry.field(
            resolver=nested(lambda: version.OF_PRODUCT), description="Its versions, oldest first."
        )
    )
    plans: Annotated["PlanConnection", strawberry.lazy("controlplane.graphql.plan")] = (
        strawberry.field(
            resolver=nested(lambda: plan.OF_PRODUCT), description="The plans that sell it, by name."
        )
    )
    pages: Annotated["PageConnection", strawberry.lazy("controlplane.graphql.page")] = (
        strawberry.field(
            resolver=nested(lambda: documentation.OF_PRODUCT),
            description="Its documentation, by the slugs of the pages.",
        )
    )

    @strawberry.field
    def team_ids(self, info: Info) -> list[strawberry.ID] | None:
        """Return the ids of the teams that find it by its visibility; only the provider is told."""
        if not visibility.is_provider(info.context.caller):
            return None
        return [strawberry.ID(global_id("Team", (team,))) for team in orjson.loads(self.audience)]


@strawberry.type
class ApiProductConnection(Connection[ApiProduct]):
    """Products, in the order that was asked for."""


def _node(row: Record) -> ApiProduct:
    return ApiProduct(
        key=(row["organization_id"], row["id"]),
        slug=row["slug"],
        name=row["name"],
        description=row["description"],
        visibility=Visibility(row["visibility"]),
        audience=row["team_ids"],
        tags=orjson.loads(row["tags"]),
        owner=row["owner"],
        deprecated_at=row["deprecated_at"],
        sunset_at=row["sunset_at"],
        state=ProductState(row["state"]),
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


PRODUCT = Kind(
    "ApiProduct",
    "product",
    visibility.products,
    "catalogue:read",
    _node,
    same_noun("api_product"),
)
ALL: Listing[ApiProduct] = Listing(PRODUCT, ApiProductConnection, orders=NAMED)
OF_PLAN: Listing[ApiProduct] = Listing(
    PRODUCT,
    ApiProductConnection,
    parents=(ORGANIZATION, Column("sold.plan_id", "uuid")),
    joins="JOIN plan_product AS sold"
    " ON sold.organization_id = n.organization_id AND sold.product_id = n.id",
    orders={"ORDINAL": (Column("sold.ordinal", "bigint"),)},
)
OF_GROUP: Listing[ApiProduct] = Listing(
    PRODUCT,
    ApiProductConnection,
    parents=(Column("served.organization_id", "uuid"), Column("served.id", "uuid")),
    joins="JOIN gateway_group AS served"
    " ON served.organization_id = n.organization_id AND served.product_ids ? n.id::text",
    orders=NAMED,
)


@strawberry.type
class ProductQueries:
    """What can be read about products."""

    @strawberry.field
    async def products(
        self,
        info: Info,
        *,
        state: Annotated[
            ProductState | None, strawberry.argument(description="Only those in this state.")
        ] = None,
        visibility: Annotated[
            Visibility | None, strawberry.argument(description="Only those that these find.")
        ] = None,
        tag: Annotated[
            str | None, strawberry.argument(description="Only those under this tag.")
        ] = None,
        owner: Annotated[
            str | None, strawberry.argument(description="Only those of exactly this owner.")
        ] = None,
        slug: Annotated[
            str | None, strawberry.argument(description="Only those with this slug.")
        ] = None,
        search: Annotated[
            str | None,
            strawberry.argument(description="Only those whose name begins so, in whichever case."),
        ] = None,
        organization: OfOrganization = None,
        order_by: OrderBy = Order.NAME_ASC,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> ApiProductConnection:
        """List the products the caller may see; without a token the public ones of everybody."""
        conditions = (
            state and Condition("n.state = {}", (state.value,)),
            visibility and Condition("n.visibility = {}", (visibility.value,)),
            Condition("n.tags ? {}", (tag,)) if tag is not None else None,
            Condition("n.owner = {}", (owner,)) if owner is not None else None,
            Condition("n.slug = {}", (slug,)) if slug is not None else None,
            named_like(search),
            in_organization(organization),
        )
        window = Window(first, after, last, before)
        found: ApiProductConnection = await page(
            info, ALL, window, conditions=conditions, order=order_by.value
        )
        return found

    @strawberry.field
    async def product(
        self,
        info: Info,
        *,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="Its id.")] = None,
        slug: Annotated[
            str | None, strawberry.argument(description="Its slug, instead of the id.")
        ] = None,
        organization: OfOrganization = None,
        as_of: AsOfArgument = None,
    ) -> ApiProduct | None:
        """Return one product, null if the caller sees none such.

        A slug is unique in an organization: without a token name that too.
        """
        if (id is None) is (slug is None):
            raise invalid("Give `id` or `slug`, one of them.")
        await look_back(info, as_of)
        if id is not None:
            key = named_key(id, "ApiProduct", ("uuid",))
            return await one_anywhere(info, PRODUCT, key or (None,))
        if organization is None and info.context.caller.role is None:
            raise invalid("Without a token a slug needs the `organization` too.")
        by_slug = Condition("n.slug = {}", (slug,))
        narrowed = in_organization(organization)
        return await first_where(info, PRODUCT, by_slug, *([narrowed] if narrowed else []))
