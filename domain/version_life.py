"""Where a version is in its life, and what it refuses there."""

from enum import Enum

from domain.aggregate import DomainError


class VersionState(Enum):
    """Where a version is in its life."""

    DRAFT = "DRAFT"
    IN_REVIEW = "IN_REVIEW"
    PUBLISHED = "PUBLISHED"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class VersionNumberInvalidError(DomainError):
    """A version number is semantic: MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1."""


class VersionNotDraftError(DomainError):
    """Only a draft version can be submitted or published."""


class VersionNotInReviewError(DomainError):
    """Only a submitted version is approved, or has changes requested of it, and once."""


class VersionNotApprovedError(DomainError):
    """A version is published once its review approved it."""


class ReviewOutdatedError(DomainError):
    """The approval was about another predecessor; request changes, and submit the version again."""


class FourEyesError(DomainError):
    """Whoever submitted a version may not approve it."""


class GateFailedError(DomainError):
    """The contract gate lets no version break its subscribers unannounced."""


class GateOpenError(DomainError):
    """The contract gate refuses nothing here that could be overridden."""


class OverrideReasonMissingError(DomainError):
    """Whoever overrides the contract gate says why."""


class ChangesCommentMissingError(DomainError):
    """Whoever requests changes says which."""


class VersionNotRevisableError(DomainError):
    """Only a draft, or a version in service, is revised."""


class ContractUnchangedError(DomainError):
    """A revision has another contract than before."""


class RevisionBreaksError(DomainError):
    """A revision corrects what was published and breaks nobody; what breaks is a new version."""


class VersionNotPublishedError(DomainError):
    """Only a published version can be deprecated, or taken back from gateways."""


class VersionNotDeprecatedError(DomainError):
    """Only a deprecated version has a sunset, can be retired, or relieved of its deprecation."""


class VersionNotRetiredError(DomainError):
    """Only a retired version can be reinstated."""


class VersionBlockedError(DomainError):
    """The version is blocked already."""


class VersionNotBlockedError(DomainError):
    """The version is not blocked."""


class ApiReservedError(DomainError):
    """An API is not called v1 or the like: gateways would take it for a version of another."""


class SuccessorInvalidError(DomainError):
    """A version is succeeded by another one of the same product."""


class TooManyUpstreamsError(DomainError):
    """A version has at most 20 upstreams, one for each environment."""
