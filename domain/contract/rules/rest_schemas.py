"""The rules of schemas: what is said of each place that has one, by direction.

What a request may hold must not become less, what a response may hold must not become more. A
property that is read-only in a request, or write-only in a response, is not sent there: whatever
happens to it is an info.
"""

from collections.abc import Iterator
from itertools import chain

from domain.contract.finding import Level
from domain.contract.rules import Rule

ERR, WARN, INFO = Level

REQUEST = ("request-parameter", "request-parameter-property", "request-body", "request-property")
RESPONSE = ("response-header", "response-body", "response-property")
ALL = (*REQUEST, *RESPONSE)

_UPPER = "max", "exclusive-max", "max-length", "max-items", "max-properties", "max-contains"
_LOWER = "min", "exclusive-min", "min-length", "min-items", "min-properties", "min-contains"

# (what happens, its level in a request, its level in a response, what that means)
_CHANGES = (
    *((f"{bound}-decreased", ERR, INFO, "An upper limit is lower.") for bound in _UPPER),
    *((f"{bound}-increased", INFO, ERR, "An upper limit is higher.") for bound in _UPPER),
    *((f"{bound}-increased", ERR, INFO, "A lower limit is higher.") for bound in _LOWER),
    *((f"{bound}-decreased", INFO, ERR, "A lower limit is lower.") for bound in _LOWER),
    *(
        (f"{bound}-set", WARN, INFO, "There is a limit where there was none.")
        for bound in _UPPER + _LOWER
    ),
    *((f"{bound}-unset", INFO, ERR, "A limit is gone.") for bound in _UPPER + _LOWER),
    ("multiple-of-set", ERR, INFO, "Numbers must be multiples of something."),
    ("multiple-of-changed", ERR, ERR, "Numbers must be multiples of something else."),
    ("multiple-of-unset", INFO, ERR, "Numbers need not be multiples of anything."),
    ("unique-items-set", ERR, INFO, "No element may occur twice."),
    ("unique-items-unset", INFO, ERR, "An element may occur twice."),
    ("enum-value-added", INFO, WARN, "A list of values has one more."),
    ("enum-value-removed", ERR, INFO, "A list of values has one less."),
    ("became-enum", ERR, INFO, "What could be anything must be one of a list."),
    ("enum-removed", INFO, WARN, "What was one of a list may be anything."),
    ("x-extensible-enum-value-added", INFO, INFO, "A list of values that may grow has grown."),
    ("x-extensible-enum-value-removed", ERR, INFO, "A list of values that may grow has shrunk."),
    ("const-added", ERR, INFO, "There is one value only."),
    ("const-changed", ERR, ERR, "The one value is another."),
    ("const-removed", INFO, ERR, "There may be other values than the one."),
    ("default-value-added", INFO, INFO, "What is left out has a meaning."),
    ("default-value-changed", INFO, INFO, "What is left out means something else."),
    ("default-value-removed", INFO, INFO, "What is left out has no meaning any more."),
    ("pattern-added", ERR, INFO, "Text must match a pattern."),
    ("pattern-changed", WARN, INFO, "Text must match another pattern."),
    ("pattern-generalized", INFO, INFO, "Text must match a pattern that lets everything pass."),
    ("pattern-removed", INFO, INFO, "Text need not match a pattern."),
    ("type-changed", ERR, ERR, "The type or format is another."),
    ("type-generalized", INFO, ERR, "The type or format allows more."),
    ("type-specialized", ERR, INFO, "The type or format allows less."),
    ("type-compatible", INFO, INFO, "The type or format is another, but written the same."),
    ("list-of-types-widened", INFO, ERR, "More types are possible."),
    ("list-of-types-narrowed", ERR, INFO, "Fewer types are possible."),
    ("became-nullable", INFO, ERR, "It may be null."),
    ("became-not-nullable", ERR, INFO, "It may not be null."),
    ("content-encoding-changed", ERR, ERR, "Text is encoded in another way."),
    ("content-media-type-changed", ERR, ERR, "Text holds another media type."),
    ("content-schema-added", ERR, INFO, "What text holds has a schema."),
    ("content-schema-removed", INFO, ERR, "What text holds has no schema any more."),
    ("additional-properties-closed", ERR, INFO, "Properties that are not named are refused."),
    ("additional-properties-opened", INFO, WARN, "Properties that are not named may occur."),
    ("pattern-property-added", ERR, INFO, "Properties of some names must have a shape."),
    ("pattern-property-removed", INFO, ERR, "Properties of some names may have any shape."),
    ("property-names-added", ERR, INFO, "Names of properties must have a shape."),
    ("property-names-removed", INFO, ERR, "Names of properties may have any shape."),
    ("dependent-required-added", ERR, INFO, "A property needs others beside it."),
    ("dependent-required-changed", ERR, ERR, "A property needs other ones beside it."),
    ("dependent-required-removed", INFO, ERR, "A property needs no others beside it."),
    ("dependent-schema-added", ERR, INFO, "A property asks something of the whole object."),
    ("dependent-schema-removed", INFO, ERR, "A property asks nothing of the whole object."),
    ("unevaluated-properties-added", ERR, INFO, "Properties nobody described are judged."),
    ("unevaluated-properties-removed", INFO, ERR, "Properties nobody described are not judged."),
    ("unevaluated-items-added", ERR, INFO, "Elements nobody described are judged."),
    ("unevaluated-items-removed", INFO, ERR, "Elements nobody described are not judged."),
    ("items-added", ERR, INFO, "Elements that could be anything have a schema."),
    ("items-removed", INFO, ERR, "Elements may be anything."),
    ("prefix-items-added", ERR, ERR, "One more place of a list is described."),
    ("prefix-items-removed", ERR, ERR, "One place less of a list is described."),
    ("contains-added", ERR, INFO, "A list must hold something."),
    ("contains-removed", INFO, ERR, "A list need not hold something."),
    ("all-of-added", ERR, INFO, "There is one more condition to meet."),
    ("all-of-removed", WARN, INFO, "There is one condition less to meet."),
    ("all-of-added-annotation-only", INFO, INFO, "A condition is new that asks nothing."),
    ("all-of-removed-annotation-only", INFO, INFO, "A condition is gone that asked nothing."),
    ("any-of-added", INFO, WARN, "There is one more alternative."),
    ("any-of-removed", ERR, INFO, "There is one alternative less."),
    ("one-of-added", INFO, ERR, "There is one more alternative."),
    ("one-of-removed", ERR, INFO, "There is one alternative less."),
    ("wrapped-in-one-of", ERR, ERR, "What was one thing is now one of several."),
    ("not-added", ERR, INFO, "Something is forbidden."),
    ("not-removed", INFO, ERR, "Something is no longer forbidden."),
    ("if-added", ERR, INFO, "There is a condition."),
    ("if-removed", INFO, ERR, "A condition is gone."),
    ("then-added", ERR, INFO, "Something must hold where a condition does."),
    ("then-removed", INFO, ERR, "Nothing must hold where a condition does."),
    ("else-added", ERR, INFO, "Something must hold where a condition does not."),
    ("else-removed", INFO, ERR, "Nothing must hold where a condition does not."),
    ("discriminator-added", INFO, INFO, "A property tells which alternative it is."),
    ("discriminator-removed", INFO, INFO, "No property tells which alternative it is."),
    ("discriminator-property-name-changed", INFO, INFO, "Another property tells the alternative."),
    ("discriminator-mapping-added", INFO, INFO, "A value stands for an alternative."),
    ("discriminator-mapping-deleted", INFO, INFO, "A value stands for no alternative any more."),
    ("discriminator-mapping-changed", INFO, INFO, "A value stands for another alternative."),
    ("deprecated", INFO, INFO, "It is deprecated."),
    ("deprecated-with-sunset", INFO, INFO, "It is deprecated, with enough notice."),
    ("deprecated-sunset-missing", ERR, ERR, "It is deprecated without saying when it ends."),
    ("deprecated-sunset-invalid", ERR, ERR, "The sunset is no date."),
    ("reactivated", INFO, INFO, "It is no longer deprecated."),
    ("sunset-date-too-small", ERR, ERR, "It ends sooner than promised."),
    ("stability-decreased", ERR, ERR, "It is promised to be less stable."),
    ("stability-increased", INFO, INFO, "It is promised to be more stable."),
    ("became-required", ERR, INFO, "It must be sent."),
    ("became-required-with-default", ERR, INFO, "It must be sent, though a default is known."),
    ("became-optional", INFO, ERR, "It need not be sent."),
)

