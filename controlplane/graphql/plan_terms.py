"""The terms of a plan, as they are shown."""

from decimal import Decimal
from typing import Any

import strawberry

from controlplane.global_id import global_id
from controlplane.graphql.enums import (
    Approval,
    AuthKind,
    ChargeModel,
    Enforcement,
    LimitAlgorithm,
    QuotaPeriod,
)
from controlplane.graphql.loaders import Info, Request
from controlplane.graphql.scalars import Count


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
    enforcement: Enforcement = strawberry.field(description="What happens beyond it.")


@strawberry.type
class Tier:
    """What a unit costs up to a number of units."""

    up_to_units: Decimal | None = strawberry.field(
        description="The last unit of the tier, from the first of the period; null is without end."
    )
    unit_price: Decimal = strawberry.field(description="For each unit.")
    flat_fee: Decimal = strawberry.field(
        description="Due once when the tier is reached; that of the first at zero."
    )


@strawberry.type
class Charge:
    """What the usage of one meter costs."""

    meter: str = strawberry.field(description="What is counted, as calls.")
    model: ChargeModel = strawberry.field(description="How usage becomes money.")
    included_units: Decimal = strawberry.field(description="What the fee of a month includes.")
    unit_price: Decimal = strawberry.field(
        description="For each unit, package or event; 0 with tiers."
    )
    package_units: Decimal = strawberry.field(description="The size of a package, or 0.")
    rate_percent: Decimal = strawberry.field(description="The share of the sum, or 0.")
    tiers: list[Tier] = strawberry.field(description="Of GRADUATED and VOLUME, first to last.")


@strawberry.type
class Price:
    """What a subscriber pays: a fee for each month, and what usage costs besides."""

    currency: str = strawberry.field(description="The ISO 4217 code, as EUR.")
    monthly_fee: Decimal = strawberry.field(description="In units of the currency, each month.")
    charges: list[Charge] = strawberry.field(description="None leaves the fee flat.")


@strawberry.type
class Auth:
    """How calls show whose they are."""

    kind: AuthKind = strawberry.field(description="By what.")
    issuer: str | None = strawberry.field(description="Of a JWT: who signs it, a URL.")
    audience: str | None = strawberry.field(description="Of a JWT: for whom it is.")
    claim: str | None = strawberry.field(
        description="Of a JWT: the claim that holds the UUID of the application."
    )
    jwks_uri: str | None = strawberry.field(
        description="Of a JWT: where its keys are; null if its issuer says."
    )


@strawberry.type
class Override:
    """What an operation has in place of the plan's own."""

    product_id: strawberry.ID = strawberry.field(description="The id of the product.")
    operation_id: str = strawberry.field(
        description='The operation in all versions of the product, as "GET /users/{id}".'
    )
    rate_limit: RateLimit | None = strawberry.field(
        description="In place of all rate limits of the plan; null inherits them."
    )
    quota: Quota | None = strawberry.field(
        description="In place of the quota of the plan; null inherits it."
    )


@strawberry.type
class Sla:
    """How well the products answer in a calendar month; null is not promised."""

    availability_percent: Decimal | None = strawberry.field(description="Share of good minutes.")
    p95_ms: int | None = strawberry.field(description="95 of 100 calls are answered within it.")
    support_response_hours: int | None = strawberry.field(
        description="Hours until support answers first."
    )


@strawberry.type
class Agreement:
    """The legal terms that a subscriber accepts."""

    revision: str = strawberry.field(description="Which edition of them it is.")
    sha256: str = strawberry.field(description="The hash of the text in UTF-8, as hex.")

    @strawberry.field
    async def text(self, info: Info) -> str:
        """Return the text."""
        return await info.context.loaded(_texts, self.sha256)


