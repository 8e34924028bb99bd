import re
from typing import Any

import orjson
import pytest

from domain.contract.contract import OPERATIONS, TooManyOperationsError
from domain.contract.document import DocumentTooComplexError, NotAnApiDocumentError
from domain.contract.operation import Operation
from domain.contract.read import Contract, read_contract

PETSTORE_YAML = b"""\
openapi: "3.0.3"
info:
  title: Petstore
  version: 1.10
  description: |
    Pets, and who keeps them.
servers:
  - url: https://{region}.pets.example/v1
    variables: {region: {default: eu}}
  - url: /v1
paths:
  x-origin: generated
  /pets:
    summary: All pets
    parameters: [{name: limit, in: query, schema: {type: integer}}]
    post:
      operationId: createPet
      tags: [pets, write]
      responses:
        201: {description: Created}
        default: {description: Failed}
    get:
      operationId: listPets
      summary: >
        List
        all pets
      tags: [pets]
      responses:
        200: {description: A page of pets}
  /pets/{id}:
    get: &get
      responses: {200: {description: A pet}}
    delete:
      deprecated: true
      <<: *get
  /pets/{name}:
    get: *get
components: {}
"""
GET: dict[str, Any] = {"responses": {}}


def _document(**members: Any) -> bytes:  # any JSON
    return orjson.dumps({"openapi": "3.0.3", "paths": {}} | members)


def _read(**members: Any) -> Contract:  # any JSON
    return read_contract(_document(**members))


def _ids(contract: Contract) -> list[str]:
    return [operation.id for operation in contract.operations]


def test_a_yaml_document_becomes_a_contract() -> None:
    contract = read_contract(PETSTORE_YAML)
    assert contract == Contract(
        kind="OPENAPI_3_0",
        title="Petstore",
        version="1.10",
        description="Pets, and who keeps them.\n",
        operations=(
            Operation(
                id="GET /pets",
                method="GET",
                path="/pets",
                name="listPets",
                summary="List all pets",
                deprecated=False,
                tags=["pets"],
            ),
            Operation(
                id="POST /pets",
                method="POST",
                path="/pets",
                name="createPet",
                summary="",
                deprecated=False,
                tags=["pets", "write"],
            ),
            Operation("GET /pets/{id}", "GET", "/pets/{id}", "", "", deprecated=False, tags=[]),
            Operation(
                "DELETE /pets/{id}", "DELETE", "/pets/{id}", "", "", deprecated=True, tags=[]
            ),
            Operation("GET /pets/{name}", "GET", "/pets/{name}", "", "", deprecated=False, tags=[]),
        ),
        servers=("https://{region}.pets.example/v1", "/v1"),
    )


def test_the_same_document_in_json_is_the_same_contract() -> None:
    get = {"responses": {"200": {"description": "A pet"}}}
    document = {
        "openapi": "3.0.3",
        "info": {
            "title": "Petstore",
            "version": "1.10",
            "description": "Pets, and who keeps them.\n",
        },
        "servers": [{"url": "https://{region}.pets.example/v1"}, {"url": "/v1"}],
        "paths": {
            "/pets": {
                "get": {"operationId": "listPets", "summary": "List all pets\n", "tags": ["pets"]},
                "post": {"operationId": "createPet", "tags": ["pets", "write"]},
            },
            "/pets/{id}": {"get": get, "delete": get | {"deprecated": True}},
            "/pets/{name}": {"get": get},
        },
    }
    assert read_contract(orjson.dumps(document)) == read_contract(PETSTORE_YAML)


def test_all_eight_methods_are_operations_and_other_members_are_not() -> None:
    methods = ["trace", "patch", "head", "options", "delete", "post", "put", "get"]
    item = dict.fromkeys(methods, GET) | {"parameters": [], "x-get": GET, "query": GET}
    assert _ids(_read(paths={"/a": item})) == [
        f"{method} /a"
        for method in ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
    ]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("3.0", "OPENAPI_3_0"),
        ("3.0.4", "OPENAPI_3_0"),
        ("3.1.1", "OPENAPI_3_1"),
        ("3.1.0-rc1", "OPENAPI_3_1"),
    ],
)
def test_openapi_3_0_and_3_1_are_read(version: str, kind: str) -> None:
    assert _read(openapi=version).kind == kind
    assert read_contract(f"openapi: {version}\npaths: {{}}".encode()).kind == kind


@pytest.mark.parametrize("version", ["2.0", "3.2.0", "4.0.0", "3", "3.", "x3.0.0", "", "3.0.0\n"])
def test_other_versions_of_openapi_are_refused(version: str) -> None:
    with pytest.raises(
        NotAnApiDocumentError, match=r"#/openapi is .*; 3\.0 and 3\.1 are supported"
    ):
        _read(openapi=version)


