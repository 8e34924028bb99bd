"""Every rule of OpenAPI on a small pair of documents of its own: `old.yaml`, `new.yaml`.

The documents of a rule of schemas are schemas by name; each is put at every place that has one.
`CONTRACT_GOLDEN=write` writes what the rules say now; read the difference before it is kept.
"""

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.contract.diff.compare import OPERATION_RULES, rest_differences
from domain.contract.diff.schemas import RULES
from domain.contract.diff.terms import Terms
from domain.contract.document import Tree
from domain.contract.finding import Finding
from domain.contract.read import read_contract, read_tree
from domain.contract.rules import operations, security, servers
from domain.contract.rules.rest import LEVELS, REST_RULES
from domain.contract.yaml_tree import read_yaml

GOLDEN = Path(__file__).parent / "golden" / "rest"
SCHEMAS = GOLDEN / "schemas"
TERMS = Terms(date(2026, 11, 22), {"stable": 90})
DOCUMENT_RULES = [
    *(rule.__name__ for rule in OPERATION_RULES),
    servers.servers.__name__,
    security.schemes.__name__,
    operations.components.__name__,
    "paths",
    "webhooks",
    "callbacks",
]
ELSEWHERE = {
    "request-schema-narrowed",
    "response-schema-widened",
    "remote-reference-changed",
    "too-many-findings",
}
"""Ids that other tests show: what no rule sees, and what only allowed references can be."""

SCHEMA_RULES = [
    f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}"
    for rule in RULES
    if rule.__name__ != "remote_references"  # its test is with those of references
]


def everywhere(schemas: Any) -> Tree:
    """Put each of the schemas at every place of an operation of its own."""
    paths: dict[str, Tree] = {}
    for name in schemas:
        schema: Tree = {"$ref": f"#/components/schemas/{name}"}
        inside: Tree = {"type": "object", "properties": {"it": schema}}
        content: Tree = {
            "application/json": {"schema": schema},
            "application/inside+json": {"schema": inside},
        }
        paths[f"/{name}"] = {
            "post": {
                "parameters": [
                    {"in": "query", "name": "direct", "schema": schema},
                    {"in": "query", "name": "inside", "schema": inside},
                ],
                "requestBody": {"content": content},
                "responses": {"200": {"content": content, "headers": {"X-It": {"schema": schema}}}},
            }
        }
    return {"openapi": "3.1.0", "info": {}, "paths": paths, "components": {"schemas": schemas}}


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{f.level} {f.rule}: {f.where}: {f.sentence}" for f in findings]


def compare(golden: Path, found: tuple[Finding, ...]) -> None:
    shown = told(found)
    if os.environ.get("CONTRACT_GOLDEN") == "write":
        golden.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n")
    assert shown == json.loads(golden.read_text())


@pytest.mark.parametrize("name", DOCUMENT_RULES)
def test_a_rule_says_what_its_golden_says(name: str) -> None:
    folder = GOLDEN / name
    documents = [(folder / f"{side}.yaml").read_bytes() for side in ("old", "new")]
    for document in documents:
        read_contract(document)
    old, new = map(read_tree, documents)
    compare(folder / "findings.json", rest_differences(old, new, TERMS))


@pytest.mark.parametrize("name", SCHEMA_RULES)
def test_a_rule_of_schemas_says_what_its_golden_says_at_every_place(name: str) -> None:
    folder = SCHEMAS / name
    old, new = (
        everywhere(read_yaml((folder / f"{side}.yaml").read_bytes())) for side in ("old", "new")
    )
    compare(folder / "findings.json", rest_differences(old, new, TERMS))


def test_every_id_is_in_a_golden_and_every_golden_is_of_a_rule() -> None:
    assert {folder.name for folder in SCHEMAS.iterdir()} == set(SCHEMA_RULES)
    assert {folder.name for folder in GOLDEN.iterdir()} == {*DOCUMENT_RULES, "schemas"}
    goldens = [json.loads(path.read_text()) for path in GOLDEN.rglob("findings.json")]
    shown = {line.split(" ")[1].rstrip(":") for golden in goldens for line in golden}
    assert set(LEVELS) - shown == ELSEWHERE
    assert len(REST_RULES) == len(LEVELS)


@pytest.mark.parametrize("name", SCHEMA_RULES)
def test_identical_documents_give_nothing(name: str) -> None:
    for side in ("old", "new"):
        path = SCHEMAS / name / f"{side}.yaml"
        old, new = (everywhere(read_yaml(path.read_bytes())) for _ in range(2))
        assert rest_differences(old, new, TERMS) == ()
