"""What can be done about invitations, and by visitors who register."""

from datetime import datetime

import strawberry

from controlplane import auth
from controlplane.commands import NotFoundError
from controlplane.commands.invitation import (
    AcceptInvitation,
    InviteDeveloper,
    RegisterSelf,
    RevokeInvitation,
    TooManyRegistrationsError,
    organization_of,
)
from controlplane.graphql.changes import Asked, Changed, Issued, change, mutation
from controlplane.graphql.enums import TeamRole
from controlplane.graphql.errors import Rejected, rejected
from controlplane.graphql.invitation import INVITATION, Invitation
from controlplane.graphql.loaders import Info, Request
from controlplane.graphql.node import named
from controlplane.graphql.team import DEVELOPER
from domain.invitation import InvitationNotOpenError
from domain.text import storable


@strawberry.input
class InviteDeveloperInput(Asked):
    """The person to invite."""

    team_id: strawberry.ID = strawberry.field(description="The id of the team.")
    mail: str = strawberry.field(
        description="Their mail address, used once in an organization; kept sealed. Nothing is"
        " sent: give them the token that the answer shows."
    )
    role: TeamRole = strawberry.field(
        default=TeamRole.MEMBER, description="What they become to the team."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="Until when they can accept; null: for 14 days."
    )


@strawberry.input
class RevokeInvitationInput(Asked):
    """The invitation to take back."""

    invitation_id: strawberry.ID = strawberry.field(description="The id of the invitation.")


@strawberry.input
class AcceptInvitationInput(Asked):
    """Who joins, and by which invitation."""

    token: str = strawberry.field(description="The token of the invitation, cpi_...")
    name: str = strawberry.field(description="One's name, 1 to 200 characters; kept sealed.")


@strawberry.input
class RegisterSelfInput(Asked):
    """Who registers, and with whom."""

    organization: str = strawberry.field(description="The slug of the organization.")
    team_name: str = strawberry.field(
        description="What the new team is called; plain text, 1 to 200 characters."
    )
    name: str = strawberry.field(description="One's name, 1 to 200 characters; kept sealed.")
    mail: str = strawberry.field(
        description="One's mail address, used once in an organization; kept sealed. It is not"
        " verified."
    )


@strawberry.type
class InvitationIssued(Issued):
    """The invitation, with its token as the secret."""

    kinds = (INVITATION,)

    @strawberry.field
    async def invitation(self, info: Info) -> Invitation | None:
        """Return the invitation; null after a dry run."""
        return await self.node(info, INVITATION)


@strawberry.type
class InvitationChanged(Changed):
    """The invitation, and what happened to it."""

    kinds = (INVITATION,)

    @strawberry.field
    async def invitation(self, info: Info) -> Invitation | None:
        """Return the invitation; null after a dry run."""
        return await self.node(info, INVITATION)


@strawberry.type
class PersonJoined(Issued):
    """The id of the developer that somebody became, with a token of their own as the secret.

    The token acts for the person in their team, and is valid for 90 days.
    """

    kinds = (DEVELOPER,)


def _count(request: Request) -> None:
    """Count a registration that is asked for. Raises TooManyRegistrationsError.

    Also one that is refused, or only tried: it tells whether a mail address is known.
    """
    if request.sender is None:
        return
    registrations = request.app.registrations
    names = registrations.names(request.sender)
    closed_s = registrations.closed_s(names)
    if closed_s:
        raise TooManyRegistrationsError(None, f"Try again in {closed_s} s.")
    registrations.count(names)


@strawberry.type
class InvitationMutations:
    """What can be done about invitations, and by visitors."""

    @mutation
    async def invite_developer(
        self, info: Info, input: InviteDeveloperInput
    ) -> InvitationIssued | Rejected:
        """Invite a person to a team; needs team:manage, and of its people an administrator."""
        return await change(
            info,
            InvitationIssued,
            input,
            lambda: InviteDeveloper(
                team_id=named(input.team_id, "Team", "team_id"),
                mail=input.mail,
                role=input.role,
                expires_at=input.expires_at,
                **input.said(),
            ),
        )

    @mutation
    async def revoke_invitation(
        self, info: Info, input: RevokeInvitationInput
    ) -> InvitationChanged | Rejected:
        """Take an invitation back; needs team:manage, and of the team an administrator."""
        return await change(
            info,
            InvitationChanged,
            input,
            lambda: RevokeInvitation(
                invitation_id=named(input.invitation_id, "Invitation", "invitation_id"),
                **input.said(),
            ),
        )

    @mutation
    async def accept_invitation(
        self, info: Info, input: AcceptInvitationInput
    ) -> PersonJoined | Rejected:
        """Join the team one was invited to; needs nothing but the token, once."""
        try:
            organization_id = await organization_of(input.token, info.context.app.services.store)
        except InvitationNotOpenError as refusal:
            return rejected(refusal)
        return await change(
            info,
            PersonJoined,
            input,
            lambda: AcceptInvitation(token=input.token, name=input.name, **input.said()),
            by=auth.visitor(organization_id),
        )

    @mutation
    async def register_self(self, info: Info, input: RegisterSelfInput) -> PersonJoined | Rejected:
        """Register with an organization that lets everybody, and form a team; needs no token.

        At most 30 times an hour from one address, unless the installation is set otherwise.
        """
        try:
            _count(info.context)
        except TooManyRegistrationsError as refusal:
            return rejected(refusal)
        slug = input.organization if storable(input.organization) else ""
        found = await info.context.fetch("SELECT id FROM organization WHERE slug = $1", slug)
        if not found:
            return rejected(NotFoundError("organization"))
        return await change(
            info,
            PersonJoined,
            input,
            lambda: RegisterSelf(
                team_name=input.team_name, name=input.name, mail=input.mail, **input.said()
            ),
            by=auth.visitor(found[0]["id"]),
        )