def test_an_openapi_3_0_document_has_paths() -> None:
    with pytest.raises(NotAnApiDocumentError, match="# has no paths"):
        read_contract(b'{"openapi": "3.0.0", "components": {}}')


@pytest.mark.parametrize("member", ["webhooks", "components"])
def test_an_openapi_3_1_document_may_have_webhooks_or_components_instead(member: str) -> None:
    document = orjson.dumps({"openapi": "3.1.0", member: {"a": {"post": GET}}})
    assert read_contract(document).operations == ()


def test_an_openapi_3_1_document_is_not_empty() -> None:
    with pytest.raises(NotAnApiDocumentError, match="# has no paths"):
        read_contract(b'{"openapi": "3.1.0", "info": {"title": "A", "version": "1"}}')


def test_a_path_may_refer_to_another_path_item_of_the_document() -> None:
    contract = _read(
        openapi="3.1.0",
        paths={
            "/a": {"$ref": "#/components/pathItems/User~1s%20all"},
            "/b": {"$ref": "#/paths/~1c", "get": {"operationId": "own"}},
            "/c": {"get": {"operationId": "theirs"}, "put": GET},
        },
        components={"pathItems": {"User/s all": {"get": {"operationId": "shared"}}}},
    )
    assert [(operation.id, operation.name) for operation in contract.operations] == [
        ("GET /a", "shared"),
        ("GET /b", "own"),
        ("PUT /b", ""),
        ("GET /c", "theirs"),
        ("PUT /c", ""),
    ]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("#/components/pathItems/Gone", "leads to nothing"),
        ("#/components/pathItems/A/get/x", "leads to nothing"),
        ("#/", "leads to nothing"),
        ("#", "must begin with #/"),
        ("other.yaml#/paths/~1a", "must begin with #/; bundle"),
        ("#/paths/~1a", "#/paths/~1a is itself a reference"),
        ("#/components/pathItems/B", "#/components/pathItems/B is itself a reference"),
        ("#/components/pathItems/C", "#/components/pathItems/C is null; it must be an object"),
        (7, "#/paths/~1a/$ref is a number; it must be text"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_refused(reference: str | int, problem: str) -> None:
    items = {"A": {"get": {}}, "B": {"$ref": "#/components/pathItems/A"}, "C": None}
    with pytest.raises(NotAnApiDocumentError, match=re.escape(problem)):
        _read(paths={"/a": {"$ref": reference}}, components={"pathItems": items})


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"openapi": 3.0}, "#/openapi is a number; it must be text"),
        ({"openapi": ["3.0.0"]}, "#/openapi is a list; it must be text"),
        ({"info": []}, "#/info is a list; it must be an object"),
        ({"info": {"title": 1}}, "#/info/title is a number; it must be text"),
        ({"info": {"version": 1.1}}, "#/info/version is a number; it must be text"),
        ({"info": {"description": {}}}, "#/info/description is an object; it must be text"),
        ({"servers": {}}, "#/servers is an object; it must be a list"),
        ({"servers": ["https://a.example"]}, "#/servers/0 is text; it must be an object"),
        ({"servers": [{"url": "/"}, {"url": 1}]}, "#/servers/1/url is a number; it must be text"),
        ({"paths": []}, "#/paths is a list; it must be an object"),
        ({"paths": None}, "# has no paths"),
        ({"paths": {"pets": {}}}, "#/paths/pets is not a path; a path begins with /"),
        ({"paths": {"/a": None}}, "#/paths/~1a is null; it must be an object"),
        ({"paths": {"/a~b": []}}, "#/paths/~1a~0b is a list; it must be an object"),
        ({"paths": {"/a": {"get": "x"}}}, "#/paths/~1a/get is text; it must be an object"),
        ({"paths": {"/a": {"get": None}}}, "#/paths/~1a/get is null; it must be an object"),
        ({"paths": {"/a": {"GET": GET}}}, "#/paths/~1a/GET must be written in lower case"),
        ({"paths": {"/a": {"$ref": "#/x"}}, "x": {"PUT": GET}}, "#/x/PUT must be written"),
        (
            {"paths": {"/a": {"get": {"operationId": 7}}}},
            "#/paths/~1a/get/operationId is a number; it must be text",
        ),
        (
            {"paths": {"/a": {"get": {"operationId": "a\nb"}}}},
            "#/paths/~1a/get/operationId holds a control character",
        ),
        (
            {"paths": {"/a": {"get": {"summary": {}}}}},
            "#/paths/~1a/get/summary is an object; it must be text",
        ),
        (
            {"paths": {"/a": {"get": {"deprecated": "yes"}}}},
            "#/paths/~1a/get/deprecated is text; it must be true or false",
        ),
        (
            {"paths": {"/a": {"get": {"tags": "pets"}}}},
            "#/paths/~1a/get/tags is text; it must be a list",
        ),
        (
            {"paths": {"/a": {"get": {"tags": ["pets", True]}}}},
            "#/paths/~1a/get/tags/1 is true or false; it must be text",
        ),
    ],
)
def test_a_member_of_the_wrong_type_is_refused_with_its_pointer(
    members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(NotAnApiDocumentError, match=re.escape(problem) + r"(?!\w)"):
        _read(**members)


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"info": {"title": "a\0"}}, "#/info/title holds a NUL"),
        ({"info": {"version": "\0"}}, "#/info/version holds a NUL"),
        ({"info": {"description": "\0"}}, "#/info/description holds a NUL"),
        ({"servers": [{"url": "/\0"}]}, "#/servers/0/url holds a NUL"),
        ({"paths": {"/\0": {}}}, "#/paths/~1\ufffd holds a NUL"),
        ({"paths": {"/\n": {}}}, "#/paths/~1\ufffd holds a control character"),
        ({"paths": {"/": {"get": {"summary": "\0"}}}}, "#/paths/~1/get/summary holds a NUL"),
        ({"paths": {"/": {"get": {"tags": ["\0"]}}}}, "#/paths/~1/get/tags/0 holds a NUL"),
    ],
)
def test_text_that_the_database_cannot_hold_is_refused(
    members: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(NotAnApiDocumentError, match=re.escape(pointer)):
        _read(**members)


def test_null_is_the_same_as_absent_where_a_member_may_be_absent() -> None:
    nothing = {"operationId": None, "summary": None, "deprecated": None, "tags": None}
    contract = _read(
        info={"title": None, "version": None, "description": None},
        servers=None,
        paths={"/a": {"get": nothing}},
    )
    assert contract == _read(paths={"/a": {"get": {}}})
    assert contract.title == contract.version == contract.description == ""
    assert contract.servers == ()


def test_prose_is_cut_and_lists_end_where_an_event_has_no_more_room() -> None:
    contract = _read(
        info={"title": "t" * 300, "version": "v" * 300, "description": "d" * 5_000},
        servers=[{"url": f"/{n}"} for n in range(30)],
        paths={"/a": {"get": {"summary": "s " * 100_000, "tags": ["g" * 90] * 30}}},
    )
    (operation,) = contract.operations
    assert (len(contract.title), contract.title[-2:]) == (200, "t…")
    assert (len(contract.version), contract.version[-2:]) == (100, "v…")
    assert (len(contract.description), contract.description[-2:]) == (4_000, "d…")
    assert len(contract.servers) == 20
    assert len(operation.summary) <= 200
    assert operation.summary.endswith(" s…")
    assert operation.tags == ["g" * 49 + "…"] * 20


@pytest.mark.parametrize(
    "members",
    [
        {"paths": {"/" + "a" * 500: {}}},
        {"paths": {"/": {"get": {"operationId": "a" * 201}}}},
        {"paths": {"/": {"$ref": "#/" + "a" * 2_000}}},
        {"servers": [{"url": "/" * 2_001}]},
    ],
)
def test_a_name_that_is_too_long_is_refused_and_not_cut(members: dict[str, Any]) -> None:
    with pytest.raises(
        DocumentTooComplexError, match=r"#/.+ has more than [\d,]+ characters"
    ) as no:
        _read(**members)
    assert len(str(no.value)) < 400


def test_a_contract_has_at_most_10_000_operations() -> None:
    halves = {f"/{n}": {"get": GET, "put": GET} for n in range(OPERATIONS // 2)}
    assert len(_read(paths=halves).operations) == OPERATIONS
    with pytest.raises(TooManyOperationsError, match="#/paths/~1one-more has the first too many"):
        _read(paths=halves | {"/one-more": {"get": GET}})
    with pytest.raises(TooManyOperationsError, match="has 10,001 paths"):
        _read(paths={f"/{n}": {"get": {}} for n in range(OPERATIONS + 1)})


def test_flow_mappings_and_explicit_document_starts_are_yaml_too() -> None:
    assert read_contract(b"{openapi: 3.0.0, paths: {/a: {get: {}}}}").operations
    assert read_contract(b"%YAML 1.2\n---\n'openapi': 3.0.0\npaths: {/a: {get: {}}}\n").operations
    assert read_contract(b'# first\n{"openapi": "3.0.0", "paths": {"/a": {"get": {}}}}').operations
