"""An API product: what is offered, described and sold as one thing."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Why
from domain.audience import Visibility, audience
from domain.contract_policy import ContractPolicy
from domain.sunset import promised, require_reached

TAGS = 20


class ProductState(Enum):
    """Where a product is in its life."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class ProductNotDraftError(DomainError):
    """Only a draft product can be published."""


class ProductNotPublishedError(DomainError):
    """Only a published product can be deprecated, or taken back out of the catalogue."""


class ProductNotDeprecatedError(DomainError):
    """Only a deprecated product has a sunset, can be retired, or relieved of its deprecation."""


class ProductNotRetiredError(DomainError):
    """Only a retired product can be reinstated."""


class TagsInvalidError(DomainError):
    """A product has at most 20 tags, each a slug and each once."""


class ApiProduct(Aggregate):
    """One or more APIs under one name, with their versions, pages and the plans that sell them."""

    TOPIC = "api_product"

    def __init__(self) -> None:
        self.state = ProductState.DRAFT
        self.sunset_at: datetime | None = None
        self.team_ids: list[UUID] | None = None
        self.contract_policy: ContractPolicy | None = None

    @classmethod
    def define(
        cls,
        product_id: UUID,
        *,
        slug: str,
        name: str,
        description: str,
        visibility: Visibility,
        at: datetime,
        why: Why,
        team_ids: list[UUID] | None = None,
    ) -> Self:
        """Begin a draft.

        Raises SlugInvalidError, LabelInvalidError, ProseInvalidError, AudienceInvalidError.
        """
        named = audience(visibility, team_ids or [])
        product = cls.begin(
            cls.Defined,
            product_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            name=text.label(name, "name"),
            description=text.prose(description, "description"),
            visibility=visibility.value,
        )
        if named:
            product.choose_audience(visibility, named, at=at, why=why)
        return product

    def describe(self, *, name: str, description: str, at: datetime, why: Why) -> None:
        """Give it another name and description. Raises LabelInvalidError, ProseInvalidError."""
        self.emit(
            self.Described,
            at,
            why,
            name=text.label(name, "name"),
            description=text.prose(description, "description"),
        )

    def tag(self, tags: list[str], *, at: datetime, why: Why) -> None:
        """Put it under these tags and no others. Raises TagsInvalidError."""
        if len(tags) > TAGS or len(set(tags)) < len(tags):
            raise TagsInvalidError("tags")
        try:
            slugs = [text.slug(each, "tags") for each in tags]
        except text.SlugInvalidError:
            raise TagsInvalidError("tags") from None
        self.emit(self.Tagged, at, why, tags=slugs)

    def name_owner(self, owner: str, *, at: datetime, why: Why) -> None:
        """Say who answers for it, nobody if it is empty. Raises LabelInvalidError."""
        self.emit(self.OwnerNamed, at, why, owner=owner and text.label(owner, "owner"))

    def choose_audience(
        self, visibility: Visibility, team_ids: list[UUID], *, at: datetime, why: Why
    ) -> None:
        """Say who finds it once it is published. Raises AudienceInvalidError."""
        named = audience(visibility, team_ids)
        self.emit(self.AudienceChosen, at, why, visibility=visibility.value, team_ids=named)

    def is_for(self, team_id: UUID) -> bool:
        """Tell whether a team may find it."""
        return self.team_ids is None or team_id in self.team_ids

    def publish(self, *, at: datetime, why: Why) -> None:
        """Show it in the catalogue. Raises ProductNotDraftError."""
        if self.state is not ProductState.DRAFT:
            raise ProductNotDraftError
        self.emit(self.Published, at, why)

    def withdraw_publication(self, *, at: datetime, why: Why) -> None:
        """Make it a draft again, published by mistake. Raises ProductNotPublishedError."""
        self._require_published()
        self.emit(self.PublicationWithdrawn, at, why)

    def deprecate(self, *, sunset_at: datetime | None, at: datetime, why: Why) -> None:
        """Advise against it. Raises ProductNotPublishedError, SunsetPastError."""
        self._require_published()
        self.emit(self.Deprecated, at, why, sunset_at=promised(sunset_at, at))

    def schedule_sunset(self, sunset_at: datetime | None, *, at: datetime, why: Why) -> None:
        """Say until when it lasts, in place of what was said before; None leaves it open.

        Raises ProductNotDeprecatedError, SunsetPastError.
        """
        self._require_deprecated()
        self.emit(self.SunsetScheduled, at, why, sunset_at=promised(sunset_at, at))

    def withdraw_deprecation(self, *, at: datetime, why: Why) -> None:
        """Recommend it again. Raises ProductNotDeprecatedError."""
        self._require_deprecated()
        self.emit(self.DeprecationWithdrawn, at, why)

    def retire(self, *, at: datetime, why: Why) -> None:
        """Stop serving it. Raises ProductNotDeprecatedError, SunsetNotReachedError."""
        self._require_deprecated()
        require_reached(self.sunset_at, at)
        self.emit(self.Retired, at, why)

    def reinstate(self, *, at: datetime, why: Why) -> None:
        """Serve it again, deprecated and without a sunset. Raises ProductNotRetiredError."""
        if self.state is not ProductState.RETIRED:
            raise ProductNotRetiredError
        self.emit(self.Reinstated, at, why)

    def adopt_contract_policy(
        self, policy: ContractPolicy, rules: frozenset[str], *, at: datetime, why: Why
    ) -> None:
        """Have contracts keep to this from now on; `rules` are the ids of all rules there are.

        Raises ContractPolicyInvalidError, LabelInvalidError, ProseInvalidError.
        """
        policy.require_valid(rules, at)
        self.emit(self.ContractPolicyAdopted, at, why, policy=policy)

    def _require_published(self) -> None:
        if self.state is not ProductState.PUBLISHED:
            raise ProductNotPublishedError

    def _require_deprecated(self) -> None:
        if self.state is not ProductState.DEPRECATED:
            raise ProductNotDeprecatedError

    @dataclass(frozen=True)
    class Defined(First):
        """A product manager described a product."""

        TOPIC = "api_product.defined"
        slug: str
        name: str
        description: str
        visibility: str

    @dataclass(frozen=True)
    class Described(Aggregate.Event):
        """The product got another name or description."""

        TOPIC = "api_product.described"
        name: str
        description: str

    @dataclass(frozen=True)
    class Tagged(Aggregate.Event):
        """The product was put under these tags, in place of those before."""

        TOPIC = "api_product.tagged"
        tags: list[str]

    @dataclass(frozen=True)
    class OwnerNamed(Aggregate.Event):
        """Somebody of the provider answers for the product; nobody if it is empty."""

        TOPIC = "api_product.owner_named"
        owner: str

    @dataclass(frozen=True)
    class AudienceChosen(Aggregate.Event):
        """It was decided who finds the product."""

        TOPIC = "api_product.audience_chosen"
        visibility: str
        team_ids: list[UUID]

        def apply(self, aggregate: "ApiProduct") -> None:
            """Be found by these teams only, if any are named."""
            named = self.visibility == Visibility.TEAMS.value
            aggregate.team_ids = self.team_ids if named else None

    @dataclass(frozen=True)
    class Published(Aggregate.Event):
        """The product went into the catalogue."""

        TOPIC = "api_product.published"

        def apply(self, aggregate: "ApiProduct") -> None:
            """Become published."""
            aggregate.state = ProductState.PUBLISHED

    @dataclass(frozen=True)
    class PublicationWithdrawn(Aggregate.Event):
        """The product had been published by mistake."""

        TOPIC = "api_product.publication_withdrawn"

        def apply(self, aggregate: "ApiProduct") -> None:
            """Be a draft again."""
            aggregate.state = ProductState.DRAFT

    @dataclass(frozen=True)
    class Deprecated(Aggregate.Event):
        """The product is advised against, and may end at its sunset."""

        TOPIC = "api_product.deprecated"
        sunset_at: datetime | None

        def apply(self, aggregate: "ApiProduct") -> None:
            """Become deprecated."""
            aggregate.state = ProductState.DEPRECATED
            aggregate.sunset_at = self.sunset_at

    @dataclass(frozen=True)
    class SunsetScheduled(Aggregate.Event):
        """The sunset of the deprecated product was set, moved or lifted."""

        TOPIC = "api_product.sunset_scheduled"
        sunset_at: datetime | None

        def apply(self, aggregate: "ApiProduct") -> None:
            """Know the sunset."""
            aggregate.sunset_at = self.sunset_at

    @dataclass(frozen=True)
    class DeprecationWithdrawn(Aggregate.Event):
        """The product is recommended again."""

        TOPIC = "api_product.deprecation_withdrawn"

        def apply(self, aggregate: "ApiProduct") -> None:
            """Be published, without a sunset."""
            aggregate.state = ProductState.PUBLISHED
            aggregate.sunset_at = None

    @dataclass(frozen=True)
    class Retired(Aggregate.Event):
        """The product is served no more."""

        TOPIC = "api_product.retired"

        def apply(self, aggregate: "ApiProduct") -> None:
            """Become retired."""
            aggregate.state = ProductState.RETIRED

    @dataclass(frozen=True)
    class Reinstated(Aggregate.Event):
        """The product had been retired by mistake, or too early."""

        TOPIC = "api_product.reinstated"

        def apply(self, aggregate: "ApiProduct") -> None:
            """Be deprecated again, without a sunset."""
            aggregate.state = ProductState.DEPRECATED
            aggregate.sunset_at = None

    @dataclass(frozen=True)
    class ContractPolicyAdopted(Aggregate.Event):
        """It was decided what contracts have to keep to, in place of what was decided before."""

        TOPIC = "api_product.contract_policy_adopted"
        policy: ContractPolicy

        def apply(self, aggregate: "ApiProduct") -> None:
            """Keep the policy."""
            aggregate.contract_policy = self.policy
