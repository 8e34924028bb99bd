"""The enums of the domain as GraphQL shows them: what each value means.

Import them from here: a type that is defined before its enum is described shows it bare.
"""

from collections.abc import Mapping
from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain.access_token import Role
from domain.api_product import ProductState
from domain.audience import Visibility
from domain.credential import CredentialState, HashAlgorithm
from domain.developer import DeveloperState, Origin, TeamRole
from domain.gateway import GatewayState
from domain.invitation import InvitationState
from domain.plan_life import PlanState, PlanVersionState
from domain.plan_terms import Approval, AuthKind, Enforcement, LimitAlgorithm, QuotaPeriod
from domain.price import ChargeModel
from domain.subscription_life import SubscriptionState
from domain.version_life import VersionState

__all__ = [
    "Approval",
    "AuthKind",
    "ChargeModel",
    "CredentialState",
    "DeveloperState",
    "Enforcement",
    "GatewayState",
    "HashAlgorithm",
    "InvitationState",
    "LimitAlgorithm",
    "Origin",
    "PlanState",
    "PlanVersionState",
    "ProductState",
    "QuotaPeriod",
    "Role",
    "SubscriptionState",
    "TeamRole",
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
        "EXPIRING": "It has a successor; gateways accept it until its `overlapEndsAt`.",
        "EXPIRED": "Its time is over.",
        "REVOKED": "Gateways refuse it, for ever.",
    },
    Enforcement: {
        "HARD": "Calls beyond it are refused until the next period. Nothing counts them yet.",
        "SOFT": "Calls beyond it are served, and told.",
    },
    DeveloperState: {
        "ACTIVE": "They are in the team.",
        "LEFT": "They left the team.",
        "REMOVED": "Somebody removed them from the team.",
        "FORGOTTEN": "Their name and mail address are unreadable, everywhere and for ever.",
    },
    GatewayState: {
        "REGISTERED": "Nothing was heard of it yet.",
        "CONNECTED": "It asks for its configuration, or says what it runs.",
        "STALE": "Nothing was heard of it for `CONTROLPLANE_GATEWAY_STALE_S`.",
        "DRAINED": "It was taken out of service: it is handed nothing, and is not missed.",
    },
    HashAlgorithm: {
        "SHA256_HEX": "SHA-256 as 64 hexadecimal digits; gateways find keys by it.",
        "SHA1_BASE64": "SHA-1 as base64, as in Apache's `{SHA}`; gateways find keys by it.",
        "BCRYPT": "bcrypt; it is salted, so that no gateway finds a key by it.",
    },
    InvitationState: {
        "OPEN": "It can be accepted, until its `expiresAt`.",
        "ACCEPTED": "The person is in the team.",
        "REVOKED": "It was taken back.",
        "EXPIRED": "Its time is over.",
    },
    LimitAlgorithm: {
        "TOKEN_BUCKET": "Calls take tokens from a bucket that fills steadily.",
        "SLIDING_WINDOW": "The calls of the window that ends now count.",
        "FIXED_WINDOW": "The calls since the last full window count.",
    },
    Origin: {
        "PROVIDER": "The provider registered them.",
        "SELF": "They registered by themselves, with a team of their own.",
        "INVITATION": "They accepted an invitation.",
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
        "SUSPENDED": "Its credentials may not call until it is resumed.",
        "CANCELLED": "It was given up.",
        "EXPIRED": "Its time is over.",
    },
    TeamRole: {
        "ADMIN": "Invites and removes people, says who is what, and names the team.",
        "MEMBER": "Works with the applications of the team.",
    },
    VersionState: {
        "DRAFT": "Only its provider sees it.",
        "IN_REVIEW": "It was submitted; it can be published once it is approved.",
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
