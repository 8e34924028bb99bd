"""What can be done with a subscription in each state, for histories."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from domain.aggregate import Why
from domain.credential import HashAlgorithm
from domain.subscription import Subscription
from domain.subscription_life import SubscriptionState


def _issue(thing: Subscription, at: datetime, why: Why) -> None:
    thing.issue_credential(
        f"key {len(thing.credentials)}",
        sha256="a" * 64,
        sha1="b" * 28,
        not_after=None,
        at=at,
        why=why,
    )


def _import(thing: Subscription, at: datetime, why: Why) -> None:
    thing.import_credential(
        f"key {len(thing.credentials)}",
        algorithm=HashAlgorithm.SHA256_HEX,
        digest="e" * 64,
        not_after=None,
        at=at,
        why=why,
    )


def _rotate(thing: Subscription, at: datetime, why: Why) -> None:
    thing.rotate_credential(
        f"key {len(thing.credentials) - 1}",
        successor_id=f"key {len(thing.credentials)}",
        sha256="c" * 64,
        sha1="d" * 28,
        overlap_s=5,
        not_after=None,
        at=at,
        why=why,
    )


def _revoke(thing: Subscription, at: datetime, why: Why) -> None:
    thing.revoke_credential(f"key {len(thing.credentials) - 1}", at=at, why=why)


def _suspend(thing: Subscription, at: datetime, why: Why) -> None:
    thing.suspend(at=at, why=Why(**{**why, "reason": "unpaid"}))


def _transfer(thing: Subscription, at: datetime, why: Why) -> None:
    later = at + timedelta(days=9)
    number = thing.plan_version + 1
    plan = UUID(int=number)
    thing.transfer(plan_id=plan, plan_version=number, expires_at=later, at=at, why=why)


def _schedule(thing: Subscription, at: datetime, why: Why) -> None:
    later = at + timedelta(days=thing.version)
    thing.schedule_expiry(later if thing.version % 3 else None, comment="Go on", at=at, why=why)


def _reinstate(thing: Subscription, at: datetime, why: Why) -> None:
    thing.reinstate(at + timedelta(days=9), at=at, why=why)


def _expire(thing: Subscription, at: datetime, why: Why) -> None:
    thing.expire(at=thing.expires_at or at, why=why)


_Move = Callable[[Subscription, datetime, Why], None]
_CANCEL: _Move = lambda s, at, why: s.cancel(at=at, why=why)  # noqa: E731  # one of many
_TERMS: _Move = lambda s, at, why: s.accept_terms("2", at=at, why=why)  # noqa: E731  # as above
_ACCEPT: _Move = lambda s, at, why: s.accept(comment="Yes", at=at, why=why)  # noqa: E731  # as above
_REJECT: _Move = lambda s, at, why: s.reject(at=at, why=why)  # noqa: E731  # as above
_RESUME: _Move = lambda s, at, why: s.resume(at=at, why=why)  # noqa: E731  # as above
OVER: tuple[_Move, ...] = (_revoke, _CANCEL)
MOVES: dict[SubscriptionState, tuple[_Move, ...]] = {
    SubscriptionState.PENDING: (_ACCEPT, _TERMS, _ACCEPT, _REJECT, _ACCEPT, _CANCEL),
    SubscriptionState.ACTIVE: (
        *(_issue, _revoke, _suspend, _rotate, _transfer, _issue, _expire, _import),
        *(_revoke, _suspend, _TERMS, _issue, _CANCEL, _schedule, _expire),
    ),
    SubscriptionState.SUSPENDED: (
        *(_RESUME, _revoke, _RESUME, _TERMS, _expire, _schedule, _CANCEL),
    ),
    SubscriptionState.EXPIRED: (_reinstate, _revoke, _reinstate, _CANCEL),
}
