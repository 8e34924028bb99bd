from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from domain.plan import PRODUCTS, Plan
from domain.plan_life import NoDraftPlanVersionError, PlanNotPublishedError, ProductsInvalidError
from domain.plan_terms import (
    CALLS_MAX,
    WINDOW_S_MAX,
    PlanTerms,
    Quota,
    QuotaInvalidError,
    RateLimit,
    RateLimitInvalidError,
)
from domain.price import FEE_MAX, Price, PriceInvalidError
from domain.text import LabelInvalidError, SlugInvalidError
from tests.given import AT, WHY

ID, PRODUCT, OTHER_PRODUCT = UUID(int=1), UUID(int=2), UUID(int=3)
FREE = PlanTerms(None, None, None, "AUTOMATIC")
PRO = PlanTerms(
    RateLimit(100, 60, 10, "TOKEN_BUCKET"),
    Quota(10_000, "MONTH"),
    Price("EUR", Decimal("49.90")),
    "MANUAL",
)


def draft(
    product_ids: list[UUID] | None = None, *, slug: str = "pro", name: str = "Professional"
) -> Plan:
    products = [PRODUCT] if product_ids is None else product_ids
    return Plan.define(ID, slug=slug, name=name, product_ids=products, at=AT, why=WHY)


def with_draft_version() -> Plan:
    plan = draft()
    plan.draft_version(PRO, at=AT, why=WHY)
    return plan


def published() -> Plan:
    plan = with_draft_version()
    plan.publish_version(at=AT, why=WHY)
    return plan


def test_a_plan_begins_as_a_draft_without_a_version() -> None:
    (defined,) = draft().pending_events
    assert defined == Plan.Defined(ID, 1, AT, "plan", WHY, "pro", "Professional", [PRODUCT])
    with pytest.raises(PlanNotPublishedError) as refused:
        draft().offered_version()
    assert refused.value.about == "plan_id"


@pytest.mark.parametrize(
    "product_ids", [[], [PRODUCT, PRODUCT], [UUID(int=n) for n in range(PRODUCTS + 1)]]
)
def test_a_plan_sells_one_to_fifty_products_each_once(product_ids: list[UUID]) -> None:
    with pytest.raises(ProductsInvalidError) as refused:
        draft(product_ids)
    assert refused.value.about == "product_ids"
    assert draft([UUID(int=n) for n in range(PRODUCTS)]).version == 1


def test_a_plan_needs_a_slug_and_a_name() -> None:
    with pytest.raises(SlugInvalidError):
        draft(slug="Pro")
    with pytest.raises(LabelInvalidError):
        draft(name=" ")


def test_a_version_is_drafted_and_published_with_the_same_terms() -> None:
    drafted, sold = published().pending_events[1:]
    assert drafted == Plan.VersionDrafted(ID, 2, AT, WHY, 1, PRO)
    assert sold == Plan.VersionPublished(ID, 3, AT, WHY, 1, PRO)
    assert published().offered_version() == 1
    assert published().approval == "MANUAL"


def test_a_second_draft_takes_the_place_of_the_first() -> None:
    plan = with_draft_version()
    plan.draft_version(FREE, at=AT, why=WHY)
    plan.publish_version(at=AT, why=WHY)
    assert plan.pending_events[-1] == Plan.VersionPublished(ID, 4, AT, WHY, 1, FREE)
    assert plan.approval == "AUTOMATIC"


def test_the_next_draft_is_the_next_version() -> None:
    plan = published()
    plan.draft_version(FREE, at=AT, why=WHY)
    assert plan.pending_events[-1] == Plan.VersionDrafted(ID, 4, AT, WHY, 2, FREE)
    assert plan.offered_version() == 1
    plan.publish_version(at=AT, why=WHY)
    assert plan.offered_version() == 2


def test_a_plan_without_a_draft_version_has_nothing_to_publish() -> None:
    for plan in (draft(), published()):
        with pytest.raises(NoDraftPlanVersionError):
            plan.publish_version(at=AT, why=WHY)


LIMITS = st.integers(-2, 3) | st.integers(CALLS_MAX - 1, CALLS_MAX + 1) | st.integers()
WINDOWS = st.integers(-2, 3) | st.integers(WINDOW_S_MAX - 1, WINDOW_S_MAX + 1)


@given(LIMITS, WINDOWS, LIMITS)
def test_a_rate_limit_is_within_its_bounds(limit: int, window: int, burst: int) -> None:
    terms = replace(FREE, rate_limit=RateLimit(limit, window, burst, "TOKEN_BUCKET"))
    within = 1 <= limit <= 10**12 and 1 <= window <= 2_678_400 and 0 <= burst <= 10**12
    assert is_refused(terms, RateLimitInvalidError, "rate_limit") is not within


@given(LIMITS)
def test_a_quota_is_within_its_bounds(amount: int) -> None:
    terms = replace(FREE, quota=Quota(amount, "DAY"))
    assert is_refused(terms, QuotaInvalidError, "quota") is not (0 <= amount <= 10**12)


FEES = st.decimals() | st.decimals(-1, 10**9 + 1, places=6) | st.decimals(0, 1, places=9)


@given(FEES)
@example(FEE_MAX)
@example(FEE_MAX + Decimal("0.000001"))
@example(Decimal("-0"))
@example(Decimal("0E+999999"))
@example(Decimal("1E-999999"))
@example(Decimal("sNaN"))
def test_a_fee_is_within_its_bounds_and_exact_to_six_places(fee: Decimal) -> None:
    terms = replace(FREE, price=Price("EUR", fee))
    within = fee.is_finite() and 0 <= fee <= 10**9 and fee * 10**6 == int(fee * 10**6)
    assert is_refused(terms, PriceInvalidError, "price") is not within


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "EU", "EUR\n", "ÄÖÜ"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    assert is_refused(replace(FREE, price=Price(currency, Decimal(1))), PriceInvalidError, "price")


def test_a_limit_is_counted_and_a_quota_renewed_in_a_way_we_know() -> None:
    limit, quota = RateLimit(1, 1, 0, "LEAKY_BUCKET"), Quota(1, "YEAR")
    assert is_refused(replace(FREE, rate_limit=limit), RateLimitInvalidError, "rate_limit")
    assert is_refused(replace(FREE, quota=quota), QuotaInvalidError, "quota")


def is_refused(terms: PlanTerms, error: type[Exception], about: str) -> bool:
    plan = draft()
    try:
        plan.draft_version(terms, at=AT, why=WHY)
    except (RateLimitInvalidError, QuotaInvalidError, PriceInvalidError) as refused:
        assert type(refused) is error
        assert refused.about == about
        return True
    assert plan.pending_events[-1] == Plan.VersionDrafted(ID, 2, AT, WHY, 1, terms)
    return False
