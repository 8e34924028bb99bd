"""The terms of a plan, as they are asked for."""

from decimal import Decimal

import strawberry

from controlplane.graphql.enums import (
    Approval,
    AuthKind,
    ChargeModel,
    Enforcement,
    LimitAlgorithm,
    QuotaPeriod,
)
from controlplane.graphql.node import named
from controlplane.graphql.scalars import Count
from domain import plan_terms, price
from domain.plan_terms import PlanTerms

ZERO = Decimal(0)


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
    enforcement: Enforcement = strawberry.field(
        default=Enforcement.HARD, description="What happens beyond it."
    )


@strawberry.input
class TierInput:
    """What a unit costs up to a number of units."""

    up_to_units: Decimal | None = strawberry.field(
        default=None,
        description="The last unit of the tier, from the first of the period; each tier ends after"
        " the one before, and the last is null: without end.",
    )
    unit_price: Decimal = strawberry.field(default=ZERO, description="For each unit.")
    flat_fee: Decimal = strawberry.field(
        default=ZERO, description="Due once when the tier is reached; that of the first at zero."
    )


@strawberry.input
class ChargeInput:
    """What the usage of one meter costs; what the model does not use is left out."""

    meter: str = strawberry.field(default="calls", description="What is counted; a slug.")
    model: ChargeModel = strawberry.field(description="How usage becomes money.")
    included_units: Decimal = strawberry.field(
        default=ZERO, description="What the fee of a month includes; only what is beyond costs."
    )
    unit_price: Decimal = strawberry.field(
        default=ZERO, description="For each unit, package or event; to 10^9, 6 decimal places."
    )
    package_units: Decimal = strawberry.field(default=ZERO, description="The size of a package.")
    rate_percent: Decimal = strawberry.field(
        default=ZERO, description="The share of the sum; to 100."
    )
    tiers: list[TierInput] = strawberry.field(
        default_factory=list, description="Of GRADUATED and VOLUME; at most 50."
    )


@strawberry.input
class PriceInput:
    """What a subscriber pays."""

    currency: str = strawberry.field(description="The ISO 4217 code, as EUR.")
    monthly_fee: Decimal = strawberry.field(
        default=ZERO,
        description="In units of the currency, each month; at most 6 decimal places.",
    )
    charges: list[ChargeInput] = strawberry.field(
        default_factory=list, description="What usage costs besides; at most 20."
    )


@strawberry.input
class AuthInput:
    """How calls show whose they are."""

    kind: AuthKind = strawberry.field(description="By what.")
    issuer: str = strawberry.field(default="", description="Of a JWT: who signs it, a URL.")
    audience: str = strawberry.field(default="", description="Of a JWT: for whom it is.")
    claim: str = strawberry.field(
        default="", description="Of a JWT: the claim that holds the UUID of the application."
    )
    jwks_uri: str = strawberry.field(
        default="", description="Of a JWT: where its keys are; the issuer says if left out."
    )


@strawberry.input
class OverrideInput:
    """What an operation has in place of the plan's own."""

    product_id: strawberry.ID = strawberry.field(
        description="The id of the product, which the plan sells."
    )
    operation_id: str = strawberry.field(
        description='The operation in all versions of the product, as "GET /users/{id}".'
    )
    rate_limit: RateLimitInput | None = strawberry.field(
        default=None, description="In place of all rate limits of the plan; null inherits them."
    )
    quota: QuotaInput | None = strawberry.field(
        default=None, description="In place of the quota of the plan; null inherits it."
    )


@strawberry.input
class SlaInput:
    """How well the products answer in a calendar month; null is not promised."""

    availability_percent: Decimal | None = strawberry.field(
        default=None, description="Share of good minutes; at most 4 decimal places."
    )
    p95_ms: int | None = strawberry.field(
        default=None, description="95 of 100 calls are answered within it; to 1 h."
    )
    support_response_hours: int | None = strawberry.field(
        default=None, description="Hours until support answers first; to a year."
    )


