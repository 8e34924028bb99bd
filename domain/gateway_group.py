"""A gateway group: gateways that enforce the same configuration."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Why

PRODUCTS = 1_000


class GroupProductsInvalidError(DomainError):
    """A gateway group serves at most 1,000 named products, each once; none named means all."""


class GatewayGroup(Aggregate):
    """The gateways of one environment that serve the same products."""

    TOPIC = "gateway_group"

    @classmethod
    def open(
        cls,
        group_id: UUID,
        *,
        slug: str,
        environment: str,
        product_ids: list[UUID],
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin a group that serves the products, or with an empty list all there will be.

        Raises SlugInvalidError, GroupProductsInvalidError.
        """
        if len(product_ids) > PRODUCTS or len(set(product_ids)) < len(product_ids):
            raise GroupProductsInvalidError("product_ids")
        return cls.begin(
            cls.Opened,
            group_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            environment=text.slug(environment, "environment"),
            product_ids=product_ids,
        )

    @dataclass(frozen=True)
    class Opened(First):
        """A platform engineer set a group up."""

        TOPIC = "gateway_group.opened"
        slug: str
        environment: str
        product_ids: list[UUID]
