"""Who was invited to which team; the mail address stays sealed."""

from domain.aggregate import Aggregate
from domain.invitation import Invitation, InvitationState
from projections.readmodel import Key, Recorded, Rows, Table, row_of
from projections.team import sealed_text

NAME = "invitation"
VERSION = 2
INVITATION = Table(
    "invitation",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "team_id": "uuid",
        "developer_id": "uuid",
        "mail": "jsonb",  # sealed: opened when it is read
        "role": "text",
        "state": "text",  # OPEN past expires_at is EXPIRED, too
        "expires_at": "timestamptz",
        "version": "bigint",
        "created_at": "timestamptz",
    },
    indexes=(
        "organization_id, team_id, created_at, id",
        "organization_id, created_at, id",
        "organization_id, developer_id",
        "state, expires_at, organization_id, id",
    ),
)
TABLES: tuple[Table, ...] = (INVITATION,)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    Invitation.Sent,
    Invitation.Accepted,
    Invitation.Expired,
    Invitation.Revoked,
)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the invitation."""
    return (Key(INVITATION, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    row = row_of(recorded, rows, *keys(recorded))
    match event:
        case Invitation.Sent():
            row |= {"team_id": event.team_id, "developer_id": event.developer_id}
            row |= {"mail": sealed_text(event.mail), "role": event.role}
            row |= {"expires_at": event.expires_at, "state": InvitationState.OPEN.value}
        case Invitation.Accepted():
            row["state"] = InvitationState.ACCEPTED.value
        case Invitation.Expired():
            row["state"] = InvitationState.EXPIRED.value
        case Invitation.Revoked():
            row["state"] = InvitationState.REVOKED.value
