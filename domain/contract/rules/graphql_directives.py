"""Rules of GraphQL: directives, where they are applied, deprecations and descriptions."""

from collections import Counter
from collections.abc import Iterator

from domain.contract.document import shown
from domain.contract.finding import Finding, Level
from domain.contract.graphql_comparison import Comparison
from domain.contract.graphql_schema import Element, Kind
from domain.contract.rules import Rule

RULES = (
    Rule("graphql-directive-added", Level.INFO, "There is a new directive."),
    Rule("graphql-directive-removed", Level.ERROR, "A directive is gone."),
    Rule("graphql-directive-location-added", Level.INFO, "A directive may stand in more places."),
    Rule(
        "graphql-directive-location-removed", Level.ERROR, "A directive may stand in fewer places."
    ),
    Rule("graphql-directive-repeatable-added", Level.INFO, "A directive may now be repeated."),
    Rule(
        "graphql-directive-repeatable-removed",
        Level.ERROR,
        "A directive may no longer be repeated.",
    ),
    Rule(
        "graphql-directive-usage-changed",
        Level.WARNING,
        "Directives of one's own at an element changed; what they do, the schema does not say.",
    ),
    Rule(
        "graphql-scalar-specification-changed",
        Level.WARNING,
        "What a scalar looks like is specified elsewhere than before.",
    ),
    Rule("graphql-input-one-of-added", Level.ERROR, "An input takes exactly one of its fields."),
    Rule("graphql-input-one-of-removed", Level.INFO, "An input takes several of its fields."),
    Rule("graphql-deprecation-added", Level.INFO, "Something is deprecated now."),
    Rule("graphql-deprecation-removed", Level.INFO, "Something is no longer deprecated."),
    Rule("graphql-deprecation-reason-changed", Level.INFO, "The reason of a deprecation changed."),
    Rule("graphql-description-changed", Level.INFO, "A description changed."),
)

_ONE_OF, _SPECIFIED_BY = "@oneOf", "@specifiedBy"


def directive_added(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each directive that is new."""
    for new in schemas.added(Kind.DIRECTIVE):
        sentence = f"The directive {new.coordinate} was added."
        yield schemas.finding("graphql-directive-added", None, new, sentence)


def directive_removed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each directive that is gone."""
    for old in schemas.removed(Kind.DIRECTIVE):
        sentence = f"The directive {old.coordinate} was removed; documents that use it fail."
        yield schemas.finding("graphql-directive-removed", old, None, sentence)


def directive_location_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each kind of place where a directive may now stand, or no longer."""
    for old, new in schemas.kept(Kind.DIRECTIVE):
        for name in sorted(new.members - old.members):
            sentence = f"{new.coordinate} may now stand at {name}."
            yield schemas.finding("graphql-directive-location-added", old, new, sentence)
        for name in sorted(old.members - new.members):
            sentence = f"{old.coordinate} may no longer stand at {name}."
            yield schemas.finding("graphql-directive-location-removed", old, new, sentence)


def directive_repeatable_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each directive that may be repeated, or no longer."""
    for old, new in schemas.kept(Kind.DIRECTIVE):
        if new.is_repeatable and not old.is_repeatable:
            sentence = f"{new.coordinate} may now stand several times at one place."
            yield schemas.finding("graphql-directive-repeatable-added", old, new, sentence)
        if old.is_repeatable and not new.is_repeatable:
            sentence = f"{new.coordinate} may no longer stand several times at one place."
            yield schemas.finding("graphql-directive-repeatable-removed", old, new, sentence)


def directive_usage_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of directives that are applied to an element, or no longer.

    Such a directive can do anything: demand a scope, hide the element, name its owner.
    """
    for old, new in schemas.kept(*Kind):
        for use, is_added in _uses(old, new):
            if not use.startswith((_ONE_OF, _SPECIFIED_BY)):
                what = "now has" if is_added else "no longer has"
                sentence = f"{_name(new)} {what} {shown(use)}."
                yield schemas.finding("graphql-directive-usage-changed", old, new, sentence)


def scalar_specification_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each scalar whose form is specified elsewhere than before."""
    for old, new in schemas.kept(Kind.SCALAR):
        if any(use.startswith(_SPECIFIED_BY) for use, _ in _uses(old, new)):
            sentence = (
                f"The specification of {new.coordinate} is another; values may look different."
            )
            yield schemas.finding("graphql-scalar-specification-changed", old, new, sentence)


def input_one_of_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each input that takes exactly one of its fields, or no longer."""
    for old, new in schemas.kept(Kind.INPUT):
        if _ONE_OF in new.applied and _ONE_OF not in old.applied:
            sentence = (
                f"{new.coordinate} now takes exactly one of its fields, no more and no fewer."
            )
            yield schemas.finding("graphql-input-one-of-added", old, new, sentence)
        if _ONE_OF in old.applied and _ONE_OF not in new.applied:
            sentence = f"{new.coordinate} is no longer bound to exactly one of its fields."
            yield schemas.finding("graphql-input-one-of-removed", old, new, sentence)


def deprecation_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of what is deprecated now, no longer, or for another reason."""
    for old, new in schemas.kept(*Kind):
        before, after = old.deprecated_because, new.deprecated_because
        if before == after:
            continue
        if before is None:
            rule, what = "added", f"is deprecated: {shown(after or '')}"
        elif after is None:
            rule, what = "removed", "is no longer deprecated"
        else:
            rule, what = "reason-changed", f"is deprecated for another reason: {shown(after)}"
        sentence = f"{_name(new)} {what.rstrip('.')}."
        yield schemas.finding(f"graphql-deprecation-{rule}", old, new, sentence)


def description_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each description that was added, removed or written anew."""
    for old, new in schemas.kept(*Kind):
        if old.description == new.description:
            continue
        if not old.description:
            what = "has a description now"
        else:
            what = "has another description" if new.description else "lost its description"
        yield schemas.finding("graphql-description-changed", old, new, f"{_name(new)} {what}.")


def _uses(old: Element, new: Element) -> Iterator[tuple[str, bool]]:
    """Return each use of a directive that only one of the two has, and whether it is the new."""
    if old.applied != new.applied:
        for mine, other, is_added in ((new, old, True), (old, new, False)):
            for use in sorted(Counter(mine.applied) - Counter(other.applied)):
                yield use, is_added


def _name(element: Element) -> str:
    return element.coordinate or "The schema"


CHECKS = (
    directive_added,
    directive_removed,
    directive_location_changed,
    directive_repeatable_changed,
    directive_usage_changed,
    scalar_specification_changed,
    input_one_of_changed,
    deprecation_changed,
    description_changed,
)
