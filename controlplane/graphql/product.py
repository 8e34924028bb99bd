"""API products: what is in the catalogue."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from asyncpg import Record

from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.graphql import plan, version, visibility
from controlplane.graphql.as_of import AsOfArgument, look_back
from controlplane.graphql.catalogue import OfOrganization, in_organization, named_like
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change
from controlplane.graphql.enums import ProductState, Visibility
from controlplane.graphql.errors import Rejected, invalid
from controlplane.graphql.loaders import (
    ORGANIZATION,
    Info,
    Kind,
    first_where,
    one_anywhere,
    same_noun,
)
from controlplane.graphql.node import Node, named, named_key
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
    from controlplane.graphql.plan import PlanConnection
    from controlplane.graphql.version import ApiVersionConnection


@strawberry.type
class ApiProduct(Node):
    """One or more APIs under one name, offered, described and sold as one thing."""

    slug: str = strawberry.field(description="Its name in addresses, unique in the organization.")
    name: str = strawberry.field(description="Its name for people.")
    description: str = strawberry.field(description="What it is good for; may be empty.")
    visibility: Visibility = strawberry.field(description="Who finds it once it is published.")
    state: ProductState = strawberry.field(description="Where it is in its life.")
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


@strawberry.input
class DefineProductInput(Asked):
    """The product to describe."""

    slug: str = strawberry.field(
        description="Unique in the organization; 1 to 63 lower-case letters, digits and hyphens."
    )
    name: str = strawberry.field(description="For people; 1 to 200 characters.")
    description: str = strawberry.field(
        default="", description="What it is good for; at most 20,000 characters."
    )
    visibility: Visibility = strawberry.field(
        default=Visibility.PRIVATE, description="Who finds it once it is published."
    )


@strawberry.input
class PublishProductInput(AskedAtVersion):
    """The product to show in the catalogue."""

    product_id: strawberry.ID = strawberry.field(description="The id of the draft product.")


@strawberry.type
class ProductChanged(Changed):
    """The product, and what happened to it."""

    @strawberry.field
    async def product(self, info: Info) -> ApiProduct | None:
        """Return the product; null after a dry run."""
        return await self.node(info, PRODUCT)


DefineProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union("DefineProductResult", description="What defineProduct did, or why not."),
]
PublishProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union("PublishProductResult", description="What publishProduct did, or why not."),
]


@strawberry.type
class ProductMutations:
    """What can be done about products."""

    @strawberry.mutation
    async def define_product(self, info: Info, input: DefineProductInput) -> DefineProductResult:
        """Begin a draft of what is to be offered; needs product:define."""
        return await change(
            info,
            ProductChanged,
            PRODUCT,
            input,
            lambda: DefineProduct(
                slug=input.slug,
                name=input.name,
                description=input.description,
                visibility=input.visibility,
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def publish_product(self, info: Info, input: PublishProductInput) -> PublishProductResult:
        """Show a draft product in the catalogue; needs product:publish."""
        return await change(
            info,
            ProductChanged,
            PRODUCT,
            input,
            lambda: PublishProduct(
                product_id=named(input.product_id, "ApiProduct", "product_id"), **input.said()
            ),
        )
