"""The audit trail: one row per event, by which auditors find it; its content stays in the store."""

from domain.aggregate import Aggregate
from domain.events import EVENTS as EVERY_EVENT
from projections.readmodel import Key, Recorded, Rows, Table

NAME = "audit"
VERSION = 1
AUDIT = Table(
    "audit",
    key={"organization_id": "uuid", "position": "bigint"},
    columns={
        "noun": "text",
        "noun_id": "uuid",
        "noun_version": "bigint",
        "event": "text",
        "actor": "text",
        "at": "timestamptz",
    },
    indexes=(
        "organization_id, noun_id, position",
        "organization_id, event, position",
        "organization_id, actor, position",
    ),
    appends=True,
)
TABLES: tuple[Table, ...] = (AUDIT,)
EVENTS: tuple[type[Aggregate.Event], ...] = EVERY_EVENT


def keys(_: Recorded) -> tuple[Key, ...]:
    """Return nothing: no row is ever read."""
    return ()


def project(recorded: Recorded, rows: Rows) -> None:
    """Add the row of the event."""
    event = recorded.event
    rows[Key(AUDIT, (recorded.organization_id, recorded.position))] = {
        "noun": event.TOPIC.partition(".")[0],
        "noun_id": event.originator_id,
        "noun_version": event.originator_version,
        "event": event.TOPIC,
        "actor": event.why["actor"],
        "at": event.timestamp,
    }
