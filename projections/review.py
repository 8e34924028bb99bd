"""Reviews: each step of each version on its way past the contract gate."""

import orjson

from domain.aggregate import Aggregate
from domain.api_version import ApiVersion
from projections.readmodel import Key, Recorded, Rows, Table

NAME = "review"
VERSION = 1
REVIEW_STEP = Table(
    "review_step",
    # The step is known by the version of the ApiVersion that it made.
    key={"organization_id": "uuid", "version_id": "uuid", "number": "bigint"},
    columns={
        "step": "text",
        "comment": "text",
        "actor": "text",
        "at": "timestamptz",
        "gate": "jsonb",  # null where the gate said nothing
    },
    appends=True,
)
TABLES: tuple[Table, ...] = (REVIEW_STEP,)
_STEPS: dict[type[Aggregate.Event], str] = {
    ApiVersion.Submitted: "SUBMITTED",
    ApiVersion.Approved: "APPROVED",
    ApiVersion.ChangesRequested: "CHANGES_REQUESTED",
    ApiVersion.GateOverridden: "GATE_OVERRIDDEN",
}
EVENTS: tuple[type[Aggregate.Event], ...] = tuple(_STEPS)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the step."""
    event = recorded.event
    version = (recorded.organization_id, event.originator_id)
    return (Key(REVIEW_STEP, (*version, event.originator_version)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Add the row of the step; what was said to override the gate is the reason of the command."""
    event = recorded.event
    (key,) = keys(recorded)
    gate, comment = None, event.why["reason"]
    match event:
        case ApiVersion.Submitted():
            gate, comment = event.gate, event.comment
        case ApiVersion.Approved() | ApiVersion.ChangesRequested():
            comment = event.comment
        case ApiVersion.GateOverridden():
            gate = event.gate
    rows[key] = {
        "step": _STEPS[type(event)],
        "comment": comment,
        "actor": event.why["actor"],
        "at": event.timestamp,
        "gate": gate and orjson.dumps(gate, str).decode(),
    }
