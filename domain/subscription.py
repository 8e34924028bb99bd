"""A subscription: the right of one application to call the products of one plan.

How it stands at an instant is in `domain.subscription_life`, its keys in `domain.credential`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from domain import text
from domain.aggregate import LATEST, Aggregate, First, Why
from domain.credential import CredentialHolder
from domain.subscription_life import (
    OPEN,
    RUNNING,
    AlreadyOnPlanError,
    ExpiryPastError,
    SubscriptionNotActiveError,
    SubscriptionNotDueError,
    SubscriptionNotPendingError,
    SubscriptionNotSuspendedError,
    SubscriptionOverError,
    SubscriptionState,
    SuspensionReasonMissingError,
    TermsRevisionInvalidError,
    effective,
)

TRIAL_DAYS_MAX = 3_650


def revision(said: str) -> str:
    """Return a revision of terms, "" for none. Raises TermsRevisionInvalidError."""
    try:
        return said and text.label(said, "terms_revision")
    except text.LabelInvalidError:
        raise TermsRevisionInvalidError("terms_revision") from None


class Subscription(CredentialHolder):
    """The right of one application to call the products of one plan."""

    TOPIC = "subscription"

    def __init__(self) -> None:
        super().__init__()
        self.state = SubscriptionState.PENDING
        self.team_id = UUID(int=0)
        self.plan_id = UUID(int=0)
        self.plan_version = 0
        self.trial_days: int | None = None
        self.expires_at: datetime | None = None

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
        if self.state not in RUNNING or self.at(at) is not SubscriptionState.EXPIRED:
            raise SubscriptionNotDueError
        self.emit(self.Expired, at, why)

    def cancel(self, *, at: datetime, why: Why) -> None:
        """Give the right, or the request, up. Raises SubscriptionOverError when it is over."""
        self._require_open(at)
        self.emit(self.Cancelled, at, why)

    def _require_pending(self) -> None:
        if self.state is not SubscriptionState.PENDING:
            raise SubscriptionNotPendingError

    def _require_open(self, at: datetime) -> None:
        if self.at(at) not in OPEN:
            raise SubscriptionOverError

    def _require_active(self, at: datetime) -> None:
        if self.at(at) is not SubscriptionState.ACTIVE:
            raise SubscriptionNotActiveError

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


def _check_expiry(expires_at: datetime | None, at: datetime) -> None:
    if expires_at is not None and not at < expires_at < LATEST:
        raise ExpiryPastError("expires_at")
