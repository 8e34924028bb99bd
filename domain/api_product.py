"""An API product: what is offered, described and sold as one thing."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Why


class ProductState(Enum):
    """Where a product is in its life."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"


class Visibility(Enum):
    """Who finds it in the catalogue."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


class ProductNotDraftError(DomainError):
    """Only a draft product can be published."""


class ApiProduct(Aggregate):
    """One or more API versions under one name, with the plans that sell them."""

    TOPIC = "api_product"

    def __init__(self) -> None:
        self.state = ProductState.DRAFT

    @classmethod
    def define(
        cls,
        product_id: UUID,
        *,
        slug: str,
        name: str,
        description: str,
        visibility: Visibility,
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin a draft. Raises SlugInvalidError, LabelInvalidError, ProseInvalidError."""
        return cls.begin(
            cls.Defined,
            product_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            name=text.label(name, "name"),
            description=text.prose(description, "description"),
            visibility=visibility.value,
        )

    def publish(self, *, at: datetime, why: Why) -> None:
        """Show it in the catalogue. Raises ProductNotDraftError."""
        if self.state is not ProductState.DRAFT:
            raise ProductNotDraftError
        self.emit(self.Published, at, why)

    @dataclass(frozen=True)
    class Defined(First):
        """A product manager described a product."""

        TOPIC = "api_product.defined"
        slug: str
        name: str
        description: str
        visibility: str

    @dataclass(frozen=True)
    class Published(Aggregate.Event):
        """The product went into the catalogue."""

        TOPIC = "api_product.published"

        def apply(self, aggregate: "ApiProduct") -> None:
            """Become published."""
            aggregate.state = ProductState.PUBLISHED
