from dataclasses import replace
from decimal import Decimal

import pytest

from domain.price import CHARGES, TIERS, Charge, Price, PriceInvalidError, Tier

ONE, ZERO = Decimal(1), Decimal(0)
PER_UNIT = Charge("calls", "PER_UNIT", unit_price=Decimal("0.01"))
TIERED = (Tier(Decimal(10), ONE, ZERO), Tier(None, ZERO, ONE))
GRADUATED = Charge("calls", "GRADUATED", tiers=list(TIERED))


def refused(*charges: Charge) -> str:
    with pytest.raises(PriceInvalidError) as raised:
        Price("EUR", ONE, list(charges)).check()
    assert raised.value.about == "price"
    return str(raised.value)


@pytest.mark.parametrize(
    "charge",
    [
        PER_UNIT,
        replace(PER_UNIT, included_units=Decimal(1000)),
        GRADUATED,
        replace(GRADUATED, model="VOLUME", included_units=Decimal("0.5")),
        replace(GRADUATED, tiers=[Tier(None, ONE, ZERO)]),
        Charge("bytes", "PACKAGE", unit_price=Decimal(5), package_units=Decimal(100)),
        Charge("payments", "PERCENTAGE", rate_percent=Decimal("1.3"), unit_price=Decimal("0.2")),
    ],
)
def test_every_model_can_be_charged(charge: Charge) -> None:
    Price("EUR", ZERO, [charge] * CHARGES).check()


@pytest.mark.parametrize(
    "charge",
    [
        replace(PER_UNIT, model="MAGIC"),
        replace(PER_UNIT, meter="No Slug"),
        replace(PER_UNIT, unit_price=Decimal(-1)),
        replace(PER_UNIT, unit_price=Decimal("0.0000001")),
        replace(PER_UNIT, unit_price=Decimal("NaN")),
        replace(PER_UNIT, included_units=Decimal(10) ** 13),
        replace(PER_UNIT, tiers=list(TIERED)),
        replace(PER_UNIT, package_units=ONE),
        replace(PER_UNIT, rate_percent=ONE),
        replace(GRADUATED, tiers=[]),
        replace(GRADUATED, unit_price=ONE),
        Charge("calls", "PACKAGE", unit_price=ONE),
        Charge("calls", "PERCENTAGE"),
        Charge("calls", "PERCENTAGE", rate_percent=Decimal(101)),
    ],
)
def test_a_model_takes_what_it_needs_and_nothing_else(charge: Charge) -> None:
    refused(charge)


@pytest.mark.parametrize(
    "ends", [[10, 20], [None, None], [None, 10], [10, 10, None], [0, None], [20, 10, None]]
)
def test_tiers_end_one_after_the_other_and_only_the_last_never(ends: list[int | None]) -> None:
    tiers = [Tier(None if end is None else Decimal(end), ONE, ZERO) for end in ends]
    assert "tier" in refused(replace(GRADUATED, tiers=tiers))


def test_a_price_has_no_more_charges_and_tiers_than_can_be_read() -> None:
    refused(*[PER_UNIT] * (CHARGES + 1))
    many = [Tier(Decimal(n), ONE, ZERO) for n in range(1, TIERS + 1)]
    refused(replace(GRADUATED, tiers=[*many, Tier(None, ONE, ZERO)]))
    Price("EUR", ONE, [replace(GRADUATED, tiers=[*many[:-1], Tier(None, ONE, ZERO)])]).check()


def test_the_fees_of_a_tier_are_exact() -> None:
    for tier in (Tier(None, Decimal(-1), ZERO), Tier(None, ZERO, Decimal("1E-7"))):
        refused(replace(GRADUATED, tiers=[tier]))
