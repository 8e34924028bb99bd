"""An invitation: a secret by which one person joins one team, once, and within a time."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

from domain.aggregate import LATEST, Aggregate, DomainError, First, Why
from domain.developer import TeamRole
from domain.sealed import Sealed


class InvitationState(Enum):
    """Where an invitation is in its life."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


def effective(state: InvitationState, expires_at: datetime, at: datetime) -> InvitationState:
    """Return what an invitation is at an instant, of which `state` was recorded last."""
    return InvitationState.EXPIRED if state is InvitationState.OPEN and expires_at <= at else state


class InvitationNotOpenError(DomainError):
    """The invitation is unknown, was accepted or revoked, or has expired; ask for a new one."""


class InvitationNotDueError(DomainError):
    """An invitation expires when its time is over, once."""


class InvitationExpiryPastError(DomainError):
    """An invitation must expire in the future, and before the year 9999."""


class Invitation(Aggregate):
    """The offer to a person, known by a mail address, to join a team."""

    TOPIC = "invitation"

    def __init__(self) -> None:
        self.team_id = UUID(int=0)
        self.developer_id = UUID(int=0)
        self.mail: Sealed | None = None
        self.role = TeamRole.MEMBER.value
        self.sha256 = ""
        self.expires_at: datetime | None = None
        self.state = InvitationState.OPEN

    @classmethod
    def send(
        cls,
        invitation_id: UUID,
        *,
        team_id: UUID,
        developer_id: UUID,
        mail: Sealed,
        role: TeamRole,
        sha256: str,
        expires_at: datetime,
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin an invitation; the person becomes `developer_id` when they accept it.

        Raises InvitationExpiryPastError.
        """
        if not at < expires_at < LATEST:
            raise InvitationExpiryPastError("expires_at")
        return cls.begin(
            cls.Sent,
            invitation_id,
            at,
            why,
            team_id=team_id,
            developer_id=developer_id,
            mail=mail,
            role=role.value,
            sha256=sha256,
            expires_at=expires_at,
        )

    def accept(self, *, at: datetime, why: Why) -> None:
        """Use it up. Raises InvitationNotOpenError."""
        self._require_open(at, "token")
        self.emit(self.Accepted, at, why)

    def revoke(self, *, at: datetime, why: Why) -> None:
        """Take it back. Raises InvitationNotOpenError."""
        self._require_open(at, "invitation_id")
        self.emit(self.Revoked, at, why)

    def expire(self, *, at: datetime, why: Why) -> None:
        """Record that the time is over, so that nobody can use it. Raises InvitationNotDueError."""
        assert self.expires_at is not None
        if self.state is not InvitationState.OPEN or at < self.expires_at:
            raise InvitationNotDueError("invitation_id")
        self.emit(self.Expired, at, why)

    def _require_open(self, at: datetime, about: str) -> None:
        assert self.expires_at is not None
        if effective(self.state, self.expires_at, at) is not InvitationState.OPEN:
            raise InvitationNotOpenError(about)

    @dataclass(frozen=True)
    class Sent(First):
        """Somebody was invited; the token was shown once, to the one who invited."""

        TOPIC = "invitation.sent"
        team_id: UUID
        developer_id: UUID
        mail: Sealed
        role: str
        sha256: str
        expires_at: datetime

        def apply(self, aggregate: "Invitation") -> None:
            """Know who is invited to what, and until when."""
            aggregate.team_id = self.team_id
            aggregate.developer_id = self.developer_id
            aggregate.mail = self.mail
            aggregate.role = self.role
            aggregate.sha256 = self.sha256
            aggregate.expires_at = self.expires_at

    @dataclass(frozen=True)
    class Accepted(Aggregate.Event):
        """The person joined the team."""

        TOPIC = "invitation.accepted"

        def apply(self, aggregate: "Invitation") -> None:
            """Be used up."""
            aggregate.state = InvitationState.ACCEPTED

    @dataclass(frozen=True)
    class Expired(Aggregate.Event):
        """The person did not come in time."""

        TOPIC = "invitation.expired"

        def apply(self, aggregate: "Invitation") -> None:
            """Be over."""
            aggregate.state = InvitationState.EXPIRED

    @dataclass(frozen=True)
    class Revoked(Aggregate.Event):
        """The invitation was taken back."""

        TOPIC = "invitation.revoked"

        def apply(self, aggregate: "Invitation") -> None:
            """Be void."""
            aggregate.state = InvitationState.REVOKED
