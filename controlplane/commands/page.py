"""Commands about the documentation of products."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.page import Page


@dataclass(frozen=True, kw_only=True)
class WritePage(Command):
    """Add a page to the documentation of a product."""

    permission = "page:write"
    product_id: UUID
    slug: str
    title: str
    source: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a page, whose slug is unique in the product."""
        await work.get(ApiProduct, self.product_id, "product_id")
        page = Page.write(
            context.services.new_id(),
            product_id=self.product_id,
            slug=self.slug,
            title=self.title,
            source=self.source,
            at=work.at,
            why=work.why,
        )
        await work.reserve("page", f"{self.product_id}/{self.slug}", page.id, "slug")
        work.add(page)


@dataclass(frozen=True, kw_only=True)
class PageCommand(Command):
    """Something asked of one page, if need be at one version of it."""

    page_id: UUID
    expected_version: int | None = None

    async def get(self, work: UnitOfWork) -> Page:
        """Return the page this is about."""
        return await work.get(Page, self.page_id, "page_id", expected_version=self.expected_version)


@dataclass(frozen=True, kw_only=True)
class RewritePage(PageCommand):
    """Have a page say something else."""

    permission = "page:write"
    title: str
    source: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Write the next version of the page; the earlier ones stay readable."""
        page = await self.get(work)
        page.rewrite(title=self.title, source=self.source, at=work.at, why=work.why)


class WithdrawPage(PageCommand):
    """Take a page out of the documentation."""

    permission = "page:write"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Withdraw it; only the provider sees it then."""
        (await self.get(work)).withdraw(at=work.at, why=work.why)


class RestorePage(PageCommand):
    """Put a page back into the documentation."""

    permission = "page:write"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Restore a withdrawn page."""
        (await self.get(work)).restore(at=work.at, why=work.why)
