"""The filters that products and plans share."""

from typing import Annotated

import strawberry

from projections.paging import Condition

OfOrganization = Annotated[
    str | None,
    strawberry.argument(description="The slug of an organization; others' products are left out."),
]


def in_organization(slug: str | None) -> Condition | None:
    """Return the condition that a row belongs to the organization with this slug."""
    if slug is None:
        return None
    own = "n.organization_id = (SELECT o.id FROM organization AS o WHERE o.slug = {})"
    return Condition(own, (slug,))


def named_like(prefix: str | None) -> Condition | None:
    """Return the condition that a name begins so, in whichever case."""
    if prefix is None:
        return None
    return Condition("starts_with(lower(n.name), lower({}))", (prefix,))
