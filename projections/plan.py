"""What is on offer: plans, the versions of their terms and the products they sell."""

from collections.abc import Iterator

import orjson

from domain.aggregate import Aggregate
from domain.plan import Plan, PlanState, PlanTerms, PlanVersionState
from projections.readmodel import Key, Recorded, Rows, Table

NAME = "plan"
VERSION = 1
PLAN = Table(
    "plan",
    key={"organization_id": "uuid", "id": "uuid"},
    columns={
        "slug": "text",
        "name": "text",
        "state": "text",
        "published_number": "bigint",
        "version": "bigint",
        "created_at": "timestamptz",
        "changed_at": "timestamptz",
    },
    indexes=(
        "organization_id, slug",
        "organization_id, name, id",
        "organization_id, created_at, id",
        "state, name, id",  # what is offered by all organizations
        "state, created_at, id",
        "id",  # a node asked for without a token
    ),
)
PLAN_VERSION = Table(
    "plan_version",
    key={"organization_id": "uuid", "plan_id": "uuid", "number": "bigint"},
    columns={"terms": "jsonb", "state": "text", "changed_at": "timestamptz"},
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
    Plan.VersionDrafted,
    Plan.VersionPublished,
)


def keys(recorded: Recorded) -> Iterator[Key]:
    """Return the rows of the plan, of the version meant and of the one it follows."""
    organization_id, event = recorded.organization_id, recorded.event
    yield Key(PLAN, (organization_id, event.originator_id))
    if isinstance(event, Plan.VersionDrafted | Plan.VersionPublished):
        for number in (event.plan_version - 1, event.plan_version):
            if number:
                yield Key(PLAN_VERSION, (organization_id, event.originator_id, number))


def project(recorded: Recorded, rows: Rows) -> None:
    """Bring the rows up to date with one event."""
    organization_id, event = recorded.organization_id, recorded.event
    plan_id = event.originator_id
    row = rows.setdefault(Key(PLAN, (organization_id, plan_id)), {"created_at": event.timestamp})
    row |= {"version": event.originator_version, "changed_at": event.timestamp}
    match event:
        case Plan.Defined():
            row |= {"slug": event.slug, "name": event.name, "state": PlanState.DRAFT.value}
            row["published_number"] = 0
            for ordinal, product_id in enumerate(event.product_ids, 1):
                key = Key(PLAN_PRODUCT, (organization_id, product_id, plan_id))
                rows[key] = {"ordinal": ordinal}
        case Plan.VersionDrafted() | Plan.VersionPublished():
            drafted = isinstance(event, Plan.VersionDrafted)
            state = PlanVersionState.DRAFT if drafted else PlanVersionState.PUBLISHED
            key = Key(PLAN_VERSION, (organization_id, plan_id, event.plan_version))
            rows[key] = {
                "terms": terms_text(event.terms),
                "state": state.value,
                "changed_at": event.timestamp,
            }
            if not drafted:
                row["state"] = PlanState.PUBLISHED.value
                row["published_number"] = event.plan_version
                before = event.plan_version - 1
                earlier = rows.get(Key(PLAN_VERSION, (organization_id, plan_id, before)))
                if earlier is not None:
                    earlier["state"] = PlanVersionState.SUPERSEDED.value
                    earlier["changed_at"] = event.timestamp


def terms_text(terms: PlanTerms) -> str:
    """Return the terms as JSON: rate_limit, quota, price (each null or an object), approval."""
    return orjson.dumps(
        {
            "rate_limit": vars(terms.rate_limit) if terms.rate_limit else None,
            "quota": vars(terms.quota) if terms.quota else None,
            "price": vars(terms.price) if terms.price else None,
            "approval": terms.approval,
        },
        str,
    ).decode()
