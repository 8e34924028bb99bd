import json
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from domain.plan import Plan
from domain.plan_terms import PlanTerms, Quota, RateLimit
from domain.price import Price
from projections import plan
from tests.given import ACE, AT, WHY
from tests.projections.folded import folded

ID, ONE, TWO = UUID(int=1), UUID(int=2), UUID(int=3)
LATER = AT + timedelta(days=1)
FREE = PlanTerms(None, None, None, "AUTOMATIC")
PAID = PlanTerms(
    RateLimit(100, 60, 10, "TOKEN_BUCKET"),
    Quota(10_000, "MONTH"),
    Price("EUR", Decimal("49.90")),
    "MANUAL",
)


def defined() -> Plan:
    return Plan.define(ID, slug="pro", name="Professional", product_ids=[TWO, ONE], at=AT, why=WHY)


def test_a_plan_begins_with_the_products_it_sells_in_their_order() -> None:
    assert folded(plan, defined()) == {
        ("plan", ACE, ID): {
            "slug": "pro",
            "name": "Professional",
            "visibility": "PUBLIC",
            "team_ids": "[]",
            "state": "DRAFT",
            "listed": False,
            "published_number": 0,
            "version": 1,
            "created_at": AT,
            "changed_at": AT,
        },
        ("plan_product", ACE, TWO, ID): {"ordinal": 1},
        ("plan_product", ACE, ONE, ID): {"ordinal": 2},
    }


def test_a_published_version_supersedes_the_one_before() -> None:
    offered = defined()
    for terms in (FREE, PAID):
        offered.draft_version(terms, at=AT, why=WHY)
        offered.publish_version(at=LATER, why=WHY)
    rows = folded(plan, offered)
    first, second = (rows["plan_version", ACE, ID, number] for number in (1, 2))
    assert (first["state"], second["state"]) == ("SUPERSEDED", "PUBLISHED")
    assert (first["changed_at"], second["changed_at"]) == (LATER, LATER)
    assert (first["published_position"], second["published_position"]) == (3, 5)
    assert json.loads(str(second["terms"])) == {
        "rate_limit": {
            "limit_calls": 100,
            "window_s": 60,
            "burst_calls": 10,
            "algorithm": "TOKEN_BUCKET",
        },
        "quota": {"amount_calls": 10_000, "period": "MONTH", "enforcement": "HARD"},
        "price": {"currency": "EUR", "monthly_fee": "49.90", "charges": []},
        "approval": "MANUAL",
        "more_rate_limits": [],
        "auth": {"kind": "API_KEY", "issuer": "", "audience": "", "claim": "", "jwks_uri": ""},
        "overrides": [],
        "sla": None,
        "agreement": None,
        "trial_days": 0,
    }
    row = rows["plan", ACE, ID]
    assert (row["state"], row["published_number"], row["version"]) == ("PUBLISHED", 2, 5)
    assert (row["created_at"], row["changed_at"]) == (AT, LATER)


def test_a_draft_beside_a_published_version_leaves_that_on_sale() -> None:
    offered = defined()
    offered.draft_version(FREE, at=AT, why=WHY)
    offered.publish_version(at=AT, why=WHY)
    offered.draft_version(FREE, at=AT, why=WHY)
    offered.draft_version(PAID, at=AT, why=WHY)
    rows = folded(plan, offered)
    states = {number: rows["plan_version", ACE, ID, number]["state"] for number in (1, 2)}
    assert states == {1: "PUBLISHED", 2: "DRAFT"}
    assert json.loads(str(rows["plan_version", ACE, ID, 2]["terms"]))["approval"] == "MANUAL"
    assert rows["plan", ACE, ID]["published_number"] == 1
