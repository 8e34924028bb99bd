"""What was sold and no gateway of a group can serve, whoever made it.

What only one vendor cannot do is said by its renderer, in the same form.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.plan_terms import AuthKind
from domain.routing import PLAN, VERSION, Body


@dataclass(frozen=True)
class Unserved:
    """What a gateway refuses although it was sold, and why."""

    kind: str
    """A kind of row, or `key`."""
    id: str
    reason: str


def unserved(environment: str, versions: Iterable[Body], plans: Iterable[Body]) -> list[Unserved]:
    """Return what of these rows is reached by nobody in an environment."""
    nowhere = [
        Unserved(VERSION, row["id"], f"It has no upstream for {environment}.")
        for row in versions
        if environment not in row["upstreams"]
    ]
    plans = list(plans)
    chosen = keyless(plans)
    hidden = [
        Unserved(PLAN, row["id"], f"Calls to product {each} without a key are those of {first}.")
        for row in plans
        for each in row["products"]
        for first in (chosen.get(each),)
        if _is_keyless(row) and first != row["id"]
    ]
    return [*nowhere, *hidden]


def unlimited(versions: Iterable[Body], plans: Iterable[Body]) -> list[Unserved]:
    """Return which plans limit an operation that no version of the product has.

    Such as a name that was mistyped. Of a plan the version that was published last counts: others
    can be mended no more.
    """
    versions = list(versions)
    on_sale = {row["plan"]: row for row in sorted(plans, key=_number)}
    served = {row["product"] for row in versions}
    routed = {
        (row["product"], operation)
        for row in versions
        for route in row["routes"]
        for operation in (route["operation"], *route.get("fields", ()))
    }
    return [
        Unserved(PLAN, row["id"], f"No version has {each['operation']}, which it limits.")
        for row in on_sale.values()
        for each in row["overrides"]
        if each["product"] in served and (each["product"], each["operation"]) not in routed
    ]


def unfindable(subscriptions: Iterable[Body]) -> list[tuple[str, Unserved]]:
    """Return the keys that gateways cannot find by their hash, each after its subscription."""
    return [
        (
            row["id"],
            Unserved("key", key["id"], "It is known by a hash by which it cannot be found."),
        )
        for row in subscriptions
        for key in row["keys"]
        if not key["servable"]
    ]


def keyless(plans: Iterable[Body]) -> Mapping[str, str]:
    """Return by product the plan that lets in calls without a key: of several the first by id.

    Such a call does not say which of them it means.
    """
    chosen: dict[str, str] = {}
    for row in sorted(filter(_is_keyless, plans), key=_id):
        for product in row["products"]:
            chosen.setdefault(product, row["id"])
    return chosen


def _is_keyless(row: Body) -> bool:
    return bool(row["auth"]["kind"] == AuthKind.KEYLESS.value)


def _number(row: Body) -> int:
    number: int = row["number"]
    return number


def _id(row: Body) -> str:
    id_: str = row["id"]
    return id_
