"""What is on offer: plans, the versions of their terms and the products they sell."""

from collections.abc import Iterator

import orjson

from domain.aggregate import Aggregate, Value
from domain.audience import Visibility
from domain.plan import Plan
from domain.plan_life import PlanState, PlanVersionState
from domain.plan_terms import PlanTerms
from projections.readmodel import Key, Recorded, Row, Rows, Table

NAME = "plan"
VERSION = 3
PLAN = Table(
    "plan",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "slug": "text",
        "name": "text",
        "visibility": "text",
        "team_ids": "jsonb",
        "state": "text",
        "listed": "boolean",  # published, deprecated or not: on sale
        "published_number": "bigint",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=(
        "organization_id, slug",
        "organization_id, name, id",
        "organization_id, created_at, id",
        "listed, visibility, name, id",  # what is offered by all organizations
        "listed, visibility, created_at, id",
        "id",  # a node asked for without a token
    ),
)
PLAN_VERSION = Table(
    "plan_version",
    key={"organization_id": "uuid", "plan_id": "uuid", "number": "bigint"},
    columns={
        "terms": "jsonb",
        "state": "text",
        "changed_at": "timestamptz",
        "published_at": "timestamptz",
        "published_position": "bigint",  # of the event that made the terms binding
    },
)
PLAN_PRODUCT = Table(
    "plan_product",
    key={"organization_id": "uuid", "product_id": "uuid", "plan_id": "uuid"},
    columns={"ordinal": "bigint"},
    indexes=("organization_id, plan_id, ordinal",),
)
TABLES: tuple[Table, ...] = (PLAN, PLAN_VERSION, PLAN_PRODUCT)
EVENTS: tuple[type[Aggregate.Event], ...] = (
    Plan.Defined,
    Plan.Renamed,
    Plan.AudienceChosen,
    Plan.VersionDrafted,
    Plan.VersionPublished,
    Plan.Deprecated,
    Plan.DeprecationWithdrawn,
    Plan.Closed,
)


def keys(recorded: Recorded) -> Iterator[Key]:
    """Return the rows of the plan, and of the version that another one follows."""
    organization_id, event = recorded.organization_id, recorded.event
    yield Key(PLAN, (organization_id, event.originator_id))
    if isinstance(event, Plan.VersionPublished) and event.plan_version > 1:
        yield Key(PLAN_VERSION, (organization_id, event.originator_id, event.plan_version - 1))


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the rows up to date with one event."""
    organization_id, event = recorded.organization_id, recorded.event
    plan_id = event.originator_id
    row = rows.setdefault(Key(PLAN, (organization_id, plan_id)), {"created_at": event.timestamp})
    row |= {"version": event.originator_version, "changed_at": event.timestamp}
    match event:
        case Plan.Defined():
            row |= {"slug": event.slug, "name": event.name, **_state(PlanState.DRAFT)}
            row |= {"visibility": Visibility.PUBLIC.value, "team_ids": "[]", "published_number": 0}
            for ordinal, product_id in enumerate(event.product_ids, 1):
                key = Key(PLAN_PRODUCT, (organization_id, product_id, plan_id))
                rows[key] = {"ordinal": ordinal}
        case Plan.Renamed():
            row["name"] = event.name
        case Plan.AudienceChosen():
            row["visibility"] = event.visibility
            row["team_ids"] = orjson.dumps(event.team_ids, str).decode()
        case Plan.VersionDrafted():
            key = Key(PLAN_VERSION, (organization_id, plan_id, event.plan_version))
            rows[key] = _version(event, PlanVersionState.DRAFT)
        case Plan.VersionPublished():
            _publish(recorded, rows, event)
        case Plan.Deprecated():
            row |= _state(PlanState.DEPRECATED)
        case Plan.DeprecationWithdrawn():
            row |= _state(PlanState.PUBLISHED)
        case Plan.Closed():
            row |= _state(PlanState.CLOSED)


def _publish(recorded: Recorded, rows: Rows, event: Plan.VersionPublished) -> None:
    key = (recorded.organization_id, event.originator_id)
    plan = rows[Key(PLAN, key)]
    if plan["state"] == PlanState.DRAFT.value:  # a deprecated plan stays so
        plan |= _state(PlanState.PUBLISHED)
    plan["published_number"] = event.plan_version
    rows[Key(PLAN_VERSION, (*key, event.plan_version))] = {
        **_version(event, PlanVersionState.PUBLISHED),
        "published_at": event.timestamp,
        "published_position": recorded.position,
    }
    earlier = rows.get(Key(PLAN_VERSION, (*key, event.plan_version - 1)))
    if earlier is not None:
        earlier["state"] = PlanVersionState.SUPERSEDED.value
        earlier["changed_at"] = event.timestamp


def _version(event: Plan.VersionDrafted | Plan.VersionPublished, state: PlanVersionState) -> Row:
    terms = terms_text(event.terms)
    return {"terms": terms, "state": state.value, "changed_at": event.timestamp}


def _state(state: PlanState) -> Row:
    listed = state in {PlanState.PUBLISHED, PlanState.DEPRECATED}
    return {"state": state.value, "listed": listed}


def terms_text(terms: PlanTerms) -> str:
    """Return the terms as JSON with the members of PlanTerms; decimals and ids are strings."""
    return orjson.dumps(vars(terms), _plain).decode()


def _plain(value: object) -> object:
    return vars(value) if isinstance(value, Value) else str(value)
