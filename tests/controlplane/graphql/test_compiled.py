"""What is compiled answers byte for byte as graphql-core does, or leaves it to graphql-core."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from graphql import (
    ExecutionResult,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    execute,
    get_named_type,
    get_operation_ast,
    is_leaf_type,
    is_non_null_type,
    parse,
)

from controlplane.auth import Bearers
from controlplane.graphql.compiled import LeftToGraphQLCoreError
from controlplane.graphql.compiler import Budget, compiled
from controlplane.graphql.documents import Documents
from controlplane.graphql.loaders import Request
from controlplane.graphql.schema import schema
from tests.controlplane.graphql.portal import TERMS, Portal

DEPTH = 4
QUERIES = 60
ALIASES = 30
WHO = (None, "owner", "owner", "developer", "owner", "auditor", "operator", "stranger")


class Author:
    """Writes queries that the schema allows, about things that exist and some that do not."""

    def __init__(self, seed: int, ids: list[str]) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._ids = ids
        self._fragments: dict[str, str] = {}
        self._variables: dict[str, tuple[str, Any]] = {}

    def query(self) -> tuple[str, dict[str, Any]]:
        self._fragments, self._variables = {}, {}
        assert schema.query_type is not None
        selections = self._selections(schema.query_type, 0)
        declared = ", ".join(f"${name}: {kind}" for name, (kind, _) in self._variables.items())
        head = f"query ({declared})" if declared else "query"
        text = " ".join([f"{head} {selections}", *self._fragments.values()])
        return text, {name: value for name, (_, value) in self._variables.items()}

    def _selections(self, type_: Any, depth: int) -> str:
        if isinstance(type_, GraphQLUnionType):
            return "{ __typename }"
        fields = [name for name in type_.fields if depth < DEPTH or self._is_leaf(type_, name)]
        chosen = self._random.sample(fields, min(len(fields), self._random.randint(1, 4)))
        written = [self._field(type_, name, depth) for name in chosen]
        if self._random.random() < 0.3 or not written:
            written.insert(self._random.randint(0, len(written)), "__typename")
        if self._random.random() < 0.2 and chosen:  # the same again, merged
            written.append(f"... on {type_.name} {{ {written[0]} }}")
        if self._random.random() < 0.1:
            name = f"F{len(self._fragments)}"
            self._fragments[name] = ""  # its name is taken while it is written
            self._fragments[name] = f"fragment {name} on {type_.name} {{ {written[-1]} }}"
            written[-1] = f"...{name}"
        return "{ " + " ".join(written) + " }"

    def _is_leaf(self, type_: Any, name: str) -> bool:
        return is_leaf_type(get_named_type(type_.fields[name].type))

    def _field(self, type_: Any, name: str, depth: int) -> str:
        field: GraphQLField = type_.fields[name]
        alias = f"{self._random.choice('abc')}{self._random.randint(0, 10**9)}: "
        given = self._arguments(field)
        kind = get_named_type(field.type)
        inner = "" if is_leaf_type(kind) else self._selections(kind, depth + 1)
        short = "" if given or self._random.random() < 0.8 else alias
        return f"{alias if given else short}{name}{given} {inner}"

    def _arguments(self, field: GraphQLField) -> str:
        given = []
        for name, argument in field.args.items():
            if not is_non_null_type(argument.type) and self._random.random() < 0.85:
                continue
            value = self._value(name, get_named_type(argument.type))
            if value is None:
                continue
            if self._random.random() < 0.4:
                variable = f"v{len(self._variables)}"
                self._variables[variable] = (str(argument.type), value)
                given.append(f"{name}: ${variable}")
            elif isinstance(get_named_type(argument.type), GraphQLEnumType):
                given.append(f"{name}: {value}")
            else:
                given.append(f"{name}: {orjson.dumps(value).decode()}")
        return f"({', '.join(given)})" if given else ""

    def _value(self, name: str, type_: Any) -> Any:
        if isinstance(type_, GraphQLEnumType):
            return self._random.choice(list(type_.values))
        if name in {"first", "last"}:
            return self._random.choice([1, 1, 2, 2, 5, 10, 10, 0, 101])
        values: dict[str, list[Any]] = {
            "ID": [*self._ids, "nonsense"],
            "DateTime": ["2026-11-22T10:00:00Z"],
            "Position": ["1.1", "1.30", "2.1"],
            "String": ["pets", "ace", "free", "", "nonsense"],
        }
        return self._random.choice(values.get(type_.name, [None]))


def shown(result: ExecutionResult) -> bytes:
    """Return the answer as it is sent.

    Of several errors graphql-core tells what comes first, so it is only said that there are some.
    """
    errors = [error.formatted for error in result.errors or ()]
    return orjson.dumps([result.data, errors if len(errors) == 1 and result.data else bool(errors)])


async def answers(
    shop: Portal, who: str | None, query: str, variables: dict[str, Any]
) -> tuple[ExecutionResult, ExecutionResult, str]:
    """Return what graphql-core answers, what we do, and in which way."""
    app = shop.app
    token = None if who is None else shop.tokens[who]
    caller = await Bearers(app.services.store).caller(token, app.services.now())
    document = Documents().read(query)

    async def by_graphql_core(context: Request, middleware: Any = None) -> ExecutionResult:
        result = execute(
            schema,
            document.parsed,
            context_value=context,
            variable_values=variables,
            middleware=middleware,
        )
        return result if isinstance(result, ExecutionResult) else await result

    expected = await by_graphql_core(Request(app, app.context(caller)))
    context, found = Request(app, app.context(caller)), document.compiled(None)
    if found is None:
        return expected, await by_graphql_core(context), "not compiled"
    try:
        return expected, ExecutionResult(await found.run(context, variables)), "compiled"
    except LeftToGraphQLCoreError as left:
        return expected, await by_graphql_core(context, left.middleware), "left"


@pytest.mark.parametrize("seed", range(4))
async def test_generated_queries_are_answered_as_graphql_core_answers_them(
    shop: Portal, seed: int
) -> None:
    author, ways = Author(seed, list(shop.ids.values())), Counter[str]()
    for nth in range(QUERIES):
        query, variables = author.query()
        if query.count(": ") > ALIASES:  # more than we allow
            continue
        expected, found, way = await answers(shop, WHO[nth % len(WHO)], query, variables)
        assert shown(found) == shown(expected), (query, variables)
        assert (way != "compiled") or not expected.errors, query
        ways[way] += 1
    assert ways["compiled"] > QUERIES / 10, ways


def everything(type_: Any, depth: int) -> Iterator[str]:
    """Select each field without required arguments, as deep as is said."""
    for name, field in type_.fields.items():
        kind = get_named_type(field.type)
        if any(is_non_null_type(argument.type) for argument in field.args.values()):
            continue
        if is_leaf_type(kind):
            yield name
        elif depth and isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            inner = " ".join(everything(kind, depth - 1))
            if inner:
                yield f"{name} {{ {inner} }}"


async def test_every_field_that_an_owner_reads_is_compiled(shop: Portal) -> None:
    assert schema.query_type is not None
    for name, field in schema.query_type.fields.items():
        kind = get_named_type(field.type)
        asks = any(is_non_null_type(argument.type) for argument in field.args.values())
        if name == "product" or asks or not isinstance(kind, GraphQLObjectType):
            continue
        query = f"{{ {name} {{ {' '.join(everything(kind, 2))} }} }}"
        expected, found, way = await answers(shop, "owner", query, {})
        if not expected.errors:
            assert way == "compiled", name
        assert shown(found) == shown(expected), name


async def test_what_is_refused_or_conditional_is_left_to_graphql_core(shop: Portal) -> None:
    for query, variables in (
        ("{ products { nodes { slug } } teams { nodes { name } } }", {}),
        (
            "query ($yes: Boolean!) { products { nodes { slug @include(if: $yes) } } }",
            {"yes": True},
        ),
        ("query ($first: Int) { products(first: $first) { nodes { id } } }", {"first": "x"}),
        ("{ products(first: 1000) { nodes { id } } plans { nodes { slug } } }", {}),
        ("{ product { id } viewer { role } }", {}),
    ):
        expected, found, way = await answers(shop, None, query, variables)
        assert way != "compiled"
        assert shown(found) == shown(expected)


def test_no_more_of_a_document_is_compiled_than_may_be_kept() -> None:
    document = parse("query A { viewer { role actor } } query B { viewer { role } }")
    first, second = (get_operation_ast(document, name) for name in "AB")
    assert first is not None
    assert second is not None
    budget = Budget(5)
    assert compiled(schema, document, first, budget) is not None  # takes three
    assert compiled(schema, document, second, budget) is not None
    assert compiled(schema, document, second, budget) is None


async def test_a_mutation_is_done_once_also_when_its_payload_is_left_to_graphql_core(
    shop: Portal,
) -> None:
    # The event of another team's application has no such plan: `plan` of the payload is refused.
    head = "mutation ($input: DefineProductInput!) { result: defineProduct(input: $input)"
    bomb = f"{head} {{ ... on ProductChanged {{ position product {{ slug plans(first: 0) "
    query = f"{bomb} {{ nodes {{ id }} }} }} }} ... on Rejected {{ code path }} }} }}"
    answer = await shop.answer("manager", query, input={"slug": "once", "name": "Once"})
    assert "errors" in answer, answer
    (error,) = answer["errors"]
    assert error["path"] == ["result", "product", "plans"]
    found = await shop.ask("manager", '{ products(slug: "once") { nodes { version } } }')
    assert found["products"]["nodes"] == [{"version": 1}]
    count = await shop.app.services.pool.fetchval(
        "SELECT count(*) FROM stored_events WHERE topic = 'api_product.defined'"
    )
    assert count == 3  # two of the shop, and this one


async def test_inputs_reach_commands_as_strawberry_would_hand_them_over(shop: Portal) -> None:
    made = await shop.done("manager", "draftPlanVersion", planId=shop.ids["free"], terms=TERMS)
    assert made["events"] == ["plan.version_drafted"]
    await shop.seen()
    query = """query ($id: ID!) { node(id: $id) { ... on Plan { versions(last: 1) { nodes { terms {
      rateLimit { limitCalls windowS burstCalls algorithm } quota { amountCalls period }
      price { currency monthlyFee } approval } } } } } }"""
    plan = (await shop.ask("manager", query, id=shop.ids["free"]))["node"]
    assert plan["versions"]["nodes"] == [
        {
            "terms": {
                "rateLimit": {**TERMS["rateLimit"], "burstCalls": 0, "algorithm": "TOKEN_BUCKET"},
                "quota": TERMS["quota"],
                "price": TERMS["price"],
                "approval": "MANUAL",
            }
        }
    ]
