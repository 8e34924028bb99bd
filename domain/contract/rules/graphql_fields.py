"""Rules of GraphQL: fields, arguments, input fields."""

from collections.abc import Iterator

from domain.contract.document import shown
from domain.contract.finding import Finding, Level
from domain.contract.graphql_comparison import Comparison
from domain.contract.graphql_schema import Kind, covers
from domain.contract.rules import Rule

INPUTS = (Kind.ARGUMENT, Kind.INPUT_FIELD, Kind.DIRECTIVE_ARGUMENT)
_WORDS = {kind: kind.replace(" ", "-") for kind in INPUTS}


def _input_rules(kind: Kind, optional: Level) -> tuple[Rule, ...]:
    id_ = f"graphql-{_WORDS[kind]}"
    what = f"{'An' if kind[0] in 'ai' else 'A'} {kind}"
    return (
        Rule(f"{id_}-added-required", Level.ERROR, f"{what} is new and has to be given."),
        Rule(f"{id_}-added-optional", optional, f"{what} is new and may be left out."),
        Rule(f"{id_}-removed", Level.ERROR, f"{what}, deprecated before, is gone."),
        Rule(
            f"{id_}-removed-without-deprecation",
            Level.ERROR,
            f"{what} is gone that was never deprecated.",
        ),
        Rule(f"{id_}-type-changed", Level.ERROR, f"{what} refuses values it took before."),
        Rule(f"{id_}-type-widened", Level.INFO, f"{what} takes more values than before."),
        Rule(
            f"{id_}-default-changed",
            Level.WARNING,
            f"{what} means something else when it is left out.",
        ),
        Rule(f"{id_}-became-required", Level.ERROR, f"{what} may no longer be left out."),
    )


RULES = (
    Rule("graphql-field-added", Level.INFO, "There is a new field."),
    Rule("graphql-field-removed", Level.ERROR, "A field, deprecated before, is gone."),
    Rule(
        "graphql-field-removed-without-deprecation",
        Level.ERROR,
        "A field is gone that was never deprecated.",
    ),
    Rule("graphql-field-type-changed", Level.ERROR, "A field returns what clients do not expect."),
    Rule("graphql-field-type-narrowed", Level.INFO, "A field returns less than clients expect."),
    *_input_rules(Kind.ARGUMENT, Level.WARNING),
    *_input_rules(Kind.INPUT_FIELD, Level.WARNING),
    *_input_rules(Kind.DIRECTIVE_ARGUMENT, Level.INFO),
)


def field_added(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each field that is new."""
    for new in schemas.added(Kind.FIELD):
        sentence = f"The field {new.coordinate} was added."
        yield schemas.finding("graphql-field-added", None, new, sentence)


def field_removed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each field that is gone, and whether a deprecation said so before."""
    for old in schemas.removed(Kind.FIELD):
        yield schemas.removal("graphql-field-removed", old, "operations that ask for it fail")


def field_type_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each field whose type is another; one that promises more is no break."""
    for old, new in schemas.kept(Kind.FIELD):
        if old.type is None or new.type is None or old.type_name == new.type_name:
            continue
        change = f"{new.coordinate} returns {new.type_name}, no longer {old.type_name}"
        if covers(old.type, new.type):
            sentence = f"{change}; clients handle that already."
            yield schemas.finding("graphql-field-type-narrowed", old, new, sentence)
        else:
            sentence = f"{change}, which clients do not expect."
            yield schemas.finding("graphql-field-type-changed", old, new, sentence)


def input_added(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each argument or input field that is new, and whether it has to be given."""
    for new in schemas.added(*INPUTS):
        rule = f"graphql-{_WORDS[new.kind]}-added"
        if new.is_required:
            sentence = f"{new.coordinate} was added and has to be given; older calls fail."
            yield schemas.finding(f"{rule}-required", None, new, sentence)
        else:
            sentence = f"{new.coordinate} was added and may be left out."
            yield schemas.finding(f"{rule}-optional", None, new, sentence)


def input_removed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each argument or input field that is gone."""
    for old in schemas.removed(*INPUTS):
        yield schemas.removal(
            f"graphql-{_WORDS[old.kind]}-removed", old, "operations that give it fail"
        )


def input_type_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each argument or input field whose type is another."""
    for old, new in schemas.kept(*INPUTS):
        if old.type is None or new.type is None or old.type_name == new.type_name:
            continue
        rule = f"graphql-{_WORDS[old.kind]}-type"
        change = f"{new.coordinate} takes {new.type_name}, no longer {old.type_name}"
        if covers(new.type, old.type):
            sentence = f"{change}; what was accepted still is."
            yield schemas.finding(f"{rule}-widened", old, new, sentence)
        else:
            sentence = f"{change}; values that were accepted are refused."
            yield schemas.finding(f"{rule}-changed", old, new, sentence)


def input_default_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of defaults that are other ones; without one, what is not nullable has to be given.

    graphql-core's own comparison calls the latter merely dangerous, and does not look at input
    fields and directives.
    """
    for old, new in schemas.kept(*INPUTS):
        if old.default == new.default:
            continue
        rule = f"graphql-{_WORDS[old.kind]}"
        if new.is_required:
            sentence = (
                f"{new.coordinate} lost its default {shown(old.default or '')} and has to be given."
            )
            yield schemas.finding(f"{rule}-became-required", old, new, sentence)
            continue
        was = "nothing" if old.default is None else shown(old.default)
        is_ = "nothing" if new.default is None else shown(new.default)
        sentence = f"When {new.coordinate} is left out, that now means {is_}, not {was}."
        yield schemas.finding(f"{rule}-default-changed", old, new, sentence)


CHECKS = (
    field_added,
    field_removed,
    field_type_changed,
    input_added,
    input_removed,
    input_type_changed,
    input_default_changed,
)
