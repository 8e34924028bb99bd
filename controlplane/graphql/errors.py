"""Where a refusal becomes data, or an error, that a client can act on."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import strawberry
from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from controlplane.auth import needs
from controlplane.commands import (
    IdempotencyKeyInvalidError,
    NotFoundError,
    NotPermittedError,
    VersionChangedError,
)
from controlplane.commands.invitation import TooManyInvitationsError, TooManyRegistrationsError
from controlplane.commands.person import LastAdministratorError, TooManyTokensError
from controlplane.contracts.judge import JudgeBusyError
from controlplane.graphql.enums import described
from controlplane.store.eventstore import IdempotencyKeyReusedError
from controlplane.store.writer import ConflictError
from domain.access_token import BearerMissingError, TokenExpiryPastError, TokenRevokedError
from domain.aggregate import DomainError
from domain.api_product import (
    ProductNotDeprecatedError,
    ProductNotDraftError,
    ProductNotPublishedError,
    ProductNotRetiredError,
    TagsInvalidError,
)
from domain.api_version import (
    ApiReservedError,
    ContractUnchangedError,
    RevisionBreaksError,
    TooManyUpstreamsError,
    UpstreamUnchangedError,
    UpstreamUnknownError,
    VersionNotRevisableError,
    VersionNumberInvalidError,
    VersionRetiredError,
)
from domain.audience import AudienceInvalidError
from domain.contract.contract import TooManyOperationsError
from domain.contract.document import (
    DocumentBrokenError,
    DocumentTooComplexError,
    DocumentTooLargeError,
    NotAnApiDocumentError,
)
from domain.contract_policy import ContractPolicyInvalidError
from domain.contract_test import ContractTestInvalidError
from domain.credential import (
    CredentialNotActiveError,
    CredentialRevokedError,
    CredentialUnknownError,
    DigestInvalidError,
    NotAfterPastError,
    OverlapInvalidError,
    TooManyCredentialsError,
)
from domain.developer import (
    DeveloperForgottenError,
    DeveloperNotActiveError,
    TeamRoleUnchangedError,
)
from domain.gateway import GatewayAsKnownError, GatewayDrainedError, GatewayNotDrainedError
from domain.gateway_group import (
    ConfigHeldBackError,
    ConfigNotHeldBackError,
    EpochConfirmedError,
    EpochNotCurrentError,
    GroupProductsInvalidError,
    IntentionInvalidError,
)
from domain.invitation import (
    InvitationExpiryPastError,
    InvitationNotDueError,
    InvitationNotOpenError,
)
from domain.organization import RegistrationClosedError, RegistrationOpenError
from domain.page import PageNotWithdrawnError, PageSourceInvalidError, PageWithdrawnError
from domain.plan_life import (
    KeylessPlanExistsError,
    NoDraftPlanVersionError,
    PlanClosedError,
    PlanKeylessError,
    PlanNotDeprecatedError,
    PlanNotForTeamError,
    PlanNotPublishedError,
    ProductsInvalidError,
)
from domain.plan_terms import (
    AgreementInvalidError,
    AuthInvalidError,
    OverridesInvalidError,
    QuotaInvalidError,
    RateLimitInvalidError,
    SlaInvalidError,
    TrialInvalidError,
)
from domain.price import PriceInvalidError
from domain.reservation import AlreadyTakenError
from domain.review import (
    ChangesCommentMissingError,
    FourEyesError,
    GateFailedError,
    GateOpenError,
    OverrideReasonMissingError,
    ReviewOutdatedError,
    VersionNotApprovedError,
    VersionNotDraftError,
    VersionNotInReviewError,
)
from domain.subscription_life import (
    AlreadyOnPlanError,
    ExpiryPastError,
    SubscriptionNotActiveError,
    SubscriptionNotDueError,
    SubscriptionNotExpiredError,
    SubscriptionNotPendingError,
    SubscriptionNotRunningError,
    SubscriptionNotSuspendedError,
    SubscriptionOverError,
    SuspensionReasonMissingError,
    TermsNotAcceptedError,
    TermsRevisionInvalidError,
)
from domain.sunset import SunsetNotReachedError, SunsetPastError
from domain.text import (
    LabelInvalidError,
    MailInvalidError,
    ProseInvalidError,
    SlugInvalidError,
    UrlInvalidError,
)
from domain.version_life import (
    SuccessorInvalidError,
    VersionBlockedError,
    VersionNotBlockedError,
    VersionNotDeprecatedError,
    VersionNotPublishedError,
    VersionNotRetiredError,
)


class RejectionCode(Enum):
    """The rule that was not met."""

    AGREEMENT_INVALID = AgreementInvalidError
    ALREADY_ON_PLAN = AlreadyOnPlanError
    ALREADY_TAKEN = AlreadyTakenError
    API_RESERVED = ApiReservedError
    AUDIENCE_INVALID = AudienceInvalidError
    AUTH_INVALID = AuthInvalidError
    BEARER_MISSING = BearerMissingError
    CHANGES_COMMENT_MISSING = ChangesCommentMissingError
    CONFIG_HELD_BACK = ConfigHeldBackError
    CONFIG_NOT_HELD_BACK = ConfigNotHeldBackError
    CONFLICT = ConflictError
    CONTRACT_POLICY_INVALID = ContractPolicyInvalidError
    CONTRACT_TEST_INVALID = ContractTestInvalidError
    CONTRACT_UNCHANGED = ContractUnchangedError
    CREDENTIAL_NOT_ACTIVE = CredentialNotActiveError
    CREDENTIAL_REVOKED = CredentialRevokedError
    CREDENTIAL_UNKNOWN = CredentialUnknownError
    DEVELOPER_FORGOTTEN = DeveloperForgottenError
    DEVELOPER_NOT_ACTIVE = DeveloperNotActiveError
    DIGEST_INVALID = DigestInvalidError
    DOCUMENT_BROKEN = DocumentBrokenError
    DOCUMENT_TOO_COMPLEX = DocumentTooComplexError
    DOCUMENT_TOO_LARGE = DocumentTooLargeError
    EPOCH_CONFIRMED = EpochConfirmedError
    EPOCH_NOT_CURRENT = EpochNotCurrentError
    EXPIRY_PAST = ExpiryPastError
    FOUR_EYES = FourEyesError
    GATEWAY_AS_KNOWN = GatewayAsKnownError
    GATEWAY_DRAINED = GatewayDrainedError
    GATEWAY_NOT_DRAINED = GatewayNotDrainedError
    GATE_FAILED = GateFailedError
    GATE_OPEN = GateOpenError
    GROUP_PRODUCTS_INVALID = GroupProductsInvalidError
    IDEMPOTENCY_KEY_INVALID = IdempotencyKeyInvalidError
    IDEMPOTENCY_KEY_REUSED = IdempotencyKeyReusedError
    INTENTION_INVALID = IntentionInvalidError
    INVITATION_EXPIRY_PAST = InvitationExpiryPastError
    INVITATION_NOT_DUE = InvitationNotDueError
    INVITATION_NOT_OPEN = InvitationNotOpenError
    JUDGE_BUSY = JudgeBusyError
    KEYLESS_PLAN_EXISTS = KeylessPlanExistsError
    LAST_ADMINISTRATOR = LastAdministratorError
    LABEL_INVALID = LabelInvalidError
    MAIL_INVALID = MailInvalidError
    NOT_AFTER_PAST = NotAfterPastError
    NOT_AN_API_DOCUMENT = NotAnApiDocumentError
    NOT_FOUND = NotFoundError
    NOT_PERMITTED = NotPermittedError
    NO_DRAFT_PLAN_VERSION = NoDraftPlanVersionError
    OVERRIDES_INVALID = OverridesInvalidError
    OVERRIDE_REASON_MISSING = OverrideReasonMissingError
    PAGE_NOT_WITHDRAWN = PageNotWithdrawnError
    PAGE_SOURCE_INVALID = PageSourceInvalidError
    PAGE_WITHDRAWN = PageWithdrawnError
    PLAN_CLOSED = PlanClosedError
    PLAN_KEYLESS = PlanKeylessError
    PLAN_NOT_DEPRECATED = PlanNotDeprecatedError
    PLAN_NOT_FOR_TEAM = PlanNotForTeamError
    OVERLAP_INVALID = OverlapInvalidError
    PLAN_NOT_PUBLISHED = PlanNotPublishedError
    PRICE_INVALID = PriceInvalidError
    PRODUCTS_INVALID = ProductsInvalidError
    PRODUCT_NOT_DEPRECATED = ProductNotDeprecatedError
    PRODUCT_NOT_DRAFT = ProductNotDraftError
    PRODUCT_NOT_PUBLISHED = ProductNotPublishedError
    PRODUCT_NOT_RETIRED = ProductNotRetiredError
    PROSE_INVALID = ProseInvalidError
    QUOTA_INVALID = QuotaInvalidError
    RATE_LIMIT_INVALID = RateLimitInvalidError
    REVIEW_OUTDATED = ReviewOutdatedError
    REVISION_BREAKS = RevisionBreaksError
    SLA_INVALID = SlaInvalidError
    REGISTRATION_CLOSED = RegistrationClosedError
    REGISTRATION_OPEN = RegistrationOpenError
    SLUG_INVALID = SlugInvalidError
    SUBSCRIPTION_NOT_ACTIVE = SubscriptionNotActiveError
    SUBSCRIPTION_NOT_DUE = SubscriptionNotDueError
    SUBSCRIPTION_NOT_EXPIRED = SubscriptionNotExpiredError
    SUBSCRIPTION_NOT_PENDING = SubscriptionNotPendingError
    SUBSCRIPTION_NOT_RUNNING = SubscriptionNotRunningError
    SUBSCRIPTION_NOT_SUSPENDED = SubscriptionNotSuspendedError
    SUBSCRIPTION_OVER = SubscriptionOverError
    SUCCESSOR_INVALID = SuccessorInvalidError
    SUNSET_NOT_REACHED = SunsetNotReachedError
    SUNSET_PAST = SunsetPastError
    TAGS_INVALID = TagsInvalidError
    SUSPENSION_REASON_MISSING = SuspensionReasonMissingError
    TEAM_ROLE_UNCHANGED = TeamRoleUnchangedError
    TERMS_NOT_ACCEPTED = TermsNotAcceptedError
    TERMS_REVISION_INVALID = TermsRevisionInvalidError
    TOKEN_EXPIRY_PAST = TokenExpiryPastError
    TOKEN_REVOKED = TokenRevokedError
    TOO_MANY_CREDENTIALS = TooManyCredentialsError
    TOO_MANY_INVITATIONS = TooManyInvitationsError
    TOO_MANY_OPERATIONS = TooManyOperationsError
    TOO_MANY_REGISTRATIONS = TooManyRegistrationsError
    TOO_MANY_TOKENS = TooManyTokensError
    TOO_MANY_UPSTREAMS = TooManyUpstreamsError
    TRIAL_INVALID = TrialInvalidError
    UPSTREAM_UNCHANGED = UpstreamUnchangedError
    UPSTREAM_UNKNOWN = UpstreamUnknownError
    URL_INVALID = UrlInvalidError
    VERSION_BLOCKED = VersionBlockedError
    VERSION_CHANGED = VersionChangedError
    VERSION_NOT_APPROVED = VersionNotApprovedError
    VERSION_NOT_BLOCKED = VersionNotBlockedError
    VERSION_NOT_DEPRECATED = VersionNotDeprecatedError
    VERSION_NOT_DRAFT = VersionNotDraftError
    VERSION_NOT_IN_REVIEW = VersionNotInReviewError
    VERSION_NOT_PUBLISHED = VersionNotPublishedError
    VERSION_NOT_RETIRED = VersionNotRetiredError
    VERSION_NOT_REVISABLE = VersionNotRevisableError
    VERSION_NUMBER_INVALID = VersionNumberInvalidError
    VERSION_RETIRED = VersionRetiredError


described(RejectionCode, {code.name: str(code.value.__doc__) for code in RejectionCode})


@strawberry.type
class Rejected:
    """The command broke a rule; nothing was changed."""

    code: RejectionCode = strawberry.field(description="The rule, for programs.")
    message: str = strawberry.field(description="The rule, and what broke it, for people.")
    path: list[str] = strawberry.field(description="The input, or the field of it, at fault.")


NOTHING_RENAMED: Mapping[str, str] = MappingProxyType({})


def rejected(refusal: DomainError, renamed: Mapping[str, str] = NOTHING_RENAMED) -> Rejected:
    """Return the refusal as data.

    `renamed` says where fields of the command are in the input that are not there by their name;
    a dot leads into an object.
    """
    about = refusal.about and renamed.get(refusal.about, refusal.about)
    path = ["input", *map(to_camel_case, about.split("."))] if about else ["input"]
    return Rejected(code=RejectionCode(type(refusal)), message=str(refusal), path=path)


class RefusedError(GraphQLError):
    """A question that is not answered; `extensions.code` says why to programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, extensions={"code": code})


def not_permitted(permission: str) -> RefusedError:
    """Return the error for what needs a permission that the caller lacks."""
    return RefusedError("NOT_PERMITTED", needs(permission))


def invalid(message: str) -> RefusedError:
    """Return the error for an argument that cannot be meant."""
    return RefusedError("INVALID_ARGUMENT", message)
