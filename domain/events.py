"""Every aggregate, so that every stored topic resolves; events and values follow from them."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_args, get_type_hints

from domain.access_token import AccessToken
from domain.aggregate import Aggregate, Value
from domain.api_product import ApiProduct
from domain.api_version import ApiVersion
from domain.application import Application
from domain.developer import Developer
from domain.gateway import Gateway
from domain.gateway_group import GatewayGroup
from domain.invitation import Invitation
from domain.organization import Organization
from domain.page import Page
from domain.plan import Plan
from domain.release_line import ReleaseLine
from domain.reservation import Reservation
from domain.subscription import Subscription
from domain.team import Team

AGGREGATES: tuple[type[Aggregate], ...] = (
    AccessToken,
    ApiProduct,
    ApiVersion,
    Application,
    Developer,
    Gateway,
    GatewayGroup,
    Invitation,
    Organization,
    Page,
    Plan,
    ReleaseLine,
    Reservation,
    Subscription,
    Team,
)
EVENTS: tuple[type[Aggregate.Event], ...] = tuple(
    member
    for aggregate in AGGREGATES
    for member in vars(aggregate).values()
    if isinstance(member, type) and issubclass(member, Aggregate.Event) and hasattr(member, "TOPIC")
)


def _values(kind: type) -> Iterator[type[Value]]:
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    for field in fields(kind):
        hint = hints[field.name]
        for held in (hint, *get_args(hint)):
            if isinstance(held, type) and issubclass(held, Value):
                yield held
                yield from _values(held)


VALUES: tuple[type[Value], ...] = tuple(
    dict.fromkeys(value for event in EVENTS for value in _values(event))
)
"""Every value that an event holds, found by the annotations of the events."""
