from datetime import date
from typing import Any

import pytest

from domain.contract.diff import schemas, spot
from domain.contract.diff.compare import rest_differences
from domain.contract.diff.spot import BrokenReferenceError, RemoteReferenceError
from domain.contract.diff.terms import Terms
from domain.contract.document import NotAnApiDocumentError, Tree
from domain.contract.finding import Level

TERMS = Terms(date(2026, 11, 22))


def document(schema: Any, **components: Any) -> Tree:
    return {
        "openapi": "3.1.0",
        "info": {"title": "A", "version": "1"},
        "paths": {
            "/a": {
                "post": {
                    "requestBody": {"content": {"application/json": {"schema": schema}}},
                    "responses": {"200": {"description": "Fine"}},
                }
            }
        },
        "components": {"schemas": components},
    }


def compare(old: Any, new: Any) -> list[str]:
    return [f"{finding.level} {finding.rule}" for finding in rest_differences(old, new, TERMS)]


def test_a_reference_that_leads_to_nothing_is_an_error_with_its_place() -> None:
    old = document({"type": "object"})
    new = document({"properties": {"a": {"$ref": "#/components/schemas/Gone"}}, "type": "object"})
    with pytest.raises(BrokenReferenceError, match="/properties/a leads to nothing") as error:
        compare(old, new)
    assert error.value.about == "new"


def test_a_reference_to_itself_is_an_error_and_no_endless_loop() -> None:
    new = document({"$ref": "#/components/schemas/A"}, A={"$ref": "#/components/schemas/A"})
    with pytest.raises(BrokenReferenceError, match="refers to itself"):
        compare(document({}), new)


@pytest.mark.parametrize(
    "reference", ["https://example.com/a.yaml", "other.yaml#/A", "http://10.0.0.1/"]
)
def test_a_remote_reference_is_refused_and_never_fetched(reference: str) -> None:
    with pytest.raises(RemoteReferenceError) as error:
        compare(document({"type": "string"}), document({"$ref": reference}))
    assert error.value.about == "new"


