"""Commands about subscriptions and their credentials."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controlplane.commands import Command, NotFoundError, UnitOfWork, require_team
from controlplane.context import Context
from controlplane.secret import KEY_PREFIX, SECRET_BYTES, mint
from domain.application import Application
from domain.plan import Approval, Plan
from domain.subscription import Subscription


@dataclass(frozen=True, kw_only=True)
class RequestSubscription(Command):
    """Ask for a plan on behalf of an application."""

    permission = "subscription:request"
    application_id: UUID
    plan_id: UUID

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a subscription to the version on sale, active at once if the plan says so."""
        application = await work.get(Application, self.application_id, "application_id")
        require_team(context, application.team_id, "application_id")
        plan = await work.get(Plan, self.plan_id, "plan_id")
        if context.caller.team_id is not None and not plan.is_for(application.team_id):
            raise NotFoundError("plan_id")  # what one does not find one cannot ask for
        subscription = Subscription.request(
            context.services.new_id(),
            application_id=self.application_id,
            team_id=application.team_id,
            plan_id=self.plan_id,
            plan_version=plan.offered_version(application.team_id),
            at=work.at,
            why=work.why,
        )
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


class AcceptSubscription(SubscriptionCommand):
    """Let the application call the plan."""

    permission = "subscription:decide"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Make a pending subscription active."""
        (await self.get(work, context)).accept(at=work.at, why=work.why)


class RejectSubscription(SubscriptionCommand):
    """Keep the application out."""

    permission = "subscription:decide"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Reject a pending subscription."""
        (await self.get(work, context)).reject(at=work.at, why=work.why)


class CancelSubscription(SubscriptionCommand):
    """Give the right, or the request for it, up."""

    permission = "subscription:cancel"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Cancel a pending or active subscription."""
        (await self.get(work, context)).cancel(at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class IssueCredential(SubscriptionCommand):
    """Hand a key out; the answer's secret is the only time it is seen."""

    permission = "credential:issue"
    not_after: datetime | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Mint a key and keep its hashes."""
        subscription = await self.get(work, context)
        services = context.services
        key = mint(KEY_PREFIX, services.new_id(), services.entropy(SECRET_BYTES))
        subscription.issue_credential(
            key.id,
            sha256=key.sha256,
            sha1=key.sha1,
            not_after=self.not_after,
            at=work.at,
            why=work.why,
        )
        work.secret = key.text


@dataclass(frozen=True, kw_only=True)
class RevokeCredential(SubscriptionCommand):
    """Refuse a key from now on."""

    permission = "credential:revoke"
    credential_id: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Revoke one credential for ever."""
        subscription = await self.get(work, context)
        subscription.revoke_credential(self.credential_id, at=work.at, why=work.why)
