import re

import pytest

from domain.contract.contract import OPERATIONS, Contract, TooManyOperationsError
from domain.contract.document import (
    DocumentBrokenError,
    DocumentTooComplexError,
    DocumentTooLargeError,
    NotAnApiDocumentError,
)
from domain.contract.operation import Operation
from domain.contract.read import read_contract

SHOP = '''
"""
Everything in the shop.
"""
schema @link(url: "https://specs.example/federation/v2.3") {
  query: Query
  mutation: Changes
}

scalar Money

type Changes {
  "Puts one more into the basket."
  add(product: ID!, pieces: Int = 1): Basket! @authenticated
}

type Query {
  """
  A product, by its number.

  Null when it is gone.
  """
  product(id: ID!): Product
  products: [Product!]! @deprecated(reason: "Use search.") @cost(weight: 5)
}

extend type Query { search(text: String!): [Product!]! @unknown }

type Product @key(fields: "id") { id: ID! price: Money! next: Elsewhere }

type Basket { products: [Product!]! }

type Subscription { ignored: Int }
'''


def _ids(document: str) -> list[str]:
    return [operation.id for operation in read_contract(document.encode()).operations]


def test_the_fields_of_the_root_types_are_the_operations() -> None:
    assert read_contract(SHOP.encode()) == Contract(
        kind="GRAPHQL",
        title="",
        version="",
        description="Everything in the shop.",
        operations=(
            Operation(
                id="Query.product",
                method="QUERY",
                path="product",
                name="product",
                summary="A product, by its number.",
                deprecated=False,
                tags=[],
            ),
            Operation(
                "Query.products", "QUERY", "products", "products", "", deprecated=True, tags=[]
            ),
            Operation("Query.search", "QUERY", "search", "search", "", deprecated=False, tags=[]),
            Operation(
                id="Mutation.add",
                method="MUTATION",
                path="add",
                name="add",
                summary="Puts one more into the basket.",
                deprecated=False,
                tags=[],
            ),
        ),
        servers=(),
    )


def test_without_a_schema_definition_the_usual_names_are_the_roots() -> None:
    document = "type Subscription { c: Int } type Mutation { b: Int } type Query { a: Int }"
    contract = read_contract(document.encode())
    assert [(operation.id, operation.method) for operation in contract.operations] == [
        ("Query.a", "QUERY"),
        ("Mutation.b", "MUTATION"),
        ("Subscription.c", "SUBSCRIPTION"),
    ]


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ("extend type Query { a: Int }", ["Query.a"]),
        ('extend schema @link(url: "x") type Query { a: Int }', ["Query.a"]),
        ("extend schema {mutation: M} type M {b: I} type Query {a: I}", ["Query.a", "Mutation.b"]),
        ("schema { query: Q } type Q { a: Int } type Query { b: Int }", ["Query.a"]),
        ("schema { query: Q mutation: Q } type Q { a: Int }", ["Query.a", "Mutation.a"]),
        ("# a comment, \n,, type Query { a: Int }", ["Query.a"]),
        ('"""d"""type Query { a: Int }', ["Query.a"]),
        ('"d" # why\n type Query { a: Int }', ["Query.a"]),
        ("interface Node { id: ID } type Query implements Node { id: ID }", ["Query.id"]),
        ("directive @a on OBJECT type Query @a { a: Int }", ["Query.a"]),
        ("enum E { A } input I { a: S } union U = Query scalar S type Query { a: S }", ["Query.a"]),
    ],
)  # fmt: skip
def test_roots_are_named_by_the_schema_and_extended_anywhere(document: str, ids: list[str]) -> None:
    assert _ids(document) == ids


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("query { a }", "operation or fragment to execute"),
        ("query Q($a: Int) { a }", "operation or fragment to execute"),
        ("{ user { id } }", "operation or fragment to execute"),
        ("{user(id: 1) { id }}", "operation or fragment to execute"),
        ("mutation { a }", "operation or fragment to execute"),
        ("fragment F on Query { a }", "operation or fragment to execute"),
        ("type Query { a: Int } query { a }", "operation or fragment to execute"),
        ("type User { a: Int }", "no fields of type Query"),
        ("type Query", "no fields of type Query"),
        ("interface Query { a: Int }", "no fields of type Query"),
        ("type Mutation { a: Int }", "no fields of type Query"),
        ("schema { mutation: M } type M { a: Int }", "no fields of type Query"),
        ("schema { query: Gone } type Query { a: Int }", "names Gone, but has no such object type"),
        ("type Query { a: Int } extend type Query { a: Int }", "Query.a is defined twice"),
        ('type Query { "\\u0000" a: Int }', "description of Query.a holds a NUL"),
        (
            '"\\u0000" schema { query: Q } type Q { a: Int }',
            "description of the schema holds a NUL",
        ),
    ],
)
def test_what_is_no_complete_schema_is_refused(document: str, problem: str) -> None:
    with pytest.raises(NotAnApiDocumentError, match=re.escape(problem)) as refused:
        read_contract(document.encode())
    assert refused.value.about == "document"


@pytest.mark.parametrize("key", ["type", "schema", "schema-version", "query.x", "input "])
def test_a_mapping_that_begins_with_a_word_of_graphql_is_yaml(key: str) -> None:
    assert read_contract(f"{key}: 1\nopenapi: 3.0.0\npaths: {{}}".encode()).kind == "OPENAPI_3_0"


def test_a_summary_is_the_first_line_and_cut() -> None:
    document = f'type Query {{ """\n{"long " * 100}\nrest\n""" a: Int }}'
    (operation,) = read_contract(document.encode()).operations
    assert len(operation.summary) <= 200
    assert operation.summary.endswith("long…")


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(DocumentBrokenError, match="Line 1, column"):
        read_contract(b'type Query { "\\uD83D" a: Int }')


def test_a_contract_has_at_most_10_000_operations() -> None:
    fields = [f"f{n}:I" for n in range(OPERATIONS)]
    assert len(_ids(f"type Query {{{','.join(fields)}}}")) == OPERATIONS
    with pytest.raises(TooManyOperationsError, match=r"Mutation\.one is the first too many"):
        _ids(f"type Query {{{','.join(fields)}}} type Mutation {{ one: I }}")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param("type Query{a:" + "[" * 400 + "I" + "]" * 400 + "}", "nested", id="types"),
        pytest.param("type Query{a(b:I=" + "[" * 5_000, "nested", id="values"),
        pytest.param("query" + "{a" * 5_000, "nested", id="selections"),
        pytest.param("#\n" * 100_001 + "type Query{a:I}", "comments", id="comments"),
        pytest.param("type Query{" + "a" * 201 + ":I}", "more than 200 characters", id="name"),
    ],
)  # fmt: skip
def test_a_schema_that_would_take_long_is_refused(document: str, problem: str) -> None:
    with pytest.raises(DocumentTooComplexError, match=problem):
        read_contract(document.encode())


def test_tokens_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.contract.graphql_sdl.TOKENS", 10)
    assert _ids("type Query { a: Int }") == ["Query.a"]
    with pytest.raises(DocumentTooComplexError, match=r"Line 1, column .* more than 10 tokens"):
        _ids("type Query { a: Int b: Int c: Int }")


def test_a_schema_has_at_most_10_mb() -> None:
    with pytest.raises(DocumentTooLargeError, match="10,000,001 characters"):
        _ids("type Query { a: Int }".ljust(10_000_001))