_EXCEPTIONS = {
    # Whoever leaves a parameter out gets something else; nobody sees that in a body's default.
    "request-parameter-default-value-added": ERR,
    "request-parameter-default-value-changed": ERR,
    "request-parameter-default-value-removed": ERR,
    # Nobody can know how an object in a parameter is written; often any text will do.
    "request-parameter-property-type-changed": WARN,
}

_BODIES = ("request-body", "response-body")
_IN_BODIES = ("request-property", "response-property")
_WITHIN = (*_IN_BODIES, "request-parameter-property")
_ONLY_AT = {
    # Of a parameter, a header and a body as such other rules tell.
    "became-required": _WITHIN,
    "became-required-with-default": ("request-property", "request-parameter-property"),
    "became-optional": _WITHIN,
    "deprecated": _IN_BODIES,
    "deprecated-with-sunset": _IN_BODIES,
    "deprecated-sunset-missing": _IN_BODIES,
    "deprecated-sunset-invalid": _IN_BODIES,
    "reactivated": _IN_BODIES,
    "sunset-date-too-small": _IN_BODIES,
    "stability-decreased": _IN_BODIES,
    "stability-increased": _IN_BODIES,
    "wrapped-in-one-of": _BODIES,
    "pattern-generalized": REQUEST,
    "type-specialized": ("request-parameter-property", *RESPONSE),
    "type-compatible": RESPONSE,
}
"""Changes that are not told at every place that has a schema."""

