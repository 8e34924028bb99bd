"""How a subscription stands, until when, and how it ends; what it refuses there.

What it is depends on the clock as well: from `expires_at` on it is EXPIRED, whether or not the
timer that records it has come by. Every rule decides by that effective state.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from domain import text
from domain.aggregate import LATEST, Aggregate, DomainError, Why
from domain.credential import CredentialHolder

REINSTATED_WITHIN = timedelta(days=90)
"""Later its keys stay dead: whoever has them has long stopped to guard them."""


class SubscriptionState(Enum):
    """Where a subscription is in its life."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    REJECTED = "REJECTED"
    SUSPENDED = "SUSPENDED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


RUNNING = frozenset({SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED})
OPEN = RUNNING | {SubscriptionState.PENDING}
FINAL = frozenset({SubscriptionState.REJECTED, SubscriptionState.CANCELLED})
WAYS_ON = {
    SubscriptionState.PENDING: "its provider accepts it first",
    SubscriptionState.ACTIVE: "nothing stands in the way of calls",
    SubscriptionState.REJECTED: "request another one",
    SubscriptionState.SUSPENDED: "its provider resumes it first",
    SubscriptionState.CANCELLED: "request another one",
    SubscriptionState.EXPIRED: "its provider reinstates it first",
}
"""What somebody can do who is refused because of the state."""


def effective(state: SubscriptionState, ends: datetime | None, at: datetime) -> SubscriptionState:
    """Return what a subscription is at an instant, of which `state` was recorded last."""
    due = state in RUNNING and ends is not None and ends <= at
    return SubscriptionState.EXPIRED if due else state


class SubscriptionNotPendingError(DomainError):
    """Only a pending subscription can be accepted or rejected."""


class SubscriptionOverError(DomainError):
    """The subscription is over; ask for a new one."""


class SubscriptionNotActiveError(DomainError):
    """Only an active subscription can be suspended, transferred or given credentials."""


class SubscriptionNotSuspendedError(DomainError):
    """Only a suspended subscription can be resumed."""


class SubscriptionNotRunningError(DomainError):
    """Only an active or suspended subscription has an end that can be moved."""


class SubscriptionNotDueError(DomainError):
    """A subscription expires when its time is over, once."""


class SubscriptionNotExpiredError(DomainError):
    """Only an expired subscription can be reinstated."""


class SuspensionReasonMissingError(DomainError):
    """Whoever suspends a subscription gives a reason, which the team reads."""


class ExpiryPastError(DomainError):
    """A subscription must expire in the future, and before the year 9999."""


class AlreadyOnPlanError(DomainError):
    """The subscription is on the version of the plan that is on sale."""


class TermsNotAcceptedError(DomainError):
    """Whoever subscribes accepts the revision of the terms that is in force."""


class TermsRevisionInvalidError(DomainError):
    """The revision of terms has at most 200 characters on one line."""


def expiry(expires_at: datetime | None, at: datetime) -> datetime | None:
    """Return until when a subscription may call, None for ever. Raises ExpiryPastError."""
    if expires_at is not None and not at < expires_at < LATEST:
        raise ExpiryPastError("expires_at")
    return expires_at


