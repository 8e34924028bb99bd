"""What gateways enforce follows what was sold, and what was stays as it was."""

from typing import Any
from uuid import UUID

import orjson

from domain import routing
from domain.aggregate import Aggregate
from domain.api_product import ApiProduct, Visibility
from domain.gateway_group import GatewayGroup
from domain.plan import Plan, PlanTerms
from domain.subscription import Subscription
from projections import gateway_config
from projections.gateway_config import CONFIG, CONFIG_CURSOR, CONFIG_PAST
from projections.readmodel import Key, Recorded, Row, Rows
from tests.given import ACE, AT, WHY

PRODUCT, PLAN, GROUP, SUBSCRIPTION = (UUID(int=nth) for nth in (1, 2, 3, 4))
KEY = {"sha256": "0" * 64, "sha1": "A" * 27 + "=", "not_after": None}


def projected(*aggregates: Aggregate) -> Rows:
    """Return the rows after the events of the aggregates, one after the other from 1 on."""
    rows: Rows = {}
    position = 0
    for aggregate in aggregates:
        for event in aggregate.pending_events:
            position += 1
            assert isinstance(event, Aggregate.Event)
            recorded = Recorded(position, event)
            if type(event) in gateway_config.EVENTS:
                assert list(gateway_config.keys(recorded))[1] == Key(CONFIG_CURSOR, (ACE,))
                gateway_config.project(recorded, rows)
    return rows


def row(rows: Rows, kind: str, id_: str) -> Row:
    return rows[Key(CONFIG, (ACE, kind, id_))]


def body(held: Row) -> dict[str, Any]:
    text = str(held["body"])
    parsed: dict[str, Any] = orjson.loads(text)
    assert routing.canonical(parsed).decode() == text
    return parsed


def requested() -> Subscription:
    return Subscription.request(
        SUBSCRIPTION,
        application_id=UUID(int=5),
        team_id=UUID(int=6),
        plan_id=PLAN,
        plan_version=1,
        at=AT,
        why=WHY,
    )


def test_a_draft_holds_nothing_until_it_is_published() -> None:
    product = ApiProduct.define(
        PRODUCT,
        slug="pets",
        name="Pets",
        description="",
        visibility=Visibility.PUBLIC,
        at=AT,
        why=WHY,
    )
    rows = projected(product)
    assert row(rows, "product", str(PRODUCT)).get("from_position") is None
    assert Key(CONFIG_CURSOR, (ACE,)) not in rows

    product.publish(at=AT, why=WHY)
    rows = projected(product)
    held = row(rows, "product", str(PRODUCT))
    assert held["from_position"] == 2
    assert body(held) == {
        "id": str(PRODUCT),
        "slug": "pets",
        "state": "PUBLISHED",
        "deprecation": None,
        "sunset": None,
    }
    assert rows[Key(CONFIG_CURSOR, (ACE,))] == {"position": 2}


def test_each_published_version_of_a_plan_is_a_row_that_stays() -> None:
    plan = Plan.define(PLAN, slug="free", name="Free", product_ids=[PRODUCT], at=AT, why=WHY)
    for _ in range(2):
        plan.draft_version(PlanTerms(None, None, None, "MANUAL"), at=AT, why=WHY)
        plan.publish_version(at=AT, why=WHY)
    rows = projected(plan)

    first, second = (row(rows, "plan", f"{PLAN}-{number}") for number in (1, 2))
    assert (first["from_position"], second["from_position"]) == (3, 5)
    assert first.get("until_position") is None
    assert body(second)["products"] == [str(PRODUCT)]
    assert row(rows, "plan", str(PLAN)).get("from_position") is None


def test_a_group_holds_from_its_opening() -> None:
    group = GatewayGroup.open(
        GROUP, slug="edge", environment="live", product_ids=[PRODUCT], at=AT, why=WHY
    )
    held = row(projected(group), "group", str(GROUP))

    assert held["from_position"] == 1
    assert body(held)["products"] == [str(PRODUCT)]


def test_a_revoked_key_is_gone_and_its_former_row_is_kept() -> None:
    subscription = requested()
    subscription.accept(at=AT, why=WHY)
    subscription.issue_credential("k", **KEY, at=AT, why=WHY)  # type: ignore[arg-type]  # of a dict
    subscription.revoke_credential("k", at=AT, why=WHY)
    rows = projected(subscription)
    held = row(rows, "subscription", str(SUBSCRIPTION))
    past = {key.values[3]: value for key, value in rows.items() if key.table is CONFIG_PAST}

    assert (held["from_position"], body(held)["keys"]) == (4, [])
    assert {start: value["until_position"] for start, value in past.items()} == {2: 3, 3: 4}
    assert [key["id"] for key in body(past[3])["keys"]] == ["k"]


def test_a_cancelled_subscription_ends_and_later_events_leave_it_as_it_was() -> None:
    subscription = requested()
    subscription.accept(at=AT, why=WHY)
    subscription.issue_credential("k", **KEY, at=AT, why=WHY)  # type: ignore[arg-type]  # of a dict
    subscription.cancel(at=AT, why=WHY)
    ended = row(projected(subscription), "subscription", str(SUBSCRIPTION))
    assert (ended["from_position"], ended["until_position"]) == (3, 4)

    subscription.revoke_credential("k", at=AT, why=WHY)
    rows = projected(subscription)
    assert row(rows, "subscription", str(SUBSCRIPTION)) == ended
    assert [key["id"] for key in body(ended)["keys"]] == ["k"]
    assert rows[Key(CONFIG_CURSOR, (ACE,))] == {"position": 4}


def test_a_request_that_was_withdrawn_never_held() -> None:
    subscription = requested()
    subscription.cancel(at=AT, why=WHY)
    rows = projected(subscription)

    assert row(rows, "subscription", str(SUBSCRIPTION)).get("until_position") is None
    assert Key(CONFIG_CURSOR, (ACE,)) not in rows