_PROPERTIES = (
    ("request-property-removed", WARN, "A property of requests is no longer read."),
    ("new-required-request-property", ERR, "A property is new and must be sent."),
    (
        "new-required-request-property-with-default",
        ERR,
        "It must be sent, though it has a default.",
    ),
    ("new-optional-request-property", INFO, "A property is new and may be sent."),
    ("request-parameter-property-removed", WARN, "A property of a parameter is no longer read."),
    ("new-required-request-parameter-property", ERR, "A property of a parameter must be sent."),
    (
        "new-required-request-parameter-property-with-default",
        ERR,
        "A property of a parameter must be sent, though it has a default.",
    ),
    ("new-optional-request-parameter-property", INFO, "A property of a parameter may be sent."),
    ("response-required-property-removed", ERR, "A property that was always there is gone."),
    ("response-optional-property-removed", WARN, "A property that was sometimes there is gone."),
    ("response-required-write-only-property-removed", INFO, "A property that is not sent is gone."),
    ("response-optional-write-only-property-removed", INFO, "A property that is not sent is gone."),
    ("response-required-property-added", INFO, "A property is new and always there."),
    ("response-optional-property-added", INFO, "A property is new and sometimes there."),
    ("response-required-write-only-property-added", INFO, "A property is new and not sent."),
    ("response-optional-write-only-property-added", INFO, "A property is new and not sent."),
)


def _access_rules() -> Iterator[Rule]:
    for side in ("request", "response"):
        for need in ("required", "optional"):
            for access in ("read-only", "write-only"):
                for change in (f"became-{access}", f"became-not-{access}"):
                    # Clients that were never sent it meet it now.
                    is_met = (side, need, change) == ("response", "required", _MET)
                    level = WARN if is_met else INFO
                    meaning = f"A property changed: it {change.replace('-', ' ', 1)}."
                    yield Rule(f"{side}-{need}-property-{change}", level, meaning)


_MET = "became-not-write-only"


def _everywhere(change: str, in_request: Level, in_response: Level, meaning: str) -> Iterator[Rule]:
    for places, level in ((REQUEST, in_request), (RESPONSE, in_response)):
        for place in places:
            if place in _ONLY_AT.get(change, ALL):
                id_ = f"{place}-{change}"
                yield Rule(id_, _EXCEPTIONS.get(id_, level), meaning)


SCHEMA_RULES: tuple[Rule, ...] = (
    *(Rule(*row) for row in _PROPERTIES),
    *_access_rules(),
    *chain.from_iterable(_everywhere(*row) for row in _CHANGES),
)
