"""What can be done about plans, from the first idea until they are closed."""

from dataclasses import fields
from typing import Any

import strawberry

from controlplane.commands.plan import (
    ChoosePlanAudience,
    ClosePlan,
    DefinePlan,
    DeprecatePlan,
    DraftPlanVersion,
    PublishPlanVersion,
    RenamePlan,
    WithdrawPlanDeprecation,
)
from controlplane.graphql.catalogue import Audience, named_teams
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change, mutation
from controlplane.graphql.enums import Visibility
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named
from controlplane.graphql.plan import PLAN, Plan
from controlplane.graphql.plan_terms_input import PlanTermsInput, read_terms
from domain.plan_terms import PlanTerms


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
    visibility: Visibility = strawberry.field(
        default=Visibility.PUBLIC, description="Who finds it once it is on sale."
    )
    team_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="With TEAMS the ids of 1 to 100 teams, else none."
    )


@strawberry.input
class PlanInput(AskedAtVersion):
    """The plan that it is about."""

    plan_id: strawberry.ID = strawberry.field(description="The id of the plan.")

    def said(self) -> dict[str, Any]:
        """Return what every command about a plan is told."""
        return {**super().said(), "plan_id": named(self.plan_id, "Plan", "plan_id")}


@strawberry.input
class RenamePlanInput(PlanInput):
    """What a plan is called from now on."""

    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.input
class ChoosePlanAudienceInput(Audience, PlanInput):
    """Who finds a plan and may subscribe to it."""


@strawberry.input
class DraftPlanVersionInput(PlanInput):
    """The terms to write down."""

    terms: PlanTermsInput = strawberry.field(description="What the next version promises.")


@strawberry.input
class PublishPlanVersionInput(PlanInput):
    """The plan whose draft goes on sale."""


@strawberry.type
class PlanChanged(Changed):
    """The plan, and what happened to it."""

    kinds = (PLAN,)

    @strawberry.field
    async def plan(self, info: Info) -> Plan | None:
        """Return the plan; null after a dry run."""
        return await self.node(info, PLAN)


_OF_TERMS = {each.name: f"terms.{each.name}" for each in fields(PlanTerms)}
"""Where the input has what a refusal of terms is about."""


@strawberry.type
class PlanMutations:
    """What can be done about plans."""

    @mutation
    async def define_plan(self, info: Info, input: DefinePlanInput) -> PlanChanged | Rejected:
        """Begin an offer for some products, without terms yet; needs plan:define."""
        return await change(
            info,
            PlanChanged,
            input,
            lambda: DefinePlan(
                slug=input.slug,
                name=input.name,
                product_ids=tuple(
                    named(id_, "ApiProduct", "product_ids") for id_ in input.product_ids
                ),
                visibility=input.visibility,
                team_ids=named_teams(input.team_ids),
                **input.said(),
            ),
        )

    @mutation
    async def rename_plan(self, info: Info, input: RenamePlanInput) -> PlanChanged | Rejected:
        """Give a plan another name for people; needs plan:define."""
        return await change(
            info, PlanChanged, input, lambda: RenamePlan(**input.said(), name=input.name)
        )

    @mutation
    async def choose_plan_audience(
        self, info: Info, input: ChoosePlanAudienceInput
    ) -> PlanChanged | Rejected:
        """Say who finds a plan and may subscribe; needs plan:publish."""
        return await change(
            info,
            PlanChanged,
            input,
            lambda: ChoosePlanAudience(
                **input.said(), visibility=input.visibility, team_ids=named_teams(input.team_ids)
            ),
        )

    @mutation
    async def draft_plan_version(
        self, info: Info, input: DraftPlanVersionInput
    ) -> PlanChanged | Rejected:
        """Write the terms of the next version down, in place of a draft; needs plan:define."""
        agreement = input.terms.agreement
        return await change(
            info,
            PlanChanged,
            input,
            lambda: DraftPlanVersion(
                **input.said(),
                terms=read_terms(input.terms),
                agreement_revision=agreement.revision if agreement else "",
                agreement_text=agreement.text if agreement else "",
            ),
            renamed=_OF_TERMS,
        )

    @mutation
    async def publish_plan_version(
        self, info: Info, input: PublishPlanVersionInput
    ) -> PlanChanged | Rejected:
        """Sell the drafted terms from now on; needs plan:publish."""
        return await change(info, PlanChanged, input, lambda: PublishPlanVersion(**input.said()))

    @mutation
    async def deprecate_plan(self, info: Info, input: PlanInput) -> PlanChanged | Rejected:
        """Advise against a plan that is still sold; needs plan:publish."""
        return await change(info, PlanChanged, input, lambda: DeprecatePlan(**input.said()))

    @mutation
    async def withdraw_plan_deprecation(
        self, info: Info, input: PlanInput
    ) -> PlanChanged | Rejected:
        """Recommend a deprecated plan again; needs plan:publish."""
        return await change(
            info, PlanChanged, input, lambda: WithdrawPlanDeprecation(**input.said())
        )

    @mutation
    async def close_plan(self, info: Info, input: PlanInput) -> PlanChanged | Rejected:
        """Take no new subscriptions, for ever; needs plan:publish."""
        return await change(info, PlanChanged, input, lambda: ClosePlan(**input.said()))
