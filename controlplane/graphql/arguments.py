"""Arguments as resolvers take them: what strawberry works out for every call, worked out once."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
)
from graphql.execution.values import get_argument_values
from strawberry.types.base import StrawberryMaybe

_OURS = "strawberry-definition"
Read: TypeAlias = Callable[[Any], Any]
Arguments: TypeAlias = Callable[[FieldNode, dict[str, Any]], dict[str, Any]]
"""Reads the arguments of a field in a document, given the variables. Raises GraphQLError."""


class UnreadableArgumentError(Exception):
    """An argument of a kind that our schema did not have so far; strawberry reads it."""


def reader(field: GraphQLField) -> Arguments:
    """Return what reads the arguments of a field. Raises UnreadableArgumentError."""
    wanted = [(name, _python_name(each), _read(each.type)) for name, each in field.args.items()]

    def read(node: FieldNode, variables: dict[str, Any]) -> dict[str, Any]:
        if not wanted:
            return {}
        values = get_argument_values(field, node, variables)
        return {
            python: of(values[name]) if of else values[name]
            for name, python, of in wanted
            if name in values
        }

    return read


def _python_name(given: Any) -> str:  # noqa: ANN401  # an argument or an input's field
    definition = given.extensions[_OURS]
    if isinstance(definition.type, StrawberryMaybe):
        raise UnreadableArgumentError
    name: str = definition.python_name
    return name


def _read(type_: object) -> Read | None:
    """Return what makes a value of a type of what graphql-core made of it; None: it is that."""
    if isinstance(type_, GraphQLNonNull):
        return _read(type_.of_type)
    if isinstance(type_, GraphQLList):
        one = _read(type_.of_type)
        if one is None:
            return None
        return lambda values: values and [one(value) for value in values]
    return _input(type_) if isinstance(type_, GraphQLInputObjectType) else None


@cache
def _input(type_: GraphQLInputObjectType) -> Read:
    made = type_.extensions[_OURS].origin
    fields = [(name, _python_name(each), each.type) for name, each in type_.fields.items()]
    readers: list[tuple[str, str, Read | None]] = []

    def read(value: Any) -> Any:  # noqa: ANN401
        if value is None:
            return None
        if not readers:  # only now, for an input may hold itself
            readers.extend((name, python, _read(type_)) for name, python, type_ in fields)
        return made(
            **{
                python: of(value[name]) if of else value[name]
                for name, python, of in readers
                if name in value
            }
        )

    return read