@strawberry.input
class AgreementInput:
    """The legal terms that a subscriber accepts."""

    revision: str = strawberry.field(description="Which edition of them it is; to 200 characters.")
    text: str = strawberry.field(description="The text itself; at most 200,000 characters.")


@strawberry.input
class PlanTermsInput:
    """What a version of a plan promises."""

    rate_limit: RateLimitInput | None = strawberry.field(
        default=None, description="Null is without a limit."
    )
    more_rate_limits: list[RateLimitInput] = strawberry.field(
        default_factory=list,
        description="Those that hold beside it; with it at most 5, each of another window.",
    )
    quota: QuotaInput | None = strawberry.field(
        default=None, description="Null is without a quota."
    )
    overrides: list[OverrideInput] = strawberry.field(
        default_factory=list, description="Operations with limits of their own; at most 200."
    )
    price: PriceInput | None = strawberry.field(default=None, description="Null is free of charge.")
    auth: AuthInput | None = strawberry.field(default=None, description="Null is API_KEY.")
    sla: SlaInput | None = strawberry.field(default=None, description="Null promises nothing.")
    agreement: AgreementInput | None = strawberry.field(
        default=None, description="Null asks for no consent."
    )
    trial_days: int = strawberry.field(
        default=0, description="How many days are free of charge at first; to 365."
    )
    approval: Approval = strawberry.field(
        default=Approval.MANUAL, description="Who lets a subscriber in."
    )


def read_terms(terms: PlanTermsInput) -> PlanTerms:
    """Return the terms in the domain's words, apart from the agreement: its text is a document.

    Raises NotFoundError about `overrides`, AgreementInvalidError.
    """
    agreement = terms.agreement
    if agreement is not None and not (agreement.revision or agreement.text):
        raise plan_terms.AgreementInvalidError("agreement")
    auth, sla = terms.auth, terms.sla
    return PlanTerms(
        rate_limit=_rate_limit(terms.rate_limit),
        more_rate_limits=[_limit(each) for each in terms.more_rate_limits],
        quota=_quota(terms.quota),
        price=_price(terms.price) if terms.price else None,
        approval=terms.approval.value,
        auth=plan_terms.Auth(auth.kind.value, auth.issuer, auth.audience, auth.claim, auth.jwks_uri)
        if auth
        else plan_terms.Auth(),
        overrides=[
            plan_terms.Override(
                product_id=named(each.product_id, "ApiProduct", "overrides"),
                operation=each.operation_id,
                rate_limit=_rate_limit(each.rate_limit),
                quota=_quota(each.quota),
            )
            for each in terms.overrides
        ],
        sla=plan_terms.Sla(sla.availability_percent, sla.p95_ms, sla.support_response_hours)
        if sla
        else None,
        trial_days=terms.trial_days,
    )


def _limit(limit: RateLimitInput) -> plan_terms.RateLimit:
    return plan_terms.RateLimit(
        limit_calls=limit.limit_calls,
        window_s=limit.window_s,
        burst_calls=limit.burst_calls,
        algorithm=limit.algorithm.value,
    )


def _rate_limit(limit: RateLimitInput | None) -> plan_terms.RateLimit | None:
    return _limit(limit) if limit else None


def _quota(quota: QuotaInput | None) -> plan_terms.Quota | None:
    if quota is None:
        return None
    return plan_terms.Quota(quota.amount_calls, quota.period.value, quota.enforcement.value)


def _price(asked: PriceInput) -> price.Price:
    return price.Price(
        asked.currency,
        asked.monthly_fee,
        [
            price.Charge(
                meter=each.meter,
                model=each.model.value,
                included_units=each.included_units,
                unit_price=each.unit_price,
                package_units=each.package_units,
                rate_percent=each.rate_percent,
                tiers=[
                    price.Tier(tier.up_to_units, tier.unit_price, tier.flat_fee)
                    for tier in each.tiers
                ],
            )
            for each in asked.charges
        ],
    )
