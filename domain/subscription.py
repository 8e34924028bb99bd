"""A subscription: the right of one application to call the products of one plan.

What it is depends on the clock as well: from `expires_at` on it is EXPIRED, whether or not the
timer that records it has come by. Every rule decides by that effective state.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Self
from uuid import UUID

from domain import credential, text
from domain.aggregate import LATEST, Aggregate, DomainError, First, Why
from domain.credential import (
    OVERLAP_S_MAX,
    Credential,
    CredentialNotActiveError,
    CredentialRevokedError,
    CredentialState,
    CredentialUnknownError,
    HashAlgorithm,
    OverlapInvalidError,
)

CREDENTIALS = 100
TRIAL_DAYS_MAX = 3_650
REVISION_CHARS = 100


class SubscriptionState(Enum):
    """Where a subscription is in its life."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    REJECTED = "REJECTED"
    SUSPENDED = "SUSPENDED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


_RUNNING = frozenset({SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED})
_OPEN = _RUNNING | {SubscriptionState.PENDING}


def effective(state: SubscriptionState, ends: datetime | None, at: datetime) -> SubscriptionState:
    """Return what a subscription is at an instant, of which `state` was recorded last."""
    due = state in _RUNNING and ends is not None and ends <= at
    return SubscriptionState.EXPIRED if due else state


class SubscriptionNotPendingError(DomainError):
    """Only a pending subscription can be accepted or rejected."""


class SubscriptionOverError(DomainError):
    """A rejected, cancelled or expired subscription stays as it is; ask for a new one."""


class SubscriptionNotActiveError(DomainError):
    """Only an active subscription can be suspended, transferred or given credentials."""


class SubscriptionNotSuspendedError(DomainError):
    """Only a suspended subscription can be resumed."""


class SubscriptionNotDueError(DomainError):
    """A subscription expires when its time is over, once."""


class SuspensionReasonMissingError(DomainError):
    """Whoever suspends a subscription gives a reason, which the team reads."""


class ExpiryPastError(DomainError):
    """A subscription must expire in the future, and before the year 9999."""


class AlreadyOnPlanError(DomainError):
    """The subscription is on the version of the plan that is on sale."""


class TermsNotAcceptedError(DomainError):
    """Whoever subscribes accepts the revision of the terms that is in force."""


class TermsRevisionInvalidError(DomainError):
    """The revision of terms has at most 100 characters on one line."""


class TooManyCredentialsError(DomainError):
    """A subscription has at most 100 credentials, those of the past included."""


def revision(said: str) -> str:
    """Return a revision of terms, "" for none. Raises TermsRevisionInvalidError."""
    if len(said) > REVISION_CHARS or (said and not said.isprintable()):
        raise TermsRevisionInvalidError("terms_revision")
    return said


