"""A plan: what a subscriber may call, how much of it, and for how much money."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Value, Why

PRODUCTS = 50
CALLS_MAX = 10**12
WINDOW_S_MAX = 31 * 24 * 3_600
FEE_MAX = Decimal(10) ** 9
FEE_PLACES = 6


class PlanState(Enum):
    """Where a plan is in its life."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"


class PlanVersionState(Enum):
    """Where a version of a plan is in its life."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    SUPERSEDED = "SUPERSEDED"


class Approval(Enum):
    """Who lets a subscriber in."""

    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"


class LimitAlgorithm(Enum):
    """How a rate limit counts; it is part of what is sold."""

    TOKEN_BUCKET = "TOKEN_BUCKET"  # noqa: S105  # no secret
    SLIDING_WINDOW = "SLIDING_WINDOW"
    FIXED_WINDOW = "FIXED_WINDOW"


class QuotaPeriod(Enum):
    """After what time a quota begins anew."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class NoDraftPlanVersionError(DomainError):
    """There is no draft version of this plan to publish; draft one first."""


class PlanNotPublishedError(DomainError):
    """Only a published plan can be subscribed to."""


class ProductsInvalidError(DomainError):
    """A plan sells 1 to 50 products, each once."""


class RateLimitInvalidError(DomainError):
    """A rate limit has 1 to 10^12 calls, a window of 1 s to 31 days and no negative burst."""


class QuotaInvalidError(DomainError):
    """A quota has 0 to 10^12 calls in a DAY, WEEK or MONTH."""


class PriceInvalidError(DomainError):
    """A price has an ISO 4217 currency and a fee of 0 to 10^9 with at most 6 decimal places."""


@dataclass(frozen=True)
class RateLimit(Value):
    """At most `limit_calls` in any `window_s`, and `burst_calls` more at once."""

    NAME = "rate_limit"
    limit_calls: int
    window_s: int
    burst_calls: int
    algorithm: str


@dataclass(frozen=True)
class Quota(Value):
    """At most `amount_calls` in one calendar period."""

    NAME = "quota"
    amount_calls: int
    period: str


@dataclass(frozen=True)
class Price(Value):
    """A fee for each month, in units of the currency (not in its hundredths)."""

    NAME = "price"
    currency: str
    monthly_fee: Decimal


@dataclass(frozen=True)
class PlanTerms(Value):
    """What one version of a plan promises; None is without limit, or without price."""

    NAME = "plan_terms"
    rate_limit: RateLimit | None
    quota: Quota | None
    price: Price | None
    approval: str

    def check(self) -> None:
        """Raise RateLimitInvalidError, QuotaInvalidError or PriceInvalidError."""
        rate, quota, price = self.rate_limit, self.quota, self.price
        if rate and not (
            0 < rate.limit_calls <= CALLS_MAX
            and 0 < rate.window_s <= WINDOW_S_MAX
            and 0 <= rate.burst_calls <= CALLS_MAX
            and rate.algorithm in LimitAlgorithm.__members__
        ):
            raise RateLimitInvalidError("rate_limit")
        if quota and not (
            0 <= quota.amount_calls <= CALLS_MAX and quota.period in QuotaPeriod.__members__
        ):
            raise QuotaInvalidError("quota")
        if price and not (
            re.fullmatch("[A-Z]{3}", price.currency)
            and price.monthly_fee.is_finite()
            and 0 <= price.monthly_fee <= FEE_MAX
            and price.monthly_fee == round(price.monthly_fee, FEE_PLACES)
        ):
            raise PriceInvalidError("price")


class Plan(Aggregate):
    """An offer for one or more products. Its versions never change once they are published."""

    TOPIC = "plan"

    def __init__(self) -> None:
        self.state = PlanState.DRAFT
        self.published_number = 0
        self.draft: PlanTerms | None = None
        self.approval = Approval.MANUAL.value
        self.on_sale: PlanTerms | None = None

    @classmethod
    def define(
        cls, plan_id: UUID, *, slug: str, name: str, product_ids: list[UUID], at: datetime, why: Why
    ) -> Self:
        """Begin a plan without a version.

        Raises SlugInvalidError, LabelInvalidError, ProductsInvalidError.
        """
        if not 0 < len(product_ids) <= PRODUCTS or len(set(product_ids)) < len(product_ids):
            raise ProductsInvalidError("product_ids")
        return cls.begin(
            cls.Defined,
            plan_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            name=text.label(name, "name"),
            product_ids=product_ids,
        )

    def draft_version(self, terms: PlanTerms, *, at: datetime, why: Why) -> None:
        """Write the next version, in place of a draft that was not published.

        Raises RateLimitInvalidError, QuotaInvalidError, PriceInvalidError.
        """
        terms.check()
        self.emit(self.VersionDrafted, at, why, plan_version=self.published_number + 1, terms=terms)

    def publish_version(self, *, at: datetime, why: Why) -> None:
        """Sell the draft from now on; earlier subscriptions stay on their version.

        Raises NoDraftPlanVersionError.
        """
        if self.draft is None:
            raise NoDraftPlanVersionError
        self.emit(
            self.VersionPublished,
            at,
            why,
            plan_version=self.published_number + 1,
            terms=self.draft,
        )

    def offered_version(self) -> int:
        """Return the number of the version that is sold. Raises PlanNotPublishedError."""
        if self.state is not PlanState.PUBLISHED:
            raise PlanNotPublishedError("plan_id")
        return self.published_number

    def conditions(self) -> tuple[str, int | None]:
        """Return what a subscriber enters into: the revision of the terms, and days of trial."""
        revision = getattr(self.on_sale, "terms_revision", None)
        return "" if revision is None else str(revision), getattr(self.on_sale, "trial_days", None)

    @dataclass(frozen=True)
    class Defined(First):
        """A product manager had an offer in mind."""

        TOPIC = "plan.defined"
        slug: str
        name: str
        product_ids: list[UUID]

    @dataclass(frozen=True)
    class VersionDrafted(Aggregate.Event):
        """The terms of the next version were written down."""

        TOPIC = "plan.version_drafted"
        plan_version: int
        terms: PlanTerms

        def apply(self, aggregate: "Plan") -> None:
            """Keep the draft."""
            aggregate.draft = self.terms

    @dataclass(frozen=True)
    class VersionPublished(Aggregate.Event):
        """The terms went on sale; they are repeated here because they now bind."""

        TOPIC = "plan.version_published"
        plan_version: int
        terms: PlanTerms

        def apply(self, aggregate: "Plan") -> None:
            """Be on sale with these terms."""
            aggregate.state = PlanState.PUBLISHED
            aggregate.published_number = self.plan_version
            aggregate.approval = self.terms.approval
            aggregate.on_sale = self.terms
            aggregate.draft = None
