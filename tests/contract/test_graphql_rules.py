"""Every rule of GraphQL on a small pair of schemas of its own: `old.graphql`, `new.graphql`.

`CONTRACT_GOLDEN=write` writes what the rules say now; read the difference before it is kept.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from domain.contract.document import NotAnApiDocumentError
from domain.contract.finding import Finding, ordered
from domain.contract.graphql_comparison import Comparison
from domain.contract.graphql_diff import CHECKS, LEVELS, RULES, diff_graphql
from domain.contract.graphql_schema import read_schema

GOLDEN = Path(__file__).parent / "golden" / "graphql"
NAMES = [check.__name__ for check in CHECKS]


def told(findings: tuple[Finding, ...]) -> list[dict[str, object]]:
    return [
        {key: value for key, value in asdict(finding).items() if key != "witness"}
        for finding in findings
    ]


def rules(old: str, new: str) -> list[tuple[str, str]]:
    return [(finding.rule, finding.where) for finding in diff_graphql(old, new)]


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_a_rule_says_what_its_golden_says(
    check: Callable[[Comparison], Iterator[Finding]],
) -> None:
    folder = GOLDEN / check.__name__
    old, new = ((folder / f"{name}.graphql").read_text() for name in ("old", "new"))
    schemas = Comparison(read_schema(old), read_schema(new), LEVELS)
    found = told(ordered(check(schemas)))
    golden = folder / "findings.json"
    if os.environ.get("CONTRACT_GOLDEN") == "write":
        golden.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    assert found == json.loads(golden.read_text())


def test_every_id_is_in_a_golden_and_every_golden_is_of_a_rule() -> None:
    assert {folder.name for folder in GOLDEN.iterdir()} == set(NAMES)
    goldens = [json.loads(path.read_text()) for path in GOLDEN.glob("*/findings.json")]
    shown = {finding["rule"] for golden in goldens for finding in golden}
    assert shown == {rule.id for rule in RULES}


@pytest.mark.parametrize("name", NAMES)
def test_identical_schemas_give_nothing(name: str) -> None:
    for path in (GOLDEN / name).glob("*.graphql"):
        assert diff_graphql(path.read_text(), path.read_text()) == ()


def test_an_order_of_definitions_says_nothing() -> None:
    old = "type Query { a: Int b(c: Int, d: Int): Int } enum E { X Y } union U = A | B"
    new = "union U = B | A enum E { Y X } type Query { b(d: Int, c: Int): Int a: Int }"
    assert diff_graphql(old, new) == ()


def test_an_extension_is_a_part_of_what_it_extends() -> None:
    old = "type Query { a: Int } extend type Query { b: Int } extend schema @link(url: 1)"
    assert diff_graphql(old, "type Query { a: Int b: Int } extend schema @link(url: 1)") == ()
    assert rules(old, "extend type Query { a: Int } extend schema @link(url: 1)") == [
        ("graphql-field-removed-without-deprecation", "Query.b")
    ]


def test_names_that_begin_alike_are_different_elements() -> None:
    old = "type User { name: Int nameHistory: Int } type UserName { name: Int }"
    new = "type User { name: Int } type UserName { name: Int }"
    assert rules(old, new) == [("graphql-field-removed-without-deprecation", "User.nameHistory")]


def test_what_belongs_to_something_removed_is_not_told_again() -> None:
    old = "type Query { a(b: Int): Int } type Gone { a(b: Int): Int }"
    assert rules(old, "type Query { c: Int }") == [
        ("graphql-type-removed", "Gone"),
        ("graphql-field-removed-without-deprecation", "Query.a"),
        ("graphql-field-added", "Query.c"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "type A { a: Int } type A { b: Int }",
        "type A { a: Int a: Int }",
        "type A { a(b: Int, b: Int): Int }",
        "enum E { X X }",
        "type A { a: Int } extend input A { b: Int }",
        "schema { query: A } schema { query: A }",
    ],
)
def test_what_is_defined_twice_is_refused_since_one_of_the_two_would_be_hidden(text: str) -> None:
    with pytest.raises(NotAnApiDocumentError, match="defined twice"):
        diff_graphql(text, text)


def test_an_operation_is_no_schema() -> None:
    with pytest.raises(NotAnApiDocumentError, match="more than a schema"):
        diff_graphql("query { a }", "type Query { a: Int }")
