"""What products and plans share: filters, and who finds them."""

from typing import Annotated
from uuid import UUID

import strawberry

from controlplane.graphql.enums import Visibility
from controlplane.graphql.node import named
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


@strawberry.input
class Audience:
    """Who finds it."""

    visibility: Visibility = strawberry.field(description="Everyone, the organization, or teams.")
    team_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="With TEAMS the ids of 1 to 100 teams, else none."
    )


def named_teams(ids: list[strawberry.ID]) -> tuple[UUID, ...]:
    """Return the UUIDs of teams. Raises NotFoundError about `team_ids`."""
    return tuple(named(id_, "Team", "team_ids") for id_ in ids)