def test_an_allowed_remote_reference_is_compared_by_its_text() -> None:
    one, other = (document({"type": "array", "items": {"$ref": f"{n}.yaml"}}) for n in "ab")
    assert rest_differences(one, one, TERMS, allows_remote=True) == ()
    findings = rest_differences(one, other, TERMS, allows_remote=True)
    assert [f.rule for f in findings] == ["remote-reference-changed"]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"maxLength": "5"}, "maxLength is text; it must be a number"),
        ({"required": True}, "required is true or false; it must be a list"),
        ({"properties": []}, "properties is a list; it must be an object"),
        ({"type": {"a": 1}}, "type is an object; it must be text"),
        ("text", "schema is text; it must be an object"),
        ({"oneOf": {"a": 1}}, "oneOf is an object; it must be a list"),
        ({"enum": "a"}, "enum is text; it must be a list"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_with_its_place(schema: Tree, place: str) -> None:
    with pytest.raises(NotAnApiDocumentError, match=place):
        compare(document({"type": "object"}), document(schema))


@pytest.mark.parametrize(
    "operation",
    [
        {"parameters": {"a": 1}},
        {"parameters": ["a"]},
        {"parameters": [{"in": 1, "name": "a"}]},
        {"requestBody": []},
        {"responses": []},
        {"responses": {"200": "fine"}},
        {"security": {"a": []}},
        {"security": [{"a": "b"}]},
        {"tags": "a"},
        {"operationId": 1},
        {"deprecated": "yes"},
        {"callbacks": []},
    ],
)
def test_no_wrong_type_in_an_operation_is_an_unexpected_error(operation: Any) -> None:
    old = document({})
    new: Any = document({})
    new["paths"]["/a"]["post"].update(operation)
    for one, other in ((old, new), (new, old)):
        with pytest.raises(NotAnApiDocumentError):
            compare(one, other)


def test_cycles_end() -> None:
    def node(kind: str) -> Any:
        return {
            "properties": {"next": {"$ref": "#/components/schemas/Node"}, "value": {"type": kind}},
            "allOf": [{"$ref": "#/components/schemas/Node"}],
        }

    root = {"$ref": "#/components/schemas/Node"}
    old, new = (document(root, Node=node(kind)) for kind in ("number", "integer"))
    assert "ERROR request-property-type-changed" in compare(old, new)
    assert compare(old, old) == []


def test_a_deep_schema_is_compared_to_its_end() -> None:
    def deep(leaf: str) -> Any:
        schema: Any = {"type": leaf}
        for _ in range(90):
            schema = {"properties": {"in": schema}}
        return schema

    assert "ERROR request-property-type-changed" in compare(
        document(deep("number")), document(deep("integer"))
    )


def test_references_that_multiply_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inlined, the first of them would hold 3 to the power of 60 schemas."""
    levels: dict[str, Any] = {
        f"L{n}": {"properties": {k: {"$ref": f"#/components/schemas/L{n + 1}"} for k in "abc"}}
        for n in range(60)
    }
    root = {"$ref": "#/components/schemas/L0"}
    old, new = (document(root, **levels, L60={"type": kind}) for kind in ("number", "integer"))
    assert compare(old, new) == ["ERROR request-property-type-changed"]
    monkeypatch.setattr(schemas, "STEPS", 30)
    assert compare(old, new) == ["ERROR too-many-findings"]


def test_a_long_chain_of_references_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spot, "REFERENCES", 5)
    chain = {f"C{n}": {"$ref": f"#/components/schemas/C{n + 1}"} for n in range(9)}
    with pytest.raises(BrokenReferenceError):
        compare(document({}), document({"$ref": "#/components/schemas/C0"}, **chain, C9={}))


def test_a_payload_that_no_pattern_engine_understands_is_no_error() -> None:
    old, new = document({"type": "string"}), document({"type": "string", "pattern": "(?<=a+)b("})
    assert compare(old, new) == ["ERROR request-body-pattern-added"]


def test_what_was_promised_is_told_apart_from_what_was_not() -> None:
    def draft(parameters: Any) -> Any:
        new: Any = document({})
        new["paths"]["/a"]["post"] |= {"x-stability-level": "draft", "parameters": parameters}
        return new

    old, new = draft([]), draft([{"in": "query", "name": "a", "required": True}])
    assert compare(old, new) == ["INFO new-required-request-parameter"]
    terms = Terms(TERMS.today, stable_from="draft")
    assert rest_differences(old, new, terms)[0].level is Level.ERROR


def test_the_spelling_of_3_1_says_what_that_of_3_0_said() -> None:
    def limits(**spelled: Any) -> Any:
        return {"type": "object", "properties": {"a": spelled, "b": {"enum": ["x"]}}}

    old: Any = document(limits(type="number", nullable=True, minimum=1, exclusiveMinimum=True))
    new = document(limits(type=["number", "null"], exclusiveMinimum=1))
    old["openapi"] = "3.0.3"
    assert compare(old, new) == compare(new, old) == []


def test_operations_beside_the_reference_of_a_path_are_compared() -> None:
    def paths(**beside: Any) -> Any:
        shared: Any = {"get": {"responses": {}}}
        item = {"$ref": "#/components/pathItems/Shared", **beside}
        return {
            "openapi": "3.1.0",
            "paths": {"/a": item},
            "components": {"pathItems": {"Shared": shared}},
        }

    old, new = paths(post={"responses": {}}), paths()
    assert compare(old, new) == ["ERROR api-removed-without-deprecation"]


def listed(schema: Any) -> Any:
    return {"type": "array", "items": schema}


@pytest.mark.parametrize(
    ("around", "way"),
    [
        (lambda inner: inner, "The body of the request"),
        (listed, "In the body of the request, each element"),
        (
            lambda inner: {"properties": {"pets": listed({"properties": {"name": inner}})}},
            'In the body of the request, "name" of each element of "pets"',
        ),
        (
            lambda inner: {"properties": {"items": {"properties": {"rows": listed(inner)}}}},
            'In the body of the request, each element of "items/rows"',
        ),
        (
            lambda inner: {"prefixItems": [{}, {"additionalProperties": inner}]},
            "In the body of the request, each other property of element 2",
        ),
        (
            lambda inner: {"patternProperties": {"^x": {"allOf": [inner]}}},
            'In the body of the request, condition 1 of each property like "^x"',
        ),
    ],
)
def test_a_sentence_tells_the_way_in_words(around: Any, way: str) -> None:
    old, new = (document(around({"maxLength": most})) for most in (9, 5))
    (finding,) = rest_differences(old, new, TERMS)
    assert finding.sentence == f"{way} must have at most this many characters: 5, before 9."
