"""Who subscribes to what: one row per subscription and per credential."""

from collections.abc import Iterator

from domain.aggregate import Aggregate
from domain.subscription import CredentialState, Subscription, SubscriptionState
from projections.readmodel import Key, Recorded, Rows, Table

NAME = "subscription"
VERSION = 1
SUBSCRIPTION = Table(
    "subscription",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "application_id": "uuid",
        "team_id": "uuid",
        "plan_id": "uuid",
        "plan_version": "bigint",
        "state": "text",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=(
        "organization_id, application_id, created_at, id",
        "organization_id, plan_id, created_at, id",
        "organization_id, team_id, created_at, id",
        "organization_id, created_at, id",
    ),
)
CREDENTIAL = Table(
    "credential",
    key={"organization_id": "uuid", "subscription_id": "uuid", "id": "text"},
    columns={
        "state": "text",
        "not_after": "timestamptz",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
)
TABLES: tuple[Table, ...] = (SUBSCRIPTION, CREDENTIAL)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    Subscription.Requested,
    Subscription.Accepted,
    Subscription.Rejected,
    Subscription.Cancelled,
    Subscription.CredentialIssued,
    Subscription.CredentialRevoked,
)


def keys(recorded: Recorded) -> Iterator[Key]:
    """Return the row of the subscription, and that of the credential if it is about one."""
    event = recorded.event
    subscription = (recorded.organization_id, event.originator_id)
    yield Key(SUBSCRIPTION, subscription)
    if isinstance(event, Subscription.CredentialIssued | Subscription.CredentialRevoked):
        yield Key(CREDENTIAL, (*subscription, event.credential_id))


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the rows up to date with one event."""
    event = recorded.event
    subscription = (recorded.organization_id, event.originator_id)
    row = rows.setdefault(Key(SUBSCRIPTION, subscription), {"created_at": event.timestamp})
    row["version"] = event.originator_version
    row["changed_at"] = event.timestamp
    match event:
        case Subscription.Requested():
            row["application_id"] = event.application_id
            row["team_id"] = event.team_id
            row["plan_id"] = event.plan_id
            row["plan_version"] = event.plan_version
            row["state"] = SubscriptionState.PENDING.value
        case Subscription.Accepted():
            row["state"] = SubscriptionState.ACTIVE.value
        case Subscription.Rejected():
            row["state"] = SubscriptionState.REJECTED.value
        case Subscription.Cancelled():
            row["state"] = SubscriptionState.CANCELLED.value
        case Subscription.CredentialIssued():
            rows[Key(CREDENTIAL, (*subscription, event.credential_id))] = {
                "state": CredentialState.ACTIVE.value,
                "not_after": event.not_after,
                "created_at": event.timestamp,
                "changed_at": event.timestamp,
            }
        case Subscription.CredentialRevoked():
            credential = rows[Key(CREDENTIAL, (*subscription, event.credential_id))]
            credential["state"] = CredentialState.REVOKED.value
            credential["changed_at"] = event.timestamp
