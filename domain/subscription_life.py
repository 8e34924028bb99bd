"""Where a subscription is in its life, and what it refuses there.

What it is depends on the clock as well: from `expires_at` on it is EXPIRED, whether or not the
timer that records it has come by. Every rule decides by that effective state.
"""

from datetime import datetime
from enum import Enum

from domain.aggregate import DomainError


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


def effective(state: SubscriptionState, ends: datetime | None, at: datetime) -> SubscriptionState:
    """Return what a subscription is at an instant, of which `state` was recorded last."""
    due = state in RUNNING and ends is not None and ends <= at
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
    """The revision of terms has at most 200 characters on one line."""
