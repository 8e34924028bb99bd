"""Full-text search over what the caller may see: products, operations and pages."""

from typing import Annotated

import strawberry
from asyncpg import Record

from controlplane.graphql import visibility
from controlplane.graphql.errors import invalid
from controlplane.graphql.loaders import Info, Key, Kind, Request, one, require_storable
from controlplane.graphql.page import PAGE, Page
from controlplane.graphql.paging import (
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Window,
    page,
)
from controlplane.graphql.product import PRODUCT, ApiProduct
from controlplane.graphql.version import OPERATION, Operation
from projections import search
from projections.paging import Column

QUERY_CHARS = 200
SNIPPET_CHARS = 20_000
"""From so much of a text, its beginning, the snippet is cut."""
_KINDS = {search.PRODUCT: PRODUCT, search.OPERATION: OPERATION, search.PAGE: PAGE}
_ASKED = f"websearch_to_tsquery('{search.CONFIGURATION}', {{}})"
# The last word is taken for the beginning of one, while it is typed. A query may also end in a
# closing parenthesis, which takes no prefix.
_PREFIXED = (
    f"SELECT CASE WHEN {_ASKED}::text LIKE '%'''"
    f" THEN ({_ASKED}::text || ':*')::tsquery ELSE {_ASKED} END"
)
_OF_PATHS = str.maketrans(dict.fromkeys("/{}.", " "))
_SNIPPET = 'StartSel="", StopSel="", MaxFragments=1, MaxWords=30, MinWords=15'

SearchItem = Annotated[
    ApiProduct | Operation | Page,
    strawberry.union("SearchItem", description="What a search finds."),
]


@strawberry.type
class SearchHit:
    """Something that was found."""

    query: strawberry.Private[str]
    kind: strawberry.Private[str]
    key: strawberry.Private[Key]

    @strawberry.field
    async def item(self, info: Info) -> SearchItem | None:
        """Return what was found."""
        organization_id, id_, ordinal = self.key
        if self.kind == search.OPERATION:
            return await one(info, OPERATION, (organization_id, id_, ordinal))
        if self.kind == search.PAGE:
            return await one(info, PAGE, (organization_id, id_))
        return await one(info, PRODUCT, (organization_id, id_))

    @strawberry.field
    async def snippet(self, info: Info) -> str:
        """Return the part of its text that fits best: plain text, or Markdown of a page."""
        return await info.context.loaded(_snippets, (self.kind, *self.key), self.query)


@strawberry.type
class SearchHitConnection(Connection[SearchHit]):
    """What was found, the best first."""


async def _snippets(request: Request, query: str, keys: list[Key]) -> list[str]:
    rows = await request.fetch(
        f"SELECT ts_headline('{search.CONFIGURATION}', left(e.body, {SNIPPET_CHARS}), q.asked,"  # noqa: S608  # ours
        f" '{_SNIPPET}') AS snippet FROM unnest($2::text[], $3::uuid[], $4::uuid[], $5::bigint[])"
        " WITH ORDINALITY AS wanted (kind, organization_id, id, ordinal, nth)"
        " JOIN search_entry AS e USING (organization_id, kind, id, ordinal)"
        f" CROSS JOIN ({_PREFIXED.format('$1', '$1', '$1')}) AS q (asked) ORDER BY wanted.nth",
        query,
        *map(list, zip(*keys, strict=True)),
    )
    return [row["snippet"] for row in rows]


_PARENT = "parent.m0"
_FOUND = (
    "(SELECT e.organization_id, e.kind, e.id, e.ordinal, parent.m0 AS query,"  # noqa: S608  # ours
    f" round(ts_rank_cd({search.WORDS}, q.asked)::numeric * 1000000)::bigint AS rank"
    f" FROM search_entry AS e, ({_PREFIXED.format(_PARENT, _PARENT, _PARENT)}) AS q (asked)"
    f" WHERE {search.WORDS} @@ q.asked)"
)


def _hit(row: Record) -> SearchHit:
    return SearchHit(
        query=row["query"],
        kind=row["kind"],
        key=(row["organization_id"], row["id"], row["ordinal"]),
    )


HIT = Kind("SearchHit", _FOUND, visibility.search_entries, "catalogue:read", _hit)
HITS: Listing[SearchHit] = Listing(
    HIT,
    SearchHitConnection,
    parents=(Column(_PARENT, "text"),),
    joins="CROSS JOIN LATERAL (SELECT n.*) AS e",  # as visibility calls it
    orders={
        "RANK": (
            Column("e.rank", "bigint"),
            Column("e.id", "uuid"),
            Column("e.ordinal", "bigint"),
        )
    },
)


def _taken_apart(query: str) -> str:
    """Return a query that also finds an operation by its path: of that the words are indexed."""
    words = " ".join(query.translate(_OF_PATHS).split())
    return query if '"' in query or not words or words == query else f"{query} or {words}"


@strawberry.type
class SearchQueries:
    """Full-text search."""

    @strawberry.field
    async def search(
        self,
        info: Info,
        *,
        query: Annotated[
            str,
            strawberry.argument(
                description="Words, of which the last may be the beginning of one;"
                ' "some words" in their order, -word without it, or; or a path, as GET /users/{id}.'
                " At most 200 characters."
            ),
        ],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> SearchHitConnection:
        """Find products, operations and pages by their words, those that the caller may see."""
        if len(query) > QUERY_CHARS:
            raise invalid(f"A search has at most {QUERY_CHARS} characters.")
        require_storable(query)
        query = _taken_apart(query)
        window = Window(first, after, last, before)
        found: SearchHitConnection = await page(
            info, HITS, window, parent=(query,), order="RANK_DESC"
        )
        return found
