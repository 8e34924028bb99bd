"""Documents made to take the linter's time, memory or stack."""

import json
import time
from typing import Any

import pytest

from domain.contract.lint.linter import lint
from domain.contract.lint.ruleset import read_ruleset

RULE = "oas3-valid-schema-example"


def reference(number: int) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/S{number}"}


def problems(schemas: list[dict[str, Any]], example: Any, version: str = "3.0.3") -> list[str]:
    """Lint schemas S0, S1, ..., of which the first has the example."""
    named = {f"S{number}": schema for number, schema in enumerate(schemas)}
    named["S0"] = {**named["S0"], "type": "object", "example": example}
    document = {"openapi": version, "paths": {}, "components": {"schemas": named}}
    begin = time.monotonic()
    found = [each.sentence for each in lint(json.dumps(document).encode()) if each.rule == RULE]
    assert time.monotonic() - begin < 20
    return found


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


ALTERNATIVES = [
    {"properties": {"a": reference(0)}, "required": ["a"]},
    {"properties": {"a": reference(0)}, "required": ["a"], "minProperties": 1},
]


@pytest.mark.parametrize("depth", [3, 16, 30, 150])
def test_alternatives_within_alternatives_are_judged_or_told_of(depth: int) -> None:
    (sentence,) = problems([{"anyOf": ALTERNATIVES}], nested(depth))
    assert ("not valid" in sentence) is (depth < 20)
    assert ("not checked" in sentence) is (depth > 20)


def test_a_long_chain_of_schemas_for_one_value_leaves_the_process_alive() -> None:
    chain: list[dict[str, Any]] = [{"allOf": [reference(number + 1)]} for number in range(30_000)]
    (sentence,) = problems([*chain, {"type": "string"}], {})
    assert "not checked" in sentence


@pytest.mark.parametrize("links", [100, 1_000])
def test_a_chain_at_every_level_of_a_value_leaves_the_process_alive(links: int) -> None:
    chain: list[dict[str, Any]] = [{"allOf": [reference(number + 1)]} for number in range(links)]
    last = {"type": "object", "properties": {"a": reference(0)}}
    (sentence,) = problems([*chain, last], nested(180))
    assert "not checked" in sentence


@pytest.mark.parametrize("keyword", ["allOf", "anyOf"])
def test_schemas_that_lead_to_each_other_are_judged(keyword: str) -> None:
    assert problems([{keyword: [reference(1)]}, {keyword: [reference(0)]}], {}) == []
    both = [reference(0), {"required": ["x"]}]
    assert len(problems([{"allOf": [reference(1)]}, {"allOf": both}], {})) == 1


def test_schemas_that_all_lead_to_each_other_are_compiled_up_to_a_bound() -> None:
    schemas: list[dict[str, Any]] = [
        {"properties": {f"p{other}": reference(other) for other in range(200)}, "example": {}}
        for _ in range(200)
    ]
    found = problems(schemas, {})
    assert found
    assert all("not checked" in sentence for sentence in found)


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_a_schema_as_deep_as_a_document_may_be_is_judged(version: str) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(90):
        schema = {"allOf": [schema]}
    assert len(problems([schema], {}, version)) == 1


def test_the_schema_of_a_rule_has_the_same_bounds() -> None:
    recursive = {
        "definitions": {"s": {"anyOf": [{"properties": {"a": {"$ref": "#/definitions/s"}}}] * 2}},
        "allOf": [{"$ref": "#/definitions/s"}, {"required": ["none"]}],
    }
    then = {"field": "x-deep", "function": "schema", "functionOptions": {"schema": recursive}}
    ruleset = read_ruleset(json.dumps({"rules": {"deep": {"given": "$", "then": then}}}).encode())
    document = {"openapi": "3.0.3", "paths": {}, "x-deep": nested(100)}
    begin = time.monotonic()
    (finding,) = lint(json.dumps(document).encode(), ruleset)
    assert "not checked" in finding.sentence
    assert time.monotonic() - begin < 2
