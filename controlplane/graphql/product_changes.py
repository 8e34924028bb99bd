"""What can be done about products, from the first description to the end."""

from datetime import datetime
from typing import Any

import strawberry

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
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change, mutation
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

    def said(self) -> dict[str, Any]:
        """Return what every command about a product is told."""
        return {**super().said(), "product_id": named(self.product_id, "ApiProduct", "product_id")}


@strawberry.input
class PublishProductInput(ProductInput):
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

    kinds = (PRODUCT,)

    @strawberry.field
    async def product(self, info: Info) -> ApiProduct | None:
        """Return the product; null after a dry run."""
        return await self.node(info, PRODUCT)


@strawberry.type
class ProductMutations:
    """What can be done about products."""

    @mutation
    async def define_product(
        self, info: Info, input: DefineProductInput
    ) -> ProductChanged | Rejected:
        """Begin a draft of what is to be offered; needs product:define."""
        return await change(
            info,
            ProductChanged,
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

    @mutation
    async def describe_product(
        self, info: Info, input: DescribeProductInput
    ) -> ProductChanged | Rejected:
        """Give a product another name and description; needs product:define."""
        return await change(
            info,
            ProductChanged,
            input,
            lambda: DescribeProduct(**input.said(), name=input.name, description=input.description),
        )

    @mutation
    async def tag_product(self, info: Info, input: TagProductInput) -> ProductChanged | Rejected:
        """Put a product under tags; needs product:define."""
        return await change(
            info, ProductChanged, input, lambda: TagProduct(**input.said(), tags=tuple(input.tags))
        )

    @mutation
    async def name_product_owner(
        self, info: Info, input: NameProductOwnerInput
    ) -> ProductChanged | Rejected:
        """Say who answers for a product; needs product:define."""
        return await change(
            info, ProductChanged, input, lambda: NameProductOwner(**input.said(), owner=input.owner)
        )

    @mutation
    async def choose_product_audience(
        self, info: Info, input: ChooseProductAudienceInput
    ) -> ProductChanged | Rejected:
        """Say who finds a product; needs product:publish."""
        return await change(
            info,
            ProductChanged,
            input,
            lambda: ChooseProductAudience(
                **input.said(), visibility=input.visibility, team_ids=named_teams(input.team_ids)
            ),
        )

    @mutation
    async def publish_product(
        self, info: Info, input: PublishProductInput
    ) -> ProductChanged | Rejected:
        """Show a draft product in the catalogue; needs product:publish."""
        return await change(info, ProductChanged, input, lambda: PublishProduct(**input.said()))

    @mutation
    async def withdraw_product(self, info: Info, input: ProductInput) -> ProductChanged | Rejected:
        """Make a product that was published by mistake a draft; needs product:publish."""
        return await change(info, ProductChanged, input, lambda: WithdrawProduct(**input.said()))

    @mutation
    async def deprecate_product(
        self, info: Info, input: ProductSunsetInput
    ) -> ProductChanged | Rejected:
        """Advise against a published product; needs product:publish."""
        return await change(
            info,
            ProductChanged,
            input,
            lambda: DeprecateProduct(**input.said(), sunset_at=input.sunset_at),
        )

    @mutation
    async def schedule_product_sunset(
        self, info: Info, input: ProductSunsetInput
    ) -> ProductChanged | Rejected:
        """Set, move or lift the sunset of a product; needs product:publish."""
        return await change(
            info,
            ProductChanged,
            input,
            lambda: ScheduleProductSunset(**input.said(), sunset_at=input.sunset_at),
        )

    @mutation
    async def withdraw_product_deprecation(
        self, info: Info, input: ProductInput
    ) -> ProductChanged | Rejected:
        """Recommend a deprecated product again; needs product:publish."""
        return await change(
            info, ProductChanged, input, lambda: WithdrawProductDeprecation(**input.said())
        )

    @mutation
    async def retire_product(self, info: Info, input: ProductInput) -> ProductChanged | Rejected:
        """Serve a deprecated product no more, after its sunset; needs product:publish."""
        return await change(info, ProductChanged, input, lambda: RetireProduct(**input.said()))

    @mutation
    async def reinstate_product(self, info: Info, input: ProductInput) -> ProductChanged | Rejected:
        """Serve a retired product again, deprecated; needs product:publish."""
        return await change(info, ProductChanged, input, lambda: ReinstateProduct(**input.said()))
