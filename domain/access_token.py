"""An access token: what a person, a program or a gateway shows to use the control plane itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Self
from uuid import UUID

from domain import text
from domain.aggregate import LATEST, Aggregate, DomainError, First, Why


class Role(Enum):
    """What the bearer of a token is to its organization."""

    OWNER = "OWNER"
    PRODUCT_MANAGER = "PRODUCT_MANAGER"
    DEVELOPER = "DEVELOPER"
    GATEWAY = "GATEWAY"
    AUDITOR = "AUDITOR"
    OPERATOR = "OPERATOR"


class TokenRevokedError(DomainError):
    """The token is revoked already; a revocation is final."""


class TokenExpiryPastError(DomainError):
    """A token must expire in the future, and before the year 9999."""


class BearerMissingError(DomainError):
    """A developer's token names a team, or a person of it too; a gateway's a gateway; no other."""


class AccessToken(Aggregate):
    """A bearer token of the control plane; only its SHA-256 is kept."""

    TOPIC = "access_token"

    def __init__(self) -> None:
        self.role = Role.AUDITOR
        self.sha256 = ""
        self.team_id: UUID | None = None
        self.gateway_id: UUID | None = None
        self.developer_id: UUID | None = None
        self.expires_at: datetime | None = None
        self.revoked = False

    @classmethod
    def issue(
        cls,
        token_id: UUID,
        *,
        name: str,
        role: Role,
        sha256: str,
        team_id: UUID | None,
        gateway_id: UUID | None,
        expires_at: datetime | None,
        developer_id: UUID | None = None,
        at: datetime,
        why: Why,
    ) -> Self:
        """Let the bearer act as `role`, a developer's perhaps as one person of the team.

        Raises LabelInvalidError, BearerMissingError, TokenExpiryPastError.
        """
        if (team_id is None) is (role is Role.DEVELOPER):
            raise BearerMissingError("team_id")
        if (gateway_id is None) is (role is Role.GATEWAY):
            raise BearerMissingError("gateway_id")
        if developer_id is not None and role is not Role.DEVELOPER:
            raise BearerMissingError("developer_id")
        if expires_at is not None and not at < expires_at < LATEST:
            raise TokenExpiryPastError("expires_at")
        return cls.begin(
            cls.Issued,
            token_id,
            at,
            why,
            name=text.label(name, "name"),
            role=role.value,
            sha256=sha256,
            team_id=team_id,
            gateway_id=gateway_id,
            expires_at=expires_at,
            developer_id=developer_id,
        )

    def valid(self, at: datetime) -> bool:
        """Tell whether the bearer is let in at an instant."""
        return not self.revoked and (self.expires_at is None or at < self.expires_at)

    def revoke(self, *, at: datetime, why: Why) -> None:
        """Refuse the bearer from now on. Raises TokenRevokedError."""
        if self.revoked:
            raise TokenRevokedError
        self.emit(self.Revoked, at, why)

    @dataclass(frozen=True)
    class Issued(First):
        """A bearer was let in; the token was shown once."""

        TOPIC = "access_token.issued"
        class_version = 2
        name: str
        role: str
        sha256: str
        team_id: UUID | None
        gateway_id: UUID | None
        expires_at: datetime | None
        developer_id: UUID | None

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Say what was before: no token was one person's."""
            state["developer_id"] = None

        def apply(self, aggregate: "AccessToken") -> None:
            """Know what the bearer may do, and how to recognise the token."""
            aggregate.role = Role(self.role)
            aggregate.sha256 = self.sha256
            aggregate.team_id = self.team_id
            aggregate.gateway_id = self.gateway_id
            aggregate.developer_id = self.developer_id
            aggregate.expires_at = self.expires_at

    @dataclass(frozen=True)
    class Revoked(Aggregate.Event):
        """The bearer was shut out."""

        TOPIC = "access_token.revoked"

        def apply(self, aggregate: "AccessToken") -> None:
            """Remember that it is revoked."""
            aggregate.revoked = True
