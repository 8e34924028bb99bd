"""Whom a version hurts: who was promised the operations that it changes, and who calls them.

Calls are not observed yet, so nothing here says that somebody is safe: the state of whatever
changed is NOT_OBSERVABLE, with all who declared that they use it.
"""

import asyncio
from collections import Counter
from enum import Enum
from typing import Annotated

import orjson
import strawberry

from controlplane.graphql import visibility
from controlplane.graphql.contract import ContractDiff, compared, followed_by, seen_version
from controlplane.graphql.enums import described
from controlplane.graphql.errors import RefusedError
from controlplane.graphql.findings import FindingLevel
from controlplane.graphql.loaders import Info, Key, Kind, N, one
from controlplane.graphql.plan import PLAN, Plan
from controlplane.graphql.subscription import SUBSCRIPTION, Subscription
from controlplane.graphql.team import TEAM, Team
from domain.contract.finding import Finding, Level

PAGE = 100
PLANS, OPERATIONS, TEAMS = 1_000, 1_000, 100
_SOLD = (
    "SELECT s.plan_id, v.number, v.terms FROM plan_product AS s"
    " JOIN plan_version AS v ON (v.organization_id, v.plan_id) = (s.organization_id, s.plan_id)"
    " AND v.state <> 'DRAFT' WHERE s.organization_id = $1 AND s.product_id = $2"
    " ORDER BY s.plan_id, v.number DESC LIMIT $3"
)
_SUBSCRIBED = (
    "FROM subscription AS n JOIN plan_product AS s"
    " ON (s.organization_id, s.plan_id) = (n.organization_id, n.plan_id)"
    " WHERE n.organization_id = $1 AND s.product_id = $2"
    " AND n.state IN ('PENDING', 'ACTIVE', 'SUSPENDED')"
    " AND (n.expires_at IS NULL OR n.expires_at > $3)"
)
_COUNTED = (
    "SELECT count(*) AS subscriptions, count(DISTINCT n.application_id) AS applications,"
    f" count(DISTINCT n.team_id) AS teams {_SUBSCRIBED}"
)
_LISTED = f"SELECT n.id {_SUBSCRIBED} ORDER BY n.created_at, n.id LIMIT $4 OFFSET $5"
_TEAMS = f"SELECT n.team_id {_SUBSCRIBED} GROUP BY n.team_id ORDER BY n.team_id LIMIT $4"


class Observation(Enum):
    """Whether somebody was seen to use what changes."""

    AFFECTED = "AFFECTED"
    NOT_OBSERVED = "NOT_OBSERVED"
    NOT_OBSERVABLE = "NOT_OBSERVABLE"


described(
    Observation,
    {
        "AFFECTED": "It was called while calls were observed.",
        "NOT_OBSERVED": "It was not called while calls were observed, which is not to say that"
        " nobody ever will.",
        "NOT_OBSERVABLE": "Nobody could have seen calls of it: all who may call it count.",
    },
)


@strawberry.type
class ChangedOperation:
    """An operation that changes so that it breaks those who call it, or may."""

    operation: str = strawberry.field(
        description="The operation, or a coordinate of GraphQL; empty for the contract as a whole."
    )
    level: FindingLevel = strawberry.field(description="The gravest of its findings.")
    findings: int = strawberry.field(description="How many of its findings break, or may.")
    observation: Observation = strawberry.field(description="Whether it was seen to be called.")


@strawberry.type
class ImpactedPlan:
    """A plan that sells the product."""

    plan_key: strawberry.Private[Key]
    overridden: list[str] = strawberry.field(
        description="The operations that change and for which it has limits of their own."
    )

    @strawberry.field
    async def plan(self, info: Info) -> Plan | None:
        """Return the plan."""
        return await one(info, PLAN, self.plan_key)


