"""Teams of consumers, and the developers in them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from asyncpg import Record

from controlplane.graphql import application, invitation, visibility
from controlplane.graphql.enums import DeveloperState, Origin, TeamRole
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node
from controlplane.graphql.paging import (
    NAMED,
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Order,
    OrderBy,
    Window,
    nested,
    page,
)
from domain.sealed import Sealed
from projections.paging import Column
from projections.team import sealed

if TYPE_CHECKING:
    from controlplane.graphql.application import ApplicationConnection
    from controlplane.graphql.invitation import InvitationConnection


@strawberry.type
class Developer(Node):
    """A person of a team. Name and mail address are kept sealed, and opened for few."""

    team_key: strawberry.Private[Key]
    sealed_name: strawberry.Private[Sealed]
    sealed_mail: strawberry.Private[Sealed]
    role: TeamRole = strawberry.field(description="What they are to the team.")
    origin: Origin = strawberry.field(description="How they came to the team.")
    state: DeveloperState = strawberry.field(description="Whether they are in the team.")
    onboarding_began_at: datetime = strawberry.field(
        description="From when the time to their first call is counted."
    )
    ended_at: datetime | None = strawberry.field(
        description="When they left, were removed or forgotten; null while in the team."
    )
    version: int = strawberry.field(description="How often they changed.")
    created_at: datetime = strawberry.field(description="When they joined.")

    @strawberry.field
    async def name(self, info: Info) -> str | None:
        """Return the name; null when forgotten, and for those who need not know it."""
        return await self._opened(info, self.sealed_name)

    @strawberry.field
    async def mail(self, info: Info) -> str | None:
        """Return the mail address; null when forgotten, and for those who need not know it."""
        return await self._opened(info, self.sealed_mail)

    @strawberry.field
    async def team(self, info: Info) -> "Team | None":
        """Return the team they belong to."""
        return await one(info, TEAM, self.team_key)

    async def _opened(self, info: Info, text: Sealed) -> str | None:
        # Unreadable from the event on, not only from the moment its key is destroyed.
        forgotten = self.state is DeveloperState.FORGOTTEN
        return None if forgotten else await opened(info, text)


async def opened(info: Info, text: Sealed) -> str | None:
    """Return a text about a person, None for those who need not know it."""
    if not visibility.sees_persons(info.context.caller):
        return None
    return await info.context.opened(text)


@strawberry.type
class DeveloperConnection(Connection[Developer]):
    """Developers, in the order in which they joined."""


@strawberry.type
class Team(Node):
    """Developers who share their applications and subscriptions."""

    name: str = strawberry.field(description="Its name for people.")
    version: int = strawberry.field(description="How often it changed.")
    created_at: datetime = strawberry.field(description="When it came together.")
    developers: DeveloperConnection = strawberry.field(
        resolver=nested(lambda: DEVELOPERS_OF_TEAM), description="Its members, oldest first."
    )
    applications: Annotated[
        "ApplicationConnection", strawberry.lazy("controlplane.graphql.application")
    ] = strawberry.field(
        resolver=nested(lambda: application.OF_TEAM), description="Its programs, oldest first."
    )
    invitations: Annotated[
        "InvitationConnection", strawberry.lazy("controlplane.graphql.invitation")
    ] = strawberry.field(
        resolver=nested(lambda: invitation.OF_TEAM),
        description="Who was invited to it, oldest first.",
    )


@strawberry.type
class TeamConnection(Connection[Team]):
    """Teams, in the order that was asked for."""


def _team(row: Record) -> Team:
    return Team(
        key=(row["organization_id"], row["id"]),
        name=row["name"],
        version=row["version"],
        created_at=row["created_at"],
    )


def _developer(row: Record) -> Developer:
    return Developer(
        key=(row["organization_id"], row["id"]),
        team_key=(row["organization_id"], row["team_id"]),
        sealed_name=sealed(row["name"]),
        sealed_mail=sealed(row["mail"]),
        role=TeamRole(row["role"]),
        origin=Origin(row["origin"]),
        state=DeveloperState(row["state"]),
        onboarding_began_at=row["onboarding_began_at"],
        ended_at=row["ended_at"],
        version=row["version"],
        created_at=row["created_at"],
    )


TEAM = Kind("Team", "team", visibility.teams, "team:read", _team, same_noun("team"))
DEVELOPER = Kind(
    "Developer",
    "developer",
    visibility.members,
    "team:read",
    _developer,
    same_noun("developer"),
)
ALL: Listing[Team] = Listing(TEAM, TeamConnection, orders=NAMED)
DEVELOPERS_OF_TEAM: Listing[Developer] = Listing(
    DEVELOPER, DeveloperConnection, parents=(ORGANIZATION, Column("n.team_id", "uuid"))
)


@strawberry.type
class TeamQueries:
    """What can be read about teams."""

    @strawberry.field
    async def teams(
        self,
        info: Info,
        *,
        order_by: OrderBy = Order.NAME_ASC,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> TeamConnection:
        """List the teams of the organization, for a developer their own; needs team:read."""
        window = Window(first, after, last, before)
        found: TeamConnection = await page(info, ALL, window, order=order_by.value)
        return found
