"""What a configuration says of a key at an instant, and the event that made it so."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from controlplane.graphql.effective_limits import EffectiveLimit, limits_of
from controlplane.graphql.enums import described
from controlplane.graphql.gateways_told import RightsCause, Row, Steps, Told, ended
from controlplane.graphql.loaders import Info
from controlplane.graphql.scalars import Position
from domain import routing
from domain.aggregate import Aggregate
from domain.subscription import Subscription
from projections.readmodel import Recorded


class VerdictReason(Enum):
    """Why a key is let through or refused."""

    ALLOWED = "ALLOWED"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_ENDED = "KEY_ENDED"
    KEY_NOT_SERVABLE = "KEY_NOT_SERVABLE"
    SUBSCRIPTION_PENDING = "SUBSCRIPTION_PENDING"
    SUBSCRIPTION_REJECTED = "SUBSCRIPTION_REJECTED"
    SUBSCRIPTION_SUSPENDED = "SUBSCRIPTION_SUSPENDED"
    SUBSCRIPTION_CANCELLED = "SUBSCRIPTION_CANCELLED"
    SUBSCRIPTION_EXPIRED = "SUBSCRIPTION_EXPIRED"
    NOTHING_SERVED = "NOTHING_SERVED"


described(
    VerdictReason,
    {
        "ALLOWED": "Calls with it are let through, within the limits.",
        "KEY_UNKNOWN": "It was not issued yet.",
        "KEY_REVOKED": "It was revoked.",
        "KEY_ENDED": "Its end, or that of its overlap with a successor, had passed.",
        "KEY_NOT_SERVABLE": "It was imported by a salted hash, by which no gateway finds a key.",
        "SUBSCRIPTION_PENDING": "Its subscription was not accepted yet.",
        "SUBSCRIPTION_REJECTED": "Its subscription was rejected.",
        "SUBSCRIPTION_SUSPENDED": "Its subscription was suspended.",
        "SUBSCRIPTION_CANCELLED": "Its subscription was cancelled.",
        "SUBSCRIPTION_EXPIRED": "The time of its subscription was over.",
        "NOTHING_SERVED": "Nothing that its plan sells had a version which the group serves.",
    },
)
_REASONS: dict[type[Aggregate.Event], VerdictReason] = {
    Subscription.Requested: VerdictReason.SUBSCRIPTION_PENDING,
    Subscription.Rejected: VerdictReason.SUBSCRIPTION_REJECTED,
    Subscription.Suspended: VerdictReason.SUBSCRIPTION_SUSPENDED,
    Subscription.Cancelled: VerdictReason.SUBSCRIPTION_CANCELLED,
    Subscription.Expired: VerdictReason.SUBSCRIPTION_EXPIRED,
    Subscription.Reinstated: VerdictReason.SUBSCRIPTION_SUSPENDED,
}
"""Why gateways have no row of a subscription, by the last event of it but those of `_BESIDE`."""
_BESIDE = (Subscription.TermsAccepted, Subscription.ExpiryScheduled)
_ENDS = (
    Subscription.Accepted,
    Subscription.Transferred,
    Subscription.ExpiryScheduled,
    Subscription.Reinstated,
)
"""The events that say when a subscription ends."""


@strawberry.type
class EnforcedVersion:
    """A version that a key could call at a gateway."""

    product: str = strawberry.field(description="The slug of the product.")
    base: str = strawberry.field(description="What follows it in the path, as v1.")
    number: str = strawberry.field(description="The semantic number.")


@strawberry.type
class Verdict:
    """What a configuration says of a key at an instant."""

    position_number: strawberry.Private[int]
    plan_version_key: strawberry.Private[tuple[UUID, UUID, int] | None]
    allowed: bool = strawberry.field(description="Whether calls with it are let through.")
    reason: VerdictReason = strawberry.field(description="Why, for programs.")
    cause: RightsCause | None = strawberry.field(
        description="The event that made it so; null if none of the configuration did."
    )
    versions: list[EnforcedVersion] = strawberry.field(
        description="What it could call; nothing when it is refused."
    )

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return the position of the configuration."""
        return info.context.position(self.position_number)

    @strawberry.field
    async def limits(self, info: Info) -> list[EffectiveLimit]:
        """Return the limits in effect, of operations without their own; none when refused."""
        if self.plan_version_key is None or not self.allowed:
            return []
        return await limits_of(info, self.plan_version_key)


