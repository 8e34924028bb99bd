"""Rule sets in the form of Spectral: what they may say, and what is refused."""

import json
from typing import Any

import pytest

from domain.contract.document import DocumentBrokenError
from domain.contract.finding import Level
from domain.contract.lint.linter import lint
from domain.contract.lint.ruleset import own_rules, read_ruleset
from domain.contract.lint.ruleset_document import RulesetBrokenError

DOCUMENT = b"""
openapi: 3.0.3
info: {title: Pets, version: '1'}
paths:
  /pets: {get: {operationId: list_pets, tags: [a]}, put: {}}
"""


def written(**ruleset: Any) -> bytes:
    return json.dumps(ruleset).encode()


def rule(given: Any, then: Any, **more: Any) -> bytes:
    return written(rules={"mine": {"given": given, "then": then, **more}})


def found(ruleset: bytes, document: bytes = DOCUMENT) -> list[tuple[str, str, str]]:
    findings = lint(document, read_ruleset(ruleset))
    return [(finding.rule, finding.level.value, finding.new or "") for finding in findings]


def test_a_rule_set_in_yaml_says_what_is_asked_of_what() -> None:
    ruleset = b"""
    aliases: {Operation: ["$.paths[*][get,put]"]}
    rules:
      camel:
        description: Ids are in camelCase
        message: "{{property}} of {{path}}: {{error}}"
        severity: hint
        given: "#Operation"
        then: {field: operationId, function: casing, functionOptions: {type: camel}}
    """
    (finding,) = lint(DOCUMENT, read_ruleset(ruleset))
    assert finding.level is Level.INFO
    assert finding.where == "GET /pets"
    assert finding.new == "/paths/~1pets/get/operationId"
    assert finding.sentence == (
        "operationId of paths//pets/get/operationId: 'list_pets' must be in camel case"
    )


@pytest.mark.parametrize(
    ("then", "places"),
    [
        ({"field": "tags", "function": "defined"}, ["/paths/~1pets/put"]),
        ({"field": "tags", "function": "undefined"}, ["/paths/~1pets/get/tags"]),
        ({"field": "tags[0]", "function": "truthy"}, ["/paths/~1pets/put"]),
        ({"field": "$.tags[*]", "function": "falsy"}, ["/paths/~1pets/get/tags/0"]),
        ({"field": "@key", "function": "enumeration", "functionOptions": {"values": ["tags"]}},
         ["/paths/~1pets/get/operationId"]),
        ({"field": "tags", "function": "length", "functionOptions": {"min": 2}},
         ["/paths/~1pets/get/tags"]),
        ({"function": "or", "functionOptions": {"properties": ["tags", "x"]}},
         ["/paths/~1pets/put"]),
        ({"function": "xor", "functionOptions": {"properties": ["tags", "operationId"]}},
         ["/paths/~1pets/get", "/paths/~1pets/put"]),
        ({"field": "@key", "function": "casing",
          "functionOptions": {"type": "snake", "disallowDigits": True}},
         ["/paths/~1pets/get/operationId"]),
        ({"function": "schema", "functionOptions": {"schema": {"required": ["tags"]}}},
         ["/paths/~1pets/put"]),
    ],
)  # fmt: skip
def test_a_function_is_asked_of_the_field(then: dict[str, Any], places: list[str]) -> None:
    assert [place for _, _, place in found(rule("$.paths[*][get,put]", then))] == places


def test_a_level_is_overridden_and_a_rule_turned_off_and_on() -> None:
    off = {"extends": [["spectral:oas", "off"]]}
    assert found(written(**off)) == []
    assert found(written(**off, rules={"info-contact": "info"})) == [
        ("info-contact", "INFO", "/info")
    ]
    rules: dict[str, Any] = {
        item.id: "off" for item in own_rules("spectral:oas") if item.id != "parser"
    }
    rules |= {"info-license": True, "info-contact": 0}
    assert found(written(extends="spectral:oas", rules=rules)) == [
        ("info-contact", "ERROR", "/info"),
        ("info-license", "WARNING", "/info"),
    ]


def test_recommended_rules_are_in_force_and_all_are_on_demand() -> None:
    ids = {item.id for item in own_rules("spectral:oas")}
    some = {name for name, _, _ in found(written(extends="spectral:oas"))}
    all_ = {name for name, _, _ in found(written(extends=[["spectral:oas", "all"]]))}
    assert "info-license" in all_ - some
    assert some < all_ < ids