class SubscriptionLife(CredentialHolder):
    """A subscription that was let in: suspended and resumed, ended, and reinstated."""

    def __init__(self) -> None:
        super().__init__()
        self.state = SubscriptionState.PENDING
        self.expired_from = SubscriptionState.ACTIVE
        self.expires_at: datetime | None = None

    def at(self, instant: datetime) -> SubscriptionState:
        """Return what it is at an instant."""
        return effective(self.state, self.expires_at, instant)

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
            raise SubscriptionNotSuspendedError(None, self._way_on(at))
        self.emit(self.Resumed, at, why)

    def schedule_expiry(
        self, expires_at: datetime | None, *, comment: str = "", at: datetime, why: Why
    ) -> None:
        """Say until when it lasts, in place of what was said before; None leaves it open.

        Raises SubscriptionNotRunningError, ExpiryPastError, ProseInvalidError.
        """
        if self.at(at) not in RUNNING:
            raise SubscriptionNotRunningError(None, self._way_on(at))
        said = text.prose(comment, "comment")
        self.emit(self.ExpiryScheduled, at, why, expires_at=expiry(expires_at, at), comment=said)

    def expire(self, *, at: datetime, why: Why) -> None:
        """Record that the time is over. Raises SubscriptionNotDueError."""
        if self.state not in RUNNING or self.at(at) is not SubscriptionState.EXPIRED:
            raise SubscriptionNotDueError
        self.emit(self.Expired, at, why)

    def reinstate(
        self, expires_at: datetime | None, *, comment: str = "", at: datetime, why: Why
    ) -> None:
        """Have an expired subscription be as it was before, until an instant or for ever.

        Its keys are as they are: those that were revoked or have ended stay so. Raises
        SubscriptionNotExpiredError, SubscriptionOverError, ExpiryPastError, ProseInvalidError.
        """
        if self.at(at) is not SubscriptionState.EXPIRED:
            raise SubscriptionNotExpiredError(None, self._way_on(at))
        if self.expires_at is None or at - self.expires_at > REINSTATED_WITHIN:
            raise SubscriptionOverError(None, "It expired more than 90 days ago.")
        expires_at, said = expiry(expires_at, at), text.prose(comment, "comment")
        if self.state in RUNNING:  # the timer is yet to come by
            self.expire(at=at, why=why)
        suspended = self.expired_from is SubscriptionState.SUSPENDED
        self.emit(
            self.Reinstated, at, why, expires_at=expires_at, suspended=suspended, comment=said
        )

    def cancel(self, *, at: datetime, why: Why) -> None:
        """Give the right, or the request, up for good.

        Also an expired one, so that nobody reinstates it. Raises SubscriptionOverError.
        """
        if self.state in FINAL:
            raise SubscriptionOverError
        self.emit(self.Cancelled, at, why)

    def _way_on(self, at: datetime) -> str:
        return f"It is {self.at(at).value}: {WAYS_ON[self.at(at)]}."

    def _require_active(self, at: datetime) -> None:
        if self.at(at) is not SubscriptionState.ACTIVE:
            raise SubscriptionNotActiveError(None, self._way_on(at))

    @dataclass(frozen=True)
    class Suspended(Aggregate.Event):
        """The provider kept the application out for a while; the reason is in the envelope."""

        TOPIC = "subscription.suspended"

        def apply(self, aggregate: "SubscriptionLife") -> None:
            """Become suspended."""
            aggregate.state = SubscriptionState.SUSPENDED

    @dataclass(frozen=True)
    class Resumed(Aggregate.Event):
        """The provider let the application call again."""

        TOPIC = "subscription.resumed"

        def apply(self, aggregate: "SubscriptionLife") -> None:
            """Become active."""
            aggregate.state = SubscriptionState.ACTIVE

    @dataclass(frozen=True)
    class ExpiryScheduled(Aggregate.Event):
        """The provider said until when the right lasts, in place of what was said before."""

        TOPIC = "subscription.expiry_scheduled"
        expires_at: datetime | None
        comment: str

        def apply(self, aggregate: "SubscriptionLife") -> None:
            """End then."""
            aggregate.expires_at = self.expires_at

    @dataclass(frozen=True)
    class Expired(Aggregate.Event):
        """The time for which the right was given was over."""

        TOPIC = "subscription.expired"

        def apply(self, aggregate: "SubscriptionLife") -> None:
            """Become expired."""
            aggregate.expired_from = aggregate.state
            aggregate.state = SubscriptionState.EXPIRED

    @dataclass(frozen=True)
    class Reinstated(Aggregate.Event):
        """The provider gave the right back after its time was over; suspended if it had been."""

        TOPIC = "subscription.reinstated"
        expires_at: datetime | None
        suspended: bool
        comment: str

        def apply(self, aggregate: "SubscriptionLife") -> None:
            """Become what it was before it expired."""
            suspended, active = SubscriptionState.SUSPENDED, SubscriptionState.ACTIVE
            aggregate.state = suspended if self.suspended else active
            aggregate.expires_at = self.expires_at

    @dataclass(frozen=True)
    class Cancelled(Aggregate.Event):
        """The right, or the request for it, was given up."""

        TOPIC = "subscription.cancelled"

        def apply(self, aggregate: "SubscriptionLife") -> None:
            """Become cancelled."""
            aggregate.state = SubscriptionState.CANCELLED
