"""Subscriptions: ask for them, decide on them, move them, give them up."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from asyncpg import Record

from controlplane.global_id import named_key
from controlplane.graphql import application, credential, plan, visibility
from controlplane.graphql.as_of import AsOfArgument, look_back
from controlplane.graphql.enums import SubscriptionState
from controlplane.graphql.errors import invalid
from controlplane.graphql.loaders import (
    ORGANIZATION,
    Info,
    Key,
    Kind,
    one,
    one_anywhere,
    same_noun,
    told_at,
)
from controlplane.graphql.node import Node
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
from domain.subscription_life import effective
from projections.paging import Column, Condition

if TYPE_CHECKING:
    from controlplane.graphql.application import Application
    from controlplane.graphql.credential import CredentialConnection
    from controlplane.graphql.plan import Plan, PlanVersion


@strawberry.type
class AcceptedTerms:
    """That somebody agreed to the terms of a plan on behalf of the subscriber."""

    revision: str = strawberry.field(description="Which revision of the terms.")
    accepted_at: datetime = strawberry.field(description="When.")
    accepted_by: str = strawberry.field(
        description="The id under which the audit trail knows who did."
    )


@strawberry.type
class Subscription(Node):
    """The right of one application to call the products of one plan."""

    application_key: strawberry.Private[Key]
    plan_key: strawberry.Private[Key]
    plan_version_number: strawberry.Private[int]
    recorded: strawberry.Private[SubscriptionState]
    comment: str = strawberry.field(description="What the applicant said; plain text.")
    decision_comment: str | None = strawberry.field(
        description="What the provider said last on deciding about it; plain text."
    )
    suspension_reason: str | None = strawberry.field(
        description="Why it is suspended; null when it is not."
    )
    expires_at: datetime | None = strawberry.field(
        description="Until when it may call; null: for ever."
    )
    accepted_terms: AcceptedTerms | None = strawberry.field(
        description="The terms that the subscriber agreed to last."
    )
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
    def state(self, info: Info) -> SubscriptionState:
        """Return where it is in its life at this instant, or at that of `asOf`."""
        return effective(self.recorded, self.expires_at, told_at(info))

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


def _terms(row: Record) -> AcceptedTerms | None:
    if row["terms_revision"] is None:
        return None
    return AcceptedTerms(
        revision=row["terms_revision"],
        accepted_at=row["terms_accepted_at"],
        accepted_by=row["terms_accepted_by"],
    )


def _node(row: Record) -> Subscription:
    organization_id: UUID = row["organization_id"]
    return Subscription(
        key=(organization_id, row["id"]),
        application_key=(organization_id, row["application_id"]),
        plan_key=(organization_id, row["plan_id"]),
        plan_version_number=row["plan_version"],
        recorded=SubscriptionState(row["state"]),
        comment=row["comment"],
        decision_comment=row["decision_comment"],
        suspension_reason=row["suspension_reason"],
        expires_at=row["expires_at"],
        accepted_terms=_terms(row),
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


_STATE = (
    "CASE WHEN n.state IN ('ACTIVE', 'SUSPENDED') AND n.expires_at <= {}"
    " THEN 'EXPIRED' ELSE n.state END = {}"
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
            state and Condition(_STATE, (info.context.now, state.value)),
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
