"""An organization: the provider of APIs, to which everything else belongs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, First, Why


class Organization(Aggregate):
    """The tenant. Its slug is unique in the installation."""

    TOPIC = "organization"

    @classmethod
    def establish(
        cls, organization_id: UUID, *, slug: str, name: str, at: datetime, why: Why
    ) -> Self:
        """Begin an organization; `why` is already its own.

        Raises SlugInvalidError, LabelInvalidError.
        """
        return cls.begin(
            cls.Established,
            organization_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            name=text.label(name, "name"),
        )

    @dataclass(frozen=True)
    class Established(First):
        """An operator of the installation let an organization in."""

        TOPIC = "organization.established"
        slug: str
        name: str
