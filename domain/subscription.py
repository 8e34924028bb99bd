"""A subscription: the right of one application to call the products of one plan.

How it stands, until when, and how it ends is in `domain.subscription_life`, its keys are in
`domain.credential`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, First, Why
from domain.subscription_life import (
    OPEN,
    AlreadyOnPlanError,
    SubscriptionLife,
    SubscriptionNotPendingError,
    SubscriptionOverError,
    SubscriptionState,
    TermsRevisionInvalidError,
    expiry,
)

TRIAL_DAYS_MAX = 3_650


def revision(said: str) -> str:
    """Return a revision of terms, "" for none. Raises TermsRevisionInvalidError."""
    try:
        return said and text.label(said, "terms_revision")
    except text.LabelInvalidError:
        raise TermsRevisionInvalidError("terms_revision") from None


class Subscription(SubscriptionLife):
    """The right of one application to call the products of one plan."""

    TOPIC = "subscription"

    def __init__(self) -> None:
        super().__init__()
        self.team_id = UUID(int=0)
        self.plan_id = UUID(int=0)
        self.plan_version = 0
        self.trial_days: int | None = None

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
        said = text.prose(comment, "comment")
        self.emit(self.Accepted, at, why, expires_at=expiry(expires_at, at), comment=said)

    def reject(self, *, comment: str = "", at: datetime, why: Why) -> None:
        """Refuse the application. Raises SubscriptionNotPendingError, ProseInvalidError."""
        self._require_pending()
        self.emit(self.Rejected, at, why, comment=text.prose(comment, "comment"))

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
        self.emit(
            self.Transferred,
            at,
            why,
            from_plan_id=self.plan_id,
            from_plan_version=self.plan_version,
            plan_id=plan_id,
            plan_version=plan_version,
            expires_at=expiry(expires_at, at),
        )

    def _require_pending(self) -> None:
        if self.state is not SubscriptionState.PENDING:
            raise SubscriptionNotPendingError

    def _require_open(self, at: datetime) -> None:
        if self.at(at) not in OPEN:
            raise SubscriptionOverError

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
