"""Subscriptions: ask for them, decide on them, move them, give them up."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry
from asyncpg import Record

from controlplane.commands.subscription import (
    AcceptSubscription,
    AcceptTerms,
    CancelSubscription,
    ExpireSubscription,
    RejectSubscription,
    RequestSubscription,
    ResumeSubscription,
    SubscriptionCommand,
    SuspendSubscription,
    TransferSubscription,
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
from domain.subscription import effective
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
        description="What the provider said on accepting or rejecting; plain text."
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
        """Return where it is in its life at this instant."""
        return effective(self.recorded, self.expires_at, info.context.now)

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


_COMMENT = (
    "For the other side to read; at most 20,000 characters of plain text. It is kept for ever as"
    " it is: no names of people."
)


@strawberry.input
class RequestSubscriptionInput(Asked):
    """An application, and the plan it wants."""

    application_id: strawberry.ID = strawberry.field(description="The id of the application.")
    plan_id: strawberry.ID = strawberry.field(description="The id of the plan.")
    terms_revision: str = strawberry.field(
        default="",
        description="The revision of the terms that the subscriber agrees to; must be that of the"
        " plan's version on sale, if it has one.",
    )
    comment: str = strawberry.field(default="", description=_COMMENT)


@strawberry.input
class SubscriptionInput(AskedAtVersion):
    """The subscription to resume, to give up, or whose time is over."""

    subscription_id: strawberry.ID = strawberry.field(description="The id of the subscription.")


@strawberry.input
class AcceptSubscriptionInput(SubscriptionInput):
    """The pending subscription to let in."""

    expires_at: datetime | None = strawberry.field(
        default=None,
        description="Until when it may call; null: for the plan's trial, or for ever without one.",
    )
    comment: str = strawberry.field(default="", description=_COMMENT)


@strawberry.input
class RejectSubscriptionInput(SubscriptionInput):
    """The pending subscription to keep out."""

    comment: str = strawberry.field(default="", description=_COMMENT)


@strawberry.input
class SuspendSubscriptionInput(SubscriptionInput):
    """The active subscription to suspend; its `reason` must be given, and is for the team."""


@strawberry.input
class AcceptTermsInput(SubscriptionInput):
    """The subscription whose subscriber agrees to terms."""

    terms_revision: str = strawberry.field(
        description="The revision; must be that of the plan's version on sale, if it has one."
    )


@strawberry.input
class TransferSubscriptionInput(SubscriptionInput):
    """The active subscription that goes on elsewhere."""

    plan_id: strawberry.ID = strawberry.field(
        description="The id of the plan; the same one for its newer version."
    )
    terms_revision: str = strawberry.field(default="", description="As of requestSubscription.")
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="Until when it may call, if the caller has subscription:decide; null: as it"
        " was on the same plan, for the trial of another plan, or for ever without one.",
    )


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
SuspendSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "SuspendSubscriptionResult", description="What suspendSubscription did, or why not."
    ),
]
ResumeSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "ResumeSubscriptionResult", description="What resumeSubscription did, or why not."
    ),
]
TransferSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "TransferSubscriptionResult", description="What transferSubscription did, or why not."
    ),
]
ExpireSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "ExpireSubscriptionResult", description="What expireSubscription did, or why not."
    ),
]
CancelSubscriptionResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union(
        "CancelSubscriptionResult", description="What cancelSubscription did, or why not."
    ),
]
AcceptTermsResult = Annotated[
    SubscriptionChanged | Rejected,
    strawberry.union("AcceptTermsResult", description="What acceptTerms did, or why not."),
]


def _decide(
    command: type[SubscriptionCommand],
    info: Info,
    input: SubscriptionInput,
    **more: Any,  # noqa: ANN401  # fields of the command
) -> Awaitable[SubscriptionChanged | Rejected]:
    return change(
        info,
        SubscriptionChanged,
        SUBSCRIPTION,
        input,
        lambda: command(
            subscription_id=named(input.subscription_id, "Subscription", "subscription_id"),
            **input.said(),
            **more,
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
                terms_revision=input.terms_revision,
                comment=input.comment,
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def accept_subscription(
        self, info: Info, input: AcceptSubscriptionInput
    ) -> AcceptSubscriptionResult:
        """Let the application call the plan; needs subscription:decide."""
        return await _decide(
            AcceptSubscription, info, input, expires_at=input.expires_at, comment=input.comment
        )

    @strawberry.mutation
    async def reject_subscription(
        self, info: Info, input: RejectSubscriptionInput
    ) -> RejectSubscriptionResult:
        """Keep the application out; needs subscription:decide."""
        return await _decide(RejectSubscription, info, input, comment=input.comment)

    @strawberry.mutation
    async def accept_terms(self, info: Info, input: AcceptTermsInput) -> AcceptTermsResult:
        """Agree to the terms of the plan as they are by now; needs subscription:request."""
        return await _decide(AcceptTerms, info, input, terms_revision=input.terms_revision)

    @strawberry.mutation
    async def suspend_subscription(
        self, info: Info, input: SuspendSubscriptionInput
    ) -> SuspendSubscriptionResult:
        """Keep the application out until it is resumed; needs subscription:suspend."""
        return await _decide(SuspendSubscription, info, input)

    @strawberry.mutation
    async def resume_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> ResumeSubscriptionResult:
        """Let the application call again, with the same keys; needs subscription:suspend."""
        return await _decide(ResumeSubscription, info, input)

    @strawberry.mutation
    async def transfer_subscription(
        self, info: Info, input: TransferSubscriptionInput
    ) -> TransferSubscriptionResult:
        """Go on with the same keys on the version of a plan that is on sale.

        Needs subscription:transfer, and for a plan with manual approval subscription:decide.
        """
        return await change(
            info,
            SubscriptionChanged,
            SUBSCRIPTION,
            input,
            lambda: TransferSubscription(
                subscription_id=named(input.subscription_id, "Subscription", "subscription_id"),
                plan_id=named(input.plan_id, "Plan", "plan_id"),
                terms_revision=input.terms_revision,
                expires_at=input.expires_at,
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def expire_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> ExpireSubscriptionResult:
        """Record that the time of a subscription is over; needs subscription:decide.

        It ends at its `expiresAt` by itself, and a timer records that.
        """
        return await _decide(ExpireSubscription, info, input)

    @strawberry.mutation
    async def cancel_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> CancelSubscriptionResult:
        """Give the right, or the request for it, up; needs subscription:cancel."""
        return await _decide(CancelSubscription, info, input)
