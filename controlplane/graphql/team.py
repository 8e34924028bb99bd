"""Teams of consumers, and the developers in them."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from asyncpg import Record

from controlplane.commands.team import (
    ChangeTeamRole,
    DeveloperCommand,
    ForgetPerson,
    FormTeam,
    LeaveTeam,
    RegisterDeveloper,
    RemoveDeveloper,
    RenameTeam,
)
from controlplane.graphql import application, invitation, visibility
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change
from controlplane.graphql.enums import DeveloperState, Origin, TeamRole
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
    role: TeamRole = strawberry.field(
        default=TeamRole.MEMBER, description="What they are to the team."
    )


@strawberry.input
class RenameTeamInput(AskedAtVersion):
    """The team that gets another name."""

    team_id: strawberry.ID = strawberry.field(description="The id of the team.")
    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.input
class DeveloperInput(AskedAtVersion):
    """The person it is about."""

    developer_id: strawberry.ID = strawberry.field(description="The id of the developer.")


@strawberry.input
class ChangeTeamRoleInput(DeveloperInput):
    """The person who gets another role in their team."""

    role: TeamRole = strawberry.field(description="What they are to be.")


@strawberry.input
class RemoveDeveloperInput(DeveloperInput):
    """The person to remove from their team."""


@strawberry.input
class ForgetPersonInput(DeveloperInput):
    """The person to forget."""


@strawberry.input
class LeaveTeamInput(Asked):
    """That the person who asks leaves their team."""


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
RenameTeamResult = Annotated[
    TeamChanged | Rejected,
    strawberry.union("RenameTeamResult", description="What renameTeam did, or why not."),
]
ChangeTeamRoleResult = Annotated[
    DeveloperChanged | Rejected,
    strawberry.union("ChangeTeamRoleResult", description="What changeTeamRole did, or why not."),
]
RemoveDeveloperResult = Annotated[
    DeveloperChanged | Rejected,
    strawberry.union("RemoveDeveloperResult", description="What removeDeveloper did, or why not."),
]
LeaveTeamResult = Annotated[
    DeveloperChanged | Rejected,
    strawberry.union("LeaveTeamResult", description="What leaveTeam did, or why not."),
]
ForgetPersonResult = Annotated[
    DeveloperChanged | Rejected,
    strawberry.union("ForgetPersonResult", description="What forgetPerson did, or why not."),
]


def _about(
    command: type[DeveloperCommand],
    info: Info,
    input: DeveloperInput,
    **more: Any,  # noqa: ANN401  # fields of the command
) -> Awaitable[DeveloperChanged | Rejected]:
    return change(
        info,
        DeveloperChanged,
        DEVELOPER,
        input,
        lambda: command(
            developer_id=named(input.developer_id, "Developer", "developer_id"),
            **input.said(),
            **more,
        ),
    )


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
                role=input.role,
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def rename_team(self, info: Info, input: RenameTeamInput) -> RenameTeamResult:
        """Give a team another name; needs team:manage, and of its people an administrator."""
        return await change(
            info,
            TeamChanged,
            TEAM,
            input,
            lambda: RenameTeam(
                team_id=named(input.team_id, "Team", "team_id"), name=input.name, **input.said()
            ),
        )

    @strawberry.mutation
    async def change_team_role(
        self, info: Info, input: ChangeTeamRoleInput
    ) -> ChangeTeamRoleResult:
        """Give a person another role; needs team:manage, and of the team an administrator."""
        return await _about(ChangeTeamRole, info, input, role=input.role)

    @strawberry.mutation
    async def remove_developer(
        self, info: Info, input: RemoveDeveloperInput
    ) -> RemoveDeveloperResult:
        """Remove a person from their team, and revoke their tokens.

        Needs team:manage, and of the team an administrator.
        """
        return await _about(RemoveDeveloper, info, input)

    @strawberry.mutation
    async def leave_team(self, info: Info, input: LeaveTeamInput) -> LeaveTeamResult:
        """Leave one's team; one's tokens are revoked, the one used for this as well.

        Needs team:leave, and the token of a person.
        """
        return await change(
            info, DeveloperChanged, DEVELOPER, input, lambda: LeaveTeam(**input.said())
        )

    @strawberry.mutation
    async def forget_person(self, info: Info, input: ForgetPersonInput) -> ForgetPersonResult:
        """Make name and mail address of a person unreadable, everywhere and for ever.

        Their tokens are revoked. Needs person:forget; people may forget themselves only.
        """
        return await _about(ForgetPerson, info, input)
