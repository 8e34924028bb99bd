"""Commands about teams and their developers."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain import text
from domain.developer import Developer
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
class RegisterDeveloper(Command):
    """Have a person join a team."""

    permission = "developer:register"
    team_id: UUID
    name: str
    mail: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a developer; a mail address is used once in an organization.

        The address is reserved under a name that only the organization can compute.
        """
        await work.get(Team, self.team_id, "team_id")
        name, mail = text.label(self.name, "name"), text.mail(self.mail, "mail")
        organization, vault = context.caller.organization_id, context.services.vault
        developer_id = context.services.new_id()
        await work.reserve("mail", await vault.blind(organization, mail), developer_id, "mail")
        sealed_name, sealed_mail = await vault.seal(organization, developer_id, name, mail)
        work.add(
            Developer.register(
                developer_id,
                team_id=self.team_id,
                name=sealed_name,
                mail=sealed_mail,
                at=work.at,
                why=work.why,
            )
        )