@dataclass(frozen=True)
class Question:
    """A key at a gateway of a group."""

    organization_id: UUID
    gateway_id: UUID
    group_id: UUID
    subscription_id: UUID
    credential_id: str


async def verdict(info: Info, asked: Question, position: int, at: datetime) -> Verdict:
    """Return what the configuration at a position says of a key at an instant.

    Raises RefusedError.
    """
    told = Told(info, asked.organization_id, position)
    steps = await told.steps(asked.subscription_id, asked.credential_id)
    subscriptions = await told.named(routing.SUBSCRIPTION, [str(asked.subscription_id)])
    plans = await told.named(routing.PLAN, [row.body["plan"] for row in subscriptions])
    versions = await _served(told, asked.group_id, plans)
    reason, cause = _judged(steps, subscriptions, asked.credential_id, at)
    if reason is VerdictReason.ALLOWED and not versions:
        reason, cause = VerdictReason.NOTHING_SERVED, None
    allowed = reason is VerdictReason.ALLOWED
    key = next(((UUID(row.body["plan"]), row.body["number"]) for row in plans), None)
    return Verdict(
        position_number=position,
        plan_version_key=None if key is None else (asked.organization_id, *key),
        allowed=allowed,
        reason=reason,
        cause=None if cause is None else told.cause(cause),
        versions=versions if allowed else [],
    )


async def _served(told: Told, group_id: UUID, plans: list[Row]) -> list[EnforcedVersion]:
    """Return the versions of what plans sell that the gateways of a group have an upstream for."""
    groups = await told.named(routing.GROUP, [str(group_id)])
    sold = {product for row in plans for product in row.body["products"]}
    for group in groups:
        if group.body["products"]:
            sold &= set(group.body["products"])
    slugs = {row.id: row.body["slug"] for row in await told.named(routing.PRODUCT, sorted(sold))}
    environments = {group.body["environment"] for group in groups}
    return [
        EnforcedVersion(
            product=slugs[row.body["product"]], base=row.body["base"], number=row.body["number"]
        )
        for row in await told.versions(sorted(slugs))
        if environments & set(row.body["upstreams"])
    ]


def _judged(
    steps: Steps, subscriptions: list[Row], credential_id: str, at: datetime
) -> tuple[VerdictReason, Recorded | None]:
    """Return whether a key is let through, but for what is served, and because of which event."""
    of_key = next(iter(steps.key), None)
    if of_key is None:
        return VerdictReason.KEY_UNKNOWN, None
    if isinstance(of_key.event, Subscription.CredentialRevoked):
        return VerdictReason.KEY_REVOKED, of_key
    if not subscriptions:
        return _absent(steps.subscription)
    keys = [key for row in subscriptions for key in row.body["keys"] if key["id"] == credential_id]
    of_subscription = next(iter(steps.subscription), of_key)
    if any(ended(row.body["not_after"], at) for row in subscriptions):
        ends = (step for step in steps.subscription if isinstance(step.event, _ENDS))
        return VerdictReason.SUBSCRIPTION_EXPIRED, next(ends, of_subscription)
    return _while_subscribed(keys, of_key, of_subscription, at)


def _while_subscribed(
    keys: list[routing.Body], of_key: Recorded, of_subscription: Recorded, at: datetime
) -> tuple[VerdictReason, Recorded]:
    if not keys or any(ended(key["not_after"], at) for key in keys):
        return VerdictReason.KEY_ENDED, of_key
    if not any(key["servable"] for key in keys):
        return VerdictReason.KEY_NOT_SERVABLE, of_key
    return VerdictReason.ALLOWED, max(of_key, of_subscription, key=lambda each: each.position)


def _absent(steps: list[Recorded]) -> tuple[VerdictReason, Recorded | None]:
    moves = (step for step in steps if not isinstance(step.event, _BESIDE))
    last = next(moves, None)
    reason = None if last is None else _REASONS.get(type(last.event))
    return (VerdictReason.NOTHING_SERVED, None) if reason is None else (reason, last)
