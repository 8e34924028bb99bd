"""Commands about plans."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.plan import Plan, PlanTerms


@dataclass(frozen=True, kw_only=True)
class DefinePlan(Command):
    """Think of an offer for some products."""

    permission = "plan:define"
    slug: str
    name: str
    product_ids: tuple[UUID, ...]

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a plan, whose slug is unique in the organization."""
        plan = Plan.define(
            context.services.new_id(),
            slug=self.slug,
            name=self.name,
            product_ids=list(self.product_ids),
            at=work.at,
            why=work.why,
        )
        for product_id in self.product_ids:
            await work.get(ApiProduct, product_id, "product_ids")
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

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Draft the next version, in place of an earlier draft."""
        (await self.get(work)).draft_version(self.terms, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class PublishPlanVersion(PlanCommand):
    """Sell the drafted terms from now on."""

    permission = "plan:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Publish the draft; existing subscriptions stay on their version."""
        (await self.get(work)).publish_version(at=work.at, why=work.why)