async def _texts(request: Request, hashes: list[str]) -> list[str]:
    """Return the texts with these hashes; whoever sees a hash may see the text."""
    wanted = [bytes.fromhex(each) for each in hashes]
    rows = await request.fetch("SELECT sha256, body FROM documents WHERE sha256 = ANY($1)", wanted)
    found = {row["sha256"]: row["body"].decode() for row in rows}
    return [found[each] for each in wanted]


@strawberry.type
class PlanTerms:
    """What one version of a plan promises."""

    rate_limit: RateLimit | None = strawberry.field(description="Null is without a limit.")
    more_rate_limits: list[RateLimit] = strawberry.field(
        description="Those that hold beside it, each of another window."
    )
    quota: Quota | None = strawberry.field(description="Null is without a quota.")
    overrides: list[Override] = strawberry.field(description="Operations with limits of their own.")
    price: Price | None = strawberry.field(description="Null is free of charge.")
    auth: Auth = strawberry.field(description="How calls show whose they are.")
    sla: Sla | None = strawberry.field(description="Null promises nothing.")
    agreement: Agreement | None = strawberry.field(description="Null asks for no consent.")
    trial_days: int = strawberry.field(description="How many days are free of charge at first.")
    approval: Approval = strawberry.field(description="Who lets a subscriber in.")


def terms_of(terms: dict[str, Any]) -> PlanTerms:
    """Return the terms that a read model holds."""
    price, sla, agreement = terms["price"], terms["sla"], terms["agreement"]
    return PlanTerms(
        rate_limit=rate_limit_of(terms["rate_limit"]),
        more_rate_limits=[
            limit for limit in map(rate_limit_of, terms["more_rate_limits"]) if limit
        ],
        quota=quota_of(terms["quota"]),
        overrides=[
            Override(
                product_id=strawberry.ID(global_id("ApiProduct", (each["product_id"],))),
                operation_id=each["operation"],
                rate_limit=rate_limit_of(each["rate_limit"]),
                quota=quota_of(each["quota"]),
            )
            for each in terms["overrides"]
        ],
        price=price and _price(price),
        auth=_auth(terms["auth"]),
        sla=sla and Sla(**{**sla, "availability_percent": _decimal(sla["availability_percent"])}),
        agreement=agreement and Agreement(**agreement),
        trial_days=terms["trial_days"],
        approval=Approval(terms["approval"]),
    )


def rate_limit_of(limit: dict[str, Any] | None) -> RateLimit | None:
    """Return the rate limit that a read model holds."""
    if limit is None:
        return None
    return RateLimit(**{**limit, "algorithm": LimitAlgorithm(limit["algorithm"])})


def quota_of(quota: dict[str, Any] | None) -> Quota | None:
    """Return the quota that a read model holds."""
    if quota is None:
        return None
    enforcement = Enforcement(quota["enforcement"])
    return Quota(**{**quota, "period": QuotaPeriod(quota["period"]), "enforcement": enforcement})


def _auth(auth: dict[str, str]) -> Auth:
    named = {name: text or None for name, text in auth.items() if name != "kind"}
    return Auth(kind=AuthKind(auth["kind"]), **named)


def _decimal(number: str | None) -> Decimal | None:
    return None if number is None else Decimal(number)


def _price(price: dict[str, Any]) -> Price:
    return Price(
        currency=price["currency"],
        monthly_fee=Decimal(price["monthly_fee"]),
        charges=[
            Charge(
                meter=each["meter"],
                model=ChargeModel(each["model"]),
                included_units=Decimal(each["included_units"]),
                unit_price=Decimal(each["unit_price"]),
                package_units=Decimal(each["package_units"]),
                rate_percent=Decimal(each["rate_percent"]),
                tiers=[
                    Tier(
                        up_to_units=_decimal(tier["up_to_units"]),
                        unit_price=Decimal(tier["unit_price"]),
                        flat_fee=Decimal(tier["flat_fee"]),
                    )
                    for tier in each["tiers"]
                ],
            )
            for each in price["charges"]
        ],
    )
