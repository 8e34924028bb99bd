"""A subscription: the right of one application to call the products of one plan."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

from domain.aggregate import LATEST, Aggregate, DomainError, First, Why

CREDENTIALS = 100


class SubscriptionState(Enum):
    """Where a subscription is in its life."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class CredentialState(Enum):
    """Where a credential is in its life."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"


class SubscriptionNotPendingError(DomainError):
    """Only a pending subscription can be accepted or rejected."""


class SubscriptionOverError(DomainError):
    """A rejected or cancelled subscription cannot be cancelled."""


class SubscriptionNotActiveError(DomainError):
    """Only an active subscription can be given credentials."""


class TooManyCredentialsError(DomainError):
    """A subscription has at most 100 credentials, revoked ones included."""


class CredentialUnknownError(DomainError):
    """The subscription has no such credential."""


class CredentialRevokedError(DomainError):
    """The credential is revoked already; a revocation is final."""


class NotAfterPastError(DomainError):
    """A credential must end in the future, and before the year 9999."""


class Subscription(Aggregate):
    """The right of one application to call the products of one plan."""

    TOPIC = "subscription"

    def __init__(self) -> None:
        self.state = SubscriptionState.PENDING
        self.team_id = UUID(int=0)
        self.credentials: dict[str, CredentialState] = {}

    @classmethod
    def request(
        cls,
        subscription_id: UUID,
        *,
        application_id: UUID,
        team_id: UUID,
        plan_id: UUID,
        plan_version: int,
        at: datetime,
        why: Why,
    ) -> Self:
        """Ask for a version of a plan on behalf of an application of a team."""
        return cls.begin(
            cls.Requested,
            subscription_id,
            at,
            why,
            application_id=application_id,
            team_id=team_id,
            plan_id=plan_id,
            plan_version=plan_version,
        )

    def accept(self, *, at: datetime, why: Why) -> None:
        """Let the application call. Raises SubscriptionNotPendingError when it was decided."""
        self._require_pending()
        self.emit(self.Accepted, at, why)

    def reject(self, *, at: datetime, why: Why) -> None:
        """Refuse the application. Raises SubscriptionNotPendingError when it was decided."""
        self._require_pending()
        self.emit(self.Rejected, at, why)

    def cancel(self, *, at: datetime, why: Why) -> None:
        """Give the right, or the request, up. Raises SubscriptionOverError when it is over."""
        if self.state in {SubscriptionState.REJECTED, SubscriptionState.CANCELLED}:
            raise SubscriptionOverError
        self.emit(self.Cancelled, at, why)

    def issue_credential(
        self,
        credential_id: str,
        *,
        sha256: str,
        sha1: str,
        not_after: datetime | None,
        at: datetime,
        why: Why,
    ) -> None:
        """Let the bearer of a key call; the hashes (hex, base64) are all that is kept of it.

        Raises SubscriptionNotActiveError, TooManyCredentialsError, NotAfterPastError.
        """
        if self.state is not SubscriptionState.ACTIVE:
            raise SubscriptionNotActiveError
        if len(self.credentials) >= CREDENTIALS:
            raise TooManyCredentialsError
        if not_after is not None and not at < not_after < LATEST:
            raise NotAfterPastError("not_after")
        self.emit(
            self.CredentialIssued,
            at,
            why,
            credential_id=credential_id,
            sha256=sha256,
            sha1=sha1,
            not_after=not_after,
        )

    def revoke_credential(self, credential_id: str, *, at: datetime, why: Why) -> None:
        """Refuse a key from now on. Raises CredentialUnknownError, CredentialRevokedError."""
        state = self.credentials.get(credential_id)
        if state is None:
            raise CredentialUnknownError("credential_id")
        if state is CredentialState.REVOKED:
            raise CredentialRevokedError("credential_id")
        self.emit(self.CredentialRevoked, at, why, credential_id=credential_id)

    def _require_pending(self) -> None:
        if self.state is not SubscriptionState.PENDING:
            raise SubscriptionNotPendingError

    @dataclass(frozen=True)
    class Requested(First):
        """An application asked for a plan."""

        TOPIC = "subscription.requested"
        application_id: UUID
        team_id: UUID
        plan_id: UUID
        plan_version: int

        def apply(self, aggregate: "Subscription") -> None:
            """Belong to the team of the application."""
            aggregate.team_id = self.team_id

    @dataclass(frozen=True)
    class Accepted(Aggregate.Event):
        """A person or a policy let the application in."""

        TOPIC = "subscription.accepted"

        def apply(self, aggregate: "Subscription") -> None:
            """Become active."""
            aggregate.state = SubscriptionState.ACTIVE

    @dataclass(frozen=True)
    class Rejected(Aggregate.Event):
        """A person or a policy kept the application out."""

        TOPIC = "subscription.rejected"

        def apply(self, aggregate: "Subscription") -> None:
            """Become rejected."""
            aggregate.state = SubscriptionState.REJECTED

    @dataclass(frozen=True)
    class Cancelled(Aggregate.Event):
        """The right, or the request for it, was given up."""

        TOPIC = "subscription.cancelled"

        def apply(self, aggregate: "Subscription") -> None:
            """Become cancelled."""
            aggregate.state = SubscriptionState.CANCELLED

    @dataclass(frozen=True)
    class CredentialIssued(Aggregate.Event):
        """A key came into being; its bearer saw it once."""

        TOPIC = "subscription.credential_issued"
        credential_id: str
        sha256: str
        sha1: str
        not_after: datetime | None

        def apply(self, aggregate: "Subscription") -> None:
            """Know the credential."""
            aggregate.credentials = {
                **aggregate.credentials,
                self.credential_id: CredentialState.ACTIVE,
            }

    @dataclass(frozen=True)
    class CredentialRevoked(Aggregate.Event):
        """A key lost its force for ever."""

        TOPIC = "subscription.credential_revoked"
        credential_id: str

        def apply(self, aggregate: "Subscription") -> None:
            """Remember that it is revoked."""
            aggregate.credentials = {
                **aggregate.credentials,
                self.credential_id: CredentialState.REVOKED,
            }
