"""The policy directives of the gateways' schema: printed in its SDL, enforced from the same place.

`@scope` and `@cost` are applied to fields of graphene types and kept there as attributes, from
which both the printer and `policies` read. There is no second list that could differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphene.utils.str_converters import to_snake_case
from graphene_directives import CustomDirective, DirectiveLocation, directive_decorator
from graphene_directives.utils import get_field_attribute_value, has_field_attribute
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLDirective,
    GraphQLError,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
)

BUDGET = 100
INTROSPECTION_COST = 10
FORBIDDEN, COST_EXCEEDED = "FORBIDDEN", "COST_EXCEEDED"

SCOPE: GraphQLDirective = CustomDirective(
    name="scope",
    locations=[DirectiveLocation.FIELD_DEFINITION],
    args={
        "requires": GraphQLArgument(
            GraphQLNonNull(GraphQLString),
            description="The permission that the bearer of the token must have.",
        )
    },
    description="Without the permission the operation is refused as FORBIDDEN.",
)
COST: GraphQLDirective = CustomDirective(
    name="cost",
    locations=[DirectiveLocation.FIELD_DEFINITION],
    args={
        "weight": GraphQLArgument(
            GraphQLNonNull(GraphQLInt),
            description="What it adds each time it is asked for.",
        )
    },
    description=f"An operation of more than {BUDGET} in all is refused as COST_EXCEEDED.",
)
scope: Callable[..., Any] = directive_decorator(SCOPE)
cost: Callable[..., Any] = directive_decorator(COST)


@dataclass(frozen=True)
class Policy:
    """What is declared on one field."""

    scopes: tuple[str, ...] = ()
    weight: int = 0


Policies: TypeAlias = Mapping[tuple[str, str], Policy]
"""By the names of a type and of its field."""


def policies(schema: GraphQLSchema) -> Policies:
    """Return what the directives on the fields of a schema declare."""
    declared: dict[tuple[str, str], Policy] = {}
    for name, type_ in schema.type_map.items():
        graphene_type = getattr(type_, "graphene_type", None)
        if not isinstance(type_, GraphQLObjectType) or graphene_type is None:
            continue
        for field in type_.fields:
            mounted = getattr(graphene_type, to_snake_case(field), None)
            scopes = tuple(str(each["requires"]) for each in _applied(mounted, SCOPE))
            weight = sum(int(each["weight"]) for each in _applied(mounted, COST))
            if scopes or weight:
                declared[name, field] = Policy(scopes, weight)
    return declared


def _applied(mounted: object, directive: GraphQLDirective) -> list[dict[str, Any]]:
    if not has_field_attribute(mounted, directive):
        return []
    applied: list[dict[str, Any]] = get_field_attribute_value(mounted, directive)
    return applied


@dataclass(frozen=True)
class Demand:
    """What an operation needs and costs."""

    scopes: frozenset[str]
    cost: int


def demand(
    schema: GraphQLSchema,
    declared: Policies,
    document: DocumentNode,
    operation: OperationDefinitionNode,
) -> Demand:
    """Add up what a valid operation asks for; each fragment is looked at once."""
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    known: dict[str, Demand] = {}

    def of_all(selections: SelectionSetNode, type_: object) -> Demand:
        demands = [of(each, type_) for each in selections.selections]
        scopes = frozenset[str]().union(*(each.scopes for each in demands))
        return Demand(scopes, sum(each.cost for each in demands))

    def of(node: SelectionNode, type_: object) -> Demand:
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in known:
                fragment = fragments[name]
                condition = schema.get_type(fragment.type_condition.name.value)
                known[name] = of_all(fragment.selection_set, condition)
            return known[name]
        if not isinstance(node, FieldNode):  # an inline fragment
            return of_all(getattr(node, "selection_set"), type_)  # noqa: B009  # untyped there
        assert isinstance(type_, GraphQLObjectType)
        return of_field(node, type_)

    def of_field(node: FieldNode, type_: GraphQLObjectType) -> Demand:
        name = node.name.value
        own = declared.get((type_.name, name), Policy())
        weight = own.weight
        below = Demand(frozenset(), 0)
        if name in {"__schema", "__type"}:  # what is below them is bounded by its depth
            weight += INTROSPECTION_COST
        elif node.selection_set is not None:
            below = of_all(node.selection_set, get_named_type(type_.fields[name].type))
        return Demand(below.scopes.union(own.scopes), below.cost + weight)

    root = schema.get_root_type(operation.operation)
    return of_all(operation.selection_set, root)


def refusal(needed: Demand, permissions: frozenset[str]) -> GraphQLError | None:
    """Return why an operation may not run, if so."""
    if missing := sorted(needed.scopes - permissions):
        return GraphQLError(f"It needs {missing[0]}.", extensions={"code": FORBIDDEN})
    if needed.cost > BUDGET:
        return GraphQLError(
            f"It costs {needed.cost}, and an operation may cost {BUDGET}.",
            extensions={"code": COST_EXCEEDED},
        )
    return None
