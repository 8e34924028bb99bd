"""Commands about subscriptions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from controlplane.commands import (
    Command,
    NotFoundError,
    NotPermittedError,
    UnitOfWork,
    require_team,
)
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.application import Application
from domain.plan import Plan
from domain.plan_life import PlanNotForTeamError
from domain.plan_terms import Approval
from domain.subscription import TRIAL_DAYS_MAX, Subscription
from domain.subscription_life import TermsNotAcceptedError


@dataclass(frozen=True, kw_only=True)
class RequestSubscription(Command):
    """Ask for a plan on behalf of an application."""

    permission = "subscription:request"
    application_id: UUID
    plan_id: UUID
    terms_revision: str = ""
    comment: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a subscription to the version on sale, active at once if the plan says so.

        If its terms have a revision, exactly that one is to be accepted.
        """
        application = await work.get(Application, self.application_id, "application_id")
        require_team(context, application.team_id, "application_id")
        plan = await _offered(work, context, self.plan_id, application.team_id)
        subscription = Subscription.request(
            context.services.new_id(),
            application_id=self.application_id,
            team_id=application.team_id,
            plan_id=self.plan_id,
            plan_version=plan.offered_version(),
            trial_days=plan.conditions()[1],
            comment=self.comment,
            at=work.at,
            why=work.why,
        )
        _accept_terms(subscription, plan, self.terms_revision, work)
        if plan.approval == Approval.AUTOMATIC.value:
            subscription.accept(at=work.at, why=work.why)
        work.add(subscription)


@dataclass(frozen=True, kw_only=True)
class SubscriptionCommand(Command):
    """Something asked of one subscription, if need be at one version of it."""

    subscription_id: UUID
    expected_version: int | None = None

    async def get(self, work: UnitOfWork, context: Context) -> Subscription:
        """Return the subscription this is about, if the caller sees its team."""
        subscription = await work.get(
            Subscription,
            self.subscription_id,
            "subscription_id",
            expected_version=self.expected_version,
        )
        require_team(context, subscription.team_id, "subscription_id")
        return subscription


@dataclass(frozen=True, kw_only=True)
class AcceptSubscription(SubscriptionCommand):
    """Let the application call the plan."""

    permission = "subscription:decide"
    expires_at: datetime | None = None
    comment: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Make a pending subscription active, by default for the trial of the plan or for ever."""
        subscription = await self.get(work, context)
        subscription.accept(
            expires_at=self.expires_at, comment=self.comment, at=work.at, why=work.why
        )


@dataclass(frozen=True, kw_only=True)
class RejectSubscription(SubscriptionCommand):
    """Keep the application out."""

    permission = "subscription:decide"
    comment: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Reject a pending subscription."""
        subscription = await self.get(work, context)
        subscription.reject(comment=self.comment, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class AcceptTerms(SubscriptionCommand):
    """Agree to the revision of the terms that is in force by now."""

    permission = "subscription:request"
    terms_revision: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Keep that the subscriber agreed; if the plan names a revision, to that one."""
        subscription = await self.get(work, context)
        plan = await work.get(Plan, subscription.plan_id, "subscription_id")
        if not self.terms_revision:
            raise TermsNotAcceptedError("terms_revision")
        _accept_terms(subscription, plan, self.terms_revision, work)


class SuspendSubscription(SubscriptionCommand):
    """Keep the application out until it is resumed; the reason is for the team to read."""

    permission = "subscription:suspend"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Suspend an active subscription."""
        (await self.get(work, context)).suspend(at=work.at, why=work.why)


class ResumeSubscription(SubscriptionCommand):
    """Let the application call again."""

    permission = "subscription:suspend"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Resume a suspended subscription."""
        (await self.get(work, context)).resume(at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class TransferSubscription(SubscriptionCommand):
    """Go on with the same keys on the version of a plan that is on sale."""

    permission = "subscription:transfer"
    plan_id: UUID
    terms_revision: str = ""
    expires_at: datetime | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Transfer an active subscription.

        Who may not decide on subscriptions goes only where everybody is accepted, and no
        further than the trial there.
        """
        subscription = await self.get(work, context)
        plan = await _offered(work, context, self.plan_id, subscription.team_id)
        number = plan.offered_version()
        decides = "subscription:decide" in context.caller.permissions
        if not decides and plan.approval != Approval.AUTOMATIC.value:
            raise NotPermittedError("plan_id", "The plan wants approval: it needs its provider.")
        expires_at = self.expires_at if decides else None
        if expires_at is None and self.plan_id == subscription.plan_id:
            expires_at = subscription.expires_at
        elif expires_at is None and (days := plan.conditions()[1]) is not None:
            expires_at = work.at + timedelta(days=min(days, TRIAL_DAYS_MAX))
        subscription.transfer(
            plan_id=self.plan_id,
            plan_version=number,
            expires_at=expires_at,
            at=work.at,
            why=work.why,
        )
        _accept_terms(subscription, plan, self.terms_revision, work)


@dataclass(frozen=True, kw_only=True)
class ScheduleSubscriptionExpiry(SubscriptionCommand):
    """Say until when a subscription lasts."""

    permission = "subscription:decide"
    expires_at: datetime | None = None
    comment: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Move the end of an active or suspended subscription, or take it away."""
        subscription = await self.get(work, context)
        subscription.schedule_expiry(
            self.expires_at, comment=self.comment, at=work.at, why=work.why
        )


class ExpireSubscription(SubscriptionCommand):
    """Record that the time of a subscription is over; a timer asks for it."""

    permission = "subscription:decide"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Expire a subscription that is due."""
        (await self.get(work, context)).expire(at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class ReinstateSubscription(SubscriptionCommand):
    """Give the right back after its time was over, with the keys that have not ended."""

    permission = "subscription:decide"
    expires_at: datetime | None = None
    comment: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Have a subscription that expired of late be as it was before."""
        subscription = await self.get(work, context)
        subscription.reinstate(self.expires_at, comment=self.comment, at=work.at, why=work.why)


class CancelSubscription(SubscriptionCommand):
    """Give the right, or the request for it, up."""

    permission = "subscription:cancel"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Cancel a subscription, whatever it is, unless it was rejected or cancelled."""
        (await self.get(work, context)).cancel(at=work.at, why=work.why)


async def _offered(work: UnitOfWork, context: Context, plan_id: UUID, team_id: UUID) -> Plan:
    """Return a plan that is for a team, and so is all that it sells.

    Raises PlanNotForTeamError; to the team itself NotFoundError: it does not find such a plan.
    """
    plan = await work.get(Plan, plan_id, "plan_id")
    products = [await work.get(ApiProduct, each, "plan_id") for each in plan.product_ids]
    if plan.is_for(team_id) and all(each.is_for(team_id) for each in products):
        return plan
    if context.caller.team_id is not None:
        raise NotFoundError("plan_id")
    raise PlanNotForTeamError("plan_id")


def _accept_terms(subscription: Subscription, plan: Plan, said: str, work: UnitOfWork) -> None:
    """Keep what the subscriber agreed to. Raises TermsNotAcceptedError."""
    wanted, _ = plan.conditions()
    if wanted and said != wanted:
        raise TermsNotAcceptedError("terms_revision", f"It is {wanted}.")
    if said:
        subscription.accept_terms(said, at=work.at, why=work.why)
