"""The rules of comparing OpenAPI documents: ids, levels and what they mean.

Ids and levels are those of oasdiff where it has the rule, so that whoever knows it need not learn
again; what differs on purpose is in docs/adr/0051.
"""

from collections.abc import Iterable

from domain.contract.finding import TOO_MANY, Finding, Level
from domain.contract.rules import Rule
from domain.contract.rules.rest_schemas import SCHEMA_RULES

ERR, WARN, INFO = Level

_OTHERS = (
    ("endpoint-added", INFO, "An operation is new."),
    ("api-path-removed-without-deprecation", ERR, "A path is gone that was not deprecated."),
    ("api-path-removed-with-deprecation", INFO, "A path is gone that was deprecated."),
    ("api-path-removed-before-sunset", ERR, "A path is gone before its sunset."),
    ("api-path-sunset-parse", ERR, "The sunset of a deprecated operation is no date."),
    ("api-removed-without-deprecation", ERR, "An operation is gone that was not deprecated."),
    ("api-removed-with-deprecation", INFO, "An operation is gone that was deprecated."),
    ("api-removed-before-sunset", ERR, "An operation is gone before its sunset."),
    ("api-removed-while-unstable", INFO, "An operation is gone that was never called stable."),
    (
        "api-deprecated-sunset-parse",
        ERR,
        "An operation is deprecated with a sunset that is no date.",
    ),
    (
        "api-deprecated-sunset-missing",
        ERR,
        "An operation is deprecated without the sunset it needs.",
    ),
    ("api-sunset-date-too-small", ERR, "The sunset leaves less notice than was promised."),
    ("api-sunset-date-changed-too-small", ERR, "The sunset came nearer than the notice promised."),
    ("sunset-deleted", ERR, "A deprecated operation no longer says when it ends."),
    ("endpoint-deprecated", INFO, "An operation is deprecated."),
    ("endpoint-deprecated-with-sunset", INFO, "An operation is deprecated, with enough notice."),
    ("endpoint-reactivated", INFO, "An operation is no longer deprecated."),
    ("api-invalid-stability-level", ERR, "The stability level is not one of the four."),
    ("api-stability-decreased", ERR, "An operation is promised to be less stable than before."),
    ("api-stability-increased", INFO, "An operation is promised to be more stable than before."),
    (
        "api-operation-id-removed",
        WARN,
        "The operationId changed, after which clients name methods.",
    ),
    ("api-operation-id-added", INFO, "An operation got an operationId."),
    ("api-tag-added", INFO, "An operation got a tag."),
    ("api-tag-removed", INFO, "An operation lost a tag."),
    ("api-schema-removed", INFO, "A named schema is gone from the components."),
    ("webhook-added", INFO, "A webhook is new."),
    ("webhook-removed", ERR, "A webhook is no longer sent."),
    ("callback-added", INFO, "A callback is new."),
    ("callback-removed", ERR, "A callback is no longer sent."),
    ("server-added", INFO, "The API is offered at one more address."),
    ("server-removed", WARN, "The API is no longer offered at an address."),
    ("server-variable-value-removed", WARN, "An address no longer knows a value of its variable."),
    ("server-variable-default-changed", WARN, "An address means another one than before."),
    ("api-security-tightened", ERR, "Credentials that were enough no longer are."),
    ("api-security-added", INFO, "An operation accepts one more way to authenticate."),
    ("api-security-removed", INFO, "An operation lists one way less to authenticate."),
    ("api-security-component-added", INFO, "A security scheme is new."),
    ("api-security-component-removed", INFO, "A security scheme is gone."),
    ("api-security-component-type-changed", ERR, "A security scheme is of another type."),
    ("api-security-component-moved", ERR, "A credential is sent in another place than before."),
    ("api-security-component-oauth-url-changed", INFO, "An OAuth authorization URL changed."),
    ("api-security-component-oauth-token-url-changed", INFO, "An OAuth token URL changed."),
    ("api-security-component-oauth-scope-added", INFO, "An OAuth scope is new."),
    ("api-security-component-oauth-scope-removed", INFO, "An OAuth scope is gone."),
    ("api-security-component-oauth-scope-changed", INFO, "An OAuth scope has another description."),
    ("request-parameter-reactivated", INFO, "A parameter is no longer deprecated."),
    ("request-parameter-deprecated", INFO, "A parameter is deprecated."),
    ("request-parameter-deprecated-sunset-missing", ERR, "A parameter ends without saying when."),
    ("request-parameter-sunset-date-too-small", ERR, "A parameter ends sooner than promised."),
    ("request-parameter-sunset-deleted", ERR, "A deprecated parameter lost its sunset."),
    ("request-parameter-sunset-date-changed-too-small", ERR, "A parameter's sunset came nearer."),
    ("request-parameter-sunset-parse", ERR, "The sunset of a parameter is no date."),
    ("request-parameter-stability-decreased", ERR, "A parameter is promised to be less stable."),
    ("request-parameter-stability-increased", INFO, "A parameter is promised to be more stable."),
    ("request-parameter-removed", WARN, "A parameter is no longer read."),
    ("request-parameter-removed-with-deprecation", INFO, "A deprecated parameter is gone."),
    ("request-parameter-removed-before-sunset", ERR, "A parameter is gone before its sunset."),
    ("request-parameter-moved", WARN, "A parameter is read from another place of the request."),
    ("request-parameter-became-required", ERR, "A parameter must now be sent."),
    ("request-parameter-became-optional", INFO, "A parameter need no longer be sent."),
    ("request-parameter-serialization-changed", ERR, "A parameter is written in another way."),
    ("request-parameter-allows-empty-no-more", ERR, "A parameter may no longer be empty."),
    ("new-required-request-header-property", ERR, "A property of a header must be sent."),
    ("request-header-property-became-required", ERR, "A property of a header must be sent."),
    ("request-header-property-became-enum", ERR, "A property of a header is one of a list."),
    ("new-required-request-parameter", ERR, "A parameter is new and must be sent."),
    ("new-optional-request-parameter", INFO, "A parameter is new and may be sent."),
    ("new-request-path-parameter", ERR, "The path has a parameter that it had not."),
    (
        "new-required-request-default-parameter-to-existing-path",
        ERR,
        "All operations of a path have a new parameter that must be sent.",
    ),
    (
        "new-optional-request-default-parameter-to-existing-path",
        INFO,
        "All operations of a path have a new parameter that may be sent.",
    ),
    ("request-body-added-required", ERR, "A request must now have a body."),
    ("request-body-added-optional", INFO, "A request may now have a body."),
    ("request-body-removed", ERR, "A request has no body any more."),
    ("request-body-became-required", ERR, "The body of a request must now be sent."),
    ("request-body-became-optional", INFO, "The body of a request need no longer be sent."),
    ("request-body-media-type-added", INFO, "A request may be sent in one more media type."),
    ("request-body-media-type-removed", ERR, "A request can no longer be sent in a media type."),
    ("request-body-media-type-schema-added", ERR, "A body that could be anything has a schema."),
    ("request-body-media-type-schema-removed", INFO, "A body may now be anything."),
    ("request-body-encoding-changed", ERR, "A part of a form is written in another way."),
    ("response-body-media-type-schema-added", INFO, "A response that was anything has a schema."),
    ("response-body-media-type-schema-removed", WARN, "A response may now be anything."),
    ("response-media-type-added", INFO, "A response may come in one more media type."),
    ("response-media-type-removed", ERR, "A response no longer comes in a media type."),
    ("response-media-type-name-changed", INFO, "A media type of a response has another name."),
    ("response-media-type-name-generalized", ERR, "A media type of a response became wider."),
    ("response-media-type-name-specialized", INFO, "A media type of a response became narrower."),
    ("response-success-status-removed", ERR, "A success is no longer told by this status."),
    ("response-success-status-added", INFO, "A success may be told by one more status."),
    ("response-non-success-status-removed", INFO, "A failure is no longer told by this status."),
    ("response-non-success-status-added", INFO, "A failure may be told by one more status."),
    ("required-response-header-removed", ERR, "A header that was always sent is gone."),
    ("optional-response-header-removed", WARN, "A header that was sometimes sent is gone."),
    ("response-header-added", INFO, "A response has one more header."),
    ("response-header-became-optional", ERR, "A header is no longer always sent."),
    ("response-header-became-required", INFO, "A header is now always sent."),
    (TOO_MANY, ERR, "There is more than can be listed, or compared."),
    ("remote-reference-changed", ERR, "What another document describes may be another."),
    ("request-schema-narrowed", ERR, "A request that was accepted is refused, as tried out."),
    ("response-schema-widened", ERR, "A response may be what it could not be, as tried out."),
)

REST_RULES: tuple[Rule, ...] = (*(Rule(*row) for row in _OTHERS), *SCHEMA_RULES)
LEVELS = {rule.id: rule.level for rule in REST_RULES}


def found(rule: str, where: str, pointers: Iterable[str | None], sentence: str) -> Finding:
    """Return the finding of a rule at its own level; `pointers` lead into the old and the new."""
    old, new = pointers
    return Finding(rule, LEVELS[rule], where, old, new, sentence)
