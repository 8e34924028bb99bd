"""What was sold and no gateway can serve follows from the rows and the environment."""

import pytest

from controlplane.gateway.renderers import RENDERERS, Memo, Site, renderer
from domain.unserved import Unserved, keyless, unlimited, unserved
from tests.gateways.sold import Sold, auth, id_of, limit, override

PETS, FOOD = str(id_of("pets")), str(id_of("food"))


def told(sold: Sold) -> list[Unserved]:
    snapshot = sold.snapshot()
    return unserved(snapshot["group"]["environment"], snapshot["versions"], snapshot["plans"])


def selling() -> Sold:
    sold = Sold()
    for slug in ("pets", "food"):
        sold.version(sold.product(slug), "https://pets.example", ["GET /pets"])
    return sold


def test_a_version_without_an_upstream_for_the_environment_is_reached_by_nobody() -> None:
    sold = selling()
    assert told(sold) == []
    version = sold.version(PETS, "", ["GET /pets"], number="2.0.0")

    assert told(sold) == [Unserved("version", version, "It has no upstream for live.")]


def test_of_two_keyless_plans_of_a_product_one_lets_in() -> None:
    sold = selling()
    open_to_all = {name: sold.plan(name, PETS, auth=auth("KEYLESS")) for name in ("one", "two")}
    first, second = sorted(open_to_all.values())
    sold.plan("keys", PETS)
    third = sold.plan("three", FOOD, auth=auth("KEYLESS"))

    assert keyless(sold.snapshot()["plans"]) == {PETS: first, FOOD: third}
    reason = f"Calls to product {PETS} without a key are those of {first}."
    assert told(sold) == [Unserved("plan", second, reason)]


def test_own_limits_of_an_operation_that_no_version_has_hold_nowhere() -> None:
    sold = selling()
    limits = [override(PETS, each, limit(1, 1)) for each in ("GET /pets", "GET /pest")]
    plan = sold.plan("one", PETS, overrides=limits)
    snapshot = sold.snapshot()

    (told,) = unlimited(snapshot["versions"], snapshot["plans"])
    assert told == Unserved("plan", plan, "No version has GET /pest, which it limits.")


def test_fields_of_a_graphql_api_are_operations_of_it() -> None:
    sold = selling()
    sold.version(FOOD, "https://food.example", ["Query.food"], api="graph", kind="GRAPHQL")
    names = ["Query.food", "Mutation.food", "POST /", "GET /pets"]
    plan = sold.plan("one", FOOD, overrides=[override(FOOD, each, limit(1, 1)) for each in names])
    snapshot = sold.snapshot()

    (told,) = unlimited(snapshot["versions"], snapshot["plans"])
    assert told == Unserved("plan", plan, "No version has Mutation.food, which it limits.")


def test_limits_of_fields_are_held_by_who_reads_them_and_else_refused_and_told() -> None:
    sold = selling()
    sold.version(FOOD, "https://food.example", ["Query.food"], api="graph", kind="GRAPHQL")
    sold.version(FOOD, "https://food.example", ["Query.food"], number="2.0.0", kind="GRAPHQL")
    plan = sold.plan("one", PETS, FOOD, overrides=[override(FOOD, "Query.food", limit(1, 1))])
    sold.plan("whole", FOOD, overrides=[override(FOOD, "POST /", limit(1, 1))])
    found = {
        vendor: renderer(vendor).render(sold.snapshot(), Site("/etc/gateway"), Memo()).unserved
        for vendor in RENDERERS
    }

    reason = "It limits Query.food, and this renderer reads no GraphQL."
    assert found == {"envoy": (), "haproxy": (Unserved("plan", plan, reason),)}


@pytest.mark.parametrize("vendor", RENDERERS)
def test_every_renderer_tells_it(vendor: str) -> None:
    sold = selling()
    sold.version(FOOD, "", ["GET /pets"], number="2.0.0")
    for name in ("one", "two"):
        sold.plan(name, PETS, auth=auth("KEYLESS"))

    rendered = renderer(vendor).render(sold.snapshot(), Site("/etc/gateway"), Memo())
    assert len(told(sold)) == 2
    assert list(rendered.unserved) == told(sold)
