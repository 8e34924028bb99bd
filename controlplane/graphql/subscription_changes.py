"""What can be done about subscriptions, from the request to the end."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any

import strawberry

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
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named
from controlplane.graphql.subscription import SUBSCRIPTION, Subscription

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

    kinds = (SUBSCRIPTION,)

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
