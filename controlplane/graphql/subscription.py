"""Subscriptions: ask for them, decide on them, give them up."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from asyncpg import Record

from controlplane.commands.subscription import (
    AcceptSubscription,
    CancelSubscription,
    RejectSubscription,
    RequestSubscription,
    SubscriptionCommand,
)
from controlplane.graphql import application, credential, plan, visibility
from controlplane.graphql.as_of import AsOfArgument, look_back
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change
from controlplane.graphql.enums import SubscriptionState
from controlplane.graphql.errors import Rejected, invalid
from controlplane.graphql.loaders import (
    ORGANIZATION,
    Info,
    Key,
    Kind,
    one,
    one_anywhere,
    same_noun,
)
from controlplane.graphql.node import Node, named, named_key
from controlplane.graphql.paging import (
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Window,
    nested,
    page,
)
from projections.paging import Column, Condition

if TYPE_CHECKING:
    from controlplane.graphql.application import Application
    from controlplane.graphql.credential import CredentialConnection
    from controlplane.graphql.plan import Plan, PlanVersion


@strawberry.type
class Subscription(Node):
    """The right of one application to call the products of one plan."""

    application_key: strawberry.Private[Key]
    plan_key: strawberry.Private[Key]
    plan_version_number: strawberry.Private[int]
    state: SubscriptionState = strawberry.field(description="Where it is in its life.")
    version: int = strawberry.field(description="How often it changed, for expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    changed_at: datetime = strawberry.field(description="When it changed last.")
    credentials: Annotated[
        "CredentialConnection", strawberry.lazy("controlplane.graphql.credential")
    ] = strawberry.field(
        resolver=nested(lambda: credential.OF_SUBSCRIPTION),
        description="The keys that were issued for it, oldest first.",
    )

    @strawberry.field
    async def application(
        self, info: Info
    ) -> Annotated["Application", strawberry.lazy("controlplane.graphql.application")] | None:
        """Return the application that may call."""
        return await one(info, application.APPLICATION, self.application_key)

    @strawberry.field
    async def plan(
        self, info: Info
    ) -> Annotated["Plan", strawberry.lazy("controlplane.graphql.plan")] | None:
        """Return the plan it is for."""
        return await one(info, plan.PLAN, self.plan_key)

    @strawberry.field
    async def plan_version(
        self, info: Info
    ) -> Annotated["PlanVersion", strawberry.lazy("controlplane.graphql.plan")] | None:
        """Return the version of the plan whose terms it keeps."""
        return await one(info, plan.PLAN_VERSION, (*self.plan_key, self.plan_version_number))


@strawberry.type
class SubscriptionConnection(Connection[Subscription]):
    """Subscriptions, oldest first."""


def _node(row: Record) -> Subscription:
    organization_id: UUID = row["organization_id"]
    return Subscription(
        key=(organization_id, row["id"]),
        application_key=(organization_id, row["application_id"]),
        plan_key=(organization_id, row["plan_id"]),
        plan_version_number=row["plan_version"],
        state=SubscriptionState(row["state"]),
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


SUBSCRIPTION = Kind(
    "Subscription",
    "subscription",
    visibility.subscriptions,
    "subscription:read",
    _node,
    same_noun("subscription"),
)
ALL: Listing[Subscription] = Listing(SUBSCRIPTION, SubscriptionConnection)
OF_APPLICATION: Listing[Subscription] = Listing(
    SUBSCRIPTION,
    SubscriptionConnection,
    parents=(ORGANIZATION, Column("n.application_id", "uuid")),
)
OF_PLAN: Listing[Subscription] = Listing(
    SUBSCRIPTION, SubscriptionConnection, parents=(ORGANIZATION, Column("n.plan_id", "uuid"))
)


def _about(column: str, id_: str | None, name: str) -> Condition | None:
    if id_ is None:
        return None
    key = named_key(id_, name, ("uuid",))
    if key is None:
        raise invalid(f"That is not the id of a thing of the type {name}.")
    return Condition(f"{column} = {{}}", key)


@strawberry.type
class SubscriptionQueries:
    """What can be read about subscriptions."""

    @strawberry.field
    async def subscriptions(
        self,
        info: Info,
        *,
        state: Annotated[
            SubscriptionState | None, strawberry.argument(description="Only those in this state.")
        ] = None,
        plan: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this plan's id.")
        ] = None,
        application: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only those of this application's id."),
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> SubscriptionConnection:
        """List subscriptions, for a developer those of their team; needs subscription:read."""
        conditions = (
            state and Condition("n.state = {}", (state.value,)),
            _about("n.plan_id", plan, "Plan"),
            _about("n.application_id", application, "Application"),
        )
        window = Window(first, after, last, before)
        found: SubscriptionConnection = await page(info, ALL, window, conditions=conditions)
        return found

    @strawberry.field
    async def subscription(
        self,
        info: Info,
        *,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")],
        as_of: AsOfArgument = None,
    ) -> Subscription | None:
        """Return one subscription, null if the caller sees none such."""
        await look_back(info, as_of)
        key = named_key(id, "Subscription", ("uuid",))
        return await one_anywhere(info, SUBSCRIPTION, key or (None,))


@strawberry.input
class RequestSubscriptionInput(Asked):
    """An application, and the plan it wants."""

    application_id: strawberry.ID = strawberry.field(description="The id of the application.")
    plan_id: strawberry.ID = strawberry.field(description="The id of the plan.")


@strawberry.input
class SubscriptionInput(AskedAtVersion):
    """The subscription to decide on, or to give up."""

    subscription_id: strawberry.ID = strawberry.field(description="The id of the subscription.")


@strawberry.type
class SubscriptionChanged(Changed):
    """The subscription, and what happened to it."""

    @strawberry.field
    async def subscription(self, info: Info) -> Subscription | None:
        """Return the subscription; null after a dry run."""
        return await self.node(info, SUBSCRIPTION)


RequestSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "RequestSubscriptionResult", description="What requestSubscription did, or why not."
    ),
]
AcceptSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "AcceptSubscriptionResult", description="What acceptSubscription did, or why not."
    ),
]
RejectSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "RejectSubscriptionResult", description="What rejectSubscription did, or why not."
    ),
]
CancelSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "CancelSubscriptionResult", description="What cancelSubscription did, or why not."
    ),
]


def _decide(
    command: type[SubscriptionCommand], info: Info, input: SubscriptionInput
) -> Awaitable[SubscriptionChanged | Rejected]:
    return change(
        info,
        SubscriptionChanged,
        SUBSCRIPTION,
        input,
        lambda: command(
            subscription_id=named(input.subscription_id, "Subscription", "subscription_id"),
            **input.said(),
        ),
    )


@strawberry.type
class SubscriptionMutations:
    """What can be done about subscriptions."""

    @strawberry.mutation
    async def request_subscription(
        self, info: Info, input: RequestSubscriptionInput
    ) -> RequestSubscriptionResult:
        """Ask for a plan on behalf of an application; needs subscription:request."""
        return await change(
            info,
            SubscriptionChanged,
            SUBSCRIPTION,
            input,
            lambda: RequestSubscription(
                application_id=named(input.application_id, "Application", "application_id"),
                plan_id=named(input.plan_id, "Plan", "plan_id"),
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def accept_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> AcceptSubscriptionResult:
        """Let the application call the plan; needs subscription:decide."""
        return await _decide(AcceptSubscription, info, input)

    @strawberry.mutation
    async def reject_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> RejectSubscriptionResult:
        """Keep the application out; needs subscription:decide."""
        return await _decide(RejectSubscription, info, input)

    @strawberry.mutation
    async def cancel_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> CancelSubscriptionResult:
        """Give the right, or the request for it, up; needs subscription:cancel."""
        return await _decide(CancelSubscription, info, input)
