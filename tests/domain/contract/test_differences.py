from datetime import date

import pytest

from domain.aggregate import DomainError
from domain.contract.diff.terms import Terms
from domain.contract.differences import FormatChangedError, differences
from domain.contract.document import NotAnApiDocumentError

TERMS = Terms(date(2026, 11, 22))
REST = b'{"openapi": "3.1.0", "info": {}, "paths": {"/a": {"get": {"responses": {}}}}}'
SDL = b"type Query { a: Int b: Int }"


def test_either_format_is_compared() -> None:
    (finding,) = differences(REST, REST.replace(b"/a", b"/b").replace(b"get", b"x-get"), TERMS)
    assert (finding.rule, finding.where) == ("api-path-removed-without-deprecation", "GET /a")
    (finding,) = differences(SDL, b"type Query { a: Int }", TERMS)
    assert finding.where == "Query.b"


def test_a_contract_does_not_change_its_format() -> None:
    with pytest.raises(FormatChangedError):
        differences(REST, SDL, TERMS)


@pytest.mark.parametrize(
    "document", [b"", b"{}", b"[", b"a: &a [*a]", b"swagger: '2.0'", b"<html>"]
)
def test_what_is_no_contract_is_an_error_about_its_side(document: bytes) -> None:
    for old, new, side in ((document, REST, "old"), (REST, document, "new")):
        with pytest.raises(DomainError) as error:
            differences(old, new, TERMS)
        assert error.value.about == side


def test_nothing_is_compared_with_what_has_no_paths() -> None:
    with pytest.raises(NotAnApiDocumentError):
        differences(b"openapi: 3.0.0", REST, TERMS)
