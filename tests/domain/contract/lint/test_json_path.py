"""JSONPath as rule sets use it, matched in one walk."""

import pytest

from domain.contract.document import Tree
from domain.contract.lint.json_path import json_path
from domain.contract.lint.predicate import ExpressionError
from domain.contract.lint.source import Source
from domain.contract.lint.walk import Automaton

PETS: Tree = {
    "paths": {
        "/pets": {"get": {"tags": ["a", "b"]}, "put": {"tags": []}, "x-note": "get"},
        "/it's": {"get": {"operationId": "its"}},
    },
    "types": [{"type": "array"}, {"type": ["array", "null"]}, {"type": "string", "enum": [1]}],
    "count": 3,
}


def matched(expression: str, root: Tree = PETS, *, follow: bool = True) -> list[str]:
    source = Source(root, frozenset({"oas3.0"}))
    matches = Automaton([json_path(expression)]).matches(source, follow=follow)
    return sorted("/".join(map(str, match.path)) for match in matches)


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("$", [""]),
        ("$.count", ["count"]),
        ("$['count']", ["count"]),
        ("$.paths[*]", ["paths//it's", "paths//pets"]),
        ("$.paths['/it\\'s'].get", ["paths//it's/get"]),
        ("$.paths[*][get,put]", ["paths//it's/get", "paths//pets/get", "paths//pets/put"]),
        ("$.paths.*.get.tags[0]", ["paths//pets/get/tags/0"]),
        ("$..tags", ["paths//pets/get/tags", "paths//pets/put/tags"]),
        ("$..tags[*]", ["paths//pets/get/tags/0", "paths//pets/get/tags/1"]),
        ("$.types[0,2]", ["types/0", "types/2"]),
        ("$..[operationId,tags]", ["paths//it's/get/operationId", *matched("$..tags")]),
        ("$..[?(@ && @.type == 'array')]", ["types/0"]),
        ("$..[?(@.type && @.type.includes('array'))]", ["types/0", "types/1"]),
        ("$.types[?(@.enum && @.enum[0] === 1)]", ["types/2"]),
        ("$.types[?(@.type.length > 5)]", ["types/2"]),
        ("$.types[?(@property < 1 || @property >= 2)]", ["types/0", "types/2"]),
        ('$.types[?(!(@.enum || @.type == "array"))]', ["types/1"]),
        ("$.paths[*][?(@property.match(/^x-/i))]", ["paths//pets/x-note"]),
        ("$.paths[*][?(/^p.t$/.test(@property))]", ["paths//pets/put"]),
        ("$.paths[?(@property.startsWith('/p'))]", ["paths//pets"]),
        (
            "$.paths[*][?(@parentProperty == '/pets' && @.tags)]",
            ["paths//pets/get", "paths//pets/put"],
        ),
        ("$..[?(@.tags !== void 0 && @.tags.length == 0)]", ["paths//pets/put"]),
        ("$..[?(@property === 'enum')]^", ["types/2/enum"]),
        ("$.types[?(@.enum != null)]~", ["types/2"]),
        ("$..nothing", []),
    ],
)
def test_an_expression_selects(expression: str, paths: list[str]) -> None:
    assert matched(expression) == paths


@pytest.mark.parametrize(
    "expression",
    [
        "paths",
        "$.paths[",
        "$.paths[0:2]",
        "$.paths[(@.length-1)]",
        "$.paths.",
        "$.a^b",
        "$^",
        "$.a[?(@.b]",
        "$.a[?(@.b + 1)]",
        "$.a[?(@.b.constructor())]",
        "$.a[?(@root.b)]",
        "$.a[?(process.exit())]",
        "$.a[?(@.b.match(/(/))]",
        "$.a[?(@.b = 1)]",
        "$.a[?(" + "(" * 30 + "@" + ")" * 30 + ")]",
        "$" + ".a" * 40,
        "$." + "a" * 3_000,
    ],
)
def test_what_is_not_supported_is_an_error(expression: str) -> None:
    with pytest.raises(ExpressionError):
        json_path(expression)


REFERRING: Tree = {
    "use": {"a": {"$ref": "#/parts/a"}, "b": {"$ref": "#/parts/a"}, "c": {"$ref": "#/no"}},
    "parts": {"a": {"inner": {"$ref": "#/parts/b"}, "x": 1}, "b": {"back": {"$ref": "#/parts/a"}}},
}


def test_what_a_reference_leads_to_is_selected_once_and_where_it_is() -> None:
    assert matched("$.use[*].x", REFERRING) == ["parts/a/x"]
    assert matched("$.use[*].inner.back.x", REFERRING) == ["parts/a/x"]
    assert matched("$.use[*]", REFERRING) == ["parts/a", "use/c"]
    assert matched("$..x", REFERRING) == ["parts/a/x"]


def test_a_reference_is_itself_selected_where_none_are_followed() -> None:
    assert matched("$.use[*].x", REFERRING, follow=False) == []
    assert matched("$.use[*]['$ref']", REFERRING, follow=False) == [
        "use/a/$ref",
        "use/b/$ref",
        "use/c/$ref",
    ]


def test_a_long_chain_of_references_has_an_end() -> None:
    parts: dict[str, Tree] = {
        f"n{number}": {"next": {"$ref": f"#/parts/n{number + 1}"}, "x": number}
        for number in range(5_000)
    }
    chain: Tree = {"use": {"$ref": "#/parts/n0"}, "parts": parts}
    assert len(matched("$.use..x", chain)) == 5_000


def test_references_in_a_circle_lead_nowhere() -> None:
    circle: Tree = {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}
    assert Source(circle, frozenset()).target("#/a") is None
    assert matched("$.a.x", circle) == []


def test_expressions_together_select_what_they_do_alone() -> None:
    texts = ["$..tags", "$.paths[*]", "$.paths[*][get,put]", "$..[?(@.tags)]", "$..[?(@.type)]"]
    source = Source(PETS, frozenset())
    together = list(Automaton([json_path(text) for text in texts]).matches(source, follow=True))
    for number, text in enumerate(texts):
        found = ["/".join(map(str, match.path)) for match in together if match.expression == number]
        assert sorted(found) == matched(text)
