"""What can be done about products, from the first description to the end."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import strawberry

from controlplane.commands import Command
from controlplane.commands.api_product import (
    ChooseProductAudience,
    DefineProduct,
    DeprecateProduct,
    DescribeProduct,
    NameProductOwner,
    PublishProduct,
    ReinstateProduct,
    RetireProduct,
    ScheduleProductSunset,
    TagProduct,
    WithdrawProduct,
    WithdrawProductDeprecation,
)
from controlplane.graphql.catalogue import Audience, named_teams
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change
from controlplane.graphql.enums import Visibility
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named
from controlplane.graphql.product import PRODUCT, ApiProduct


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
    team_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="With TEAMS the ids of 1 to 100 teams, else none."
    )


@strawberry.input
class ProductInput(AskedAtVersion):
    """The product that it is about."""

    product_id: strawberry.ID = strawberry.field(description="The id of the product.")


@strawberry.input
class PublishProductInput(AskedAtVersion):
    """The product to show in the catalogue."""

    product_id: strawberry.ID = strawberry.field(description="The id of the draft product.")


@strawberry.input
class DescribeProductInput(ProductInput):
    """What a product is called and good for from now on."""

    name: str = strawberry.field(description="For people; 1 to 200 characters.")
    description: str = strawberry.field(
        description="What it is good for; at most 20,000 characters."
    )


@strawberry.input
class TagProductInput(ProductInput):
    """The tags of a product from now on."""

    tags: list[str] = strawberry.field(
        description="At most 20 slugs, each once, in place of those before."
    )


@strawberry.input
class NameProductOwnerInput(ProductInput):
    """Who answers for a product."""

    owner: str = strawberry.field(
        description="A person's or unit's name, at most 200 characters; empty for nobody."
    )


@strawberry.input
class ChooseProductAudienceInput(Audience, ProductInput):
    """Who finds a product once it is published."""


@strawberry.input
class ProductSunsetInput(ProductInput):
    """Until when a deprecated product lasts."""

    sunset_at: datetime | None = strawberry.field(
        default=None, description="It is not retired before; null leaves it open."
    )


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
DescribeProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union("DescribeProductResult", description="What describeProduct did, or why not."),
]
TagProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union("TagProductResult", description="What tagProduct did, or why not."),
]
NameProductOwnerResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union(
        "NameProductOwnerResult", description="What nameProductOwner did, or why not."
    ),
]
ChooseProductAudienceResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union(
        "ChooseProductAudienceResult", description="What chooseProductAudience did, or why not."
    ),
]
PublishProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union("PublishProductResult", description="What publishProduct did, or why not."),
]
WithdrawProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union("WithdrawProductResult", description="What withdrawProduct did, or why not."),
]
DeprecateProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union(
        "DeprecateProductResult", description="What deprecateProduct did, or why not."
    ),
]
ScheduleProductSunsetResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union(
        "ScheduleProductSunsetResult", description="What scheduleProductSunset did, or why not."
    ),
]
WithdrawProductDeprecationResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union(
        "WithdrawProductDeprecationResult",
        description="What withdrawProductDeprecation did, or why not.",
    ),
]
RetireProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union("RetireProductResult", description="What retireProduct did, or why not."),
]
ReinstateProductResult = Annotated[
    ProductChanged | Rejected,
    strawberry.union(
        "ReinstateProductResult", description="What reinstateProduct did, or why not."
    ),
]


async def _about(
    info: Info,
    input: ProductInput | PublishProductInput,
    command: Callable[[Mapping[str, Any]], Command],
) -> ProductChanged | Rejected:
    """Execute a command about one product; it is given what every such command is told."""

    def asked() -> Command:
        product_id = named(input.product_id, "ApiProduct", "product_id")
        return command({"product_id": product_id, **input.said()})

    return await change(info, ProductChanged, PRODUCT, input, asked)


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
                team_ids=named_teams(input.team_ids),
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def describe_product(
        self, info: Info, input: DescribeProductInput
    ) -> DescribeProductResult:
        """Give a product another name and description; needs product:define."""
        name, description = input.name, input.description
        return await _about(
            info,
            input,
            lambda given: DescribeProduct(**given, name=name, description=description),
        )

    @strawberry.mutation
    async def tag_product(self, info: Info, input: TagProductInput) -> TagProductResult:
        """Put a product under tags; needs product:define."""
        tags = tuple(input.tags)
        return await _about(info, input, lambda given: TagProduct(**given, tags=tags))

    @strawberry.mutation
    async def name_product_owner(
        self, info: Info, input: NameProductOwnerInput
    ) -> NameProductOwnerResult:
        """Say who answers for a product; needs product:define."""
        return await _about(info, input, lambda given: NameProductOwner(**given, owner=input.owner))

    @strawberry.mutation
    async def choose_product_audience(
        self, info: Info, input: ChooseProductAudienceInput
    ) -> ChooseProductAudienceResult:
        """Say who finds a product; needs product:publish."""
        return await _about(
            info,
            input,
            lambda given: ChooseProductAudience(
                **given, visibility=input.visibility, team_ids=named_teams(input.team_ids)
            ),
        )

    @strawberry.mutation
    async def publish_product(self, info: Info, input: PublishProductInput) -> PublishProductResult:
        """Show a draft product in the catalogue; needs product:publish."""
        return await _about(info, input, lambda given: PublishProduct(**given))

    @strawberry.mutation
    async def withdraw_product(self, info: Info, input: ProductInput) -> WithdrawProductResult:
        """Make a product that was published by mistake a draft; needs product:publish."""
        return await _about(info, input, lambda given: WithdrawProduct(**given))

    @strawberry.mutation
    async def deprecate_product(
        self, info: Info, input: ProductSunsetInput
    ) -> DeprecateProductResult:
        """Advise against a published product; needs product:publish."""
        sunset_at = input.sunset_at
        return await _about(
            info, input, lambda given: DeprecateProduct(**given, sunset_at=sunset_at)
        )

    @strawberry.mutation
    async def schedule_product_sunset(
        self, info: Info, input: ProductSunsetInput
    ) -> ScheduleProductSunsetResult:
        """Set, move or lift the sunset of a product; needs product:publish."""
        sunset_at = input.sunset_at
        return await _about(
            info, input, lambda given: ScheduleProductSunset(**given, sunset_at=sunset_at)
        )

    @strawberry.mutation
    async def withdraw_product_deprecation(
        self, info: Info, input: ProductInput
    ) -> WithdrawProductDeprecationResult:
        """Recommend a deprecated product again; needs product:publish."""
        return await _about(info, input, lambda given: WithdrawProductDeprecation(**given))

    @strawberry.mutation
    async def retire_product(self, info: Info, input: ProductInput) -> RetireProductResult:
        """Serve a deprecated product no more, after its sunset; needs product:publish."""
        return await _about(info, input, lambda given: RetireProduct(**given))

    @strawberry.mutation
    async def reinstate_product(self, info: Info, input: ProductInput) -> ReinstateProductResult:
        """Serve a retired product again, deprecated; needs product:publish."""
        return await _about(info, input, lambda given: ReinstateProduct(**given))
