"""A price: what a subscriber pays, as structure; exact decimals in units of the currency."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from itertools import pairwise

from domain import text
from domain.aggregate import DomainError, Value

CHARGES = 20
TIERS = 50
FEE_MAX = Decimal(10) ** 9
FEE_PLACES = 6
UNITS_MAX = Decimal(10) ** 12
PERCENT_MAX = 100


class ChargeModel(Enum):
    """How usage becomes money."""

    PER_UNIT = "PER_UNIT"
    GRADUATED = "GRADUATED"
    VOLUME = "VOLUME"
    PACKAGE = "PACKAGE"
    PERCENTAGE = "PERCENTAGE"


class PriceInvalidError(DomainError):
    """A price has an ISO 4217 currency and a fee of 0 to 10^9 with at most 6 decimal places."""


@dataclass(frozen=True)
class Tier(Value):
    """What a unit costs up to a number of units; `flat_fee` is due once when the tier is reached.

    `up_to_units` counts from the first unit of the period, not of the tier, and is within the
    tier; None, of the last tier only, is without end. The first tier's flat fee is due at zero.
    """

    NAME = "tier"
    up_to_units: Decimal | None
    unit_price: Decimal
    flat_fee: Decimal


@dataclass(frozen=True)
class Charge(Value):
    """What the usage of one meter costs, beyond `included_units` in each month.

    PER_UNIT: each unit `unit_price`. GRADUATED: each unit at the price of the tier it falls in.
    VOLUME: all units at the price of the tier that the last one falls in. PACKAGE: each
    `package_units` begun cost `unit_price`, and none nothing. PERCENTAGE: `rate_percent` of the
    amount the meter sums up, and `unit_price` for each event. What a model does not use is 0.
    """

    NAME = "charge"
    meter: str
    model: str
    included_units: Decimal = Decimal(0)
    unit_price: Decimal = Decimal(0)
    package_units: Decimal = Decimal(0)
    rate_percent: Decimal = Decimal(0)
    tiers: list[Tier] = field(default_factory=list)

    def check(self) -> None:
        """Raise PriceInvalidError."""
        try:
            text.slug(self.meter, "price")
        except text.SlugInvalidError:
            raise PriceInvalidError("price", "A meter is named by a slug, as calls.") from None
        if self.model not in ChargeModel.__members__:
            raise PriceInvalidError("price", f"{self.model} is no model.")
        model = ChargeModel(self.model)
        _require_amounts([self.unit_price], FEE_MAX, "A unit price")
        _require_amounts([self.included_units], UNITS_MAX, "A number of included units")
        tiered = model in {ChargeModel.GRADUATED, ChargeModel.VOLUME}
        for given, wanted, what in (
            (bool(self.tiers), tiered, "tiers"),
            (self.package_units != 0, model is ChargeModel.PACKAGE, "packageUnits"),
            (self.rate_percent != 0, model is ChargeModel.PERCENTAGE, "ratePercent"),
        ):
            if given is not wanted:
                needs = "needs" if wanted else "has no"
                raise PriceInvalidError("price", f"{model.value} {needs} {what}.")
        if tiered and self.unit_price != 0:
            raise PriceInvalidError("price", f"The unit prices of {model.value} are in its tiers.")
        _require_amounts([self.package_units], UNITS_MAX, "A package")
        _require_amounts([self.rate_percent], Decimal(PERCENT_MAX), "A percentage")
        _check_tiers(self.tiers)


@dataclass(frozen=True)
class Price(Value):
    """A fee for each month, and what usage costs besides; in units of the currency.

    Without charges the fee is flat; a charge with included units makes it a base fee with overage.
    """

    NAME = "price"
    currency: str
    monthly_fee: Decimal
    charges: list[Charge] = field(default_factory=list)

    def check(self) -> None:
        """Raise PriceInvalidError."""
        if not re.fullmatch("[A-Z]{3}", self.currency):
            raise PriceInvalidError("price")
        _require_amounts([self.monthly_fee], FEE_MAX, "A fee")
        if len(self.charges) > CHARGES:
            raise PriceInvalidError("price", f"It has at most {CHARGES} charges.")
        for charge in self.charges:
            charge.check()


def _check_tiers(tiers: list[Tier]) -> None:
    if not tiers:
        return
    if len(tiers) > TIERS:
        raise PriceInvalidError("price", f"A charge has at most {TIERS} tiers.")
    _require_amounts([tier.unit_price for tier in tiers], FEE_MAX, "A unit price")
    _require_amounts([tier.flat_fee for tier in tiers], FEE_MAX, "A flat fee")
    ends = [tier.up_to_units for tier in tiers[:-1]]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends) or tiers[-1].up_to_units is not None:
        raise PriceInvalidError("price", "Of the tiers the last, and no other, is without end.")
    _require_amounts(known, UNITS_MAX, "The end of a tier")
    if any(later <= earlier for earlier, later in pairwise([Decimal(0), *known])):
        raise PriceInvalidError("price", "Each tier ends after the one before, the first above 0.")


def _require_amounts(amounts: Iterable[Decimal], most: Decimal, what: str) -> None:
    for amount in amounts:
        exact = amount.is_finite() and 0 <= amount <= most and amount == round(amount, FEE_PLACES)
        if not exact:
            said = f"{what} is 0 to {most:,} with at most {FEE_PLACES} decimal places."
            raise PriceInvalidError("price", said)
