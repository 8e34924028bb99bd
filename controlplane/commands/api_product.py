"""Commands about API products."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.audience import Visibility
from domain.team import Team


@dataclass(frozen=True, kw_only=True)
class DefineProduct(Command):
    """Describe what is to be offered."""

    permission = "product:define"
    slug: str
    name: str
    description: str = ""
    visibility: Visibility = Visibility.PRIVATE
    team_ids: tuple[UUID, ...] = ()

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a draft product, whose slug is unique in the organization."""
        product = ApiProduct.define(
            context.services.new_id(),
            slug=self.slug,
            name=self.name,
            description=self.description,
            visibility=self.visibility,
            team_ids=list(self.team_ids),
            at=work.at,
            why=work.why,
        )
        await require_teams(work, self.team_ids)
        await work.reserve("product", self.slug, product.id, "slug")
        work.add(product)


async def require_teams(work: UnitOfWork, team_ids: tuple[UUID, ...]) -> None:
    """Raise NotFoundError about `team_ids` unless each is a team of the organization."""
    for team_id in team_ids:
        await work.get(Team, team_id, "team_ids")


@dataclass(frozen=True, kw_only=True)
class ProductCommand(Command):
    """Something asked of one product, if need be at one version of it."""

    product_id: UUID
    expected_version: int | None = None

    async def get(self, work: UnitOfWork) -> ApiProduct:
        """Return the product this is about."""
        return await work.get(
            ApiProduct, self.product_id, "product_id", expected_version=self.expected_version
        )


@dataclass(frozen=True, kw_only=True)
class DescribeProduct(ProductCommand):
    """Give a product another name and description."""

    permission = "product:define"
    name: str
    description: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Describe it anew; its slug stays."""
        product = await self.get(work)
        product.describe(name=self.name, description=self.description, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class TagProduct(ProductCommand):
    """Put a product under tags."""

    permission = "product:define"
    tags: tuple[str, ...]

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Tag it, in place of the tags before."""
        (await self.get(work)).tag(list(self.tags), at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class NameProductOwner(ProductCommand):
    """Say who answers for a product."""

    permission = "product:define"
    owner: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Name the owner, or nobody."""
        (await self.get(work)).name_owner(self.owner, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class ChooseProductAudience(ProductCommand):
    """Say who finds a product once it is published."""

    permission = "product:publish"
    visibility: Visibility
    team_ids: tuple[UUID, ...] = ()

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Choose everyone, the organization, or teams of it."""
        product = await self.get(work)
        product.choose_audience(self.visibility, list(self.team_ids), at=work.at, why=work.why)
        await require_teams(work, self.team_ids)


class PublishProduct(ProductCommand):
    """Show a product in the catalogue."""

    permission = "product:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Publish a draft product."""
        (await self.get(work)).publish(at=work.at, why=work.why)


class WithdrawProduct(ProductCommand):
    """Take a product that was published by mistake out of the catalogue."""

    permission = "product:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make a published product a draft again."""
        (await self.get(work)).withdraw_publication(at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class DeprecateProduct(ProductCommand):
    """Advise against a product."""

    permission = "product:publish"
    sunset_at: datetime | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Deprecate a published product, if need be until a sunset."""
        (await self.get(work)).deprecate(sunset_at=self.sunset_at, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class ScheduleProductSunset(ProductCommand):
    """Say until when a deprecated product lasts."""

    permission = "product:publish"
    sunset_at: datetime | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Set, move or lift the sunset."""
        (await self.get(work)).schedule_sunset(self.sunset_at, at=work.at, why=work.why)


class WithdrawProductDeprecation(ProductCommand):
    """Recommend a deprecated product again."""

    permission = "product:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make it published, without a sunset."""
        (await self.get(work)).withdraw_deprecation(at=work.at, why=work.why)


class RetireProduct(ProductCommand):
    """Serve a product no more."""

    permission = "product:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Retire a deprecated product whose sunset, if it has one, has come."""
        (await self.get(work)).retire(at=work.at, why=work.why)


class ReinstateProduct(ProductCommand):
    """Serve a retired product again."""

    permission = "product:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make it deprecated again."""
        (await self.get(work)).reinstate(at=work.at, why=work.why)
