"""What can be found by its words: products, operations of their versions, and pages.

Who may see a hit is decided where it is read, by the rows it stands for.
"""

import re
from collections.abc import Iterator

from domain.aggregate import Aggregate
from domain.api_product import ApiProduct
from domain.api_version import ApiVersion
from domain.contract.operation import Operation
from domain.page import Page
from projections.product import ordinals
from projections.readmodel import Key, Recorded, Row, Rows, Table

NAME = "search"
VERSION = 2
PRODUCT, OPERATION, PAGE = "product", "operation", "page"
CONFIGURATION = "english"
"""Of PostgreSQL's text search: it knows the endings of English, and takes other words as they are.

The name in the index and in the query must be the same, or the index is not used.
"""
WORDS = (
    f"setweight(to_tsvector('{CONFIGURATION}', title), 'A')"
    f" || setweight(to_tsvector('{CONFIGURATION}', words || ' ' || tags), 'B')"
    f" || to_tsvector('{CONFIGURATION}', body)"
)
SEARCH = Table(
    "search_entry",
    key={"organization_id": "uuid", "kind": "text", "id": "uuid", "ordinal": "bigint"},
    columns={"title": "text", "words": "text", "tags": "text", "body": "text"},
    texts=(WORDS,),
)
TABLES: tuple[Table, ...] = (SEARCH,)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    ApiProduct.Defined,
    ApiProduct.Described,
    ApiProduct.Tagged,
    ApiVersion.Defined,
    ApiVersion.Revised,
    Page.Written,
    Page.Rewritten,
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[^\w]+|_+")


def keys(recorded: Recorded) -> Iterator[Key]:
    """Return the row of the product or the page; operations are only ever added."""
    if not isinstance(recorded.event, ApiVersion.Event):
        kind = PRODUCT if isinstance(recorded.event, ApiProduct.Event) else PAGE
        yield _key(recorded, kind)


def _key(recorded: Recorded, kind: str, ordinal: int = 0) -> Key:
    organization_id, id_ = recorded.organization_id, recorded.event.originator_id
    return Key(SEARCH, (organization_id, kind, id_, ordinal))


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the words up to date with one event."""
    event = recorded.event
    match event:
        case ApiProduct.Defined(name=name, slug=slug, description=description):
            rows[_key(recorded, PRODUCT)] = _entry(name, _words(slug), description)
        case ApiProduct.Described(name=name, description=description):
            rows[_key(recorded, PRODUCT)] |= {"title": name, "body": description}
        case ApiProduct.Tagged(tags=tags):
            rows[_key(recorded, PRODUCT)]["tags"] = " ".join(map(_words, tags))
        case ApiVersion.Defined() | ApiVersion.Revised():
            for ordinal, operation in ordinals(event):
                rows[_key(recorded, OPERATION, ordinal)] = _operation(operation)
        case Page.Written(title=title, slug=slug, source=source):
            rows[_key(recorded, PAGE)] = _entry(title, _words(slug), source)
        case Page.Rewritten(title=title, source=source):
            rows[_key(recorded, PAGE)] |= {"title": title, "body": source}


def _entry(title: str, words: str, body: str) -> Row:
    return {"title": title, "words": words, "tags": "", "body": body}


def _operation(operation: Operation) -> Row:
    """Return the words of an operation: also its name and its path taken apart."""
    spoken = " ".join(map(_words, (operation.name, operation.method, operation.path)))
    entry = _entry(operation.name or operation.path, spoken, operation.summary)
    return {**entry, "tags": " ".join(operation.tags)}


def _words(name: str) -> str:
    """Return a name as words: listPets as "list Pets", /pets/{id} as "pets id"."""
    return _NO_WORD.sub(" ", _HUMP.sub(" ", name)).strip()
