"""Who holds a token of the control plane, so that an owner can revoke it."""

from domain.access_token import AccessToken
from domain.aggregate import Aggregate
from projections.readmodel import Key, Recorded, Rows, Table, row_of

NAME = "access_token"
VERSION = 2
ACCESS_TOKEN = Table(
    "access_token",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "name": "text",
        "role": "text",
        "team_id": "uuid",
        "gateway_id": "uuid",
        "developer_id": "uuid",
        "expires_at": "timestamptz",
        "revoked_at": "timestamptz",
        "version": "bigint",
        "created_at": "timestamptz",
    },
    indexes=("organization_id, created_at, id",),
)
TABLES: tuple[Table, ...] = (ACCESS_TOKEN,)
EVENTS: tuple[type[Aggregate.Event], ...] = (AccessToken.Issued, AccessToken.Revoked)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the token."""
    return (Key(ACCESS_TOKEN, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    row = row_of(recorded, rows, *keys(recorded))
    match event:
        case AccessToken.Issued():
            row |= {"name": event.name, "role": event.role, "team_id": event.team_id}
            row |= {"gateway_id": event.gateway_id, "expires_at": event.expires_at}
            row["developer_id"] = event.developer_id
        case AccessToken.Revoked():
            row["revoked_at"] = event.timestamp
