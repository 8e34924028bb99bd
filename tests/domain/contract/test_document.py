import re

import pytest

from domain.aggregate import DomainError
from domain.contract.document import (
    DOCUMENT_BYTES,
    NESTING,
    DocumentBrokenError,
    DocumentTooComplexError,
    DocumentTooLargeError,
    NotAnApiDocumentError,
)
from domain.contract.read import read_contract


def test_a_document_may_be_as_large_as_the_limit_and_no_larger() -> None:
    head = b"openapi: 3.0.3\npaths: {}\n#"
    assert not read_contract(head.ljust(DOCUMENT_BYTES, b"x")).operations
    with pytest.raises(DocumentTooLargeError, match=r"has 50,000,001 bytes") as refused:
        read_contract(head.ljust(DOCUMENT_BYTES + 1, b"x"))
    assert refused.value.about == "document"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param(
            b'{"openapi": "3.0.0",\n "paths": ]}', "Line 2, column 11, read as JSON", id="1"
        ),
        pytest.param(b'{"openapi": "3.0.0",}', "trailing comma", id="trailing comma"),
        pytest.param(b'{"openapi": NaN}', "Line 1, column 13", id="NaN"),
        pytest.param(b'{"openapi": "\\ud800"}', "Line 1, column 14", id="half a surrogate pair"),
        pytest.param(b'{"openapi": "3', "read as JSON", id="cut off JSON"),
        pytest.param(
            b"openapi: 3.0.0\npaths: [\n", "Line 3, column 1, read as YAML", id="open list"
        ),
        pytest.param(b"a: b: c", "Line 1, column 5, read as YAML", id="two colons"),
        pytest.param(("#" * 600 + "\nä: é\x01").encode(), "Line 2, column 5", id="control"),
        pytest.param(b"type Query {\n  user: }", "Line 2, column 9, read as GraphQL", id="SDL"),
        pytest.param('"""ä"""\ntype Query {'.encode(), "Line 2, column 13", id="cut off SDL"),
        pytest.param("openapi: '3.0.0'".encode("utf-16"), "save it as UTF-8", id="UTF-16"),
        pytest.param("openapi: '3.0.0'".encode("utf-16-le"), "save it as UTF-8", id="UTF-16 LE"),
        pytest.param('{"openapi": 3}'.encode("utf-16-be"), "save it as UTF-8", id="UTF-16 BE"),
        pytest.param("openapi: 3".encode("utf-32"), "save it as UTF-8", id="UTF-32"),
        pytest.param("a: é\nb: é".encode("latin-1"), "Line 1, column 4", id="Latin-1"),
        pytest.param("a: é\nb: éa".encode() + b"\xff", "Line 2, column 6", id="a stray byte"),
    ],
)
def test_a_broken_document_is_refused_with_the_place(document: bytes, problem: str) -> None:
    with pytest.raises(DocumentBrokenError, match=re.escape(problem)) as refused:
        read_contract(document)
    assert refused.value.about == "document"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b" \r\n\t", "is empty", id="blanks"),
        pytest.param(b"\xef\xbb\xbf", "is empty", id="a byte order mark"),
        pytest.param(b"# to be written\n", "is empty", id="a comment"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary", id="PNG"),
        pytest.param(b"PK\x03\x04", "binary", id="ZIP"),
        pytest.param(b"<!DOCTYPE html>\n<title>Docs</title>", "HTML", id="HTML"),
        pytest.param(b'<?xml version="1.0"?><definitions/>', "XML", id="WSDL"),
        pytest.param(b"[]", "# is a list", id="a JSON list"),
        pytest.param(b"- openapi: 3.0.0", "# is a list", id="a YAML list"),
        pytest.param(b"{}", "# has no openapi: 3.x", id="an empty object"),
        pytest.param(b'{"name": "x", "version": "1.0.0"}', "# has no openapi", id="plain JSON"),
        pytest.param(b'"openapi"', "# is text", id="a JSON string"),
        pytest.param(b"Hello, world.", "# is text", id="prose"),
        pytest.param(b"42", "# is a number", id="a number"),
        pytest.param(b"true", "# is true or false", id="a truth value"),
        pytest.param(b"null", "# is null", id="null"),
        pytest.param(b'swagger: "2.0"\npaths: {}', "Swagger 2.0; convert it", id="Swagger"),
        pytest.param(b'{"asyncapi": "2.6.0"}', "AsyncAPI", id="AsyncAPI"),
        pytest.param(b'{"__schema": {}}', "send the schema as SDL", id="introspection"),
        pytest.param(
            b"openapi: 3.0.0\npaths: {}\n---\na: 1", "begins at line 3", id="two documents"
        ),
    ],
)
def test_what_is_no_description_of_an_api_is_refused(document: bytes, problem: str) -> None:
    with pytest.raises(NotAnApiDocumentError, match=re.escape(problem)) as refused:
        read_contract(document)
    assert refused.value.about == "document"


@pytest.mark.parametrize(
    "document",
    [
        b'\xef\xbb\xbf{"openapi": "3.0.0", "paths": {}}',
        b"\xef\xbb\xbfopenapi: 3.0.0\npaths: {}",
        b"\xef\xbb\xbftype Query { a: Int }",
    ],
)
def test_a_byte_order_mark_of_utf_8_is_ignored(document: bytes) -> None:
    assert read_contract(document).kind in {"OPENAPI_3_0", "GRAPHQL"}


@pytest.mark.parametrize("document", [b'{"x": %s%s}', b"x: %s%s"])
def test_a_document_is_nested_at_most_200_deep(document: bytes) -> None:
    lists = NESTING - 1
    with pytest.raises(NotAnApiDocumentError, match="has no openapi"):
        read_contract(document % (b"[" * lists, b"]" * lists))
    with pytest.raises(DocumentTooComplexError, match="more than 200 deep"):
        read_contract(document % (b"[" * (lists + 1), b"]" * (lists + 1)))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b"- ", b"{a: "])
def test_nesting_without_end_is_refused_quickly(opening: bytes) -> None:
    with pytest.raises(DomainError):
        read_contract(opening * 500_000)


def test_a_json_document_has_at_most_2_000_000_values() -> None:
    with pytest.raises(DocumentTooComplexError, match="more than 2,000,000 values"):
        read_contract(b"[" + b"0," * 2_000_000 + b"0]")
