"""Linting a whole document."""

import json
import time

import pytest

from domain.contract.document import DocumentBrokenError, NotAnApiDocumentError
from domain.contract.lint.linter import lint
from domain.contract.lint.ruleset import own_rules, read_ruleset
from domain.contract.lint.ruleset_document import GRAPHQL_SET, OPENAPI_SET

CLEAN = b"""
openapi: 3.1.0
info:
  title: Pets
  version: '1'
  description: All about pets
  contact: {name: Support}
servers: [{url: https://pets.test}]
tags: [{name: pets}]
paths:
  /pets/{id}:
    get:
      operationId: showPet
      description: Shows a pet
      tags: [pets]
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: A pet
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Pet'}
              example: {name: Rex, parent: {name: Ada}}
components:
  schemas:
    Pet:
      type: object
      properties: {name: {type: string}, parent: {$ref: '#/components/schemas/Pet'}}
"""


def test_a_clean_document_gives_nothing() -> None:
    assert lint(CLEAN) == ()
    assert lint(b'"All"\ntype Query {\n  "Pets"\n  pets: [String!]!\n}\n') == ()


def test_json_and_yaml_of_the_same_document_give_the_same() -> None:
    tree = {"openapi": "3.0.3", "info": {"title": "Pets", "version": "1"}, "paths": {}}
    as_yaml = b"openapi: 3.0.3\ninfo: {title: Pets, version: '1'}\npaths: {}\n"
    assert lint(json.dumps(tree).encode()) == lint(as_yaml) != ()


def test_a_document_of_graphql_is_linted_by_its_own_rules() -> None:
    found = {finding.rule for finding in lint(b"type Query { Pets: Int @deprecated }")}
    assert found <= {rule.id for rule in own_rules(GRAPHQL_SET)}
    assert "graphql-field-name" in found


def test_one_rule_set_holds_rules_for_both_formats() -> None:
    extends = [OPENAPI_SET, GRAPHQL_SET]
    ruleset = read_ruleset(json.dumps({"extends": extends}).encode())
    assert lint(CLEAN, ruleset) == ()
    (finding,) = lint(b'"All"\ntype Query {\n  "Pets"\n  Pets: Int\n}\n', ruleset)
    assert (finding.rule, finding.where) == ("graphql-field-name", "Query.Pets")


@pytest.mark.parametrize("document", [b"openapi: 2.0\n", b"swagger: '2.0'\n", b"[]", b"a: b"])
def test_another_format_is_refused(document: bytes) -> None:
    with pytest.raises(NotAnApiDocumentError):
        lint(document)


def test_a_document_that_is_broken_is_refused() -> None:
    with pytest.raises(DocumentBrokenError):
        lint(b"openapi: 3.0.3\ninfo: [")


@pytest.mark.parametrize(
    "part",
    [
        "null", "[]", "{}", "'x'", "1", "[null, 1, []]", "{'/a': null}", "{'/a': {get: null}}",
        "{'/a': {get: []}}", "{'/a': {get: {responses: [], tags: 1, parameters: {a: b}}}}",
        "{'/a': {parameters: [null, {in: path, name: 1}], get: {tags: [null, {}]}}}",
        "{'/a': {$ref: '#/paths/~1a'}}", "{'/a': {$ref: 'https://example.com'}, '/b': {$ref: 1}}",
    ],
)  # fmt: skip
def test_wrong_types_anywhere_are_findings_and_no_errors(part: str) -> None:
    for key in ("paths", "info", "tags", "servers", "components", "security", "webhooks"):
        lint(f"openapi: 3.1.0\n{key}: {part}\n".encode())
        lint(f"openapi: 3.0.3\npaths: {{}}\n{key}{'s' * (key == 'paths')}: {part}\n".encode())
        lint(f"openapi: 3.0.3\ncomponents: {{schemas: {part}, responses: {part}}}\n".encode())


def test_schemas_that_are_none_are_told_of_where_their_examples_are() -> None:
    document = b"""
openapi: 3.0.3
paths: {}
components:
  schemas:
    Wrong: {type: strong, example: 1}
    Broken: {$ref: '#/components/schemas/None', example: 1}
    Pattern: {type: string, pattern: '(', example: a}
"""
    found = {(finding.rule, finding.new) for finding in lint(document)}
    assert ("oas3-valid-schema-example", "/components/schemas/Wrong/example") in found
    assert ("oas3-schema", "/components/schemas/Wrong/type") in found


def test_a_schema_that_refers_to_itself_in_many_ways_takes_no_time() -> None:
    names = [f"S{number}" for number in range(60)]
    schemas = {
        name: {
            "type": "object",
            "properties": {other: {"$ref": f"#/components/schemas/{other}"} for other in names},
            "example": {},
        }
        for name in names
    }
    document = {"openapi": "3.0.3", "paths": {}, "components": {"schemas": schemas}}
    begin = time.monotonic()
    lint(json.dumps(document).encode())
    assert time.monotonic() - begin < 5


def test_names_and_references_out_of_the_document_are_left_alone() -> None:
    document = b"""
openapi: 3.0.3
paths: {}
security: [{oauth: [{a: 1}, []]}]
components:
  securitySchemes: {oauth: {type: oauth2, flows: {implicit: {scopes: {a: A}}}}}
  schemas:
    Named: {id: elsewhere, type: object, example: 1, properties: {id: {type: string}}}
    Remote: {type: object, properties: {a: {$ref: other.yaml}}, example: {a: 1}}
    Right: {type: object, properties: {id: {type: integer}}, example: {id: 1}}
"""
    found = [finding for finding in lint(document) if finding.rule == "oas3-valid-schema-example"]
    assert [finding.new for finding in found] == [
        "/components/schemas/Named/example",
        "/components/schemas/Remote/example",
    ]
    assert "not present" in found[1].sentence