@strawberry.type
class ContractImpact:
    """Who was promised what a version changes."""

    product_key: strawberry.Private[Key]
    diff: ContractDiff = strawberry.field(description="What changes, from which version.")
    observation: Observation = strawberry.field(description="Whether any of it was seen called.")
    operations: list[ChangedOperation] = strawberry.field(
        description="What changes so that it breaks or may break, the gravest first; at most 1,000."
    )
    plans: list[ImpactedPlan] = strawberry.field(description="Which plans sell it; at most 1,000.")
    subscription_count: int = strawberry.field(description="How many subscriptions may call it.")
    application_count: int = strawberry.field(description="Of how many applications.")
    team_count: int = strawberry.field(description="Of how many teams.")

    @strawberry.field
    async def subscriptions(
        self,
        info: Info,
        *,
        first: Annotated[
            int, strawberry.argument(description=f"How many at most; 1 to {PAGE}.")
        ] = 20,
        skip: Annotated[int, strawberry.argument(description="How many to leave out first.")] = 0,
    ) -> list[Subscription]:
        """List the subscriptions that may call what changes, oldest first."""
        if not 0 < first <= PAGE or not 0 <= skip <= 10**9:
            raise RefusedError("PAGE_SIZE", f"A page has 1 to {PAGE} subscriptions.")
        if not self.operations:
            return []
        organization_id = self.product_key[0]
        rows = await info.context.fetch(_LISTED, *self.product_key, info.context.now, first, skip)
        return await _nodes(info, SUBSCRIPTION, [(organization_id, row["id"]) for row in rows])

    @strawberry.field
    async def teams(self, info: Info) -> list[Team]:
        """List the teams that own those subscriptions, at most 100."""
        if not self.operations:
            return []
        organization_id = self.product_key[0]
        rows = await info.context.fetch(_TEAMS, *self.product_key, info.context.now, TEAMS)
        return await _nodes(info, TEAM, [(organization_id, row["team_id"]) for row in rows])


def changed(findings: list[Finding]) -> list[ChangedOperation]:
    """Return the operations with findings that break or may break, the gravest first."""
    counted = Counter(each.where for each in findings)
    gravest: dict[str, Level] = {}
    for each in findings:  # they come with the gravest first
        gravest.setdefault(each.where, each.level)
    return [
        ChangedOperation(
            operation=where,
            level=FindingLevel(level.value),
            findings=counted[where],
            observation=Observation.NOT_OBSERVABLE,
        )
        for where, level in list(gravest.items())[:OPERATIONS]
    ]


async def _nodes(info: Info, kind: Kind[N], keys: list[Key]) -> list[N]:
    """Return the nodes with these keys, by one statement for all."""

    async def asked(key: Key) -> N | None:
        node: N | None = await one(info, kind, key)
        return node

    found: list[N | None] = await asyncio.gather(*map(asked, keys))
    return [each for each in found if each is not None]


async def _plans(info: Info, product: Key, operations: set[str]) -> list[ImpactedPlan]:
    rows = await info.context.fetch(_SOLD, *product, PLANS)
    overridden: dict[object, set[str]] = {}
    for row in rows:
        limited = {
            each["operation"]
            for each in orjson.loads(row["terms"])["overrides"]
            if each["product_id"] == str(product[1])
        }
        overridden.setdefault(row["plan_id"], set()).update(limited & operations)
    return [
        ImpactedPlan(plan_key=(product[0], plan_id), overridden=sorted(limited))
        for plan_id, limited in overridden.items()
    ]


@strawberry.type
class ImpactQueries:
    """Whom a change hurts."""

    @strawberry.field
    async def impact_of(
        self,
        info: Info,
        *,
        version: Annotated[
            strawberry.ID, strawberry.argument(description="The id of the version.")
        ],
    ) -> ContractImpact | None:
        """Say who was promised what a version changes, against the one in service it follows.

        Null for all but the provider, and for a version that follows none.
        """
        if not visibility.is_provider(info.context.caller):
            return None
        now = await seen_version(info, version)
        before = now and await followed_by(info, now)
        if now is None or before is None:
            return None
        diff = await compared(info, before, now)
        operations = changed([e for e in diff.changes.found if e.level is not Level.INFO])
        (counts,) = await info.context.fetch(_COUNTED, *now.product_key, info.context.now)
        hurt = bool(operations)
        return ContractImpact(
            product_key=now.product_key,
            diff=diff,
            observation=Observation.NOT_OBSERVABLE,
            operations=operations,
            plans=await _plans(info, now.product_key, {each.operation for each in operations})
            if hurt
            else [],
            subscription_count=counts["subscriptions"] if hurt else 0,
            application_count=counts["applications"] if hurt else 0,
            team_count=counts["teams"] if hurt else 0,
        )
