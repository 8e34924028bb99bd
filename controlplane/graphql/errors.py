"""Where a refusal becomes data, or an error, that a client can act on."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import strawberry
from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from controlplane.commands import (
    IdempotencyKeyInvalidError,
    NotFoundError,
    NotPermittedError,
    VersionChangedError,
)
from controlplane.commands.person import TooManyTokensError
from controlplane.graphql.enums import described
from controlplane.store.eventstore import ConflictError, IdempotencyKeyReusedError
from domain.access_token import BearerMissingError, TokenExpiryPastError, TokenRevokedError
from domain.aggregate import DomainError
from domain.api_product import ProductNotDraftError
from domain.api_version import (
    TooManyUpstreamsError,
    VersionNotDraftError,
    VersionNumberInvalidError,
)
from domain.contract.contract import TooManyOperationsError
from domain.contract.document import (
    DocumentBrokenError,
    DocumentTooComplexError,
    DocumentTooLargeError,
    NotAnApiDocumentError,
)
from domain.credential import (
    CredentialNotActiveError,
    CredentialRevokedError,
    CredentialUnknownError,
    DigestInvalidError,
    NotAfterPastError,
    OverlapInvalidError,
)
from domain.developer import (
    DeveloperForgottenError,
    DeveloperNotActiveError,
    TeamRoleUnchangedError,
)
from domain.gateway_group import GroupProductsInvalidError
from domain.invitation import InvitationExpiryPastError, InvitationNotOpenError
from domain.organization import RegistrationClosedError, RegistrationOpenError
from domain.plan import (
    NoDraftPlanVersionError,
    PlanNotPublishedError,
    PriceInvalidError,
    ProductsInvalidError,
    QuotaInvalidError,
    RateLimitInvalidError,
)
from domain.reservation import AlreadyTakenError
from domain.subscription import (
    AlreadyOnPlanError,
    ExpiryPastError,
    SubscriptionNotActiveError,
    SubscriptionNotDueError,
    SubscriptionNotPendingError,
    SubscriptionNotSuspendedError,
    SubscriptionOverError,
    SuspensionReasonMissingError,
    TermsNotAcceptedError,
    TermsRevisionInvalidError,
    TooManyCredentialsError,
)
from domain.text import (
    LabelInvalidError,
    MailInvalidError,
    ProseInvalidError,
    SlugInvalidError,
    UrlInvalidError,
)


class RejectionCode(Enum):
    """The rule that was not met."""

    ALREADY_ON_PLAN = AlreadyOnPlanError
    ALREADY_TAKEN = AlreadyTakenError
    BEARER_MISSING = BearerMissingError
    CONFLICT = ConflictError
    CREDENTIAL_NOT_ACTIVE = CredentialNotActiveError
    CREDENTIAL_REVOKED = CredentialRevokedError
    CREDENTIAL_UNKNOWN = CredentialUnknownError
    DEVELOPER_FORGOTTEN = DeveloperForgottenError
    DEVELOPER_NOT_ACTIVE = DeveloperNotActiveError
    DIGEST_INVALID = DigestInvalidError
    DOCUMENT_BROKEN = DocumentBrokenError
    DOCUMENT_TOO_COMPLEX = DocumentTooComplexError
    DOCUMENT_TOO_LARGE = DocumentTooLargeError
    EXPIRY_PAST = ExpiryPastError
    GROUP_PRODUCTS_INVALID = GroupProductsInvalidError
    IDEMPOTENCY_KEY_INVALID = IdempotencyKeyInvalidError
    IDEMPOTENCY_KEY_REUSED = IdempotencyKeyReusedError
    INVITATION_EXPIRY_PAST = InvitationExpiryPastError
    INVITATION_NOT_OPEN = InvitationNotOpenError
    LABEL_INVALID = LabelInvalidError
    MAIL_INVALID = MailInvalidError
    NOT_AFTER_PAST = NotAfterPastError
    NOT_AN_API_DOCUMENT = NotAnApiDocumentError
    NOT_FOUND = NotFoundError
    NOT_PERMITTED = NotPermittedError
    NO_DRAFT_PLAN_VERSION = NoDraftPlanVersionError
    OVERLAP_INVALID = OverlapInvalidError
    PLAN_NOT_PUBLISHED = PlanNotPublishedError
    PRICE_INVALID = PriceInvalidError
    PRODUCTS_INVALID = ProductsInvalidError
    PRODUCT_NOT_DRAFT = ProductNotDraftError
    PROSE_INVALID = ProseInvalidError
    QUOTA_INVALID = QuotaInvalidError
    RATE_LIMIT_INVALID = RateLimitInvalidError
    REGISTRATION_CLOSED = RegistrationClosedError
    REGISTRATION_OPEN = RegistrationOpenError
    SLUG_INVALID = SlugInvalidError
    SUBSCRIPTION_NOT_ACTIVE = SubscriptionNotActiveError
    SUBSCRIPTION_NOT_DUE = SubscriptionNotDueError
    SUBSCRIPTION_NOT_PENDING = SubscriptionNotPendingError
    SUBSCRIPTION_NOT_SUSPENDED = SubscriptionNotSuspendedError
    SUBSCRIPTION_OVER = SubscriptionOverError
    SUSPENSION_REASON_MISSING = SuspensionReasonMissingError
    TEAM_ROLE_UNCHANGED = TeamRoleUnchangedError
    TERMS_NOT_ACCEPTED = TermsNotAcceptedError
    TERMS_REVISION_INVALID = TermsRevisionInvalidError
    TOKEN_EXPIRY_PAST = TokenExpiryPastError
    TOKEN_REVOKED = TokenRevokedError
    TOO_MANY_CREDENTIALS = TooManyCredentialsError
    TOO_MANY_OPERATIONS = TooManyOperationsError
    TOO_MANY_TOKENS = TooManyTokensError
    TOO_MANY_UPSTREAMS = TooManyUpstreamsError
    URL_INVALID = UrlInvalidError
    VERSION_CHANGED = VersionChangedError
    VERSION_NOT_DRAFT = VersionNotDraftError
    VERSION_NUMBER_INVALID = VersionNumberInvalidError


described(RejectionCode, {code.name: str(code.value.__doc__) for code in RejectionCode})


@strawberry.type
class Rejected:
    """The command broke a rule; nothing was changed."""

    code: RejectionCode = strawberry.field(description="The rule, for programs.")
    message: str = strawberry.field(description="The rule, and what broke it, for people.")
    path: list[str] = strawberry.field(description="The input, or the field of it, at fault.")


NOTHING_RENAMED: Mapping[str, str] = MappingProxyType({})


def rejected(refusal: DomainError, renamed: Mapping[str, str] = NOTHING_RENAMED) -> Rejected:
    """Return the refusal as data; `renamed` are fields of the command that the input lacks."""
    about = refusal.about and renamed.get(refusal.about, refusal.about)
    path = ["input", to_camel_case(about)] if about else ["input"]
    return Rejected(code=RejectionCode(type(refusal)), message=str(refusal), path=path)


class RefusedError(GraphQLError):
    """A question that is not answered; `extensions.code` says why to programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, extensions={"code": code})


def not_permitted(permission: str) -> RefusedError:
    """Return the error for what needs a permission that the caller lacks."""
    return RefusedError("NOT_PERMITTED", f"This needs the permission {permission}.")


def invalid(message: str) -> RefusedError:
    """Return the error for an argument that cannot be meant."""
    return RefusedError("INVALID_ARGUMENT", message)
