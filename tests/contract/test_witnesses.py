"""Payloads that show a break are tried out here once more, with another validator."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.contract.diff.compare import rest_differences
from domain.contract.diff.terms import Terms
from domain.contract.document import Tree
from domain.contract.finding import Finding, Level, Verdict
from domain.contract.yaml_tree import read_yaml

TERMS = Terms(date(2026, 11, 22))
SCHEMAS = Path(__file__).parent / "golden" / "rest" / "schemas"
CASES = [
    (folder.name, name)
    for folder in sorted(SCHEMAS.iterdir())
    if folder.name != "schema_types.types"  # formats: not every validator knows them
    for name in dict(read_yaml((folder / "old.yaml").read_bytes()))  # type: ignore[arg-type]  # a golden is a mapping
]


def document(schema: Tree, version: str = "3.1.0", **components: Tree) -> Tree:
    content: Tree = {"application/json": {"schema": schema}}
    operation: Tree = {
        "requestBody": {"content": content},
        "responses": {"200": {"description": "Fine", "content": content}},
    }
    return {
        "openapi": version,
        "info": {},
        "paths": {"/a": {"post": operation}},
        "components": {"schemas": components},
    }


def compare(old: Tree, new: Tree, version: str = "3.1.0") -> tuple[Finding, ...]:
    return rest_differences(document(old, version), document(new, version), TERMS)


def rules(old: Tree, new: Tree, level: Level = Level.ERROR) -> list[str]:
    return [finding.rule for finding in compare(old, new) if finding.level is level]


@pytest.mark.parametrize(("folder", "name"), CASES)
def test_each_payload_is_accepted_by_one_side_and_refused_by_the_other(
    folder: str, name: str
) -> None:
    schemas: list[Any] = [
        dict(read_yaml((SCHEMAS / folder / f"{side}.yaml").read_bytes()))[name]  # type: ignore[arg-type]  # a golden is a mapping
        for side in ("old", "new")
    ]
    accepts = [Draft202012Validator(schema).is_valid for schema in schemas]
    for finding in compare(*schemas):
        witness = finding.witness
        if witness and finding.rule.startswith(("request-body-", "response-body-")):
            verdicts = [side(witness.payload) for side in accepts]
            told = [witness.old_verdict, witness.new_verdict]
            assert verdicts == [verdict is Verdict.ACCEPTED for verdict in told], finding


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "maxLength": 10}, {"type": "string", "maxLength": 5}),
        ({"type": "integer", "maximum": 10}, {"type": "integer", "maximum": 9}),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}),
        ({"type": "array"}, {"type": "array", "uniqueItems": True}),
        ({"type": "object"}, {"type": "object", "required": ["id"]}),
        ({"type": ["string", "null"]}, {"type": "string"}),
        ({"type": "number"}, {"type": "integer"}),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, {"oneOf": [{"const": 1}]}),
        ({}, {"not": {"type": "string"}}),
    ],
)
def test_what_a_request_may_no_longer_be_is_shown(old: Tree, new: Tree) -> None:
    errors = [each for each in compare(old, new) if each.rule.startswith("request")]
    assert any(error.witness for error in errors if error.level is Level.ERROR)


def test_nullable_of_3_0_is_understood() -> None:
    old: Tree = {"type": "string", "nullable": True}
    (finding,) = [f for f in compare(old, {"type": "string"}, "3.0.3") if f.level is Level.ERROR]
    assert finding.rule == "request-body-became-not-nullable"
    assert finding.witness
    assert finding.witness.payload is None


def test_writing_the_same_in_another_way_is_no_break() -> None:
    plain: Tree = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    composed: Tree = {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            {"required": ["a"]},
        ]
    }
    assert rules(plain, composed) == rules(composed, plain) == []


def test_a_condition_that_asks_more_is_a_break_all_the_same() -> None:
    old: Tree = {"type": "object"}
    new: Tree = {"allOf": [{"type": "object"}, {"required": ["a"]}]}
    assert "request-body-all-of-added" in rules(old, new)


def test_what_no_rule_sees_is_found_by_trying() -> None:
    """A place of a list that was described by `items` alone has a schema of its own now."""
    old: Tree = {"oneOf": [{"type": "string"}, {"type": "integer"}], "type": ["string", "integer"]}
    new: Tree = {"oneOf": [{"type": "integer"}, {"type": "integer"}, {"type": "string"}]}
    assert rules(old, new)


def test_a_property_that_is_not_sent_is_no_break_and_no_payload() -> None:
    old: Tree = {"type": "object", "properties": {"id": {"type": "integer", "readOnly": True}}}
    new: Tree = {
        "type": "object",
        "properties": {"id": {"type": "integer", "readOnly": True, "maximum": 9}},
        "required": ["id"],
    }
    assert rules(old, new) == []


def test_a_recursive_schema_ends_and_its_break_is_found_wherever_it_is_used() -> None:
    def tree(kind: str) -> Tree:
        node: Tree = {
            "type": "object",
            "properties": {"leaf": {"$ref": "#/components/schemas/Leaf"}},
        }
        leaf: Tree = {
            "type": "object",
            "properties": {"value": {"type": kind}, "up": {"$ref": "#/components/schemas/Node"}},
        }
        paths: Tree = {
            f"/{name}": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}
                        }
                    },
                    "responses": {},
                }
            }
            for name in ("Leaf", "Node")
        }
        return {
            "openapi": "3.1.0",
            "paths": paths,
            "components": {"schemas": {"Node": node, "Leaf": leaf}},
        }

    findings = rest_differences(tree("number"), tree("integer"), TERMS)
    assert {f.where for f in findings if f.level is Level.ERROR} == {"POST /Leaf", "POST /Node"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"oneOf": [{"required": [f"a{n}"]}, {"required": ["b"]}]} for n in range(40)]},
        {"type": "array", "minItems": 10**9, "items": {"minLength": 10**15, "type": "string"}},
        {"properties": {f"p{n}": {"pattern": "^(a+)+$"} for n in range(100)}},
        {"pattern": "^(a{1,1000}){1,1000}$"},
        {"enum": list(range(20_000))},
    ],
)
def test_no_schema_is_thought_about_for_long(schema: Any) -> None:
    assert rules(schema, {**schema, "type": "object", "required": ["z"]})


@pytest.mark.timeout(20)
def test_a_schema_that_refers_to_itself_often_is_sampled_in_few_steps() -> None:
    names = [f"p{n}" for n in range(30)]
    itself: Tree = {"$ref": "#/components/schemas/Node"}
    node: Any = {"type": "object", "properties": dict.fromkeys(names, itself), "required": names}
    other: Any = {**node, "allOf": [itself] * 30, "required": [*names, "more"]}
    old, new = (document(itself, Node=each) for each in (node, other))
    assert [f.rule for f in rest_differences(old, new, TERMS) if f.level is Level.ERROR]
