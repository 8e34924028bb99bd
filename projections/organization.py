"""The organizations of the installation."""

import orjson

from domain.aggregate import Aggregate
from domain.organization import Organization
from projections.readmodel import Key, Recorded, Rows, Table, row_of

NAME = "organization"
VERSION = 3
ORGANIZATION = Table(
    "organization",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "slug": "text",
        "name": "text",
        "registration_open": "boolean",
        "contract_policy": "jsonb",  # null for none of its own
        "version": "bigint",
        "created_at": "timestamptz",
    },
    indexes=("slug", "created_at, id"),
)
TABLES: tuple[Table, ...] = (ORGANIZATION,)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    Organization.Established,
    Organization.RegistrationOpened,
    Organization.RegistrationClosed,
    Organization.ContractPolicyAdopted,
)


def keys(recorded: Recorded) -> tuple[Key, ...]:
    """Return the row of the organization, which belongs to itself."""
    id_ = recorded.event.originator_id
    return (Key(ORGANIZATION, (id_, id_)),)


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the row up to date with one event."""
    event = recorded.event
    row = row_of(recorded, rows, *keys(recorded))
    row.setdefault("registration_open", False)
    match event:
        case Organization.Established():
            row |= {"slug": event.slug, "name": event.name}
        case Organization.RegistrationOpened():
            row["registration_open"] = True
        case Organization.RegistrationClosed():
            row["registration_open"] = False
        case Organization.ContractPolicyAdopted():
            row["contract_policy"] = orjson.dumps(event.policy).decode()
