"""Variables and arguments as resolvers take them: what is otherwise worked out for every call."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    VariableDefinitionNode,
    VariableNode,
    type_from_ast,
    value_from_ast,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Undefined
from strawberry.types.base import StrawberryMaybe

_OURS = "strawberry-definition"
Read: TypeAlias = Callable[[Any], Any]
Arguments: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Reads the arguments of a field in a document, given the variables. Raises GraphQLError."""


Variables: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Coerces the variables of a request. Raises whatever when graphql-core would find an error."""


class UnreadableArgumentError(Exception):
    """An argument of a kind that our schema did not have so far; strawberry reads it."""


class MisfitError(Exception):
    """A variable is not of its type, or only by a detour; graphql-core says which it is."""


def variables(schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode]) -> Variables:
    """Return what coerces the variables of a valid operation as graphql-core does."""
    wanted: list[tuple[str, Read, Any, bool]] = []
    for each in definitions:
        type_: Any = type_from_ast(schema, each.type)
        default = Undefined
        if each.default_value is not None:
            default = value_from_ast(each.default_value, type_)
        required = isinstance(type_, GraphQLNonNull) and default is Undefined
        wanted.append((each.variable.name.value, _coerced(type_), default, required))

    def coerce(given: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, read, default, required in wanted:
            if name in given:
                values[name] = read(given[name])
            elif required:
                raise MisfitError
            elif default is not Undefined:
                values[name] = default
        return values

    return coerce


def _coerced(type_: GraphQLInputType) -> Read:
    if isinstance(type_, GraphQLNonNull):
        return _present(_coerced(type_.of_type))
    given = _given(type_)
    return lambda value: None if value is None else given(value)


def _present(given: Read) -> Read:
    def read(value: Any) -> Any:  # noqa: ANN401
        found = given(value)
        if found is None:
            raise MisfitError
        return found

    return read


@cache
def _given(type_: GraphQLInputType) -> Read:
    """Return what coerces a value that is not null."""
    if isinstance(type_, GraphQLList):
        one = _coerced(type_.of_type)
        return lambda value: [one(each) for each in _is(list, value)]
    if isinstance(type_, GraphQLInputObjectType):
        return _object(type_)
    assert isinstance(type_, GraphQLScalarType | GraphQLEnumType)
    parse = type_.parse_value

    def read(value: Any) -> Any:  # noqa: ANN401
        found = parse(value)
        if found is Undefined:
            raise MisfitError
        return found

    return read


def _object(type_: GraphQLInputObjectType) -> Read:
    fields: list[tuple[str, str, Read, Any, bool]] = []

    def read(value: Any) -> Any:  # noqa: ANN401
        if not fields:  # only now, for an input may hold itself
            fields.extend(
                (
                    name,
                    each.out_name or name,
                    _coerced(each.type),
                    each.default_value,
                    isinstance(each.type, GraphQLNonNull) and each.default_value is Undefined,
                )
                for name, each in type_.fields.items()
            )
        given, found, met = _is(dict, value), {}, 0
        for name, out_name, of, default, required in fields:
            if name in given:
                found[out_name] = of(given[name])
                met += 1
            elif required:
                raise MisfitError
            elif default is not Undefined:
                found[out_name] = default
        if met < len(given):
            raise MisfitError
        return type_.out_type(found)

    return read


def _is(kind: type, value: Any) -> Any:  # noqa: ANN401
    if type(value) is not kind:
        raise MisfitError
    return value


def reader(field: GraphQLField, node: FieldNode) -> Arguments:
    """Return what reads the arguments of a field. Raises UnreadableArgumentError."""
    given = {
        each.name.value: each.value.name.value
        for each in node.arguments
        if isinstance(each.value, VariableNode)
    }
    if len(given) == len(node.arguments):
        return _of_variables(field, given)
    wanted = [(name, _python_name(each), _read(each.type)) for name, each in field.args.items()]

    def read(variables: dict[str, Any]) -> dict[str, Any]:
        values = get_argument_values(field, node, variables)
        return {
            python: of(values[name]) if of else values[name]
            for name, python, of in wanted
            if name in values
        }

    return read


def _of_variables(field: GraphQLField, given: dict[str, str]) -> Arguments:
    """Return what reads arguments that are variables, or left out: coerced as they are."""
    wanted = [
        (
            _python_name(each),
            _read(each.type),
            given.get(name),
            each.default_value,
            isinstance(each.type, GraphQLNonNull),
        )
        for name, each in field.args.items()
    ]

    def read(variables: dict[str, Any]) -> dict[str, Any]:
        arguments = {}
        for name, of, variable, default, required in wanted:
            value = variables.get(variable, default) if variable else default
            if required and (value is None or value is Undefined):
                raise MisfitError
            if value is not Undefined:
                arguments[name] = of(value) if of else value
        return arguments

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
