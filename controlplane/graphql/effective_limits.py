"""Which limits hold for a subscription, and what set them."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import orjson
import strawberry
from asyncpg import Record

from controlplane.global_id import named_key
from controlplane.graphql.enums import described
from controlplane.graphql.errors import invalid
from controlplane.graphql.loaders import Info, Key, one
from controlplane.graphql.plan_terms import Quota, RateLimit, quota_of, rate_limit_of
from controlplane.graphql.scalars import Position
from controlplane.graphql.subscription import SUBSCRIPTION
from controlplane.graphql.version import OPERATION, VERSION
from domain.plan import Plan
from domain.routing import WHOLE_GRAPHQL

Overridable: TypeAlias = tuple[str, list[str]]
"""A product, and by which names a plan may limit an operation of it, that which counts first."""


class LimitLevel(Enum):
    """Where a limit was set."""

    PLAN_VERSION = "PLAN_VERSION"
    OPERATION = "OPERATION"


described(
    LimitLevel,
    {
        "PLAN_VERSION": "For all that the plan sells; the operation inherits it.",
        "OPERATION": "For this operation, in place of what the plan says.",
    },
)


@strawberry.type
class EffectiveLimit:
    """A rate limit or a quota that holds, and the event that made it binding."""

    number: strawberry.Private[int]
    rate_limit: RateLimit | None = strawberry.field(description="How fast; null for a quota.")
    quota: Quota | None = strawberry.field(description="How much; null for a rate limit.")
    level: LimitLevel = strawberry.field(description="Where it was set.")
    plan_version: int = strawberry.field(description="The version of the plan that says so.")
    event: str = strawberry.field(description="The topic of the event that made it binding.")
    at: datetime = strawberry.field(description="When that happened.")

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return the position of that event."""
        return info.context.position(self.number)


@strawberry.type
class LimitQueries:
    """What limits hold."""

    @strawberry.field
    async def explain_limits(
        self,
        info: Info,
        *,
        subscription: Annotated[
            strawberry.ID, strawberry.argument(description="The id of the subscription.")
        ],
        operation: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="The id of an operation; without it what holds for those without"
                " limits of their own."
            ),
        ] = None,
    ) -> list[EffectiveLimit] | None:
        """Explain which limits hold for calls of an operation, null if the caller sees no such.

        An operation with a rate limit of its own has none of the plan's, and so with the quota. A
        field of a GraphQL API without one has that of `POST /`, which is the whole API.
        """
        key = named_key(subscription, "Subscription", ("uuid",))
        own = info.context.caller.organization_id
        subscribed = await one(info, SUBSCRIPTION, (own, *(key or (None,))))
        if subscribed is None:
            return None
        override_of: Overridable | None = None
        if operation is not None:
            override_of = await _operation(info, operation)
            if override_of is None:
                return None
        if override_of and not await _sells(info, subscribed.plan_key, override_of[0]):
            raise invalid("The plan of the subscription does not sell that operation.")
        number = subscribed.plan_version_number
        return await limits_of(info, (*subscribed.plan_key, number), override_of)


async def limits_of(
    info: Info, plan_version_key: Key, override_of: Overridable | None = None
) -> list[EffectiveLimit]:
    """Return the limits of a version of a plan, or those of a product's operation under it."""
    rows = await info.context.fetch(
        "SELECT number, terms, published_at, published_position FROM plan_version"
        " WHERE organization_id = $1 AND plan_id = $2 AND number = $3",
        *plan_version_key,
    )
    return _explained(rows[0], override_of) if rows else []


async def _sells(info: Info, plan_key: Key, product_id: str) -> bool:
    rows = await info.context.fetch(
        "SELECT FROM plan_product WHERE organization_id = $1 AND plan_id = $2 AND product_id = $3",
        *plan_key,
        UUID(product_id),
    )
    return bool(rows)


async def _operation(info: Info, id_: str) -> Overridable | None:
    """Return by which names plans limit an operation, None of one that is not seen."""
    key = named_key(id_, "Operation", ("uuid", "bigint"))
    if key is None:
        raise invalid("That is not the id of an Operation.")
    own = info.context.caller.organization_id
    found = await one(info, OPERATION, (own, *key))
    version = await one(info, VERSION, (own, key[0]))
    if found is None or version is None:
        return None
    whole = [WHOLE_GRAPHQL] if version.contract_kind == "GRAPHQL" else []
    return str(version.product_key[1]), [found.operation_id, *whole]


def _explained(row: Record, override_of: Overridable | None) -> list[EffectiveLimit]:
    terms = orjson.loads(row["terms"])
    product, names = override_of or ("", [])
    own = {each["operation"]: each for each in terms["overrides"] if each["product_id"] == product}
    rate = rate_limit_of(_nearest("rate_limit", names, own))
    quota = quota_of(_nearest("quota", names, own))

    def limit(
        level: LimitLevel, rate_limit: RateLimit | None, quota: Quota | None
    ) -> EffectiveLimit:
        return EffectiveLimit(
            number=row["published_position"],
            rate_limit=rate_limit,
            quota=quota,
            level=level,
            plan_version=row["number"],
            event=Plan.VersionPublished.TOPIC,
            at=row["published_at"],
        )

    operation, plan = LimitLevel.OPERATION, LimitLevel.PLAN_VERSION
    found = [limit(operation, rate, None)] if rate else []
    if not rate:
        rates = map(rate_limit_of, [terms["rate_limit"], *terms["more_rate_limits"]])
        found = [limit(plan, each, None) for each in rates if each]
    if quota:
        return [*found, limit(operation, None, quota)]
    inherited = quota_of(terms["quota"])
    return [*found, limit(plan, None, inherited)] if inherited else found


def _nearest(kind: str, names: list[str], own: dict[str, Any]) -> dict[str, Any] | None:
    return next((own[name][kind] for name in names if name in own and own[name][kind]), None)
