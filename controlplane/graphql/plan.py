"""Plans: what is on offer for which products, and on which terms."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import strawberry
from asyncpg import Record

from controlplane.global_id import global_id, named_key
from controlplane.graphql import product, subscription, visibility
from controlplane.graphql.as_of import AsOfArgument, look_back
from controlplane.graphql.catalogue import OfOrganization, in_organization, named_like
from controlplane.graphql.enums import PlanState, PlanVersionState, Visibility
from controlplane.graphql.loaders import ORGANIZATION, Info, Kind, one, one_anywhere, same_noun
from controlplane.graphql.node import Node
from controlplane.graphql.paging import (
    NAMED,
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Order,
    OrderBy,
    Window,
    nested,
    page,
)
from controlplane.graphql.plan_terms import PlanTerms, terms_of
from projections.paging import Column, Condition

if TYPE_CHECKING:
    from controlplane.graphql.product import ApiProductConnection
    from controlplane.graphql.subscription import SubscriptionConnection


@strawberry.type
class PlanVersion(Node):
    """The terms of a plan between two changes of them."""

    number: int = strawberry.field(description="Counts the versions of the plan from 1.")
    state: PlanVersionState = strawberry.field(description="Where it is in its life.")
    terms: PlanTerms = strawberry.field(description="What it promises.")
    changed_at: datetime = strawberry.field(description="When it changed last.")
    published_at: datetime | None = strawberry.field(
        description="Since when its terms bind; null of a draft."
    )


@strawberry.type
class PlanVersionConnection(Connection[PlanVersion]):
    """Versions of a plan, the first one first."""


@strawberry.type
class Plan(Node):
    """An offer for one or more products."""

    published_number: strawberry.Private[int]
    audience: strawberry.Private[str]
    slug: str = strawberry.field(description="Its name in addresses, unique in the organization.")
    name: str = strawberry.field(description="Its name for people.")
    visibility: Visibility = strawberry.field(description="Who finds it once it is on sale.")
    state: PlanState = strawberry.field(description="Where it is in its life.")
    version: int = strawberry.field(description="How often it changed, for expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was defined.")
    changed_at: datetime = strawberry.field(description="When it changed last.")
    versions: PlanVersionConnection = strawberry.field(
        resolver=nested(lambda: VERSIONS_OF_PLAN), description="Its terms over time, first to last."
    )
    products: Annotated["ApiProductConnection", strawberry.lazy("controlplane.graphql.product")] = (
        strawberry.field(
            resolver=nested(lambda: product.OF_PLAN), description="What it sells, in its own order."
        )
    )
    subscriptions: Annotated[
        "SubscriptionConnection", strawberry.lazy("controlplane.graphql.subscription")
    ] = strawberry.field(
        resolver=nested(lambda: subscription.OF_PLAN), description="Who subscribed, oldest first."
    )

    @strawberry.field
    async def current_version(self, info: Info) -> PlanVersion | None:
        """Return the version on sale; null before the first is published."""
        return await one(info, PLAN_VERSION, (*self.key, self.published_number))

    @strawberry.field
    def team_ids(self, info: Info) -> list[strawberry.ID] | None:
        """Return the ids of the teams it is offered to by its visibility; null for consumers."""
        if not visibility.is_provider(info.context.caller):
            return None
        return [strawberry.ID(global_id("Team", (team,))) for team in orjson.loads(self.audience)]


@strawberry.type
class PlanConnection(Connection[Plan]):
    """Plans, in the order that was asked for."""


def _plan(row: Record) -> Plan:
    return Plan(
        key=(row["organization_id"], row["id"]),
        published_number=row["published_number"],
        slug=row["slug"],
        name=row["name"],
        visibility=Visibility(row["visibility"]),
        audience=row["team_ids"],
        state=PlanState(row["state"]),
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


def _version(row: Record) -> PlanVersion:
    return PlanVersion(
        key=(row["organization_id"], row["plan_id"], row["number"]),
        number=row["number"],
        state=PlanVersionState(row["state"]),
        terms=terms_of(orjson.loads(row["terms"])),
        changed_at=row["changed_at"],
        published_at=row["published_at"],
    )


PLAN = Kind("Plan", "plan", visibility.plans, "catalogue:read", _plan, same_noun("plan"))
PLAN_VERSION = Kind(
    "PlanVersion",
    "plan_version",
    visibility.plan_versions,
    "catalogue:read",
    _version,
    key=(ORGANIZATION, Column("n.plan_id", "uuid"), Column("n.number", "bigint")),
)
ALL: Listing[Plan] = Listing(PLAN, PlanConnection, orders=NAMED)
OF_PRODUCT: Listing[Plan] = Listing(
    PLAN,
    PlanConnection,
    parents=(Column("sold.organization_id", "uuid"), Column("sold.product_id", "uuid")),
    joins="JOIN plan_product AS sold"
    " ON sold.organization_id = n.organization_id AND sold.plan_id = n.id",
    orders=NAMED,
)
VERSIONS_OF_PLAN: Listing[PlanVersion] = Listing(
    PLAN_VERSION,
    PlanVersionConnection,
    parents=(ORGANIZATION, Column("n.plan_id", "uuid")),
    orders={"NUMBER": (Column("n.number", "bigint"),)},
)


@strawberry.type
class PlanQueries:
    """What can be read about plans."""

    @strawberry.field
    async def plans(
        self,
        info: Info,
        *,
        state: Annotated[
            PlanState | None, strawberry.argument(description="Only those in this state.")
        ] = None,
        visibility: Annotated[
            Visibility | None, strawberry.argument(description="Only those that these find.")
        ] = None,
        slug: Annotated[
            str | None, strawberry.argument(description="Only those with this slug.")
        ] = None,
        search: Annotated[
            str | None,
            strawberry.argument(description="Only those whose name begins so, in whichever case."),
        ] = None,
        organization: OfOrganization = None,
        order_by: OrderBy = Order.NAME_ASC,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> PlanConnection:
        """List the plans the caller may see; without a token those that sell public products."""
        conditions = (
            state and Condition("n.state = {}", (state.value,)),
            visibility and Condition("n.visibility = {}", (visibility.value,)),
            Condition("n.slug = {}", (slug,)) if slug is not None else None,
            named_like(search),
            in_organization(organization),
        )
        window = Window(first, after, last, before)
        found: PlanConnection = await page(
            info, ALL, window, conditions=conditions, order=order_by.value
        )
        return found

    @strawberry.field
    async def plan(
        self,
        info: Info,
        *,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")],
        as_of: AsOfArgument = None,
    ) -> Plan | None:
        """Return one plan, null if the caller sees none such."""
        await look_back(info, as_of)
        return await one_anywhere(info, PLAN, named_key(id, "Plan", ("uuid",)) or (None,))
