"""The terms of a plan: how much of what one version of it sells, how well, and for what."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from domain import text
from domain.aggregate import DomainError, Value
from domain.price import Price

CALLS_MAX = 10**12
WINDOW_S_MAX = 31 * 24 * 3_600
RATE_LIMITS = 5
OVERRIDES = 200
OPERATION_CHARS = 1_000
CLAIM_CHARS = 100
TRIAL_DAYS = 365
AGREEMENT_CHARS = 200_000
PERCENT = 100
AVAILABILITY_PLACES = 4
P95_MS_MAX = 3_600_000
RESPONSE_HOURS_MAX = 24 * 365


class Approval(Enum):
    """Who lets a subscriber in."""

    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"


class AuthKind(Enum):
    """How a call shows whose it is."""

    API_KEY = "API_KEY"
    KEYLESS = "KEYLESS"
    JWT = "JWT"


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


class Enforcement(Enum):
    """What happens beyond a quota."""

    HARD = "HARD"
    SOFT = "SOFT"


class RateLimitInvalidError(DomainError):
    """A rate limit has 1 to 10^12 calls, a window of 1 s to 31 days and no negative burst."""


class QuotaInvalidError(DomainError):
    """A quota has 0 to 10^12 calls in a DAY, WEEK or MONTH, and is HARD or SOFT."""


class AuthInvalidError(DomainError):
    """JWT names an issuer (a URL), an audience and a claim, and the other kinds none of them."""


class OverridesInvalidError(DomainError):
    """A plan has at most 200 overrides, each for another operation and with a limit or quota."""


class SlaInvalidError(DomainError):
    """An SLA promises 0 to 100 % (4 decimals), a p95 of 1 ms to 1 h, an answer within a year."""


class AgreementInvalidError(DomainError):
    """An agreement has a revision of 1 to 200 characters and a text of 1 to 200,000."""


class TrialInvalidError(DomainError):
    """A trial lasts 0 to 365 days."""


@dataclass(frozen=True)
class RateLimit(Value):
    """At most `limit_calls` in any `window_s`, and `burst_calls` more at once."""

    NAME = "rate_limit"
    limit_calls: int
    window_s: int
    burst_calls: int
    algorithm: str

    def check(self, about: str) -> None:
        """Raise RateLimitInvalidError."""
        if not (
            0 < self.limit_calls <= CALLS_MAX
            and 0 < self.window_s <= WINDOW_S_MAX
            and 0 <= self.burst_calls <= CALLS_MAX
            and self.algorithm in LimitAlgorithm.__members__
        ):
            raise RateLimitInvalidError(about)


@dataclass(frozen=True)
class Quota(Value):
    """At most `amount_calls` in one calendar period; beyond it HARD refuses, SOFT only counts."""

    NAME = "quota"
    amount_calls: int
    period: str
    enforcement: str = Enforcement.HARD.value

    def check(self, about: str) -> None:
        """Raise QuotaInvalidError."""
        if not (
            0 <= self.amount_calls <= CALLS_MAX
            and self.period in QuotaPeriod.__members__
            and self.enforcement in Enforcement.__members__
        ):
            raise QuotaInvalidError(about)


@dataclass(frozen=True)
class Auth(Value):
    """How calls under the plan show whose they are.

    A JWT is of `issuer`, for `audience`, and its `claim` holds the id of the application. Its keys
    are at `jwks_uri`, or where the issuer's discovery document says if that is "".
    """

    NAME = "auth"
    kind: str = AuthKind.API_KEY.value
    issuer: str = ""
    audience: str = ""
    claim: str = ""
    jwks_uri: str = ""

    def check(self) -> None:
        """Raise AuthInvalidError."""
        if self.kind not in AuthKind.__members__:
            raise AuthInvalidError("auth")
        named = (self.issuer, self.audience, self.claim, self.jwks_uri)
        if self.kind != AuthKind.JWT.value:
            if any(named):
                raise AuthInvalidError("auth")
            return
        try:
            for address in filter(None, (self.issuer, self.jwks_uri)):
                text.url(address, "auth")
            text.label(self.audience, "auth")
            claim = text.label(self.claim, "auth")
        except DomainError:
            raise AuthInvalidError("auth") from None
        if len(claim) > CLAIM_CHARS:
            raise AuthInvalidError("auth")


@dataclass(frozen=True)
class Override(Value):
    """What an operation has in place of the plan's own; what is None it inherits.

    `operation` is its id in the contract, which is the same in all versions of the product.
    """

    NAME = "override"
    product_id: UUID
    operation: str
    rate_limit: RateLimit | None = None
    quota: Quota | None = None


@dataclass(frozen=True)
class Sla(Value):
    """How well the products answer, in a calendar month; None is not promised."""

    NAME = "sla"
    availability_percent: Decimal | None = None
    p95_ms: int | None = None
    support_response_hours: int | None = None

    def check(self) -> None:
        """Raise SlaInvalidError."""
        up, p95_ms, hours = self.availability_percent, self.p95_ms, self.support_response_hours
        if not (
            (up is None or _is_percentage(up))
            and (p95_ms is None or 0 < p95_ms <= P95_MS_MAX)
            and (hours is None or 0 < hours <= RESPONSE_HOURS_MAX)
        ):
            raise SlaInvalidError("sla")


def _is_percentage(number: Decimal) -> bool:
    within = number.is_finite() and 0 <= number <= PERCENT
    return within and number == round(number, AVAILABILITY_PLACES)


@dataclass(frozen=True)
class Agreement(Value):
    """The legal terms that a subscriber accepts: their revision, and the hash (hex) of the text."""

    NAME = "agreement"
    revision: str
    sha256: str


def agreed_text(revision: str, said: str) -> bytes:
    """Return the text of an agreement as the document to keep. Raises AgreementInvalidError."""
    if not 0 < len(said) <= AGREEMENT_CHARS or not text.storable(said):
        raise AgreementInvalidError("agreement")
    try:
        text.label(revision, "agreement")
    except text.LabelInvalidError:
        raise AgreementInvalidError("agreement") from None
    return said.encode()


@dataclass(frozen=True)
class PlanTerms(Value):
    """What one version of a plan promises; None is without limit, price or promise.

    `more_rate_limits` hold beside `rate_limit`, as one for each second beside one for each month.
    """

    NAME = "plan_terms"
    rate_limit: RateLimit | None
    quota: Quota | None
    price: Price | None
    approval: str
    more_rate_limits: list[RateLimit] = field(default_factory=list)
    auth: Auth = field(default_factory=Auth)
    overrides: list[Override] = field(default_factory=list)
    sla: Sla | None = None
    agreement: Agreement | None = None
    trial_days: int = 0

    def check(self) -> None:
        """Raise RateLimitInvalidError, QuotaInvalidError, PriceInvalidError or another of these.

        AuthInvalidError, OverridesInvalidError, SlaInvalidError, TrialInvalidError.
        """
        if self.rate_limit:
            self.rate_limit.check("rate_limit")
        self._check_more_rate_limits()
        if self.quota:
            self.quota.check("quota")
        if self.price:
            self.price.check()
        self.auth.check()
        self._check_overrides()
        if self.sla:
            self.sla.check()
        if not 0 <= self.trial_days <= TRIAL_DAYS:
            raise TrialInvalidError("trial_days")

    def _check_more_rate_limits(self) -> None:
        more = self.more_rate_limits
        for limit in more:
            limit.check("more_rate_limits")
        every = [self.rate_limit, *more] if self.rate_limit else more
        windows = {limit.window_s for limit in every}
        if len(every) > RATE_LIMITS or len(windows) < len(every) or (more and not self.rate_limit):
            said = (
                f"There are at most {RATE_LIMITS}, each of another window; the first is rateLimit."
            )
            raise RateLimitInvalidError("more_rate_limits", said)

    def _check_overrides(self) -> None:
        named = {(each.product_id, each.operation) for each in self.overrides}
        if len(self.overrides) > OVERRIDES or len(named) < len(self.overrides):
            raise OverridesInvalidError("overrides")
        for each in self.overrides:
            known = 0 < len(each.operation) <= OPERATION_CHARS and text.storable(each.operation)
            if not known or (each.rate_limit is None and each.quota is None):
                raise OverridesInvalidError("overrides")
            if each.rate_limit:
                each.rate_limit.check("overrides")
            if each.quota:
                each.quota.check("overrides")


def grown(terms: PlanTerms) -> PlanTerms:
    """Return terms of an earlier release with today's members: as they were, and nothing more.

    They were loaded without `__init__`, so that what is new to them is missing.
    """
    known: dict[str, Any] = dict(vars(terms))
    if terms.quota is not None:
        known["quota"] = Quota(**vars(terms.quota))
    if terms.price is not None:
        known["price"] = Price(**vars(terms.price))
    if "auth" in known:
        known["auth"] = Auth(**vars(known["auth"]))
    return PlanTerms(**known)
