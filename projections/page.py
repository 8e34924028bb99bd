"""The documentation of products: pages as they are now, and every version of them."""

from collections.abc import Iterator

from domain.aggregate import Aggregate
from domain.page import Page
from projections.readmodel import Key, Recorded, Rows, Table

NAME = "page"
VERSION = 1
PAGE = Table(
    "page",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "product_id": "uuid",
        "slug": "text",
        "title": "text",
        "source": "text",
        "page_version": "bigint",
        "withdrawn": "boolean",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=("organization_id, product_id, slug", "id"),
)
PAGE_VERSION = Table(
    "page_version",
    key={"organization_id": "uuid", "page_id": "uuid", "number": "bigint"},
    columns={"title": "text", "source": "text", "written_at": "timestamptz"},
    appends=True,
)
TABLES: tuple[Table, ...] = (PAGE, PAGE_VERSION)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    Page.Written,
    Page.Rewritten,
    Page.Withdrawn,
    Page.Restored,
)


def keys(recorded: Recorded) -> Iterator[Key]:
    """Return the row of the page."""
    yield Key(PAGE, (recorded.organization_id, recorded.event.originator_id))


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event, and add that of a new version."""
    event = recorded.event
    page = (recorded.organization_id, event.originator_id)
    row = rows.setdefault(Key(PAGE, page), {"created_at": event.timestamp, "withdrawn": False})
    row |= {"version": event.originator_version, "changed_at": event.timestamp}
    match event:
        case Page.Written() | Page.Rewritten():
            number = 1
            if isinstance(event, Page.Rewritten):
                number = event.page_version
            else:
                row |= {"product_id": event.product_id, "slug": event.slug}
            said = {"title": event.title, "source": event.source}
            row |= {**said, "page_version": number}
            rows[Key(PAGE_VERSION, (*page, number))] = {**said, "written_at": event.timestamp}
        case Page.Withdrawn() | Page.Restored():
            row["withdrawn"] = isinstance(event, Page.Withdrawn)
