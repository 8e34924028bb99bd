"""Reviews: each step of each version past the contract gate, and each revision of its contract."""

import orjson

from domain.aggregate import Aggregate
from domain.api_version import ApiVersion
from domain.contract.gate import GateResult
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
REVISION = Table(
    "contract_revision",
    key={"organization_id": "uuid", "version_id": "uuid", "number": "bigint"},
    columns={
        "contract_sha256": "text",
        "contract_bytes": "bigint",
        "at": "timestamptz",
        "gate": "jsonb",  # null of a draft
    },
    appends=True,
)
TABLES: tuple[Table, ...] = (REVIEW_STEP, REVISION)
_STEPS: dict[type[Aggregate.Event], str] = {
    ApiVersion.Submitted: "SUBMITTED",
    ApiVersion.Approved: "APPROVED",
    ApiVersion.ChangesRequested: "CHANGES_REQUESTED",
    ApiVersion.GateOverridden: "GATE_OVERRIDDEN",
}
EVENTS: tuple[type[Aggregate.Event], ...] = (ApiVersion.Defined, ApiVersion.Revised, *_STEPS)


def keys(_: Recorded) -> tuple[Key, ...]:
    """Return nothing: no row is ever read."""
    return ()


def project(recorded: Recorded, rows: Rows) -> None:
    """Add the row of the step; what was said to override the gate is the reason of the command."""
    event = recorded.event
    version = (recorded.organization_id, event.originator_id)
    gate, comment = None, event.why["reason"]
    if isinstance(event, ApiVersion.Defined | ApiVersion.Revised):
        number = event.revision if isinstance(event, ApiVersion.Revised) else 0
        rows[Key(REVISION, (*version, number))] = {
            "contract_sha256": event.contract_sha256,
            "contract_bytes": event.contract_bytes,
            "at": event.timestamp,
            "gate": _told(event.gate if isinstance(event, ApiVersion.Revised) else None),
        }
        return
    match event:
        case ApiVersion.Submitted():
            gate, comment = event.gate, event.comment
        case ApiVersion.Approved() | ApiVersion.ChangesRequested():
            comment = event.comment
        case ApiVersion.GateOverridden():
            gate = event.gate
    rows[Key(REVIEW_STEP, (*version, event.originator_version))] = {
        "step": _STEPS[type(event)],
        "comment": comment,
        "actor": event.why["actor"],
        "at": event.timestamp,
        "gate": _told(gate),
    }


def _told(gate: GateResult | None) -> str | None:
    return None if gate is None else orjson.dumps(gate, str).decode()
