"""Commands of the installation's operator about organizations."""

from dataclasses import dataclass

from controlplane.commands import Command, UnitOfWork
from controlplane.context import INSTALLATION, Context
from controlplane.secret import SECRET_BYTES, TOKEN_PREFIX, mint
from domain.access_token import AccessToken, Role
from domain.aggregate import Why
from domain.organization import Organization


@dataclass(frozen=True, kw_only=True)
class EstablishOrganization(Command):
    """Let a provider of APIs in; the answer's secret is the token of its first owner."""

    permission = "organization:establish"
    slug: str
    name: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin an organization that belongs to itself; its slug is unique in the installation."""
        services = context.services
        organization_id, token_id = services.new_id(), services.new_id()
        own = Why(**{**work.why, "organization": str(organization_id)})
        organization = Organization.establish(
            organization_id, slug=self.slug, name=self.name, at=work.at, why=own
        )
        await work.reserve_in(str(INSTALLATION), "organization", self.slug, organization_id, "slug")
        token = mint(TOKEN_PREFIX, token_id, services.entropy(SECRET_BYTES))
        work.add(organization)
        work.add(
            AccessToken.issue(
                token_id,
                name="first owner",
                role=Role.OWNER,
                sha256=token.sha256,
                team_id=None,
                gateway_id=None,
                expires_at=None,
                at=work.at,
                why=own,
            )
        )
        work.secret = token.text


class OpenRegistration(Command):
    """Let visitors register with the organization by themselves."""

    permission = "organization:configure"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Open the caller's own organization."""
        own = context.caller.organization_id
        organization = await work.get(Organization, own, "organization")
        organization.open_registration(at=work.at, why=work.why)


class CloseRegistration(Command):
    """Let no more visitors register by themselves."""

    permission = "organization:configure"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Close the caller's own organization."""
        own = context.caller.organization_id
        organization = await work.get(Organization, own, "organization")
        organization.close_registration(at=work.at, why=work.why)
