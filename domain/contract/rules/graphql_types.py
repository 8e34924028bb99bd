"""Rules of GraphQL: types, what they belong to, and where operations begin."""

from collections.abc import Iterator

from domain.contract.finding import Finding, Level
from domain.contract.graphql_comparison import Comparison
from domain.contract.graphql_schema import ROOTS, TYPES, Kind
from domain.contract.rules import Rule

RULES = (
    Rule("graphql-type-added", Level.INFO, "There is a new type."),
    Rule("graphql-type-removed", Level.ERROR, "A type is gone."),
    Rule("graphql-type-kind-changed", Level.ERROR, "A type became one of another kind."),
    Rule("graphql-root-type-added", Level.INFO, "Operations of a new kind can be sent."),
    Rule("graphql-root-type-removed", Level.ERROR, "Operations of a kind can no longer be sent."),
    Rule("graphql-root-type-changed", Level.ERROR, "Operations of a kind begin at another type."),
    Rule(
        "graphql-interface-added", Level.WARNING, "A type may now come where others were expected."
    ),
    Rule("graphql-interface-removed", Level.ERROR, "A type no longer implements an interface."),
    Rule("graphql-union-member-added", Level.WARNING, "A union can hold a further type."),
    Rule("graphql-union-member-removed", Level.ERROR, "A union no longer holds a type."),
    Rule("graphql-enum-value-added", Level.WARNING, "An enum has a further value."),
    Rule("graphql-enum-value-removed", Level.ERROR, "An enum value, deprecated before, is gone."),
    Rule(
        "graphql-enum-value-removed-without-deprecation",
        Level.ERROR,
        "An enum value is gone that was never deprecated.",
    ),
)


def type_added(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each type that is new."""
    for new in schemas.added(*TYPES):
        yield schemas.finding(
            "graphql-type-added", None, new, f"The {new.kind} {new.coordinate} was added."
        )


def type_removed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each type that is gone: operations may name it in fragments and variables."""
    for old in schemas.removed(*TYPES):
        yield schemas.finding(
            "graphql-type-removed", old, None, f"The {old.kind} {old.coordinate} was removed."
        )


def type_kind_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each type that is of another kind than before."""
    for old in schemas.old.elements.values():
        new = schemas.new.elements.get(old.coordinate)
        if old.kind in TYPES and new is not None and new.kind is not old.kind:
            sentence = f"{old.coordinate} is no longer of the kind {old.kind}, but {new.kind}."
            yield schemas.finding("graphql-type-kind-changed", old, new, sentence)


def root_type_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of operations that begin at another type, or of which there were or are none."""
    for root in ROOTS:
        old, new = schemas.old.roots.get(root), schemas.new.roots.get(root)
        elements = (
            None if old is None else schemas.old.elements.get(old),
            None if new is None else schemas.new.elements.get(new),
        )
        if old == new:
            continue
        if old is None:
            rule, what = "added", f"A {root} can now be sent; it begins at {new}."
        elif new is None:
            rule, what = "removed", f"A {root} can no longer be sent; it began at {old}."
        else:
            rule, what = "changed", f"A {root} now begins at {new}, not at {old}."
        yield schemas.finding(f"graphql-root-type-{rule}", *elements, what)


def interface_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of interfaces that a type implements or no longer does."""
    for old, new in schemas.kept(Kind.OBJECT, Kind.INTERFACE):
        for name in sorted(new.members - old.members):
            sentence = (
                f"{new.coordinate} now implements {name} and may come where that is asked for."
            )
            yield schemas.finding("graphql-interface-added", old, new, sentence)
        for name in sorted(old.members - new.members):
            sentence = f"{old.coordinate} no longer implements {name}."
            yield schemas.finding("graphql-interface-removed", old, new, sentence)


def union_member_changed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of types that a union holds or no longer does."""
    for old, new in schemas.kept(Kind.UNION):
        for name in sorted(new.members - old.members):
            sentence = f"{new.coordinate} can now be {name}, which clients may not expect."
            yield schemas.finding("graphql-union-member-added", old, new, sentence)
        for name in sorted(old.members - new.members):
            sentence = f"{old.coordinate} can no longer be {name}."
            yield schemas.finding("graphql-union-member-removed", old, new, sentence)


def enum_value_added(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each value that a client may not expect."""
    for new in schemas.added(Kind.VALUE):
        sentence = f"{new.coordinate} was added; clients that know all values may not expect it."
        yield schemas.finding("graphql-enum-value-added", None, new, sentence)


def enum_value_removed(schemas: Comparison) -> Iterator[Finding]:
    """Tell of each value that is gone, and whether a deprecation said so before."""
    for old in schemas.removed(Kind.VALUE):
        yield schemas.removal("graphql-enum-value-removed", old, "operations that name it fail")


CHECKS = (
    type_added,
    type_removed,
    type_kind_changed,
    root_type_changed,
    interface_changed,
    union_member_changed,
    enum_value_added,
    enum_value_removed,
)
