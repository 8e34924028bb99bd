"""Plans: what is on offer for which products, and on which terms."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import strawberry
from asyncpg import Record

from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.graphql import product, subscription, visibility
from controlplane.graphql.as_of import AsOfArgument, look_back
from controlplane.graphql.catalogue import OfOrganization, in_organization, named_like
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change
from controlplane.graphql.enums import PlanState, PlanVersionState
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import ORGANIZATION, Info, Kind, one, one_anywhere, same_noun
from controlplane.graphql.node import Node, named, named_key
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
from controlplane.graphql.plan_terms import PlanTerms, PlanTermsInput, read_terms, terms_of
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


@strawberry.type
class PlanVersionConnection(Connection[PlanVersion]):
    """Versions of a plan, the first one first."""


@strawberry.type
class Plan(Node):
    """An offer for one or more products."""

    published_number: strawberry.Private[int]
    slug: str = strawberry.field(description="Its name in addresses, unique in the organization.")
    name: str = strawberry.field(description="Its name for people.")
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


@strawberry.type
class PlanConnection(Connection[Plan]):
    """Plans, in the order that was asked for."""


def _plan(row: Record) -> Plan:
    return Plan(
        key=(row["organization_id"], row["id"]),
        published_number=row["published_number"],
        slug=row["slug"],
        name=row["name"],
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


@strawberry.input
class DefinePlanInput(Asked):
    """The offer to begin."""

    slug: str = strawberry.field(
        description="Unique in the organization; 1 to 63 lower-case letters, digits and hyphens."
    )
    name: str = strawberry.field(description="For people; 1 to 200 characters.")
    product_ids: list[strawberry.ID] = strawberry.field(
        description="The ids of the products it sells; 1 to 50, each once."
    )


@strawberry.input
class DraftPlanVersionInput(AskedAtVersion):
    """The terms to write down."""

    plan_id: strawberry.ID = strawberry.field(description="The id of the plan.")
    terms: PlanTermsInput = strawberry.field(description="What the next version promises.")


@strawberry.input
class PublishPlanVersionInput(AskedAtVersion):
    """The plan whose draft goes on sale."""

    plan_id: strawberry.ID = strawberry.field(description="The id of the plan.")


@strawberry.type
class PlanChanged(Changed):
    """The plan, and what happened to it."""

    @strawberry.field
    async def plan(self, info: Info) -> Plan | None:
        """Return the plan; null after a dry run."""
        return await self.node(info, PLAN)


DefinePlanResult = Annotated[
    PlanChanged | Rejected,
    strawberry.union("DefinePlanResult", description="What definePlan did, or why not."),
]
DraftPlanVersionResult = Annotated[
    PlanChanged | Rejected,
    strawberry.union(
        "DraftPlanVersionResult", description="What draftPlanVersion did, or why not."
    ),
]
PublishPlanVersionResult = Annotated[
    PlanChanged | Rejected,
    strawberry.union(
        "PublishPlanVersionResult", description="What publishPlanVersion did, or why not."
    ),
]


@strawberry.type
class PlanMutations:
    """What can be done about plans."""

    @strawberry.mutation
    async def define_plan(self, info: Info, input: DefinePlanInput) -> DefinePlanResult:
        """Begin an offer for some products, without terms yet; needs plan:define."""
        return await change(
            info,
            PlanChanged,
            PLAN,
            input,
            lambda: DefinePlan(
                slug=input.slug,
                name=input.name,
                product_ids=tuple(
                    named(id_, "ApiProduct", "product_ids") for id_ in input.product_ids
                ),
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def draft_plan_version(
        self, info: Info, input: DraftPlanVersionInput
    ) -> DraftPlanVersionResult:
        """Write the terms of the next version down, in place of a draft; needs plan:define."""
        return await change(
            info,
            PlanChanged,
            PLAN,
            input,
            lambda: DraftPlanVersion(
                plan_id=named(input.plan_id, "Plan", "plan_id"),
                terms=read_terms(input.terms),
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def publish_plan_version(
        self, info: Info, input: PublishPlanVersionInput
    ) -> PublishPlanVersionResult:
        """Sell the drafted terms from now on; needs plan:publish."""
        return await change(
            info,
            PlanChanged,
            PLAN,
            input,
            lambda: PublishPlanVersion(
                plan_id=named(input.plan_id, "Plan", "plan_id"), **input.said()
            ),
        )
