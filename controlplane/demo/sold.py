"""What the company of the demo sells, and to whom."""

from dataclasses import dataclass
from decimal import Decimal

from domain.plan_terms import Approval, LimitAlgorithm, PlanTerms, Quota, QuotaPeriod, RateLimit
from domain.price import Price

ENVIRONMENT, GROUP = "production", "edge"


@dataclass(frozen=True)
class Own:
    """The APIs of this control plane, as documents; `url` is where it serves them."""

    url: str
    portal_sdl: str
    openapi: bytes


def _limit(limit_calls: int) -> RateLimit:
    return RateLimit(limit_calls, 10, 0, LimitAlgorithm.SLIDING_WINDOW.value)


PLANS: dict[str, tuple[str, PlanTerms]] = {
    "free": ("Free", PlanTerms(_limit(5), None, None, Approval.AUTOMATIC.value)),
    "pro": (
        "Pro",
        PlanTerms(
            _limit(100),
            Quota(1_000_000, QuotaPeriod.MONTH.value),
            Price("EUR", Decimal(49)),
            Approval.MANUAL.value,
        ),
    ),
    "internal": ("Internal", PlanTerms(None, None, None, Approval.AUTOMATIC.value)),
}
TEAMS: dict[str, tuple[tuple[str, str], ...]] = {
    "Storefront": (("Ada Example", "ada@example.com"), ("Ben Example", "ben@example.com")),
    "Analytics": (("Cleo Example", "cleo@example.com"),),
}
APPLICATIONS = {"shop-app": "Storefront", "shop-web": "Storefront", "reporting": "Analytics"}
SUBSCRIPTIONS = (  # application, plan, whether a manual plan accepted it, what came then
    ("shop-app", "free", True, ""),
    ("shop-web", "pro", True, "rotated"),
    ("reporting", "pro", False, ""),
    ("reporting", "internal", True, ""),
    ("reporting", "free", True, "suspended"),
)
ROTATED = 2
"""How many keys a subscription has of which one was rotated."""
OVERLAP_S = 7 * 24 * 3_600
