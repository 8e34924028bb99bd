"""What can be done about subscriptions, from the request to the end."""

from datetime import datetime
from typing import Any

import strawberry

from controlplane.commands.subscription import (
    AcceptSubscription,
    AcceptTerms,
    CancelSubscription,
    ExpireSubscription,
    ReinstateSubscription,
    RejectSubscription,
    RequestSubscription,
    ResumeSubscription,
    ScheduleSubscriptionExpiry,
    SuspendSubscription,
    TransferSubscription,
)
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change, mutation
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

    def said(self) -> dict[str, Any]:
        """Return what every command about a subscription is told."""
        id_ = named(self.subscription_id, "Subscription", "subscription_id")
        return {**super().said(), "subscription_id": id_}


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
class SubscriptionExpiryInput(SubscriptionInput):
    """A subscription, and its new end."""

    expires_at: datetime | None = strawberry.field(
        default=None, description="Until when it may call; null: for ever."
    )
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


@strawberry.type
class SubscriptionMutations:
    """What can be done about subscriptions."""

    @mutation
    async def request_subscription(
        self, info: Info, input: RequestSubscriptionInput
    ) -> SubscriptionChanged | Rejected:
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

    @mutation
    async def accept_subscription(
        self, info: Info, input: AcceptSubscriptionInput
    ) -> SubscriptionChanged | Rejected:
        """Let the application call the plan; needs subscription:decide."""
        return await change(
            info,
            SubscriptionChanged,
            input,
            lambda: AcceptSubscription(
                **input.said(), expires_at=input.expires_at, comment=input.comment
            ),
        )

    @mutation
    async def reject_subscription(
        self, info: Info, input: RejectSubscriptionInput
    ) -> SubscriptionChanged | Rejected:
        """Keep the application out; needs subscription:decide."""
        return await change(
            info,
            SubscriptionChanged,
            input,
            lambda: RejectSubscription(**input.said(), comment=input.comment),
        )

    @mutation
    async def accept_terms(
        self, info: Info, input: AcceptTermsInput
    ) -> SubscriptionChanged | Rejected:
        """Agree to the terms of the plan as they are by now; needs subscription:request."""
        return await change(
            info,
            SubscriptionChanged,
            input,
            lambda: AcceptTerms(**input.said(), terms_revision=input.terms_revision),
        )

    @mutation
    async def suspend_subscription(
        self, info: Info, input: SuspendSubscriptionInput
    ) -> SubscriptionChanged | Rejected:
        """Keep the application out until it is resumed; needs subscription:suspend."""
        return await change(
            info, SubscriptionChanged, input, lambda: SuspendSubscription(**input.said())
        )

    @mutation
    async def resume_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> SubscriptionChanged | Rejected:
        """Let the application call again, with the same keys; needs subscription:suspend."""
        return await change(
            info, SubscriptionChanged, input, lambda: ResumeSubscription(**input.said())
        )

    @mutation
    async def transfer_subscription(
        self, info: Info, input: TransferSubscriptionInput
    ) -> SubscriptionChanged | Rejected:
        """Go on with the same keys on the version of a plan that is on sale.

        Needs subscription:transfer, and for a plan with manual approval subscription:decide.
        """
        return await change(
            info,
            SubscriptionChanged,
            input,
            lambda: TransferSubscription(
                plan_id=named(input.plan_id, "Plan", "plan_id"),
                terms_revision=input.terms_revision,
                expires_at=input.expires_at,
                **input.said(),
            ),
        )

    @mutation
    async def schedule_subscription_expiry(
        self, info: Info, input: SubscriptionExpiryInput
    ) -> SubscriptionChanged | Rejected:
        """Move the end of an active or suspended subscription, or lift it.

        Needs subscription:decide.
        """
        return await change(
            info,
            SubscriptionChanged,
            input,
            lambda: ScheduleSubscriptionExpiry(
                **input.said(), expires_at=input.expires_at, comment=input.comment
            ),
        )

    @mutation
    async def expire_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> SubscriptionChanged | Rejected:
        """Record that the time of a subscription is over; needs subscription:decide.

        It ends at its `expiresAt` by itself, and a timer records that.
        """
        return await change(
            info, SubscriptionChanged, input, lambda: ExpireSubscription(**input.said())
        )

    @mutation
    async def reinstate_subscription(
        self, info: Info, input: SubscriptionExpiryInput
    ) -> SubscriptionChanged | Rejected:
        """Have a subscription that expired within 90 days be as it was; needs subscription:decide.

        Its keys work again, but for those that were revoked or ended themselves. One that was
        suspended when it expired is suspended.
        """
        return await change(
            info,
            SubscriptionChanged,
            input,
            lambda: ReinstateSubscription(
                **input.said(), expires_at=input.expires_at, comment=input.comment
            ),
        )

    @mutation
    async def cancel_subscription(
        self, info: Info, input: SubscriptionInput
    ) -> SubscriptionChanged | Rejected:
        """Give the right, or the request for it, up for good; needs subscription:cancel.

        Also what has expired, so that nobody reinstates it.
        """
        return await change(
            info, SubscriptionChanged, input, lambda: CancelSubscription(**input.said())
        )
