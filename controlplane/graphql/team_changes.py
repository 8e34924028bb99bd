"""What can be done about teams of consumers, and the people in them."""

from typing import Any

import strawberry

from controlplane.commands.team import (
    ChangeTeamRole,
    ForgetPerson,
    FormTeam,
    LeaveTeam,
    RegisterDeveloper,
    RemoveDeveloper,
    RenameTeam,
)
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change, mutation
from controlplane.graphql.enums import TeamRole
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named
from controlplane.graphql.team import DEVELOPER, TEAM, Developer, Team


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

    def said(self) -> dict[str, Any]:
        """Return what every command about a person is told."""
        return {
            **super().said(),
            "developer_id": named(self.developer_id, "Developer", "developer_id"),
        }


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

    kinds = (TEAM,)

    @strawberry.field
    async def team(self, info: Info) -> Team | None:
        """Return the team; null after a dry run."""
        return await self.node(info, TEAM)


@strawberry.type
class DeveloperChanged(Changed):
    """The developer, and what happened to them."""

    kinds = (DEVELOPER,)

    @strawberry.field
    async def developer(self, info: Info) -> Developer | None:
        """Return the developer; null after a dry run."""
        return await self.node(info, DEVELOPER)


@strawberry.type
class TeamMutations:
    """What can be done about teams."""

    @mutation
    async def form_team(self, info: Info, input: FormTeamInput) -> TeamChanged | Rejected:
        """Bring consumers together who share applications; needs team:form."""
        return await change(
            info, TeamChanged, input, lambda: FormTeam(name=input.name, **input.said())
        )

    @mutation
    async def register_developer(
        self, info: Info, input: RegisterDeveloperInput
    ) -> DeveloperChanged | Rejected:
        """Have a person join a team; needs developer:register."""
        return await change(
            info,
            DeveloperChanged,
            input,
            lambda: RegisterDeveloper(
                team_id=named(input.team_id, "Team", "team_id"),
                name=input.name,
                mail=input.mail,
                role=input.role,
                **input.said(),
            ),
        )

    @mutation
    async def rename_team(self, info: Info, input: RenameTeamInput) -> TeamChanged | Rejected:
        """Give a team another name; needs team:manage, and of its people an administrator."""
        return await change(
            info,
            TeamChanged,
            input,
            lambda: RenameTeam(
                team_id=named(input.team_id, "Team", "team_id"), name=input.name, **input.said()
            ),
        )

    @mutation
    async def change_team_role(
        self, info: Info, input: ChangeTeamRoleInput
    ) -> DeveloperChanged | Rejected:
        """Give a person another role; needs team:manage, and of the team an administrator."""
        return await change(
            info, DeveloperChanged, input, lambda: ChangeTeamRole(**input.said(), role=input.role)
        )

    @mutation
    async def remove_developer(
        self, info: Info, input: RemoveDeveloperInput
    ) -> DeveloperChanged | Rejected:
        """Remove a person from their team, and revoke their tokens.

        Needs team:manage, and of the team an administrator.
        """
        return await change(info, DeveloperChanged, input, lambda: RemoveDeveloper(**input.said()))

    @mutation
    async def leave_team(self, info: Info, input: LeaveTeamInput) -> DeveloperChanged | Rejected:
        """Leave one's team; one's tokens are revoked, the one used for this as well.

        Needs team:leave, and the token of a person.
        """
        return await change(info, DeveloperChanged, input, lambda: LeaveTeam(**input.said()))

    @mutation
    async def forget_person(
        self, info: Info, input: ForgetPersonInput
    ) -> DeveloperChanged | Rejected:
        """Make name and mail address of a person unreadable, everywhere and for ever.

        Their tokens are revoked. Needs person:forget; people may forget themselves only.
        """
        return await change(info, DeveloperChanged, input, lambda: ForgetPerson(**input.said()))
