"""Where a plan is in its life, and what it refuses there."""

from enum import Enum

from domain.aggregate import DomainError


class PlanState(Enum):
    """Where a plan is in its life."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    DEPRECATED = "DEPRECATED"
    CLOSED = "CLOSED"


class PlanVersionState(Enum):
    """Where a version of a plan is in its life."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    SUPERSEDED = "SUPERSEDED"


class NoDraftPlanVersionError(DomainError):
    """There is no draft version of this plan to publish; draft one first."""


class PlanNotPublishedError(DomainError):
    """Only a published plan can be subscribed to, or deprecated."""


class PlanNotDeprecatedError(DomainError):
    """Only a deprecated plan can be relieved of its deprecation."""


class PlanClosedError(DomainError):
    """The plan is closed for ever: it takes no new subscriptions and has no new versions."""


class PlanKeylessError(DomainError):
    """A keyless plan is called without a subscription, and cannot be subscribed to."""


class KeylessPlanExistsError(DomainError):
    """Calls to a product without a key are those of one plan; close that, or have it take keys."""


class PlanNotForTeamError(DomainError):
    """The plan, or a product that it sells, is offered to other teams only."""


class ProductsInvalidError(DomainError):
    """A plan sells 1 to 50 products, each once."""
