"""Variables are coerced as graphql-core coerces them, or left to it."""

import random
from contextlib import suppress
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    OperationDefinitionNode,
    parse,
)
from graphql.execution.values import get_variable_values

from controlplane.graphql.arguments import variables
from controlplane.graphql.schema import schema

WORDS = ("", "x", "pets", "10", "2026-11-22T10:00:00Z", "6b7d…", "MANUAL", None, 1, 2.5, True)
SCALARS: dict[str, object] = {
    "Int": 3,
    "Boolean": True,
    "Float": 1.5,
    "DateTime": "2026-11-22T10:00:00Z",
    "Decimal": "10.50",
    "Count": 12,
    "Position": "12",
}
DEPTH, WRONG, OFTEN = 4, 0.02, 0.6


def value(chosen: random.Random, type_: GraphQLInputType, depth: int = 0) -> object:
    """Return what is mostly a value of the type, and now and then anything else."""
    if chosen.random() < WRONG or depth > DEPTH:
        return chosen.choice([*WORDS, [], {}, {"unknown": 1}, ["x"]])
    match type_:
        case GraphQLNonNull():
            return value(chosen, type_.of_type, depth)
        case GraphQLList():
            return [value(chosen, type_.of_type, depth + 1) for _ in range(chosen.randrange(3))]
        case GraphQLEnumType():
            return chosen.choice(list(type_.values))
        case GraphQLInputObjectType():
            return {
                name: value(chosen, each.type, depth + 1)
                for name, each in type_.fields.items()
                if isinstance(each.type, GraphQLNonNull) or chosen.random() < OFTEN
            }
    return SCALARS.get(str(type_), "x")


INPUTS = sorted(
    name for name, each in schema.type_map.items() if isinstance(each, GraphQLInputObjectType)
)


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_coerced_as_graphql_core_does(name: str) -> None:
    chosen, agreed, wrong = random.Random(name), 0, 0  # noqa: S311  # to be repeated
    operation = parse(f"query ($given: {name}!, $n: Int = 7, $all: [{name}!]) {{ a }}")
    (definition,) = operation.definitions
    assert isinstance(definition, OperationDefinitionNode)
    coerce = variables(schema, definition.variable_definitions)
    for _ in range(60):
        type_ = schema.type_map[name]
        assert isinstance(type_, GraphQLInputObjectType)
        given: dict[str, Any] = {"given": value(chosen, type_)}
        if chosen.random() < 0.3:
            given["all"] = [given["given"]]
        expected = get_variable_values(schema, definition.variable_definitions, given)
        with suppress(Exception):  # left to graphql-core, which may still find a way
            found = coerce(given)
            agreed += 1
            wrong += found != expected
    assert agreed
    assert not wrong
