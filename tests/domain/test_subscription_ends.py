"""Until when a subscription lasts, how that is moved, and the way back once it is over."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.aggregate import Why
from domain.credential import CredentialState
from domain.subscription import Subscription
from domain.subscription_life import (
    REINSTATED_WITHIN,
    ExpiryPastError,
    SubscriptionOverError,
    SubscriptionState,
)
from domain.text import ProseInvalidError
from tests.given import AT, WHY

DAY = timedelta(days=1)
END = AT + 14 * DAY
ID, APPLICATION, TEAM, PLAN = (UUID(int=n) for n in range(1, 5))


def requested(trial_days: int | None = None, at: datetime = AT) -> Subscription:
    return Subscription.request(
        ID,
        application_id=APPLICATION,
        team_id=TEAM,
        plan_id=PLAN,
        plan_version=1,
        trial_days=trial_days,
        at=at,
        why=WHY,
    )


def on_trial() -> Subscription:
    """A subscription with two keys that lasts until END."""
    subscription = requested(14)
    subscription.accept(at=AT, why=WHY)
    for key in ("k", "l"):
        subscription.issue_credential(
            key, sha256="a" * 64, sha1="b" * 28, not_after=None, at=AT, why=WHY
        )
    return subscription


def expired() -> Subscription:
    subscription = on_trial()
    subscription.expire(at=END, why=WHY)
    return subscription


def test_a_trial_ends_so_many_days_after_it_was_accepted_unless_that_says_otherwise() -> None:
    for given, expected in ((None, AT + 14 * DAY), (AT + DAY, AT + DAY)):
        subscription = requested(14, AT - DAY)
        subscription.accept(expires_at=given, at=AT, why=WHY)
        assert subscription.expires_at == expected
        assert subscription.at(expected - timedelta(microseconds=1)) is SubscriptionState.ACTIVE
        assert subscription.at(expected) is SubscriptionState.EXPIRED


def test_a_trial_of_absurd_length_ends_in_the_calendar() -> None:
    subscription = requested(10**12)
    subscription.accept(at=AT, why=WHY)
    assert subscription.expires_at == AT + 3_650 * DAY


@pytest.mark.parametrize(
    "expires_at", [AT, datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_a_subscription_ends_in_the_future_and_in_the_calendar(expires_at: datetime) -> None:
    asked: tuple[Callable[[], None], ...] = (
        lambda: requested().accept(expires_at=expires_at, at=AT, why=WHY),
        lambda: on_trial().schedule_expiry(expires_at, at=AT, why=WHY),
        lambda: expired().reinstate(expires_at, at=AT, why=WHY),
    )
    for each in asked:
        with pytest.raises(ExpiryPastError) as refused:
            each()
        assert refused.value.about == "expires_at"


@pytest.mark.parametrize("moved", [END - DAY, END + DAY, None], ids=["near", "far", "never"])
def test_an_end_is_moved_nearer_and_further_and_taken_away(moved: datetime | None) -> None:
    subscription = on_trial()
    version = subscription.version
    subscription.schedule_expiry(moved, comment="As agreed", at=AT, why=WHY)
    assert subscription.pending_events[-1] == Subscription.ExpiryScheduled(
        ID, version + 1, AT, WHY, moved, "As agreed"
    )
    assert subscription.expires_at == moved
    last = moved or END + 9_999 * DAY
    assert subscription.at(last - DAY / 2) is SubscriptionState.ACTIVE
    assert (subscription.at(last) is SubscriptionState.EXPIRED) is (moved is not None)


def test_an_end_is_moved_while_it_is_suspended_and_it_stays_so() -> None:
    subscription = on_trial()
    subscription.suspend(at=AT, why=Why(**{**WHY, "reason": "unpaid"}))
    subscription.schedule_expiry(END + DAY, at=AT, why=WHY)
    assert subscription.at(END) is SubscriptionState.SUSPENDED
    assert subscription.at(END + DAY) is SubscriptionState.EXPIRED


def test_what_expired_is_reinstated_with_the_keys_that_were_not_revoked() -> None:
    subscription = expired()
    subscription.revoke_credential("k", at=END, why=WHY)
    version = subscription.version
    subscription.reinstate(END + 30 * DAY, comment="Sorry", at=END + DAY, why=WHY)
    assert subscription.pending_events[-1] == Subscription.Reinstated(
        ID, version + 1, END + DAY, WHY, END + 30 * DAY, suspended=False, comment="Sorry"
    )
    assert subscription.at(END + 29 * DAY) is SubscriptionState.ACTIVE
    assert subscription.at(END + 30 * DAY) is SubscriptionState.EXPIRED
    states = [each.state(END + DAY) for each in subscription.credentials.values()]
    assert states == [CredentialState.REVOKED, CredentialState.ACTIVE]


def test_what_was_suspended_when_it_expired_is_suspended_when_it_is_reinstated() -> None:
    subscription = on_trial()
    subscription.suspend(at=AT, why=Why(**{**WHY, "reason": "unpaid"}))
    subscription.expire(at=END, why=WHY)
    subscription.reinstate(None, at=END, why=WHY)
    assert subscription.at(END) is SubscriptionState.SUSPENDED
    subscription.resume(at=END, why=WHY)
    assert subscription.at(END) is SubscriptionState.ACTIVE


def test_what_is_reinstated_before_the_timer_came_by_expired_in_between() -> None:
    subscription = on_trial()
    subscription.reinstate(None, at=END, why=WHY)
    assert [type(each) for each in subscription.pending_events[-2:]] == [
        Subscription.Expired,
        Subscription.Reinstated,
    ]


def test_what_is_refused_changes_nothing() -> None:
    subscription = on_trial()
    version = subscription.version
    with pytest.raises(ProseInvalidError):
        subscription.reinstate(None, comment="x" * 20_001, at=END, why=WHY)
    with pytest.raises(ExpiryPastError):
        subscription.reinstate(END, at=END, why=WHY)
    assert subscription.version == version


def test_it_is_reinstated_so_long_after_its_end_and_no_longer() -> None:
    expired().reinstate(None, at=END + REINSTATED_WITHIN, why=WHY)
    with pytest.raises(SubscriptionOverError):
        expired().reinstate(None, at=END + REINSTATED_WITHIN + DAY, why=WHY)


def test_what_expired_may_be_cancelled_so_that_nobody_reinstates_it() -> None:
    subscription = expired()
    subscription.cancel(at=END, why=WHY)
    assert subscription.at(END) is SubscriptionState.CANCELLED
