"""Given what happened, when asked, then this happens."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from domain.subscription import (
    CREDENTIALS,
    CredentialRevokedError,
    CredentialUnknownError,
    NotAfterPastError,
    Subscription,
    SubscriptionNotActiveError,
    SubscriptionNotPendingError,
    SubscriptionOverError,
    TooManyCredentialsError,
)
from tests.given import AT, WHY

ID, APPLICATION, TEAM, PLAN = (UUID(int=n) for n in range(1, 5))


def pending() -> Subscription:
    return Subscription.request(
        ID, application_id=APPLICATION, team_id=TEAM, plan_id=PLAN, plan_version=3, at=AT, why=WHY
    )


def active() -> Subscription:
    subscription = pending()
    subscription.accept(at=AT, why=WHY)
    return subscription


def rejected() -> Subscription:
    subscription = pending()
    subscription.reject(at=AT, why=WHY)
    return subscription


def cancelled() -> Subscription:
    subscription = active()
    subscription.cancel(at=AT, why=WHY)
    return subscription


def with_key() -> Subscription:
    subscription = active()
    issue(subscription)
    return subscription


def issue(subscription: Subscription, key: str = "k", not_after: datetime | None = None) -> None:
    subscription.issue_credential(
        key, sha256="a" * 64, sha1="b" * 28, not_after=not_after, at=AT, why=WHY
    )


def test_a_request_begins_a_pending_subscription_of_the_applications_team() -> None:
    (requested,) = pending().pending_events
    assert requested == Subscription.Requested(
        ID, 1, AT, "subscription", WHY, APPLICATION, TEAM, PLAN, 3
    )
    assert pending().team_id == TEAM


def test_a_pending_subscription_can_be_accepted() -> None:
    assert active().pending_events[-1] == Subscription.Accepted(ID, 2, AT, WHY)


def test_a_pending_subscription_can_be_rejected() -> None:
    assert rejected().pending_events[-1] == Subscription.Rejected(ID, 2, AT, WHY)


@pytest.mark.parametrize("given", [pending, active])
def test_a_pending_or_active_subscription_can_be_cancelled(
    given: Callable[[], Subscription],
) -> None:
    subscription = given()
    subscription.cancel(at=AT, why=WHY)
    version = subscription.version
    assert subscription.pending_events[-1] == Subscription.Cancelled(ID, version, AT, WHY)


@pytest.mark.parametrize("given", [active, rejected, cancelled])
def test_a_decided_subscription_cannot_be_decided_again(given: Callable[[], Subscription]) -> None:
    with pytest.raises(SubscriptionNotPendingError):
        given().accept(at=AT, why=WHY)
    with pytest.raises(SubscriptionNotPendingError):
        given().reject(at=AT, why=WHY)


@pytest.mark.parametrize("given", [rejected, cancelled])
def test_a_subscription_that_is_over_cannot_be_cancelled(given: Callable[[], Subscription]) -> None:
    with pytest.raises(SubscriptionOverError):
        given().cancel(at=AT, why=WHY)


def test_an_active_subscription_is_given_a_credential() -> None:
    subscription = active()
    later = AT + timedelta(days=1)
    issue(subscription, "k", later)
    assert subscription.pending_events[-1] == Subscription.CredentialIssued(
        ID, 3, AT, WHY, "k", "a" * 64, "b" * 28, later
    )


@pytest.mark.parametrize("given", [pending, rejected, cancelled])
def test_only_an_active_subscription_is_given_credentials(
    given: Callable[[], Subscription],
) -> None:
    with pytest.raises(SubscriptionNotActiveError):
        issue(given())


def test_the_hundredth_credential_is_the_last_even_if_all_are_revoked() -> None:
    subscription = active()
    for number in range(CREDENTIALS):
        issue(subscription, str(number))
        subscription.revoke_credential(str(number), at=AT, why=WHY)
    with pytest.raises(TooManyCredentialsError):
        issue(subscription, "one more")


@pytest.mark.parametrize(
    "not_after",
    [
        AT,
        AT - timedelta(seconds=1),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),  # no instant of the calendar
    ],
)
def test_a_credential_ends_in_the_future_and_in_the_calendar(not_after: datetime) -> None:
    with pytest.raises(NotAfterPastError) as refused:
        issue(active(), not_after=not_after)
    assert refused.value.about == "not_after"


def test_a_credential_can_be_revoked() -> None:
    subscription = with_key()
    subscription.revoke_credential("k", at=AT, why=WHY)
    assert subscription.pending_events[-1] == Subscription.CredentialRevoked(ID, 4, AT, WHY, "k")


def test_a_credential_of_a_cancelled_subscription_can_still_be_revoked() -> None:
    subscription = with_key()
    subscription.cancel(at=AT, why=WHY)
    subscription.revoke_credential("k", at=AT, why=WHY)
    assert isinstance(subscription.pending_events[-1], Subscription.CredentialRevoked)


def test_a_revocation_is_final() -> None:
    subscription = with_key()
    subscription.revoke_credential("k", at=AT, why=WHY)
    with pytest.raises(CredentialRevokedError) as refused:
        subscription.revoke_credential("k", at=AT, why=WHY)
    assert refused.value.about == "credential_id"


def test_a_credential_of_another_subscription_is_unknown() -> None:
    with pytest.raises(CredentialUnknownError) as refused:
        with_key().revoke_credential("other", at=AT, why=WHY)
    assert refused.value.about == "credential_id"
