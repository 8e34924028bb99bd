"""Every rule of our own sets on a small document of its own: `new.yaml` or `new.graphql`.

`CONTRACT_GOLDEN=write` writes what the rules say now; read the difference before it is kept.
"""

import json
import os
from pathlib import Path

import pytest

from domain.contract.lint.linter import lint
from domain.contract.lint.ruleset import own_rules, read_ruleset
from domain.contract.lint.ruleset_document import GRAPHQL_SET, OPENAPI_SET, PARSER

GOLDEN = Path(__file__).parent / "golden" / "lint"
IDS = {name: [rule.id for rule in own_rules(name)] for name in (OPENAPI_SET, GRAPHQL_SET)}
RULES = [(name, rule) for name, ids in IDS.items() for rule in ids]


def findings(set_: str, rule: str) -> list[dict[str, object]]:
    ruleset = {"extends": [[set_, "off"]], "parserOptions": {"incompatibleValues": "off"}}
    if rule == PARSER:
        ruleset["parserOptions"] = {"incompatibleValues": "error"}
    else:
        ruleset["rules"] = {rule: True}
    (document,) = (GOLDEN / rule).glob("new.*")
    found = lint(document.read_bytes(), read_ruleset(json.dumps(ruleset).encode()))
    return [
        {
            "rule": finding.rule,
            "level": finding.level.value,
            "where": finding.where,
            "new": finding.new,
            "sentence": finding.sentence,
        }
        for finding in found
    ]


@pytest.mark.parametrize(("set_", "rule"), RULES, ids=[rule for _, rule in RULES])
def test_a_rule_says_what_its_golden_says(set_: str, rule: str) -> None:
    found = findings(set_, rule)
    golden = GOLDEN / rule / "findings.json"
    if os.environ.get("CONTRACT_GOLDEN") == "write":
        golden.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    assert found == json.loads(golden.read_text())
    assert {finding["rule"] for finding in found} == {rule}


def test_every_golden_is_of_a_rule() -> None:
    assert {folder.name for folder in GOLDEN.iterdir()} == {rule for _, rule in RULES}
