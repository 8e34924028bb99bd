"""Teams of consumers, and the developers in them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from asyncpg import Record

from controlplane.commands.team import FormTeam, RegisterDeveloper
from controlplane.graphql import application, visibility
from controlplane.graphql.changes import Asked, Changed, change
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node, named
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


@strawberry.type
class Developer(Node):
    """A person of a team. Name and mail address are kept sealed, and opened for few."""

    team_key: strawberry.Private[Key]
    sealed_name: strawberry.Private[Sealed]
    sealed_mail: strawberry.Private[Sealed]
    version: int = strawberry.field(description="How often they changed.")
    created_at: datetime = strawberry.field(description="When they joined.")

    @strawberry.field
    async def name(self, info: Info) -> str | None:
        """Return the name; null when forgotten, and for those who need not know it."""
        return await _opened(info, self.sealed_name)

    @strawberry.field
    async def mail(self, info: Info) -> str | None:
        """Return the mail address; null when forgotten, and for those who need not know it."""
        return await _opened(info, self.sealed_mail)

    @strawberry.field
    async def team(self, info: Info) -> "Team | None":
        """Return the team they belong to."""
        return await one(info, TEAM, self.team_key)


async def _opened(info: Info, text: Sealed) -> str | None:
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


@strawberry.input
class FormTeamInput(Asked):
    """The team to bring together."""

    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.input
class RegisterDeveloperInput(Asked):
    """The person who joins a team."""

    team_id: strawberry.ID = strawberry.field(description="The id of the team.")
    name: str = strawberry.field(description="Their name; kept sealed.")
    mail: str = strawberry.field(
        description="Their mail address, used once in an organization; kept sealed."
    )


@strawberry.type
class TeamChanged(Changed):
    """The team, and what happened to it."""

    @strawberry.field
    async def team(self, info: Info) -> Team | None:
        """Return the team; null after a dry run."""
        return await self.node(info, TEAM)


@strawberry.type
class DeveloperChanged(Changed):
    """The developer, and what happened to them."""

    @strawberry.field
    async def developer(self, info: Info) -> Developer | None:
        """Return the developer; null after a dry run."""
        return await self.node(info, DEVELOPER)


FormTeamResult = Annotated[
    TeamChanged | Rejected,
    strawberry.union("FormTeamResult", description="What formTeam did, or why not."),
]
RegisterDeveloperResult = Annotated[
    DeveloperChanged | Rejected,
    strawberry.union(
        "RegisterDeveloperResult", description="What registerDeveloper did, or why not."
    ),
]


@strawberry.type
class TeamMutations:
    """What can be done about teams."""

    @strawberry.mutation
    async def form_team(self, info: Info, input: FormTeamInput) -> FormTeamResult:
        """Bring consumers together who share applications; needs team:form."""
        return await change(
            info, TeamChanged, TEAM, input, lambda: FormTeam(name=input.name, **input.said())
        )

    @strawberry.mutation
    async def register_developer(
        self, info: Info, input: RegisterDeveloperInput
    ) -> RegisterDeveloperResult:
        """Have a person join a team; needs developer:register."""
        return await change(
            info,
            DeveloperChanged,
            DEVELOPER,
            input,
            lambda: RegisterDeveloper(
                team_id=named(input.team_id, "Team", "team_id"),
                name=input.name,
                mail=input.mail,
                **input.said(),
            ),
        )
