"""Pages: the documentation of products, in Markdown and as HTML."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from asyncpg import Record

from controlplane.graphql import product, visibility
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node
from controlplane.graphql.paging import Connection, Listing, nested
from controlplane.markdown import html_of
from projections.paging import Column

if TYPE_CHECKING:
    from controlplane.graphql.product import ApiProduct


async def _html(source: str) -> str:
    # In a thread, so that others are served while a large page is rendered.
    return await asyncio.to_thread(html_of, source)


@strawberry.type
class PageVersion(Node):
    """What a page said between two writings of it."""

    number: int = strawberry.field(description="Counts the versions of the page from 1.")
    title: str = strawberry.field(description="What it was called.")
    source: str = strawberry.field(description="What it said, in Markdown.")
    written_at: datetime = strawberry.field(description="When it was written.")

    @strawberry.field
    async def html(self) -> str:
        """Return it as HTML, sanitised: without scripts, styles and raw HTML."""
        return await _html(self.source)


@strawberry.type
class PageVersionConnection(Connection[PageVersion]):
    """Versions of a page, the first one first."""


@strawberry.type
class Page(Node):
    """A page of a product's documentation."""

    product_key: strawberry.Private[Key]
    slug: str = strawberry.field(description="Its name in addresses, unique in the product.")
    title: str = strawberry.field(description="Its name for people.")
    source: str = strawberry.field(description="What it says, in Markdown.")
    page_version: int = strawberry.field(description="Which version of the page this is, from 1.")
    withdrawn: bool = strawberry.field(description="Whether only the provider sees it.")
    version: int = strawberry.field(description="How often it changed, for expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was written first.")
    changed_at: datetime = strawberry.field(description="When it changed last.")
    history: PageVersionConnection = strawberry.field(
        resolver=nested(lambda: VERSIONS_OF_PAGE),
        description="Every version of it, this one too, first to last.",
    )

    @strawberry.field
    async def html(self) -> str:
        """Return it as HTML, sanitised: without scripts, styles and raw HTML."""
        return await _html(self.source)

    @strawberry.field
    async def product(
        self, info: Info
    ) -> Annotated["ApiProduct", strawberry.lazy("controlplane.graphql.product")] | None:
        """Return the product that it documents."""
        return await one(info, product.PRODUCT, self.product_key)


@strawberry.type
class PageConnection(Connection[Page]):
    """Pages, by their slugs."""


def _page(row: Record) -> Page:
    return Page(
        key=(row["organization_id"], row["id"]),
        product_key=(row["organization_id"], row["product_id"]),
        slug=row["slug"],
        title=row["title"],
        source=row["source"],
        page_version=row["page_version"],
        withdrawn=row["withdrawn"],
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


def _version(row: Record) -> PageVersion:
    return PageVersion(
        key=(row["organization_id"], row["page_id"], row["number"]),
        number=row["number"],
        title=row["title"],
        source=row["source"],
        written_at=row["written_at"],
    )


PAGE = Kind("Page", "page", visibility.pages, "catalogue:read", _page, same_noun("page"))
PAGE_VERSION = Kind(
    "PageVersion",
    "page_version",
    visibility.page_versions,
    "catalogue:read",
    _version,
    key=(ORGANIZATION, Column("n.page_id", "uuid"), Column("n.number", "bigint")),
)
OF_PRODUCT: Listing[Page] = Listing(
    PAGE,
    PageConnection,
    parents=(ORGANIZATION, Column("n.product_id", "uuid")),
    orders={"SLUG": (Column("n.slug", "text"),)},
)
VERSIONS_OF_PAGE: Listing[PageVersion] = Listing(
    PAGE_VERSION,
    PageVersionConnection,
    parents=(ORGANIZATION, Column("n.page_id", "uuid")),
    orders={"NUMBER": (Column("n.number", "bigint"),)},
)
