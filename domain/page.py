"""A page: documentation of a product in Markdown; each writing is a version of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Why

SOURCE_CHARS = 50_000


class PageSourceInvalidError(DomainError):
    """A page has at most 50,000 characters and no NUL."""


class PageWithdrawnError(DomainError):
    """The page was withdrawn; restore it first."""


class PageNotWithdrawnError(DomainError):
    """Only a withdrawn page can be restored."""


class Page(Aggregate):
    """One page of a product's documentation; earlier versions of it stay readable."""

    TOPIC = "page"

    def __init__(self) -> None:
        self.page_version = 1
        self.withdrawn = False

    @classmethod
    def write(
        cls,
        page_id: UUID,
        *,
        product_id: UUID,
        slug: str,
        title: str,
        source: str,
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin a page of a product, at version 1.

        Raises SlugInvalidError, LabelInvalidError, PageSourceInvalidError.
        """
        return cls.begin(
            cls.Written,
            page_id,
            at,
            why,
            product_id=product_id,
            slug=text.slug(slug, "slug"),
            title=text.label(title, "title"),
            source=_markdown(source),
        )

    def rewrite(self, *, title: str, source: str, at: datetime, why: Why) -> None:
        """Make it say something else from now on, as its next version.

        Raises PageWithdrawnError, LabelInvalidError, PageSourceInvalidError.
        """
        self._require_there()
        self.emit(
            self.Rewritten,
            at,
            why,
            page_version=self.page_version + 1,
            title=text.label(title, "title"),
            source=_markdown(source),
        )

    def withdraw(self, *, at: datetime, why: Why) -> None:
        """Show it to the provider only. Raises PageWithdrawnError."""
        self._require_there()
        self.emit(self.Withdrawn, at, why)

    def restore(self, *, at: datetime, why: Why) -> None:
        """Show it to all again. Raises PageNotWithdrawnError."""
        if not self.withdrawn:
            raise PageNotWithdrawnError
        self.emit(self.Restored, at, why)

    def _require_there(self) -> None:
        if self.withdrawn:
            raise PageWithdrawnError

    @dataclass(frozen=True)
    class Written(First):
        """A page was added to the documentation of a product."""

        TOPIC = "page.written"
        product_id: UUID
        slug: str
        title: str
        source: str

    @dataclass(frozen=True)
    class Rewritten(Aggregate.Event):
        """The page says something else."""

        TOPIC = "page.rewritten"
        page_version: int
        title: str
        source: str

        def apply(self, aggregate: "Page") -> None:
            """Be at this version."""
            aggregate.page_version = self.page_version

    @dataclass(frozen=True)
    class Withdrawn(Aggregate.Event):
        """The page was taken out of the documentation."""

        TOPIC = "page.withdrawn"

        def apply(self, aggregate: "Page") -> None:
            """Be withdrawn."""
            aggregate.withdrawn = True

    @dataclass(frozen=True)
    class Restored(Aggregate.Event):
        """The page was put back into the documentation."""

        TOPIC = "page.restored"

        def apply(self, aggregate: "Page") -> None:
            """Be there again."""
            aggregate.withdrawn = False


def _markdown(source: str) -> str:
    if len(source) > SOURCE_CHARS or not text.storable(source):
        raise PageSourceInvalidError("source")
    return source
