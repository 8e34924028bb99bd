"""Commands about API products."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct, Visibility


@dataclass(frozen=True, kw_only=True)
class DefineProduct(Command):
    """Describe what is to be offered."""

    permission = "product:define"
    slug: str
    name: str
    description: str = ""
    visibility: Visibility = Visibility.PRIVATE

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a draft product, whose slug is unique in the organization."""
        product = ApiProduct.define(
            context.services.new_id(),
            slug=self.slug,
            name=self.name,
            description=self.description,
            visibility=self.visibility,
            at=work.at,
            why=work.why,
        )
        await work.reserve("product", self.slug, product.id, "slug")
        work.add(product)


@dataclass(frozen=True, kw_only=True)
class PublishProduct(Command):
    """Show a product in the catalogue."""

    permission = "product:publish"
    product_id: UUID
    expected_version: int | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Publish a draft product."""
        product = await work.get(
            ApiProduct, self.product_id, "product_id", expected_version=self.expected_version
        )
        product.publish(at=work.at, why=work.why)
