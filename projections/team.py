"""The teams of an organization and their developers."""

import orjson

from domain.aggregate import Aggregate
from domain.developer import Developer
from domain.sealed import Sealed
from domain.team import Team
from projections.readmodel import Key, Recorded, Rows, Table

NAME = "team"
VERSION = 1
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
        "version": "bigint",
        "created_at": "timestamptz",
    },
    indexes=("organization_id, team_id, created_at, id", "organization_id, created_at, id"),
)
TABLES: tuple[Table, ...] = (TEAM, DEVELOPER)
EVENTS: tuple[type[Aggregate.Event], ...] = (Team.Formed, Developer.Registered)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the team or the developer."""
    table = TEAM if isinstance(recorded.event, Team.Event) else DEVELOPER
    return (Key(table, (recorded.organization_id, recorded.event.originator_id)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    (key,) = keys(recorded)
    row = rows.setdefault(key, {"created_at": event.timestamp})
    row["version"] = event.originator_version
    match event:
        case Team.Formed():
            row["name"] = event.name
        case Developer.Registered():
            row["team_id"] = event.team_id
            row |= {"name": _text(event.name), "mail": _text(event.mail)}


def _text(sealed: Sealed) -> str:
    return orjson.dumps(vars(sealed)).decode()


def sealed(text: str) -> Sealed:
    """Return what a column of the developer's row holds."""
    return Sealed(**orjson.loads(text))
