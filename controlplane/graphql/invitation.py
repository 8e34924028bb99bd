"""Invitations to teams, and registration by oneself."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from asyncpg import Record

from controlplane.graphql import team, visibility
from controlplane.graphql.enums import InvitationState, TeamRole
from controlplane.graphql.loaders import (
    ORGANIZATION,
    Info,
    Key,
    Kind,
    one,
    same_noun,
)
from controlplane.graphql.node import Node
from controlplane.graphql.paging import Connection, Listing, listed
from domain.invitation import effective
from domain.sealed import Sealed
from projections.paging import Column
from projections.team import sealed

if TYPE_CHECKING:
    from controlplane.graphql.team import Developer, Team


@strawberry.type
class Invitation(Node):
    """The offer to a person to join a team. The mail address is kept sealed."""

    team_key: strawberry.Private[Key]
    developer_key: strawberry.Private[Key]
    sealed_mail: strawberry.Private[Sealed]
    recorded: strawberry.Private[InvitationState]
    role: TeamRole = strawberry.field(description="What the person becomes to the team.")
    expires_at: datetime = strawberry.field(description="Until when it can be accepted.")
    version: int = strawberry.field(description="How often it changed.")
    created_at: datetime = strawberry.field(description="When it was made.")

    @strawberry.field
    def state(self, info: Info) -> InvitationState:
        """Return where it is in its life at this instant."""
        return effective(self.recorded, self.expires_at, info.context.now)

    @strawberry.field
    async def mail(self, info: Info) -> str | None:
        """Return the mail address; null when forgotten, and for those who need not know it.

        It is forgotten soon after the invitation is over without having been accepted.
        """
        return await team.opened(info, self.sealed_mail)

    @strawberry.field
    async def team(
        self, info: Info
    ) -> Annotated["Team", strawberry.lazy("controlplane.graphql.team")] | None:
        """Return the team it is for."""
        return await one(info, team.TEAM, self.team_key)

    @strawberry.field
    async def developer(
        self, info: Info
    ) -> Annotated["Developer", strawberry.lazy("controlplane.graphql.team")] | None:
        """Return the person who accepted it; null before."""
        return await one(info, team.DEVELOPER, self.developer_key)


@strawberry.type
class InvitationConnection(Connection[Invitation]):
    """Invitations, oldest first."""


def _node(row: Record) -> Invitation:
    organization_id = row["organization_id"]
    return Invitation(
        key=(organization_id, row["id"]),
        team_key=(organization_id, row["team_id"]),
        developer_key=(organization_id, row["developer_id"]),
        sealed_mail=sealed(row["mail"]),
        recorded=InvitationState(row["state"]),
        role=TeamRole(row["role"]),
        expires_at=row["expires_at"],
        version=row["version"],
        created_at=row["created_at"],
    )


INVITATION = Kind(
    "Invitation",
    "invitation",
    visibility.members,
    "team:read",
    _node,
    same_noun("invitation"),
)
ALL: Listing[Invitation] = Listing(INVITATION, InvitationConnection)
OF_TEAM: Listing[Invitation] = Listing(
    INVITATION, InvitationConnection, parents=(ORGANIZATION, Column("n.team_id", "uuid"))
)


@strawberry.type
class InvitationQueries:
    """What can be read about invitations."""

    invitations: InvitationConnection = strawberry.field(
        resolver=listed(ALL),
        description="List invitations, for a developer those to their team; needs team:read.",
    )
