"""Commands about applications."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork, require_team
from controlplane.context import Context
from domain.application import Application
from domain.team import Team


@dataclass(frozen=True, kw_only=True)
class RegisterApplication(Command):
    """Make a program of a team known."""

    permission = "application:register"
    team_id: UUID
    name: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin an application."""
        require_team(context, self.team_id, "team_id")
        await work.get(Team, self.team_id, "team_id")
        work.add(
            Application.register(
                context.services.new_id(),
                team_id=self.team_id,
                name=self.name,
                at=work.at,
                why=work.why,
            )
        )


@dataclass(frozen=True, kw_only=True)
class RenameApplication(Command):
    """Give an application another name."""

    permission = "application:register"
    application_id: UUID
    name: str
    expected_version: int | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Rename one application."""
        version = self.expected_version
        application = await work.get(
            Application, self.application_id, "application_id", expected_version=version
        )
        require_team(context, application.team_id, "application_id")
        application.rename(self.name, at=work.at, why=work.why)
