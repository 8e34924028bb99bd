"""The teams of an organization and their developers."""

import orjson

from domain.aggregate import Aggregate
from domain.developer import Developer, DeveloperState
from domain.sealed import Sealed
from domain.team import Team
from projections.readmodel import Key, Recorded, Rows, Table, row_of

NAME = "team"
VERSION = 2
TEAM = Table(
    "team",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={"name": "text", "version": "bigint", "created_at": "timestamptz"},
    indexes=("organization_id, name, id", "organization_id, created_at, id"),
)
DEVELOPER = Table(
    "developer",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "team_id": "uuid",
        "name": "jsonb",  # sealed: opened when it is read
        "mail": "jsonb",
        "role": "text",
        "origin": "text",
        "state": "text",
        "onboarding_began_at": "timestamptz",
        "ended_at": "timestamptz",
        "version": "bigint",
        "created_at": "timestamptz",
    },
    indexes=(
        "organization_id, team_id, created_at, id",
        "organization_id, created_at, id",
        "state, organization_id, id",
    ),
)
TABLES: tuple[Table, ...] = (TEAM, DEVELOPER)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    Team.Formed,
    Team.Renamed,
    Developer.Registered,
    Developer.RoleAssigned,
    Developer.TokensGranted,
    Developer.Left,
    Developer.Removed,
    Developer.Forgotten,
)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the team or the developer."""
    table = TEAM if isinstance(recorded.event, Team.Event) else DEVELOPER
    return (Key(table, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    row = row_of(recorded, rows, *keys(recorded))
    match event:
        case Team.Formed() | Team.Renamed():
            row["name"] = event.name
        case Developer.Registered():
            row["team_id"] = event.team_id
            row |= {"name": sealed_text(event.name), "mail": sealed_text(event.mail)}
            row |= {"role": event.role, "origin": event.origin}
            row |= {"state": DeveloperState.ACTIVE.value, "ended_at": None}
            row["onboarding_began_at"] = event.onboarding_began_at
        case Developer.RoleAssigned():
            row["role"] = event.role
        case Developer.Left() | Developer.Removed() | Developer.Forgotten():
            row["state"] = _ENDS[type(event)].value
            row["ended_at"] = row.get("ended_at") or event.timestamp


_ENDS: dict[type[Aggregate.Event], DeveloperState] = {
    Developer.Left: DeveloperState.LEFT,
    Developer.Removed: DeveloperState.REMOVED,
    Developer.Forgotten: DeveloperState.FORGOTTEN,
}


def sealed_text(sealed: Sealed) -> str:
    """Return what a column holds of it."""
    return orjson.dumps(vars(sealed)).decode()


def sealed(text: str) -> Sealed:
    """Return what such a column holds."""
    return Sealed(**orjson.loads(text))
