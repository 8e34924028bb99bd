"""Commands by which persons come to teams: invitations, and registration by oneself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from controlplane import secret
from controlplane.commands import Command, UnitOfWork
from controlplane.commands.person import introduced, let_in, oneself, require_manager
from controlplane.context import Context
from controlplane.persons import erase
from controlplane.store.eventstore import EventStore, Outcome
from domain import text
from domain.aggregate import DomainError
from domain.developer import Developer, Origin, TeamRole
from domain.invitation import Invitation, InvitationNotOpenError
from domain.organization import Organization
from domain.team import Team

INVITATION_DAYS = 14
INVITATIONS = 100
"""Open at a time in a team that invites by itself: each keeps a mail address from others."""
_OPEN = (
    "SELECT count(*) FROM (SELECT FROM invitation WHERE organization_id = $1 AND team_id = $2"
    " AND state = 'OPEN' AND expires_at > $3 LIMIT $4) AS open"
)


class TooManyInvitationsError(DomainError):
    """A team has at most 100 open invitations; revoke one, or wait until one is accepted."""


class TooManyRegistrationsError(DomainError):
    """Too many registrations were asked for from one address within an hour."""


@dataclass(frozen=True, kw_only=True)
class InviteDeveloper(Command):
    """Invite a person to a team; the answer's secret is the only time the token is seen."""

    permission = "team:manage"
    team_id: UUID
    mail: str
    role: TeamRole = TeamRole.MEMBER
    expires_at: datetime | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Mint a token, keep its hash, and reserve the address for the person to come."""
        await require_manager(work, context, self.team_id, "team_id")
        await work.get(Team, self.team_id, "team_id")
        if context.caller.team_id is not None:
            await self._require_few(work, context)
        developer_id, (mail,) = await introduced(work, context, self.mail)
        invitation_id, random = context.services.new_id(), context.services.entropy
        token = secret.mint(secret.INVITATION_PREFIX, invitation_id, random(secret.SECRET_BYTES))
        work.add(
            Invitation.send(
                invitation_id,
                team_id=self.team_id,
                developer_id=developer_id,
                mail=mail,
                role=self.role,
                sha256=token.sha256,
                expires_at=self.expires_at or work.at + timedelta(days=INVITATION_DAYS),
                at=work.at,
                why=work.why,
            )
        )
        work.secret = token.text

    async def _require_few(self, work: UnitOfWork, context: Context) -> None:
        """Raise TooManyInvitationsError, by a read model that may be behind by a moment."""
        services, organization = context.services, context.caller.organization_id
        async with services.lend() as connection:
            found = await connection.fetchval(
                _OPEN, organization, self.team_id, work.at, INVITATIONS
            )
        if found >= INVITATIONS:
            raise TooManyInvitationsError


@dataclass(frozen=True, kw_only=True)
class InvitationCommand(Command):
    """A command by which an invitation is over, and the person does not come."""

    permission = "team:manage"
    invitation_id: UUID

    async def get(self, work: UnitOfWork, context: Context) -> Invitation:
        """Return the invitation if the caller manages its team. Raises NotFoundError."""
        invitation = await work.get(Invitation, self.invitation_id, "invitation_id")
        await require_manager(work, context, invitation.team_id, "invitation_id")
        return invitation

    async def settle(self, outcome: Outcome, context: Context) -> None:  # noqa: ARG002
        """Destroy the key: nobody needs the mail address of somebody who did not come."""
        invitation = await context.services.store.load(self.invitation_id)
        assert isinstance(invitation, Invitation)
        assert invitation.mail is not None
        await erase(
            context.services,
            context.caller.organization_id,
            invitation.developer_id,
            invitation.mail,
        )


class RevokeInvitation(InvitationCommand):
    """Take an invitation back."""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Revoke one invitation for ever."""
        (await self.get(work, context)).revoke(at=work.at, why=work.why)


class ExpireInvitation(InvitationCommand):
    """Record that the time of an invitation is over; a timer asks for it."""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Expire an invitation that is due."""
        (await self.get(work, context)).expire(at=work.at, why=work.why)


async def organization_of(token: str, store: EventStore) -> UUID:
    """Return the organization that invites with a token.

    Raises InvitationNotOpenError for an unknown token, UnavailableError.
    """
    return UUID((await _invited(token, store)).organization)


async def _invited(token: str, store: EventStore) -> Invitation:
    invitation_id = secret.parse(secret.INVITATION_PREFIX, token)
    found = None if invitation_id is None else await store.load(invitation_id)
    if not isinstance(found, Invitation) or not secret.matches(token, found.sha256):
        raise InvitationNotOpenError("token")
    return found


@dataclass(frozen=True, kw_only=True)
class AcceptInvitation(Command):
    """Join the team one was invited to; the answer's secret is one's own token."""

    permission = "team:join"
    token: str
    name: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Use the invitation up and begin the developer that it named."""
        found = await _invited(self.token, context.services.store)
        invitation = await work.get(Invitation, found.id, "token")
        invitation.accept(at=work.at, why=work.why)
        assert invitation.mail is not None
        name = text.label(self.name, "name")
        (sealed_name,) = await context.services.vault.seal(
            context.caller.organization_id, invitation.developer_id, name
        )
        developer = Developer.register(
            invitation.developer_id,
            team_id=invitation.team_id,
            name=sealed_name,
            mail=invitation.mail,
            role=TeamRole(invitation.role),
            origin=Origin.INVITATION,
            at=work.at,
            why=work.why,
        )
        work.add(developer)
        await let_in(work, context, developer)


@dataclass(frozen=True, kw_only=True)
class RegisterSelf(Command):
    """Register with an organization that lets everybody; the answer's secret is one's own token."""

    permission = "team:join"
    team_name: str
    name: str
    mail: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Form a team whose first administrator the person is."""
        organization_id, services = context.caller.organization_id, context.services
        organization = await work.get(Organization, organization_id, "organization")
        organization.require_registration("organization")
        name = text.label(self.name, "name")
        team = Team.form(services.new_id(), name=self.team_name, at=work.at, why=work.why)
        developer_id, (mail, sealed_name) = await introduced(work, context, self.mail, name)
        developer = Developer.register(
            developer_id,
            team_id=team.id,
            name=sealed_name,
            mail=mail,
            role=TeamRole.ADMIN,
            origin=Origin.SELF,
            at=work.at,
            why=work.why,
        )
        work.add(team)
        work.add(developer)
        await let_in(work, context, developer)


@dataclass(frozen=True, kw_only=True)
class RenewToken(Command):
    """Get another token of one's own; the answer's secret is the only time it is seen."""

    permission = "token:renew"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Issue a token beside those there are."""
        await let_in(work, context, await oneself(work, context))
