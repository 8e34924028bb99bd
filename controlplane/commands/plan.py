"""Commands about plans."""

from dataclasses import dataclass, replace
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.commands.api_product import require_teams
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.audience import Visibility
from domain.plan import Plan
from domain.plan_life import KeylessPlanExistsError
from domain.plan_terms import Agreement, PlanTerms, agreed_text
from domain.reservation import AlreadyTakenError

KEYLESS = "keyless"
"""What a plan takes of a product that lets in calls without a key: such a call names no plan."""


@dataclass(frozen=True, kw_only=True)
class DefinePlan(Command):
    """Think of an offer for some products."""

    permission = "plan:define"
    slug: str
    name: str
    product_ids: tuple[UUID, ...]
    visibility: Visibility = Visibility.PUBLIC
    team_ids: tuple[UUID, ...] = ()

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a plan, whose slug is unique in the organization."""
        plan = Plan.define(
            context.services.new_id(),
            slug=self.slug,
            name=self.name,
            product_ids=list(self.product_ids),
            visibility=self.visibility,
            team_ids=list(self.team_ids),
            at=work.at,
            why=work.why,
        )
        for product_id in self.product_ids:
            await work.get(ApiProduct, product_id, "product_ids")
        await require_teams(work, self.team_ids)
        await work.reserve("plan", self.slug, plan.id, "slug")
        work.add(plan)


@dataclass(frozen=True, kw_only=True)
class PlanCommand(Command):
    """Something asked of one plan, if need be at one version of it."""

    plan_id: UUID
    expected_version: int | None = None

    async def get(self, work: UnitOfWork) -> Plan:
        """Return the plan this is about."""
        return await work.get(Plan, self.plan_id, "plan_id", expected_version=self.expected_version)


@dataclass(frozen=True, kw_only=True)
class DraftPlanVersion(PlanCommand):
    """Write the terms of the next version down."""

    permission = "plan:define"
    terms: PlanTerms
    agreement_revision: str = ""
    agreement_text: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Draft the next version, in place of an earlier draft; its legal text is a document."""
        plan, terms = await self.get(work), self.terms
        if self.agreement_revision or self.agreement_text:
            document = agreed_text(self.agreement_revision, self.agreement_text)
            agreement = Agreement(self.agreement_revision.strip(), work.attach(document))
            terms = replace(terms, agreement=agreement)
        plan.draft_version(terms, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class RenamePlan(PlanCommand):
    """Give a plan another name for people."""

    permission = "plan:define"
    name: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Rename it; its slug stays."""
        (await self.get(work)).rename(self.name, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class ChoosePlanAudience(PlanCommand):
    """Say who finds a plan and may subscribe to it."""

    permission = "plan:publish"
    visibility: Visibility
    team_ids: tuple[UUID, ...] = ()

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Choose everyone, the organization, or teams of it; subscriptions there are go on."""
        plan = await self.get(work)
        plan.choose_audience(self.visibility, list(self.team_ids), at=work.at, why=work.why)
        await require_teams(work, self.team_ids)


@dataclass(frozen=True, kw_only=True)
class PublishPlanVersion(PlanCommand):
    """Sell the drafted terms from now on."""

    permission = "plan:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Publish the draft; existing subscriptions stay on their version."""
        plan = await self.get(work)
        let_in_everyone = plan.lets_in_everyone
        plan.publish_version(at=work.at, why=work.why)
        if plan.lets_in_everyone and not let_in_everyone:
            await _open_products(work, plan)
        elif let_in_everyone and not plan.lets_in_everyone:
            await _close_products(work, plan)


class DeprecatePlan(PlanCommand):
    """Advise against a plan."""

    permission = "plan:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Deprecate a published plan; it is still sold."""
        (await self.get(work)).deprecate(at=work.at, why=work.why)


class WithdrawPlanDeprecation(PlanCommand):
    """Recommend a deprecated plan again."""

    permission = "plan:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make it published."""
        (await self.get(work)).withdraw_deprecation(at=work.at, why=work.why)


class ClosePlan(PlanCommand):
    """Sell a plan to nobody any more."""

    permission = "plan:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Close it for ever; its subscriptions go on."""
        plan = await self.get(work)
        let_in_everyone = plan.lets_in_everyone
        plan.close(at=work.at, why=work.why)
        if let_in_everyone:
            await _close_products(work, plan)


async def _open_products(work: UnitOfWork, plan: Plan) -> None:
    """Have calls without a key be those of this plan alone. Raises KeylessPlanExistsError."""
    for product_id in plan.product_ids:
        try:
            await work.reserve(KEYLESS, str(product_id), plan.id, "plan_id")
        except AlreadyTakenError:
            raise KeylessPlanExistsError("plan_id") from None


async def _close_products(work: UnitOfWork, plan: Plan) -> None:
    """Leave calls without a key to another plan, if they were those of this one."""
    for product_id in plan.product_ids:
        await work.release(KEYLESS, str(product_id), plan.id)
