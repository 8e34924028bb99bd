"""The terms of a plan, as they are asked for and as they are shown."""

from decimal import Decimal
from typing import Any

import strawberry

from controlplane.graphql.enums import Approval, LimitAlgorithm, QuotaPeriod
from controlplane.graphql.scalars import Count
from domain import plan


@strawberry.type
class RateLimit:
    """How fast a subscriber may call."""

    limit_calls: Count = strawberry.field(description="How many calls in any one window.")
    window_s: int = strawberry.field(description="The length of the window in seconds.")
    burst_calls: Count = strawberry.field(description="How many more calls at once.")
    algorithm: LimitAlgorithm = strawberry.field(description="How calls are counted.")


@strawberry.type
class Quota:
    """How much a subscriber may call."""

    amount_calls: Count = strawberry.field(description="How many calls in one period.")
    period: QuotaPeriod = strawberry.field(description="After what time it begins anew.")


@strawberry.type
class Price:
    """What a subscriber pays."""

    currency: str = strawberry.field(description="The ISO 4217 code, as EUR.")
    monthly_fee: Decimal = strawberry.field(description="In units of the currency, each month.")


@strawberry.type
class PlanTerms:
    """What one version of a plan promises."""

    rate_limit: RateLimit | None = strawberry.field(description="Null is without a limit.")
    quota: Quota | None = strawberry.field(description="Null is without a quota.")
    price: Price | None = strawberry.field(description="Null is free of charge.")
    approval: Approval = strawberry.field(description="Who lets a subscriber in.")


def terms_of(terms: dict[str, Any]) -> PlanTerms:
    """Return the terms that a read model holds."""
    rate, quota, price = terms["rate_limit"], terms["quota"], terms["price"]
    return PlanTerms(
        rate_limit=rate and RateLimit(**{**rate, "algorithm": LimitAlgorithm(rate["algorithm"])}),
        quota=quota and Quota(**{**quota, "period": QuotaPeriod(quota["period"])}),
        price=price and Price(**{**price, "monthly_fee": Decimal(price["monthly_fee"])}),
        approval=Approval(terms["approval"]),
    )


@strawberry.input
class RateLimitInput:
    """How fast a subscriber may call."""

    limit_calls: Count = strawberry.field(description="How many calls in any one window; to 10^12.")
    window_s: int = strawberry.field(description="The window in seconds; at most 31 days.")
    burst_calls: Count = strawberry.field(default=Count(0), description="How many more at once.")
    algorithm: LimitAlgorithm = strawberry.field(
        default=LimitAlgorithm.TOKEN_BUCKET, description="How calls are counted."
    )


@strawberry.input
class QuotaInput:
    """How much a subscriber may call."""

    amount_calls: Count = strawberry.field(description="How many calls in one period; to 10^12.")
    period: QuotaPeriod = strawberry.field(description="After what time it begins anew.")


@strawberry.input
class PriceInput:
    """What a subscriber pays."""

    currency: str = strawberry.field(description="The ISO 4217 code, as EUR.")
    monthly_fee: Decimal = strawberry.field(
        description="In units of the currency, each month; at most 6 decimal places."
    )


@strawberry.input
class PlanTermsInput:
    """What a version of a plan promises."""

    rate_limit: RateLimitInput | None = strawberry.field(
        default=None, description="Null is without a limit."
    )
    quota: QuotaInput | None = strawberry.field(
        default=None, description="Null is without a quota."
    )
    price: PriceInput | None = strawberry.field(default=None, description="Null is free of charge.")
    approval: Approval = strawberry.field(
        default=Approval.MANUAL, description="Who lets a subscriber in."
    )


def read_terms(terms: PlanTermsInput) -> plan.PlanTerms:
    """Return the terms in the domain's words."""
    rate, quota, price = terms.rate_limit, terms.quota, terms.price
    return plan.PlanTerms(
        rate_limit=plan.RateLimit(
            limit_calls=rate.limit_calls,
            window_s=rate.window_s,
            burst_calls=rate.burst_calls,
            algorithm=rate.algorithm.value,
        )
        if rate
        else None,
        quota=plan.Quota(quota.amount_calls, quota.period.value) if quota else None,
        price=plan.Price(price.currency, price.monthly_fee) if price else None,
        approval=terms.approval.value,
    )