def test_a_rule_set_extends_what_the_caller_finds() -> None:
    files = {"base.yaml": rule("$", {"field": "x-owner", "function": "truthy"})}
    ruleset = written(extends="base.yaml", rules={"mine": "error"})
    (finding,) = lint(DOCUMENT, read_ruleset(ruleset, files.__getitem__))
    assert (finding.rule, finding.level) == ("mine", Level.ERROR)


def test_rules_of_other_formats_have_nothing_to_look_at() -> None:
    then = {"field": "x", "function": "truthy"}
    for formats in (["oas2"], ["oas3_1"], ["asyncapi2"], ["graphql"]):
        assert found(rule("$", then, formats=formats)) == []
    for formats in (["oas3"], ["oas3_0"], ["oas3.0", "oas2"]):
        assert len(found(rule("$", then, formats=formats))) == 1


def test_keys_that_are_no_text_are_told_of_unless_the_parser_options_say_no() -> None:
    document = DOCUMENT + b"x-codes: {200: a}\n"
    assert found(written(rules={}), document) == [("parser", "ERROR", "/x-codes/200")]
    quiet = written(parserOptions={"incompatibleValues": "off"})
    assert found(quiet, document) == []


TRUTHY = {"function": "truthy"}


@pytest.mark.parametrize(
    ("ruleset", "place"),
    [
        (b"[]", "the rule set: "),
        (written(functions=["mine"]), "functions"),
        (written(overrides=[]), "overrides"),
        (written(extends="https://example.com/rules.yaml"), r"extends\.0: "),
        (written(extends="other.yaml"), "other.yaml"),
        (written(extends=[["spectral:oas", "some"]]), r"extends\.0\.1: "),
        (written(rules={"unknown": "warn"}), r"rules\.unknown: "),
        (written(rules={"mine": {"given": "$"}}), r"rules\.mine: then is missing"),
        (rule("$", TRUTHY, severity="bad"), r"rules\.mine\.severity"),
        (rule("$", TRUTHY, colour="red"), r"rules\.mine: .*colour"),
        (rule("$", TRUTHY, formats=["soap"]), r"rules\.mine\.formats"),
        (rule(["$", "$.a["], TRUTHY), r"rules\.mine\.given\.1"),
        (rule("$.a[?(@.b ** 2)]", TRUTHY), r"rules\.mine\.given"),
        (rule("#Nothing", TRUTHY), r"rules\.mine\.given: the alias #Nothing"),
        (rule("$", {"function": "mine"}), r"rules\.mine\.then\.function"),
        (rule("$", [TRUTHY, {**TRUTHY, "functionOptions": {"a": 1}}]),
         r"rules\.mine\.then\.1\.functionOptions"),
        (rule("$", {"function": "pattern"}), "rules.mine.then"),
        (rule("$", {"function": "pattern", "functionOptions": {"match": "("}}),
         r"rules\.mine\.then\.functionOptions"),
        (rule("$", {"function": "schema", "functionOptions": {"schema": {"type": "text"}}}),
         r"rules\.mine\.then\.functionOptions"),
        (rule("$", {"function": "schema",
                    "functionOptions": {"schema": {"$ref": "http://127.0.0.1/s"}}}),
         r"rules\.mine\.then\.functionOptions"),
        (rule("$", {"field": "$.a[", "function": "truthy"}), r"rules\.mine\.then\.field"),
        (written(aliases={"A": "#B", "B": "#A"}, rules={"m": {"given": "#A", "then": TRUTHY}}),
         r"aliases\.B"),
        (written(rules={f"r{n}": {"given": "$", "then": TRUTHY} for n in range(600)}), "rules: "),
        (rule(["$"] * 200, TRUTHY), r"rules\.mine\.given"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_place(ruleset: bytes, place: str) -> None:
    with pytest.raises(RulesetBrokenError, match=place):
        read_ruleset(ruleset)


def test_a_rule_set_that_is_no_yaml_is_broken() -> None:
    with pytest.raises(DocumentBrokenError):
        read_ruleset(b"rules: [")


def test_rule_sets_that_extend_each_other_are_refused() -> None:
    with pytest.raises(RulesetBrokenError, match="more than 20"):
        read_ruleset(written(extends="a"), lambda _: written(extends="a"))
