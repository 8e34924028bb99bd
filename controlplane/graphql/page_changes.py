"""What can be done about the documentation of products."""

from typing import Any

import strawberry

from controlplane.commands.page import RestorePage, RewritePage, WithdrawPage, WritePage
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change, mutation
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named
from controlplane.graphql.page import PAGE, Page


@strawberry.input
class WritePageInput(Asked):
    """The page to add to the documentation of a product."""

    product_id: strawberry.ID = strawberry.field(description="The id of the product.")
    slug: str = strawberry.field(
        description="Unique in the product; 1 to 63 lower-case letters, digits and hyphens."
    )
    title: str = strawberry.field(description="For people; 1 to 200 characters.")
    source: str = strawberry.field(description="Markdown; at most 50,000 characters.")


@strawberry.input
class PageInput(AskedAtVersion):
    """The page that it is about."""

    page_id: strawberry.ID = strawberry.field(description="The id of the page.")

    def said(self) -> dict[str, Any]:
        """Return what every command about a page is told."""
        return {**super().said(), "page_id": named(self.page_id, "Page", "page_id")}


@strawberry.input
class RewritePageInput(PageInput):
    """What a page says from now on."""

    title: str = strawberry.field(description="For people; 1 to 200 characters.")
    source: str = strawberry.field(description="Markdown; at most 50,000 characters.")


@strawberry.type
class PageChanged(Changed):
    """The page, and what happened to it."""

    kinds = (PAGE,)

    @strawberry.field
    async def page(self, info: Info) -> Page | None:
        """Return the page; null after a dry run."""
        return await self.node(info, PAGE)


@strawberry.type
class PageMutations:
    """What can be done about pages."""

    @mutation
    async def write_page(self, info: Info, input: WritePageInput) -> PageChanged | Rejected:
        """Add a page to the documentation of a product; needs page:write."""
        return await change(
            info,
            PageChanged,
            input,
            lambda: WritePage(
                product_id=named(input.product_id, "ApiProduct", "product_id"),
                slug=input.slug,
                title=input.title,
                source=input.source,
                **input.said(),
            ),
        )

    @mutation
    async def rewrite_page(self, info: Info, input: RewritePageInput) -> PageChanged | Rejected:
        """Write the next version of a page; needs page:write."""
        return await change(
            info,
            PageChanged,
            input,
            lambda: RewritePage(**input.said(), title=input.title, source=input.source),
        )

    @mutation
    async def withdraw_page(self, info: Info, input: PageInput) -> PageChanged | Rejected:
        """Show a page to the provider only; needs page:write."""
        return await change(info, PageChanged, input, lambda: WithdrawPage(**input.said()))

    @mutation
    async def restore_page(self, info: Info, input: PageInput) -> PageChanged | Rejected:
        """Put a withdrawn page back; needs page:write."""
        return await change(info, PageChanged, input, lambda: RestorePage(**input.said()))
