"""What gateways enforce follows what was sold, and what was stays as it was."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from domain import config_document, routing
from domain.aggregate import Aggregate, Why
from domain.api_product import ApiProduct
from domain.api_version import ApiVersion, Upstream
from domain.audience import Visibility
from domain.contract.read import read_contract
from domain.credential import HashAlgorithm
from domain.gateway_group import GatewayGroup
from domain.plan import Plan
from domain.plan_terms import Auth, Override, PlanTerms, RateLimit
from domain.subscription import Subscription
from projections import gateway_config
from projections.gateway_config import CONFIG, CONFIG_CURSOR, CONFIG_PAST
from projections.readmodel import Key, Recorded, Row, Rows
from tests.given import ACE, AT, PETSTORE, WHY

PRODUCT, PLAN, GROUP, SUBSCRIPTION = (UUID(int=nth) for nth in (1, 2, 3, 4))
SUSPENDING = Why(**{**WHY, "reason": "unpaid"})
KEY: dict[str, Any] = {"sha256": "0" * 64, "sha1": "A" * 27 + "=", "not_after": None}


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
    assert config_document.canonical(parsed).decode() == text
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
    subscription.issue_credential("k", **KEY, at=AT, why=WHY)
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
    subscription.issue_credential("k", **KEY, at=AT, why=WHY)
    subscription.cancel(at=AT, why=WHY)
    ended = row(projected(subscription), "subscription", str(SUBSCRIPTION))
    assert (ended["from_position"], ended["until_position"]) == (3, 4)

    subscription.revoke_credential("k", at=AT, why=WHY)
    rows = projected(subscription)
    past = {key.values[3]: value for key, value in rows.items() if key.table is CONFIG_PAST}
    assert past[3] == {"until_position": 4, "body": ended["body"]}
    assert [key["id"] for key in body(past[3])["keys"]] == ["k"]
    assert row(rows, "subscription", str(SUBSCRIPTION))["from_position"] is None
    assert rows[Key(CONFIG_CURSOR, (ACE,))] == {"position": 4}


def test_a_request_that_was_withdrawn_never_held() -> None:
    subscription = requested()
    subscription.cancel(at=AT, why=WHY)
    rows = projected(subscription)

    assert row(rows, "subscription", str(SUBSCRIPTION)).get("until_position") is None
    assert Key(CONFIG_CURSOR, (ACE,)) not in rows


def published(api: str = "default") -> ApiVersion:
    version = ApiVersion.define(
        UUID(int=7),
        product_id=PRODUCT,
        number="2.1.0",
        contract=read_contract(PETSTORE),
        contract_sha256="f" * 64,
        contract_bytes=1,
        upstreams=[Upstream("live", "https://pets.example")],
        at=AT,
        why=WHY,
        api=api,
    )
    version.publish(at=AT, why=WHY)
    return version


def version_row(version: ApiVersion) -> tuple[Row, dict[object, Row]]:
    rows = projected(version)
    past = {key.values[3]: value for key, value in rows.items() if key.table is CONFIG_PAST}
    return row(rows, "version", str(version.id)), past


def test_the_base_of_a_version_tells_the_apis_of_a_product_apart() -> None:
    for api, base in (("default", "v2"), ("admin", "admin/v2")):
        said = body(version_row(published(api))[0])
        assert (said["api"], said["base"]) == (api, base)


def test_a_deprecated_version_says_so_and_one_that_is_recommended_again_does_not() -> None:
    version = published()
    version.deprecate(
        sunset_at=AT + timedelta(days=90), successor=None, link="https://x.example", at=AT, why=WHY
    )
    held, past = version_row(version)
    said = body(held)
    assert (said["state"], said["deprecation"]) == ("DEPRECATED", AT.isoformat())
    assert (said["sunset"], said["link"]) == ("2026-04-01T00:00:00+00:00", "https://x.example")
    assert (held["from_position"], past[2]["until_position"]) == (3, 3)

    version.withdraw_deprecation(at=AT, why=WHY)
    again, past = version_row(version)
    assert body(again) == body(past[2])
    assert again["from_position"] == 4


def test_a_version_whose_contract_is_corrected_has_its_routes_from_then_on() -> None:
    version = published()
    contract = read_contract(PETSTORE)
    corrected = replace(contract, operations=contract.operations[1:])
    version.revise(corrected, None, contract_sha256="e" * 64, contract_bytes=1, at=AT, why=WHY)
    held, past = version_row(version)
    assert body(held)["routes"] == body(past[2])["routes"][1:]
    assert (held["from_position"], past[2]["until_position"]) == (3, 3)
    assert {**body(held), "routes": body(past[2])["routes"]} == body(past[2])


def test_a_graphql_api_is_one_route_with_the_fields_that_can_be_limited() -> None:
    version = published()
    contract = read_contract(
        b"type Query { pets: [Int] pet(id: ID!): Int } type Mutation { a: Int }"
    )
    version.revise(contract, None, contract_sha256="e" * 64, contract_bytes=1, at=AT, why=WHY)

    (route,) = body(version_row(version)[0])["routes"]
    assert (route["operation"], route["method"], route["path"]) == ("POST /", "POST", "/")
    assert set(route["fields"]) == {"Query.pets", "Query.pet", "Mutation.a"}


def test_a_retired_version_is_gone_until_it_is_reinstated() -> None:
    version = published()
    version.deprecate(sunset_at=None, successor=None, link="", at=AT, why=WHY)
    version.retire(at=AT, why=WHY)
    held, _ = version_row(version)
    assert (held["from_position"], held["until_position"]) == (3, 4)

    version.reinstate(at=AT, why=WHY)
    held, past = version_row(version)
    assert (held["from_position"], held["until_position"]) == (5, None)
    assert {start: value["until_position"] for start, value in past.items()} == {2: 3, 3: 4}


def test_a_blocked_version_is_gone_whatever_its_provider_does_meanwhile() -> None:
    version = published()
    version.block(at=AT, why=WHY)
    held, past = version_row(version)
    assert (held["from_position"], held["until_position"], past) == (2, 3, {})

    version.deprecate(sunset_at=None, successor=None, link="", at=AT, why=WHY)
    held, past = version_row(version)
    assert held["from_position"] is None
    assert {start: value["until_position"] for start, value in past.items()} == {2: 3}
    assert body(past[2])["state"] == "PUBLISHED"

    version.unblock(at=AT, why=WHY)
    held, _ = version_row(version)
    assert (held["from_position"], body(held)["state"]) == (5, "DEPRECATED")


def test_a_version_that_was_blocked_as_a_draft_holds_once_it_is_both_published_and_free() -> None:
    version = published()
    version.withdraw_publication(at=AT, why=WHY)
    version.block(at=AT, why=WHY)
    version.publish(at=AT, why=WHY)
    held, _ = version_row(version)
    assert (held["from_position"], held["until_position"]) == (2, 3)
    version.unblock(at=AT, why=WHY)
    held, _ = version_row(version)
    assert (held["from_position"], held["until_position"]) == (6, None)


def test_a_keyless_version_of_a_plan_ends_when_it_is_not_sold_any_more() -> None:
    keyless = PlanTerms(None, None, None, "AUTOMATIC", auth=Auth("KEYLESS"))
    plan = Plan.define(PLAN, slug="open", name="Open", product_ids=[PRODUCT], at=AT, why=WHY)
    for _ in range(2):
        plan.draft_version(keyless, at=AT, why=WHY)
        plan.publish_version(at=AT, why=WHY)
    first, second = (row(projected(plan), "plan", f"{PLAN}-{number}") for number in (1, 2))
    assert (first["until_position"], second.get("until_position")) == (5, None)

    plan.close(at=AT, why=WHY)
    assert row(projected(plan), "plan", f"{PLAN}-2")["until_position"] == 6


def test_a_plan_that_is_closed_goes_on_for_its_subscriptions() -> None:
    plan = Plan.define(PLAN, slug="free", name="Free", product_ids=[PRODUCT], at=AT, why=WHY)
    limit = RateLimit(2, 1, 0, "TOKEN_BUCKET")
    terms = PlanTerms(
        limit, None, None, "MANUAL", overrides=[Override(PRODUCT, "GET /pets", limit)]
    )
    plan.draft_version(terms, at=AT, why=WHY)
    plan.publish_version(at=AT, why=WHY)
    plan.close(at=AT, why=WHY)
    held = row(projected(plan), "plan", f"{PLAN}-1")
    assert held.get("until_position") is None
    (override,) = body(held)["overrides"]
    routes = body(version_row(published())[0])["routes"]
    assert override["route"] in {each["id"] for each in routes}
    assert (override["rate_limit"]["limit_calls"], override["quota"]) == (2, None)


def test_a_suspended_subscription_is_gone_and_comes_back_without_a_key_revoked_meanwhile() -> None:
    subscription = requested()
    subscription.accept(at=AT, why=WHY)
    subscription.issue_credential("k", **KEY, at=AT, why=WHY)
    subscription.issue_credential("l", **KEY, at=AT, why=WHY)
    subscription.suspend(at=AT, why=SUSPENDING)
    gone = row(projected(subscription), "subscription", str(SUBSCRIPTION))
    assert (gone["from_position"], gone["until_position"]) == (4, 5)

    subscription.revoke_credential("k", at=AT, why=WHY)
    subscription.resume(at=AT, why=WHY)
    rows = projected(subscription)
    back = row(rows, "subscription", str(SUBSCRIPTION))
    past = {key.values[3]: value for key, value in rows.items() if key.table is CONFIG_PAST}
    assert (back["from_position"], back["until_position"]) == (7, None)
    assert [key["id"] for key in body(back)["keys"]] == ["l"]
    assert {start: value["until_position"] for start, value in past.items()} == {2: 3, 3: 4, 4: 5}
    assert [key["id"] for key in body(past[4])["keys"]] == ["k", "l"]


def test_a_subscription_that_was_suspended_and_resumed_at_once_kept_its_past() -> None:
    subscription = requested()
    subscription.accept(at=AT, why=WHY)
    for _ in range(2):
        subscription.suspend(at=AT, why=SUSPENDING)
        subscription.resume(at=AT, why=WHY)
    rows = projected(subscription)
    past = {key.values[3]: value for key, value in rows.items() if key.table is CONFIG_PAST}
    assert {start: value["until_position"] for start, value in past.items()} == {2: 3, 4: 5}
    assert row(rows, "subscription", str(SUBSCRIPTION))["from_position"] == 6


def test_an_end_that_moves_is_a_change_of_the_row_if_there_is_one() -> None:
    subscription = requested()
    subscription.accept(expires_at=AT + timedelta(days=9), at=AT, why=WHY)
    subscription.schedule_expiry(None, at=AT, why=WHY)
    rows = projected(subscription)
    held = row(rows, "subscription", str(SUBSCRIPTION))
    past = {key.values[3]: value for key, value in rows.items() if key.table is CONFIG_PAST}
    assert (held["from_position"], body(held)["not_after"]) == (3, None)
    assert (past[2]["until_position"], body(past[2])["not_after"]) == (
        3,
        "2026-01-10T00:00:00+00:00",
    )

    subscription.suspend(at=AT, why=SUSPENDING)
    subscription.schedule_expiry(AT + timedelta(days=2), at=AT, why=WHY)
    assert row(projected(subscription), "subscription", str(SUBSCRIPTION))["from_position"] is None
    subscription.resume(at=AT, why=WHY)
    held = row(projected(subscription), "subscription", str(SUBSCRIPTION))
    assert (held["from_position"], body(held)["not_after"]) == (6, "2026-01-03T00:00:00+00:00")


def test_what_is_reinstated_comes_back_with_its_keys_unless_it_was_suspended() -> None:
    end = AT + timedelta(days=9)
    subscription = requested()
    subscription.accept(expires_at=end, at=AT, why=WHY)
    for key in ("k", "l"):
        subscription.issue_credential(key, **KEY, at=AT, why=WHY)
    subscription.expire(at=end, why=WHY)
    subscription.revoke_credential("k", at=end, why=WHY)
    subscription.reinstate(None, at=end, why=WHY)
    rows = projected(subscription)
    back = row(rows, "subscription", str(SUBSCRIPTION))
    past = {key.values[3]: value for key, value in rows.items() if key.table is CONFIG_PAST}
    assert (back["from_position"], back["until_position"]) == (7, None)
    assert (body(back)["not_after"], [key["id"] for key in body(back)["keys"]]) == (None, ["l"])
    assert {start: value["until_position"] for start, value in past.items()} == {2: 3, 3: 4, 4: 5}

    subscription.suspend(at=end, why=SUSPENDING)
    subscription.schedule_expiry(end + timedelta(days=1), at=end, why=WHY)
    subscription.reinstate(None, at=end + timedelta(days=2), why=WHY)
    assert row(projected(subscription), "subscription", str(SUBSCRIPTION))["from_position"] is None


def test_instants_travel_with_the_rows() -> None:
    subscription = requested()
    subscription.accept(expires_at=AT + timedelta(days=9), at=AT, why=WHY)
    subscription.issue_credential("k", **KEY, at=AT, why=WHY)
    subscription.rotate_credential(
        "k",
        successor_id="l",
        **KEY,
        overlap_s=60,
        at=AT,
        why=WHY,
    )
    held = body(row(projected(subscription), "subscription", str(SUBSCRIPTION)))
    assert held["not_after"] == "2026-01-10T00:00:00+00:00"
    assert {key["id"]: key["not_after"] for key in held["keys"]} == {
        "k": "2026-01-01T00:01:00+00:00",
        "l": None,
    }
    subscription.transfer(plan_id=PRODUCT, plan_version=4, expires_at=None, at=AT, why=WHY)
    moved = body(row(projected(subscription), "subscription", str(SUBSCRIPTION)))
    assert (moved["plan"], moved["not_after"]) == (f"{PRODUCT}-4", None)
    assert moved["keys"] == held["keys"]


def test_an_expired_subscription_is_gone() -> None:
    subscription = requested()
    subscription.accept(expires_at=AT + timedelta(days=9), at=AT, why=WHY)
    subscription.expire(at=AT + timedelta(days=9), why=WHY)
    held = row(projected(subscription), "subscription", str(SUBSCRIPTION))
    assert held["until_position"] == 3


def test_keys_that_have_ended_make_room_for_the_next() -> None:
    subscription = requested()
    subscription.accept(expires_at=None, at=AT, why=WHY)
    subscription.issue_credential(
        "0", **{**KEY, "not_after": AT + timedelta(hours=1)}, at=AT, why=WHY
    )
    held: list[list[str]] = []
    for day in range(1, 4):
        at = AT + timedelta(days=day)
        subscription.issue_credential(
            str(day), **{**KEY, "not_after": at + timedelta(hours=36)}, at=at, why=WHY
        )
        keys = body(row(projected(subscription), routing.SUBSCRIPTION, str(SUBSCRIPTION)))["keys"]
        held.append([key["id"] for key in keys])
    assert held == [["1"], ["1", "2"], ["2", "3"]]


def test_an_imported_key_says_by_which_hash_it_is_served_if_at_all() -> None:
    subscription = requested()
    subscription.accept(at=AT, why=WHY)
    for name, algorithm, digest in (
        ("a", HashAlgorithm.SHA256_HEX, "A" * 64),
        ("b", HashAlgorithm.SHA1_BASE64, "A" * 27 + "="),
        ("c", HashAlgorithm.BCRYPT, "$2b$12$" + "a" * 53),
    ):
        subscription.import_credential(
            name, algorithm=algorithm, digest=digest, not_after=None, at=AT, why=WHY
        )
    held = body(row(projected(subscription), "subscription", str(SUBSCRIPTION)))
    assert [(key["sha256"], key["sha1"], key["servable"]) for key in held["keys"]] == [
        ("a" * 64, None, True),
        (None, "A" * 27 + "=", True),
        (None, None, False),
    ]
