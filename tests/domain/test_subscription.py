"""Given what happened, when asked, then this happens."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from domain import credential
from domain.aggregate import DomainError, Why
from domain.credential import (
    CREDENTIALS,
    OVERLAP_S_MAX,
    CredentialNotActiveError,
    CredentialRevokedError,
    CredentialState,
    CredentialUnknownError,
    DigestInvalidError,
    HashAlgorithm,
    NotAfterPastError,
    OverlapInvalidError,
    TooManyCredentialsError,
)
from domain.plan_terms import agreed_text
from domain.subscription import Subscription
from domain.subscription_life import (
    AlreadyOnPlanError,
    SubscriptionNotActiveError,
    SubscriptionNotDueError,
    SubscriptionNotExpiredError,
    SubscriptionNotPendingError,
    SubscriptionNotRunningError,
    SubscriptionNotSuspendedError,
    SubscriptionOverError,
    SubscriptionState,
    SuspensionReasonMissingError,
    TermsRevisionInvalidError,
)
from domain.text import LabelInvalidError, ProseInvalidError
from tests.given import AT, WHY

SUSPENDING = Why(**{**WHY, "reason": "unpaid"})
DAY = timedelta(days=1)

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


def suspended() -> Subscription:
    subscription = active()
    subscription.suspend(at=AT, why=SUSPENDING)
    return subscription


def due() -> Subscription:
    """A subscription whose time is over at AT, of which nobody took note."""
    subscription = pending()
    subscription.accept(expires_at=AT, at=AT - DAY, why=WHY)
    return subscription


def suspended_and_due() -> Subscription:
    subscription = pending()
    subscription.accept(expires_at=AT, at=AT - DAY, why=WHY)
    subscription.suspend(at=AT - DAY, why=SUSPENDING)
    return subscription


def expired() -> Subscription:
    subscription = due()
    subscription.expire(at=AT, why=WHY)
    return subscription


def transfer(subscription: Subscription) -> None:
    subscription.transfer(plan_id=PLAN, plan_version=4, expires_at=AT + DAY, at=AT, why=WHY)


GIVEN = {
    "PENDING": pending,
    "ACTIVE": active,
    "REJECTED": rejected,
    "SUSPENDED": suspended,
    "CANCELLED": cancelled,
    "EXPIRED": expired,
    "ACTIVE, due": due,
    "SUSPENDED, due": suspended_and_due,
}
VERBS: dict[str, Callable[[Subscription], None]] = {
    "accept": lambda s: s.accept(at=AT, why=WHY),
    "reject": lambda s: s.reject(at=AT, why=WHY),
    "suspend": lambda s: s.suspend(at=AT, why=SUSPENDING),
    "resume": lambda s: s.resume(at=AT, why=WHY),
    "transfer": transfer,
    "schedule expiry": lambda s: s.schedule_expiry(AT + DAY, at=AT, why=WHY),
    "expire": lambda s: s.expire(at=AT, why=WHY),
    "reinstate": lambda s: s.reinstate(None, at=AT, why=WHY),
    "cancel": lambda s: s.cancel(at=AT, why=WHY),
    "accept terms": lambda s: s.accept_terms("2", at=AT, why=WHY),
    "issue": lambda s: issue(s, "k"),
}
REFUSALS: dict[str, type[DomainError]] = {
    "accept": SubscriptionNotPendingError,
    "reject": SubscriptionNotPendingError,
    "suspend": SubscriptionNotActiveError,
    "resume": SubscriptionNotSuspendedError,
    "transfer": SubscriptionNotActiveError,
    "schedule expiry": SubscriptionNotRunningError,
    "expire": SubscriptionNotDueError,
    "reinstate": SubscriptionNotExpiredError,
    "cancel": SubscriptionOverError,
    "accept terms": SubscriptionOverError,
    "issue": SubscriptionNotActiveError,
}
BECOMES = {
    ("PENDING", "accept"): "ACTIVE",
    ("PENDING", "reject"): "REJECTED",
    ("PENDING", "cancel"): "CANCELLED",
    ("PENDING", "accept terms"): "PENDING",
    ("ACTIVE", "suspend"): "SUSPENDED",
    ("ACTIVE", "transfer"): "ACTIVE",
    ("ACTIVE", "schedule expiry"): "ACTIVE",
    ("ACTIVE", "cancel"): "CANCELLED",
    ("ACTIVE", "accept terms"): "ACTIVE",
    ("ACTIVE", "issue"): "ACTIVE",
    ("SUSPENDED", "resume"): "ACTIVE",
    ("SUSPENDED", "schedule expiry"): "SUSPENDED",
    ("SUSPENDED", "cancel"): "CANCELLED",
    ("SUSPENDED", "accept terms"): "SUSPENDED",
    ("EXPIRED", "reinstate"): "ACTIVE",
    ("EXPIRED", "cancel"): "CANCELLED",
    ("ACTIVE, due", "expire"): "EXPIRED",
    ("ACTIVE, due", "reinstate"): "ACTIVE",
    ("ACTIVE, due", "cancel"): "CANCELLED",
    ("SUSPENDED, due", "expire"): "EXPIRED",
    ("SUSPENDED, due", "reinstate"): "SUSPENDED",
    ("SUSPENDED, due", "cancel"): "CANCELLED",
}
"""Every legal move; each of the others is refused."""


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("verb", VERBS)
def test_every_move_is_legal_or_refused(given: str, verb: str) -> None:
    subscription = GIVEN[given]()
    version = subscription.version
    becomes = BECOMES.get((given, verb))
    if becomes is None:
        with pytest.raises(REFUSALS[verb]):
            VERBS[verb](subscription)
        assert subscription.version == version
    else:
        VERBS[verb](subscription)
        recorded = 2 if verb == "reinstate" and "due" in given else 1  # that it had expired, too
        assert (subscription.state.value, subscription.version) == (becomes, version + recorded)


def test_every_state_is_in_the_table() -> None:
    assert {name for name in GIVEN if "," not in name} == set(SubscriptionState.__members__)


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
        ID, 1, AT, "subscription", WHY, APPLICATION, TEAM, PLAN, 3, None, ""
    )
    assert pending().team_id == TEAM


def test_a_pending_subscription_can_be_accepted() -> None:
    assert active().pending_events[-1] == Subscription.Accepted(ID, 2, AT, WHY, None, "")


def test_a_pending_subscription_can_be_rejected() -> None:
    assert rejected().pending_events[-1] == Subscription.Rejected(ID, 2, AT, WHY, "")


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
        ID, 3, AT, WHY, "k", "a" * 64, "b" * 28, later, ""
    )


@pytest.mark.parametrize("given", [pending, rejected, cancelled])
def test_only_an_active_subscription_is_given_credentials(
    given: Callable[[], Subscription],
) -> None:
    with pytest.raises(SubscriptionNotActiveError):
        issue(given())


def test_the_hundredth_credential_is_the_last_until_one_has_ended() -> None:
    subscription = active()
    for number in range(CREDENTIALS):
        issue(subscription, str(number))
    with pytest.raises(TooManyCredentialsError):
        issue(subscription, "one more")
    subscription.revoke_credential("7", at=AT, why=WHY)
    issue(subscription, "one more")


def test_a_key_is_rotated_every_day_for_years(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential, "CREDENTIALS_EVER", 1_000)  # as 10,000 would be, and sooner
    subscription = active()
    issue(subscription, "0")
    for number in range(1, 1_000):
        rotate(subscription, str(number - 1), 3_600, str(number), AT + timedelta(days=number))
    with pytest.raises(TooManyCredentialsError):
        rotate(subscription, "999", 3_600, "1000", AT + timedelta(days=1_000))


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


def test_comments_are_kept_and_bounded() -> None:
    subscription = pending()
    with pytest.raises(ProseInvalidError):
        subscription.reject(comment="x" * 20_001, at=AT, why=WHY)
    subscription.reject(comment="not yet", at=AT, why=WHY)
    assert subscription.pending_events[-1] == Subscription.Rejected(ID, 2, AT, WHY, "not yet")


@pytest.mark.parametrize("reason", ["", " \n"])
def test_whoever_suspends_gives_a_reason(reason: str) -> None:
    with pytest.raises(SuspensionReasonMissingError) as refused:
        active().suspend(at=AT, why=Why(**{**WHY, "reason": reason}))
    assert refused.value.about == "reason"


@pytest.mark.parametrize(
    ("given", "verb", "said"),
    [
        ("PENDING", "schedule expiry", "It is PENDING: its provider accepts it first."),
        ("ACTIVE", "resume", "It is ACTIVE: nothing stands in the way of calls."),
        ("REJECTED", "suspend", "It is REJECTED: request another one."),
        ("SUSPENDED", "issue", "It is SUSPENDED: its provider resumes it first."),
        ("CANCELLED", "reinstate", "It is CANCELLED: request another one."),
        ("ACTIVE, due", "transfer", "It is EXPIRED: its provider reinstates it first."),
    ],
)
def test_a_refusal_says_what_it_is_and_what_can_be_done(given: str, verb: str, said: str) -> None:
    with pytest.raises(REFUSALS[verb]) as refused:
        VERBS[verb](GIVEN[given]())
    assert str(refused.value).endswith(said)


def test_a_revision_of_terms_is_short_and_on_one_line() -> None:
    for revision in ("x" * 201, "a\nb", "\0"):
        with pytest.raises(TermsRevisionInvalidError):
            pending().accept_terms(revision, at=AT, why=WHY)


@pytest.mark.parametrize("revision", ["x" * 200, "2026\u00a0B"])
def test_every_revision_that_a_plan_can_name_can_be_accepted(revision: str) -> None:
    agreed_text(revision, "Be kind.")
    subscription = pending()
    subscription.accept_terms(revision, at=AT, why=WHY)
    assert subscription.pending_events[-1] == Subscription.TermsAccepted(ID, 2, AT, WHY, revision)


def test_a_transfer_keeps_the_keys_and_changes_the_plan_and_the_end() -> None:
    subscription = with_key()
    transfer(subscription)
    assert subscription.pending_events[-1] == Subscription.Transferred(
        ID, 4, AT, WHY, PLAN, 3, PLAN, 4, AT + DAY
    )
    assert (subscription.plan_version, subscription.expires_at) == (4, AT + DAY)
    assert subscription.credentials["k"].state(AT) is CredentialState.ACTIVE
    with pytest.raises(AlreadyOnPlanError) as refused:
        transfer(subscription)
    assert refused.value.about == "plan_id"


def rotate(
    subscription: Subscription,
    key: str = "k",
    overlap_s: int = 60,
    successor: str = "l",
    at: datetime = AT,
) -> None:
    subscription.rotate_credential(
        key,
        successor_id=successor,
        sha256="c" * 64,
        sha1="d" * 28,
        overlap_s=overlap_s,
        not_after=None,
        label="new",
        at=at,
        why=WHY,
    )


def test_a_rotated_key_works_until_the_overlap_ends_and_its_successor_from_now_on() -> None:
    subscription = with_key()
    rotate(subscription)
    end = AT + timedelta(seconds=60)
    assert subscription.pending_events[-1] == Subscription.CredentialRotated(
        ID, 4, AT, WHY, "k", end, "l", "c" * 64, "d" * 28, None, "new"
    )
    states = {
        instant: [subscription.credentials[key].state(instant).value for key in ("k", "l")]
        for instant in (AT, end)
    }
    assert states == {AT: ["EXPIRING", "ACTIVE"], end: ["EXPIRED", "ACTIVE"]}


def test_an_overlap_does_not_outlive_the_key() -> None:
    subscription = active()
    issue(subscription, "k", AT + timedelta(seconds=5))
    rotate(subscription)
    assert subscription.credentials["k"].ends_at == AT + timedelta(seconds=5)


def test_only_an_active_key_is_rotated_and_only_once() -> None:
    subscription = with_key()
    rotate(subscription)
    with pytest.raises(CredentialNotActiveError):
        rotate(subscription, successor="m")
    rotate(subscription, "l", successor="m")
    subscription.revoke_credential("m", at=AT, why=WHY)
    for key, error in (("m", CredentialNotActiveError), ("x", CredentialUnknownError)):
        with pytest.raises(error) as refused:
            rotate(subscription, key, successor="n")
        assert refused.value.about == "credential_id"


def test_a_key_that_is_expiring_or_expired_can_be_revoked_once() -> None:
    subscription = with_key()
    rotate(subscription, overlap_s=0)
    assert subscription.credentials["k"].state(AT) is CredentialState.EXPIRED
    subscription.revoke_credential("k", at=AT, why=WHY)
    assert subscription.credentials["k"].state(AT) is CredentialState.REVOKED
    with pytest.raises(CredentialRevokedError):
        subscription.revoke_credential("k", at=AT, why=WHY)


@pytest.mark.parametrize("overlap_s", [-1, OVERLAP_S_MAX + 1, 2**31])
def test_an_overlap_is_bounded(overlap_s: int) -> None:
    with pytest.raises(OverlapInvalidError) as refused:
        rotate(with_key(), overlap_s=overlap_s)
    assert refused.value.about == "overlap_s"


def imported(
    algorithm: HashAlgorithm, digest: str, label: str = "", not_after: datetime | None = None
) -> Subscription:
    subscription = active()
    subscription.import_credential(
        "i", algorithm=algorithm, digest=digest, label=label, not_after=not_after, at=AT, why=WHY
    )
    return subscription


def test_an_imported_key_is_known_by_its_hash() -> None:
    subscription = imported(HashAlgorithm.SHA256_HEX, "AB" * 32, "legacy")
    assert subscription.pending_events[-1] == Subscription.CredentialImported(
        ID, 3, AT, WHY, "i", "SHA256_HEX", "ab" * 32, None, "legacy"
    )
    rotate(subscription, "i")
    assert subscription.credentials["i"].state(AT) is CredentialState.EXPIRING


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        (HashAlgorithm.SHA256_HEX, "a" * 63),
        (HashAlgorithm.SHA256_HEX, "g" * 64),
        (HashAlgorithm.SHA1_BASE64, "a" * 28),
        (HashAlgorithm.BCRYPT, "$2b$12$short"),
        (HashAlgorithm.BCRYPT, "secret"),
        (HashAlgorithm.SHA256_HEX, "\0" * 64),
    ],
)
def test_a_hash_has_the_form_of_its_algorithm(algorithm: HashAlgorithm, digest: str) -> None:
    with pytest.raises(DigestInvalidError) as refused:
        imported(algorithm, digest)
    assert refused.value.about == "digest"
    assert digest not in str(refused.value)


def test_an_imported_key_has_an_end_and_a_label_as_any_other() -> None:
    with pytest.raises(NotAfterPastError):
        imported(HashAlgorithm.SHA256_HEX, "a" * 64, not_after=AT)
    with pytest.raises(LabelInvalidError):
        imported(HashAlgorithm.SHA256_HEX, "a" * 64, label="a\nb")
