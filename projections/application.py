"""The applications of teams."""

from domain.aggregate import Aggregate
from domain.application import Application
from projections.readmodel import Key, Recorded, Rows, Table, row_of

NAME = "application"
VERSION = 2
APPLICATION = Table(
    "application",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "team_id": "uuid",
        "name": "text",
        "version": "bigint",
        "created_at": "timestamptz",
    },
    indexes=(
        "organization_id, team_id, created_at, id",
        "organization_id, name, id",
        "organization_id, created_at, id",
    ),
)
TABLES: tuple[Table, ...] = (APPLICATION,)
EVENTS: tuple[type[Aggregate.Event], ...] = (Application.Registered, Application.Renamed)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the application."""
    return (Key(APPLICATION, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    row = row_of(recorded, rows, *keys(recorded))
    match event:
        case Application.Registered():
            row |= {"team_id": event.team_id, "name": event.name}
        case Application.Renamed():
            row["name"] = event.name
