"""Whatever is sent: a contract that can be stored, or a refusal that says why."""

import re
from dataclasses import fields
from time import perf_counter
from typing import Any

import orjson
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.aggregate import DomainError
from domain.contract.operation import Operation
from domain.contract.read import Contract, read_contract

LIMIT_S = 2
OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Users", "version": "1.0", "description": "Who they are."},
    "servers": [{"url": "https://users.example"}],
    "paths": {
        "/users": {
            "get": {"operationId": "list", "summary": "All", "deprecated": True, "tags": ["a"]},
            "post": {"responses": {"201": {"description": "Created"}}},
        },
        "/users/{id}": {"$ref": "#/components/pathItems/User"},
    },
    "components": {"pathItems": {"User": {"get": {"operationId": "one"}}}},
}
SDL = b'''
"""All"""
schema @a { query: Query mutation: Mutation }
type Query { "One" user(id: ID! = [1, {a: "b"}]): User @deprecated(reason: "x") }
type Mutation { add: [User!]! }
extend type Query { users: [User] }
# end
'''
YAML = yaml.safe_dump(OPENAPI).encode() + b"x: &a {b: [*c, &c 'd']}\ny: {<<: *a, e: !!str 1}\n"
DOCUMENTS = [orjson.dumps(OPENAPI), YAML.replace(b"*c, ", b""), YAML, SDL]

quickly = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
names = st.sampled_from(
    ["openapi", "info", "paths", "$ref", "get", "/a", "tags", "url", "x-a", "3.0.0", "#/paths/~1a"]
)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text() | names,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | names, inner),
    max_leaves=15,
)


def _read(document: bytes) -> None:
    began = perf_counter()
    try:
        outcome: Contract | DomainError = read_contract(document)
    except DomainError as refused:
        outcome = refused
    assert perf_counter() - began < LIMIT_S
    if isinstance(outcome, Contract):
        _assert_storable(outcome)
    else:
        assert outcome.about == "document"
        assert str(outcome).isprintable()
        assert len(str(outcome)) < 1_000


def _assert_storable(contract: Contract) -> None:
    assert contract.kind in {"OPENAPI_3_0", "OPENAPI_3_1", "GRAPHQL"}
    texts = [contract.title, contract.version, contract.description, *contract.servers]
    for operation in contract.operations:
        assert {field.name for field in fields(Operation)} == set(vars(operation))
        assert type(operation.deprecated) is bool
        texts += [operation.id, operation.method, operation.path, operation.name]
        texts += [operation.summary, *operation.tags]
    assert len({operation.id for operation in contract.operations}) == len(contract.operations)
    assert all(len(text) <= 4_000 for text in texts)
    assert not any(re.search("[\x00\ud800-\udfff]", text) for text in texts)


@quickly
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf\0")
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    _read(document)


@quickly
@given(st.text(st.sampled_from(" \n\t-:,[]{}&*!|>%@#?<'\"\\\0abc01.~"), max_size=60))
@example("&a [*a]")
@example("*a")
@example("*a : b")
@example("--- &a")
@example("? *a")
@example("{<<: *a}")
def test_any_text_in_the_signs_of_yaml_is_read_or_refused(document: str) -> None:
    _read(document.encode())
    _read(f"openapi: 3.0.0\npaths: {document}".encode())
    _read(f"openapi: 3.0.0\npaths:\n  /a:\n    get:\n      {document}\n".encode())


@quickly
@given(st.lists(st.sampled_from(re.findall(rb"\w+|\S", SDL)), max_size=30))
def test_any_tokens_of_graphql_are_read_or_refused(tokens: list[bytes]) -> None:
    _read(b"type Query { a: Int } " + b" ".join(tokens))
    _read(b" ".join(tokens))


@quickly
@given(json_like)
def test_any_json_is_read_or_refused(tree: object) -> None:
    _read(orjson.dumps(tree))
    _read(yaml.safe_dump(tree, allow_unicode=True).encode())


def _replaced(tree: Any, path: list[int], value: object) -> Any:  # any JSON
    """Return the tree with the value at the end of a way through it; 0 is the first member."""
    if not path or not isinstance(tree, dict | list) or not tree:
        return value
    step, *rest = path
    if isinstance(tree, dict):
        key = list(tree)[step % len(tree)]
        return tree | {key: _replaced(tree[key], rest, value)}
    index = step % len(tree)
    return [*tree[:index], _replaced(tree[index], rest, value), *tree[index + 1 :]]


@quickly
@given(st.lists(st.integers(0, 5), max_size=5), json_like)
def test_a_document_with_anything_at_any_place_is_read_or_refused(
    path: list[int], value: object
) -> None:
    tree = _replaced(OPENAPI, path, value)
    _read(orjson.dumps(tree))
    _read(yaml.safe_dump(tree).encode())


@quickly
@given(
    st.sampled_from(DOCUMENTS),
    st.integers(0, 900),
    st.integers(0, 20),
    st.binary(max_size=4) | st.sampled_from([b'"', b"\n", b"\\", b"*a", b"&a ", b"{", b"[", b": "]),
)
def test_a_document_damaged_anywhere_is_read_or_refused(
    document: bytes, at: int, removed: int, added: bytes
) -> None:
    at %= len(document)
    _read(document[:at] + added + document[at + removed :])


def test_the_undamaged_documents_are_read() -> None:
    counts = [len(read_contract(document).operations) for document in (*DOCUMENTS[:2], SDL)]
    assert counts == [3, 3, 3]
