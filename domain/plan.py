"""A plan: what a subscriber may call, how much of it, and for how much money."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, First, Why
from domain.audience import Visibility, audience
from domain.plan_life import (
    NoDraftPlanVersionError,
    PlanClosedError,
    PlanKeylessError,
    PlanNotDeprecatedError,
    PlanNotPublishedError,
    PlanState,
    ProductsInvalidError,
)
from domain.plan_terms import Approval, AuthKind, OverridesInvalidError, PlanTerms, grown

PRODUCTS = 50


class Plan(Aggregate):
    """An offer for one or more products. Its versions never change once they are published."""

    TOPIC = "plan"

    def __init__(self) -> None:
        self.state = PlanState.DRAFT
        self.published_number = 0
        self.draft: PlanTerms | None = None
        self.approval = Approval.MANUAL.value
        self.auth_kind = AuthKind.API_KEY.value
        self.agreement_revision = ""
        """The revision of the legal terms of the version on sale, "" without any."""
        self.product_ids: list[UUID] = []
        self.team_ids: list[UUID] | None = None
        """The only teams that it is offered to; None is to all."""
        self.trial_days = 0

    @classmethod
    def define(
        cls,
        plan_id: UUID,
        *,
        slug: str,
        name: str,
        product_ids: list[UUID],
        at: datetime,
        why: Why,
        visibility: Visibility = Visibility.PUBLIC,
        team_ids: list[UUID] | None = None,
    ) -> Self:
        """Begin a plan without a version.

        Raises SlugInvalidError, LabelInvalidError, ProductsInvalidError, AudienceInvalidError.
        """
        if not 0 < len(product_ids) <= PRODUCTS or len(set(product_ids)) < len(product_ids):
            raise ProductsInvalidError("product_ids")
        named = audience(visibility, team_ids or [])
        plan = cls.begin(
            cls.Defined,
            plan_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            name=text.label(name, "name"),
            product_ids=product_ids,
        )
        if visibility is not Visibility.PUBLIC:
            plan.choose_audience(visibility, named, at=at, why=why)
        return plan

    def rename(self, name: str, *, at: datetime, why: Why) -> None:
        """Give it another name for people. Raises LabelInvalidError."""
        self.emit(self.Renamed, at, why, name=text.label(name, "name"))

    def choose_audience(
        self, visibility: Visibility, team_ids: list[UUID], *, at: datetime, why: Why
    ) -> None:
        """Say who finds it and may subscribe. Raises AudienceInvalidError."""
        named = audience(visibility, team_ids)
        self.emit(self.AudienceChosen, at, why, visibility=visibility.value, team_ids=named)

    def draft_version(self, terms: PlanTerms, *, at: datetime, why: Why) -> None:
        """Write the next version, in place of a draft that was not published.

        Raises PlanClosedError, OverridesInvalidError and what PlanTerms.check raises.
        """
        if self.state is PlanState.CLOSED:
            raise PlanClosedError
        terms.check()
        if not {each.product_id for each in terms.overrides} <= set(self.product_ids):
            raise OverridesInvalidError("overrides", "The plan does not sell that product.")
        self.emit(self.VersionDrafted, at, why, plan_version=self.published_number + 1, terms=terms)

    def publish_version(self, *, at: datetime, why: Why) -> None:
        """Sell the draft from now on; earlier subscriptions stay on their version.

        Raises PlanClosedError, NoDraftPlanVersionError.
        """
        if self.state is PlanState.CLOSED:
            raise PlanClosedError
        if self.draft is None:
            raise NoDraftPlanVersionError
        self.emit(
            self.VersionPublished,
            at,
            why,
            plan_version=self.published_number + 1,
            terms=self.draft,
        )

    def deprecate(self, *, at: datetime, why: Why) -> None:
        """Advise against it; it is still sold. Raises PlanNotPublishedError."""
        if self.state is not PlanState.PUBLISHED:
            raise PlanNotPublishedError
        self.emit(self.Deprecated, at, why)

    def withdraw_deprecation(self, *, at: datetime, why: Why) -> None:
        """Recommend it again. Raises PlanNotDeprecatedError."""
        if self.state is not PlanState.DEPRECATED:
            raise PlanNotDeprecatedError
        self.emit(self.DeprecationWithdrawn, at, why)

    def close(self, *, at: datetime, why: Why) -> None:
        """Take no new subscriptions, for ever; those there are go on. Raises PlanClosedError."""
        if self.state is PlanState.CLOSED:
            raise PlanClosedError
        self.emit(self.Closed, at, why, plan_version=self.published_number)

    def offered_version(self) -> int:
        """Return the number of the version that is sold.

        Raises PlanNotPublishedError, PlanClosedError, PlanKeylessError.
        """
        if self.state is PlanState.CLOSED:
            raise PlanClosedError("plan_id")
        if self.state is PlanState.DRAFT:
            raise PlanNotPublishedError("plan_id")
        if self.auth_kind == AuthKind.KEYLESS.value:
            raise PlanKeylessError("plan_id")
        return self.published_number

    @property
    def lets_in_everyone(self) -> bool:
        """Whether its products are called without a key."""
        on_sale = self.state in {PlanState.PUBLISHED, PlanState.DEPRECATED}
        return on_sale and self.auth_kind == AuthKind.KEYLESS.value

    def is_for(self, team_id: UUID) -> bool:
        """Tell whether the plan is offered to a team."""
        return self.team_ids is None or team_id in self.team_ids

    def conditions(self) -> tuple[str, int | None]:
        """Return what a subscriber enters into: the revision of the terms, and days of trial."""
        return self.agreement_revision, self.trial_days or None

    @dataclass(frozen=True)
    class Defined(First):
        """A product manager had an offer in mind."""

        TOPIC = "plan.defined"
        slug: str
        name: str
        product_ids: list[UUID]

        def apply(self, aggregate: "Plan") -> None:
            """Sell the products."""
            aggregate.product_ids = self.product_ids

    @dataclass(frozen=True)
    class Renamed(Aggregate.Event):
        """The offer got another name for people."""

        TOPIC = "plan.renamed"
        name: str

    @dataclass(frozen=True)
    class AudienceChosen(Aggregate.Event):
        """It was decided who finds the plan and may subscribe."""

        TOPIC = "plan.audience_chosen"
        visibility: str
        team_ids: list[UUID]

        def apply(self, aggregate: "Plan") -> None:
            """Be offered to these teams only, if any are named."""
            named = self.visibility == Visibility.TEAMS.value
            aggregate.team_ids = self.team_ids if named else None

    @dataclass(frozen=True)
    class VersionDrafted(Aggregate.Event):
        """The terms of the next version were written down."""

        TOPIC = "plan.version_drafted"
        class_version = 3
        plan_version: int
        terms: PlanTerms

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Promise what the first release could promise, by key and enforced hard."""
            state["terms"] = grown(state["terms"])

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            """Leave it to the issuer of JWTs where its keys are."""
            state["terms"] = grown(state["terms"])

        def apply(self, aggregate: "Plan") -> None:
            """Keep the draft."""
            aggregate.draft = self.terms

    @dataclass(frozen=True)
    class VersionPublished(Aggregate.Event):
        """The terms went on sale; they are repeated here because they now bind."""

        TOPIC = "plan.version_published"
        class_version = 3
        plan_version: int
        terms: PlanTerms

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Promise what the first release could promise, by key and enforced hard."""
            state["terms"] = grown(state["terms"])

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            """Leave it to the issuer of JWTs where its keys are."""
            state["terms"] = grown(state["terms"])

        def apply(self, aggregate: "Plan") -> None:
            """Be on sale with these terms; a deprecated plan stays so."""
            if aggregate.state is PlanState.DRAFT:
                aggregate.state = PlanState.PUBLISHED
            aggregate.published_number = self.plan_version
            aggregate.approval = self.terms.approval
            aggregate.auth_kind = self.terms.auth.kind
            agreement = self.terms.agreement
            aggregate.agreement_revision = agreement.revision if agreement else ""
            aggregate.trial_days = self.terms.trial_days
            aggregate.draft = None

    @dataclass(frozen=True)
    class Deprecated(Aggregate.Event):
        """The plan is advised against; a better one may be on sale."""

        TOPIC = "plan.deprecated"

        def apply(self, aggregate: "Plan") -> None:
            """Become deprecated."""
            aggregate.state = PlanState.DEPRECATED

    @dataclass(frozen=True)
    class DeprecationWithdrawn(Aggregate.Event):
        """The plan is recommended again."""

        TOPIC = "plan.deprecation_withdrawn"

        def apply(self, aggregate: "Plan") -> None:
            """Be published."""
            aggregate.state = PlanState.PUBLISHED

    @dataclass(frozen=True)
    class Closed(Aggregate.Event):
        """The plan is sold to nobody any more; 0 is a plan of which no version was on sale."""

        TOPIC = "plan.closed"
        plan_version: int

        def apply(self, aggregate: "Plan") -> None:
            """Become closed."""
            aggregate.state = PlanState.CLOSED
