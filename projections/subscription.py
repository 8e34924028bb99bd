"""Who subscribes to what: one row per subscription and per credential.

A state is the one that was recorded last. What the clock makes of it is for the reader to say:
`domain.subscription_life.effective`, and of a credential `ends_at`.
"""

from collections.abc import Iterator

from domain.aggregate import Aggregate
from domain.credential import CredentialState, HashAlgorithm
from domain.subscription import Subscription
from domain.subscription_life import SubscriptionState
from projections.readmodel import Key, Recorded, Row, Rows, Table

NAME = "subscription"
VERSION = 4
SUBSCRIPTION = Table(
    "subscription",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "application_id": "uuid",
        "team_id": "uuid",
        "plan_id": "uuid",
        "plan_version": "bigint",
        "state": "text",
        "comment": "text",
        "decision_comment": "text",
        "suspension_reason": "text",
        "expires_at": "timestamptz",
        "terms_revision": "text",
        "terms_accepted_at": "timestamptz",
        "terms_accepted_by": "text",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=(
        "organization_id, application_id, created_at, id",
        "organization_id, plan_id, created_at, id",
        "organization_id, team_id, created_at, id",
        "organization_id, created_at, id",
        "state, expires_at, organization_id, id",
    ),
)
CREDENTIAL = Table(
    "credential",
    key={"organization_id": "uuid", "subscription_id": "uuid", "id": "text"},
    columns={
        "state": "text",
        "label": "text",
        "algorithm": "text",
        "not_after": "timestamptz",
        "overlap_ends_at": "timestamptz",
        "ends_at": "timestamptz",
        "successor_id": "text",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=("organization_id, id",),
)
TABLES: tuple[Table, ...] = (SUBSCRIPTION, CREDENTIAL)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    Subscription.Requested,
    Subscription.TermsAccepted,
    Subscription.Accepted,
    Subscription.Rejected,
    Subscription.Suspended,
    Subscription.Resumed,
    Subscription.Transferred,
    Subscription.ExpiryScheduled,
    Subscription.Expired,
    Subscription.Reinstated,
    Subscription.Cancelled,
    Subscription.CredentialIssued,
    Subscription.CredentialImported,
    Subscription.CredentialRotated,
    Subscription.CredentialRevoked,
)
_CREDENTIAL_EVENTS = (
    Subscription.CredentialIssued,
    Subscription.CredentialImported,
    Subscription.CredentialRotated,
    Subscription.CredentialRevoked,
)


def keys(recorded: Recorded) -> Iterator[Key]:
    """Return the row of the subscription, and those of the credentials it is about."""
    event = recorded.event
    subscription = (recorded.organization_id, event.originator_id)
    yield Key(SUBSCRIPTION, subscription)
    if isinstance(event, _CREDENTIAL_EVENTS):
        yield Key(CREDENTIAL, (*subscription, event.credential_id))
    if isinstance(event, Subscription.CredentialRotated):
        yield Key(CREDENTIAL, (*subscription, event.successor_id))


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the rows up to date with one event."""
    event = recorded.event
    first, *credentials = keys(recorded)
    row = rows.setdefault(first, {"created_at": event.timestamp})
    row["version"] = event.originator_version
    row["changed_at"] = event.timestamp
    if isinstance(event, _CREDENTIAL_EVENTS):
        _project_credential(event, credentials, rows)
    else:
        _project_subscription(event, row)


def _project_subscription(event: Aggregate.Event, row: Row) -> None:
    match event:
        case Subscription.Requested():
            row |= {"application_id": event.application_id, "team_id": event.team_id}
            row |= {"plan_id": event.plan_id, "plan_version": event.plan_version}
            row |= {"state": SubscriptionState.PENDING.value, "comment": event.comment}
        case Subscription.TermsAccepted():
            row |= {"terms_revision": event.terms_revision, "terms_accepted_at": event.timestamp}
            row["terms_accepted_by"] = event.why["actor"]
        case Subscription.Accepted():
            row |= {"state": SubscriptionState.ACTIVE.value, "expires_at": event.expires_at}
            row["decision_comment"] = event.comment
        case Subscription.Rejected():
            row["state"] = SubscriptionState.REJECTED.value
            row["decision_comment"] = event.comment
        case Subscription.Transferred():
            row |= {"plan_id": event.plan_id, "plan_version": event.plan_version}
            row["expires_at"] = event.expires_at
        case _:
            _project_life(event, row)


def _project_life(event: Aggregate.Event, row: Row) -> None:
    match event:
        case Subscription.Suspended():
            row["state"] = SubscriptionState.SUSPENDED.value
            row["suspension_reason"] = event.why["reason"]
        case Subscription.Resumed():
            row |= {"state": SubscriptionState.ACTIVE.value, "suspension_reason": None}
        case Subscription.ExpiryScheduled():
            row |= {"expires_at": event.expires_at, **_said(event)}
        case Subscription.Reinstated(suspended=suspended):
            back = SubscriptionState.SUSPENDED if suspended else SubscriptionState.ACTIVE
            row |= {"state": back.value, "expires_at": event.expires_at, **_said(event)}
        case Subscription.Expired():
            row["state"] = SubscriptionState.EXPIRED.value
        case Subscription.Cancelled():
            row["state"] = SubscriptionState.CANCELLED.value


def _said(event: Subscription.ExpiryScheduled | Subscription.Reinstated) -> Row:
    """Return the comment of a decision that may go without one: then the one before stays."""
    return {"decision_comment": event.comment} if event.comment else {}


def _project_credential(
    event: Subscription.CredentialIssued
    | Subscription.CredentialImported
    | Subscription.CredentialRotated
    | Subscription.CredentialRevoked,
    keys: list[Key],
    rows: Rows,
) -> None:
    match event:
        case Subscription.CredentialIssued():
            rows[keys[0]] = _credential(event, HashAlgorithm.SHA256_HEX.value)
        case Subscription.CredentialImported():
            rows[keys[0]] = _credential(event, event.algorithm)
        case Subscription.CredentialRotated():
            old, rows[keys[1]] = rows[keys[0]], _credential(event, HashAlgorithm.SHA256_HEX.value)
            old |= {"state": CredentialState.EXPIRING.value, "changed_at": event.timestamp}
            old |= {"overlap_ends_at": event.overlap_ends_at, "successor_id": event.successor_id}
            old["ends_at"] = event.overlap_ends_at
        case Subscription.CredentialRevoked():
            old = rows[keys[0]]
            old |= {"state": CredentialState.REVOKED.value, "changed_at": event.timestamp}


def _credential(
    event: Subscription.CredentialIssued
    | Subscription.CredentialImported
    | Subscription.CredentialRotated,
    algorithm: str,
) -> Row:
    return {
        "state": CredentialState.ACTIVE.value,
        "label": event.label,
        "algorithm": algorithm,
        "not_after": event.not_after,
        "ends_at": event.not_after,
        "created_at": event.timestamp,
        "changed_at": event.timestamp,
    }
