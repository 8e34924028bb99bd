"""Commands about teams and their developers."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, NotPermittedError, UnitOfWork, require_team
from controlplane.commands.person import (
    introduced,
    oneself,
    require_another_administrator,
    require_manager,
    shut_out,
)
from controlplane.context import Context
from controlplane.persons import erase, free_address
from controlplane.store.eventstore import Outcome
from domain import text
from domain.developer import Developer, TeamRole
from domain.team import Team


@dataclass(frozen=True, kw_only=True)
class FormTeam(Command):
    """Bring consumers together who share applications."""

    permission = "team:form"
    name: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a team."""
        work.add(Team.form(context.services.new_id(), name=self.name, at=work.at, why=work.why))


@dataclass(frozen=True, kw_only=True)
class RenameTeam(Command):
    """Give a team another name."""

    permission = "team:manage"
    team_id: UUID
    name: str
    expected_version: int | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Rename one team."""
        await require_manager(work, context, self.team_id, "team_id")
        version = self.expected_version
        team = await work.get(Team, self.team_id, "team_id", expected_version=version)
        team.rename(self.name, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class RegisterDeveloper(Command):
    """Have a person join a team."""

    permission = "developer:register"
    team_id: UUID
    name: str
    mail: str
    role: TeamRole = TeamRole.MEMBER

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a developer."""
        await work.get(Team, self.team_id, "team_id")
        name = text.label(self.name, "name")
        developer_id, (mail, sealed_name) = await introduced(work, context, self.mail, name)
        work.add(
            Developer.register(
                developer_id,
                team_id=self.team_id,
                name=sealed_name,
                mail=mail,
                role=self.role,
                at=work.at,
                why=work.why,
            )
        )


@dataclass(frozen=True, kw_only=True)
class DeveloperCommand(Command):
    """Something asked of one developer, if need be at one version of them."""

    developer_id: UUID
    expected_version: int | None = None

    async def get(self, work: UnitOfWork, context: Context) -> Developer:
        """Return the developer this is about, if the caller sees their team."""
        developer = await work.get(
            Developer, self.developer_id, "developer_id", expected_version=self.expected_version
        )
        require_team(context, developer.team_id, "developer_id")
        return developer


@dataclass(frozen=True, kw_only=True)
class ChangeTeamRole(DeveloperCommand):
    """Make a person an administrator of their team, or a member again."""

    permission = "team:manage"
    role: TeamRole

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Change what one developer is to the team."""
        developer = await self.get(work, context)
        await require_manager(work, context, developer.team_id, "developer_id")
        if self.role is not TeamRole.ADMIN:
            await require_another_administrator(work, context, developer)
        developer.change_role(self.role, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class RemoveDeveloper(DeveloperCommand):
    """Have a person leave their team."""

    permission = "team:manage"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Remove one developer, and revoke their tokens."""
        developer = await self.get(work, context)
        await require_manager(work, context, developer.team_id, "developer_id")
        await require_another_administrator(work, context, developer)
        developer.remove(at=work.at, why=work.why)
        await shut_out(work, developer)

    async def settle(self, outcome: Outcome, context: Context) -> None:  # noqa: ARG002
        """Let the mail address be used again."""
        await _free_address(context, self.developer_id)


@dataclass(frozen=True, kw_only=True)
class LeaveTeam(Command):
    """Leave one's own team."""

    permission = "team:leave"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Have the person who asks leave, and revoke their tokens: this one too."""
        developer = await oneself(work, context)
        await require_another_administrator(work, context, developer)
        developer.leave(at=work.at, why=work.why)
        await shut_out(work, developer)

    async def settle(self, outcome: Outcome, context: Context) -> None:  # noqa: ARG002
        """Let the mail address be used again."""
        assert context.caller.developer_id is not None
        await _free_address(context, context.caller.developer_id)


@dataclass(frozen=True, kw_only=True)
class ForgetPerson(DeveloperCommand):
    """Make a person's name and mail address unreadable, everywhere and for ever."""

    permission = "person:forget"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Decide it, and revoke their tokens; but for the provider, only one's own."""
        developer = await self.get(work, context)
        caller = context.caller
        if caller.team_id is not None and caller.developer_id != developer.id:
            raise NotPermittedError(None, "It needs the token of that person, or the owner's.")
        developer.forget(at=work.at, why=work.why)
        await shut_out(work, developer)

    async def settle(self, outcome: Outcome, context: Context) -> None:  # noqa: ARG002
        """Destroy the key."""
        developer = await context.services.store.load(self.developer_id)
        assert isinstance(developer, Developer)
        assert developer.mail is not None
        organization_id = context.caller.organization_id
        await erase(context.services, organization_id, developer.id, developer.mail)


async def _free_address(context: Context, developer_id: UUID) -> None:
    developer = await context.services.store.load(developer_id)
    assert isinstance(developer, Developer)
    assert developer.mail is not None
    organization_id = context.caller.organization_id
    await free_address(context.services, organization_id, developer.id, developer.mail)
