"""The enums of the domain as GraphQL shows them: what each value means.

Import them from here: a type that is defined before its enum is described shows it bare.
"""

from collections.abc import Mapping
from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain.access_token import Role
from domain.api_product import ProductState, Visibility
from domain.api_version import VersionState
from domain.plan import Approval, LimitAlgorithm, PlanState, PlanVersionState, QuotaPeriod
from domain.plan_terms import AuthKind, Enforcement
from domain.price import ChargeModel
from domain.subscription import CredentialState, SubscriptionState

__all__ = [
    "Approval",
    "AuthKind",
    "ChargeModel",
    "CredentialState",
    "Enforcement",
    "LimitAlgorithm",
    "PlanState",
    "PlanVersionState",
    "ProductState",
    "QuotaPeriod",
    "Role",
    "SubscriptionState",
    "VersionState",
    "Visibility",
    "described",
]


def described(enum: type[Enum], values: Mapping[str, str]) -> None:
    """Make an enum one of GraphQL's, with a text for each value and its docstring for itself."""
    strawberry.enum(enum, description=enum.__doc__)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]  # set above
    for value in definition.values:
        value.description = values[value.name]


VALUES: dict[type[Enum], dict[str, str]] = {
    Approval: {
        "AUTOMATIC": "A subscription is active at once.",
        "MANUAL": "A product manager accepts or rejects each subscription.",
    },
    AuthKind: {
        "API_KEY": "By a credential of the subscription.",
        "KEYLESS": "Not at all: everyone may call, and nobody subscribes.",
        "JWT": "By a token of the named issuer that names the application.",
    },
    ChargeModel: {
        "PER_UNIT": "Each unit costs `unitPrice`.",
        "GRADUATED": "Each unit costs what the tier says that it falls in.",
        "VOLUME": "All units cost what the tier says that the last one falls in.",
        "PACKAGE": "Each `packageUnits` begun cost `unitPrice`.",
        "PERCENTAGE": "`ratePercent` of the sum of the meter, and `unitPrice` for each event.",
    },
    CredentialState: {
        "ACTIVE": "Gateways accept it, until its `notAfter`.",
        "REVOKED": "Gateways refuse it, for ever.",
    },
    Enforcement: {
        "HARD": "Calls beyond it are refused until the next period.",
        "SOFT": "Calls beyond it are served, and counted.",
    },
    LimitAlgorithm: {
        "TOKEN_BUCKET": "Calls take tokens from a bucket that fills steadily.",
        "SLIDING_WINDOW": "The calls of the window that ends now count.",
        "FIXED_WINDOW": "The calls since the last full window count.",
    },
    PlanState: {
        "DRAFT": "No version of it was ever published.",
        "PUBLISHED": "It is on sale.",
        "DEPRECATED": "It is on sale and advised against.",
        "CLOSED": "It takes no new subscriptions, for ever; those there are go on.",
    },
    PlanVersionState: {
        "DRAFT": "Its terms can still be replaced.",
        "PUBLISHED": "These are the terms on sale.",
        "SUPERSEDED": "A later version is on sale; earlier subscriptions keep these terms.",
    },
    ProductState: {
        "DRAFT": "Only its provider sees it.",
        "PUBLISHED": "It is in the catalogue.",
        "DEPRECATED": "It is in the catalogue and advised against; see its sunset.",
        "RETIRED": "It is served no more.",
    },
    QuotaPeriod: {
        "DAY": "Each day, UTC.",
        "WEEK": "Each week, from Monday, UTC.",
        "MONTH": "Each calendar month, UTC.",
    },
    Role: {
        "OWNER": "Runs the organization: everything but what gateways do.",
        "PRODUCT_MANAGER": "Defines and sells products, and decides on subscriptions.",
        "DEVELOPER": "Subscribes the applications of one team.",
        "GATEWAY": "Fetches the configuration of one gateway.",
        "AUDITOR": "Reads everything, changes nothing.",
        "OPERATOR": "Runs the installation: lets organizations in.",
    },
    SubscriptionState: {
        "PENDING": "Waits for a product manager.",
        "ACTIVE": "Its credentials may call.",
        "REJECTED": "It was kept out.",
        "CANCELLED": "It was given up.",
    },
    VersionState: {
        "DRAFT": "Only its provider sees it.",
        "PUBLISHED": "Gateways route to it.",
        "DEPRECATED": "Gateways route to it and tell callers that it ends.",
        "RETIRED": "No gateway routes to it any more.",
    },
    Visibility: {
        "PUBLIC": "Everyone finds it in the catalogue.",
        "PRIVATE": "Only those of the organization find it.",
        "TEAMS": "Only the provider and the named teams find it.",
    },
}

for _enum, _texts in VALUES.items():
    described(_enum, _texts)