class Subscription(Aggregate):
    """The right of one application to call the products of one plan."""

    TOPIC = "subscription"

    def __init__(self) -> None:
        self.state = SubscriptionState.PENDING
        self.team_id = UUID(int=0)
        self.plan_id = UUID(int=0)
        self.plan_version = 0
        self.trial_days: int | None = None
        self.expires_at: datetime | None = None
        self.credentials: dict[str, Credential] = {}

    @classmethod
    def request(
        cls,
        subscription_id: UUID,
        *,
        application_id: UUID,
        team_id: UUID,
        plan_id: UUID,
        plan_version: int,
        trial_days: int | None = None,
        comment: str = "",
        at: datetime,
        why: Why,
    ) -> Self:
        """Ask for a version of a plan on behalf of an application of a team.

        It ends `trial_days` after it was accepted, unless that says otherwise. Raises
        ProseInvalidError.
        """
        return cls.begin(
            cls.Requested,
            subscription_id,
            at,
            why,
            application_id=application_id,
            team_id=team_id,
            plan_id=plan_id,
            plan_version=plan_version,
            trial_days=None if trial_days is None else min(trial_days, TRIAL_DAYS_MAX),
            comment=text.prose(comment, "comment"),
        )

    def at(self, instant: datetime) -> SubscriptionState:
        """Return what it is at an instant."""
        return effective(self.state, self.expires_at, instant)

    def accept_terms(self, terms_revision: str, *, at: datetime, why: Why) -> None:
        """Keep that the subscriber agreed.

        Raises SubscriptionOverError, TermsRevisionInvalidError.
        """
        self._require_open(at)
        self.emit(self.TermsAccepted, at, why, terms_revision=revision(terms_revision))

    def accept(
        self, *, expires_at: datetime | None = None, comment: str = "", at: datetime, why: Why
    ) -> None:
        """Let the application call, until an instant if need be; by default for the trial.

        Raises SubscriptionNotPendingError, ExpiryPastError, ProseInvalidError.
        """
        self._require_pending()
        if expires_at is None and self.trial_days is not None:
            expires_at = at + timedelta(days=self.trial_days)
        _check_expiry(expires_at, at)
        said = text.prose(comment, "comment")
        self.emit(self.Accepted, at, why, expires_at=expires_at, comment=said)

    def reject(self, *, comment: str = "", at: datetime, why: Why) -> None:
        """Refuse the application. Raises SubscriptionNotPendingError, ProseInvalidError."""
        self._require_pending()
        self.emit(self.Rejected, at, why, comment=text.prose(comment, "comment"))

    def suspend(self, *, at: datetime, why: Why) -> None:
        """Keep the application out until it is resumed, for the reason in `why`.

        Raises SubscriptionNotActiveError, SuspensionReasonMissingError.
        """
        self._require_active(at)
        if not why["reason"].strip():
            raise SuspensionReasonMissingError("reason")
        self.emit(self.Suspended, at, why)

    def resume(self, *, at: datetime, why: Why) -> None:
        """Let the application call again. Raises SubscriptionNotSuspendedError."""
        if self.at(at) is not SubscriptionState.SUSPENDED:
            raise SubscriptionNotSuspendedError
        self.emit(self.Resumed, at, why)

    def transfer(
        self,
        *,
        plan_id: UUID,
        plan_version: int,
        expires_at: datetime | None,
        at: datetime,
        why: Why,
    ) -> None:
        """Go on with the same keys on another plan, or another version of the same.

        Raises SubscriptionNotActiveError, AlreadyOnPlanError, ExpiryPastError.
        """
        self._require_active(at)
        if (self.plan_id, self.plan_version) == (plan_id, plan_version):
            raise AlreadyOnPlanError("plan_id")
        _check_expiry(expires_at, at)
        self.emit(
            self.Transferred,
            at,
            why,
            from_plan_id=self.plan_id,
            from_plan_version=self.plan_version,
            plan_id=plan_id,
            plan_version=plan_version,
            expires_at=expires_at,
        )

    def expire(self, *, at: datetime, why: Why) -> None:
        """Record that the time is over. Raises SubscriptionNotDueError."""
        if self.state not in _RUNNING or self.at(at) is not SubscriptionState.EXPIRED:
            raise SubscriptionNotDueError
        self.emit(self.Expired, at, why)

    def cancel(self, *, at: datetime, why: Why) -> None:
        """Give the right, or the request, up. Raises SubscriptionOverError when it is over."""
        self._require_open(at)
        self.emit(self.Cancelled, at, why)

    def issue_credential(
        self,
        credential_id: str,
        *,
        sha256: str,
        sha1: str,
        not_after: datetime | None,
        label: str = "",
        at: datetime,
        why: Why,
    ) -> None:
        """Let the bearer of a key call; the hashes (hex, base64) are all that is kept of it.

        Raises SubscriptionNotActiveError, TooManyCredentialsError, NotAfterPastError,
        LabelInvalidError.
        """
        self._require_room(at)
        credential.check_end(not_after, at)
        self.emit(
            self.CredentialIssued,
            at,
            why,
            credential_id=credential_id,
            sha256=sha256,
            sha1=sha1,
            not_after=not_after,
            label=credential.label(label),
        )

    def import_credential(
        self,
        credential_id: str,
        *,
        algorithm: HashAlgorithm,
        digest: str,
        not_after: datetime | None,
        label: str = "",
        at: datetime,
        why: Why,
    ) -> None:
        """Let the bearer of a key call that was issued elsewhere and is known by its hash.

        Raises what issue_credential raises, and DigestInvalidError.
        """
        self._require_room(at)
        credential.check_end(not_after, at)
        self.emit(
            self.CredentialImported,
            at,
            why,
            credential_id=credential_id,
            algorithm=algorithm.value,
            digest=credential.digest(algorithm, digest),
            not_after=not_after,
            label=credential.label(label),
        )

    def rotate_credential(
        self,
        credential_id: str,
        *,
        successor_id: str,
        sha256: str,
        sha1: str,
        overlap_s: int,
        not_after: datetime | None,
        label: str = "",
        at: datetime,
        why: Why,
    ) -> None:
        """Replace a key: both work for `overlap_s`, then only the successor does.

        Raises what issue_credential raises, and CredentialUnknownError,
        CredentialNotActiveError, OverlapInvalidError.
        """
        self._require_room(at)
        known = self._known(credential_id)
        if known.state(at) is not CredentialState.ACTIVE:
            raise CredentialNotActiveError("credential_id")
        if not 0 <= overlap_s <= OVERLAP_S_MAX:
            raise OverlapInvalidError("overlap_s")
        credential.check_end(not_after, at)
        ends_at = credential.earlier(known.ends_at, at + timedelta(seconds=overlap_s))
        assert ends_at is not None
        self.emit(
            self.CredentialRotated,
            at,
            why,
            credential_id=credential_id,
            overlap_ends_at=ends_at,
            successor_id=successor_id,
            sha256=sha256,
            sha1=sha1,
            not_after=not_after,
            label=credential.label(label),
        )

    def revoke_credential(self, credential_id: str, *, at: datetime, why: Why) -> None:
        """Refuse a key from now on. Raises CredentialUnknownError, CredentialRevokedError."""
        if self._known(credential_id).revoked:
            raise CredentialRevokedError("credential_id")
        self.emit(self.CredentialRevoked, at, why, credential_id=credential_id)

    def _known(self, credential_id: str) -> Credential:
        known = self.credentials.get(credential_id)
        if known is None:
            raise CredentialUnknownError("credential_id")
        return known

    def _require_pending(self) -> None:
        if self.state is not SubscriptionState.PENDING:
            raise SubscriptionNotPendingError

    def _require_open(self, at: datetime) -> None:
        if self.at(at) not in _OPEN:
            raise SubscriptionOverError

    def _require_active(self, at: datetime) -> None:
        if self.at(at) is not SubscriptionState.ACTIVE:
            raise SubscriptionNotActiveError

    def _require_room(self, at: datetime) -> None:
        self._require_active(at)
        if len(self.credentials) >= CREDENTIALS:
            raise TooManyCredentialsError

    @dataclass(frozen=True)
    class Requested(First):
        """An application asked for a plan."""

        TOPIC = "subscription.requested"
        class_version = 2
        application_id: UUID
        team_id: UUID
        plan_id: UUID
        plan_version: int
        trial_days: int | None
        comment: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Say what was before: no trial, and no comment."""
            state |= {"trial_days": None, "comment": ""}

        def apply(self, aggregate: "Subscription") -> None:
            """Belong to the team of the application."""
            aggregate.team_id = self.team_id
            aggregate.plan_id = self.plan_id
            aggregate.plan_version = self.plan_version
            aggregate.trial_days = self.trial_days

    @dataclass(frozen=True)
    class TermsAccepted(Aggregate.Event):
        """The subscriber agreed to a revision of the terms; who and when is in the envelope."""

        TOPIC = "subscription.terms_accepted"
        terms_revision: str

    @dataclass(frozen=True)
    class Accepted(Aggregate.Event):
        """A person or a policy let the application in."""

        TOPIC = "subscription.accepted"
        class_version = 2
        expires_at: datetime | None
        comment: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Say what was before: no end, and no comment."""
            state |= {"expires_at": None, "comment": ""}

        def apply(self, aggregate: "Subscription") -> None:
            """Become active."""
            aggregate.state = SubscriptionState.ACTIVE
            aggregate.expires_at = self.expires_at

    @dataclass(frozen=True)
    class Rejected(Aggregate.Event):
        """A person or a policy kept the application out."""

        TOPIC = "subscription.rejected"
        class_version = 2
        comment: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Say what was before: no comment."""
            state["comment"] = ""

        def apply(self, aggregate: "Subscription") -> None:
            """Become rejected."""
            aggregate.state = SubscriptionState.REJECTED

    @dataclass(frozen=True)
    class Suspended(Aggregate.Event):
        """The provider kept the application out for a while; the reason is in the envelope."""

        TOPIC = "subscription.suspended"

        def apply(self, aggregate: "Subscription") -> None:
            """Become suspended."""
            aggregate.state = SubscriptionState.SUSPENDED

    @dataclass(frozen=True)
    class Resumed(Aggregate.Event):
        """The provider let the application call again."""

        TOPIC = "subscription.resumed"

        def apply(self, aggregate: "Subscription") -> None:
            """Become active."""
            aggregate.state = SubscriptionState.ACTIVE

    @dataclass(frozen=True)
    class Transferred(Aggregate.Event):
        """The subscription went on, with its keys, on another version or plan."""

        TOPIC = "subscription.transferred"
        from_plan_id: UUID
        from_plan_version: int
        plan_id: UUID
        plan_version: int
        expires_at: datetime | None

        def apply(self, aggregate: "Subscription") -> None:
            """Be on that plan."""
            aggregate.plan_id = self.plan_id
            aggregate.plan_version = self.plan_version
            aggregate.expires_at = self.expires_at

    @dataclass(frozen=True)
    class Expired(Aggregate.Event):
        """The time for which the right was given was over."""

        TOPIC = "subscription.expired"

        def apply(self, aggregate: "Subscription") -> None:
            """Become expired."""
            aggregate.state = SubscriptionState.EXPIRED

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
        class_version = 2
        credential_id: str
        sha256: str
        sha1: str
        not_after: datetime | None
        label: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Say what was before: no label."""
            state["label"] = ""

        def apply(self, aggregate: "Subscription") -> None:
            """Know the credential."""
            known = Credential(self.not_after)
            aggregate.credentials = {**aggregate.credentials, self.credential_id: known}

    @dataclass(frozen=True)
    class CredentialImported(Aggregate.Event):
        """A key that was issued elsewhere was made known by a hash of it."""

        TOPIC = "subscription.credential_imported"
        credential_id: str
        algorithm: str
        digest: str
        not_after: datetime | None
        label: str

        def apply(self, aggregate: "Subscription") -> None:
            """Know the credential."""
            known = Credential(self.not_after)
            aggregate.credentials = {**aggregate.credentials, self.credential_id: known}

    @dataclass(frozen=True)
    class CredentialRotated(Aggregate.Event):
        """A key got a successor, whose bearer saw it once, and ends when the overlap does."""

        TOPIC = "subscription.credential_rotated"
        credential_id: str
        overlap_ends_at: datetime
        successor_id: str
        sha256: str
        sha1: str
        not_after: datetime | None
        label: str

        def apply(self, aggregate: "Subscription") -> None:
            """Know the successor, and when the key ends."""
            aggregate.credentials = {
                **aggregate.credentials,
                self.credential_id: (
                    aggregate.credentials.get(self.credential_id) or Credential(None)
                ).replaced_at(self.overlap_ends_at),
                self.successor_id: Credential(self.not_after),
            }

    @dataclass(frozen=True)
    class CredentialRevoked(Aggregate.Event):
        """A key lost its force for ever."""

        TOPIC = "subscription.credential_revoked"
        credential_id: str

        def apply(self, aggregate: "Subscription") -> None:
            """Remember that it is revoked."""
            known = aggregate.credentials.get(self.credential_id) or Credential(None)
            aggregate.credentials = {
                **aggregate.credentials,
                self.credential_id: known.as_revoked(),
            }


def _check_expiry(expires_at: datetime | None, at: datetime) -> None:
    if expires_at is not None and not at < expires_at < LATEST:
        raise ExpiryPastError("expires_at")
