"""What changed between two versions of a contract, in whichever format."""

from collections.abc import Callable
from typing import TypeVar

from domain.aggregate import DomainError
from domain.contract.diff.compare import rest_differences
from domain.contract.diff.terms import Terms
from domain.contract.document import Tree
from domain.contract.finding import Finding
from domain.contract.graphql_diff import diff_graphql
from domain.contract.graphql_sdl import is_sdl
from domain.contract.openapi import read_openapi
from domain.contract.read import read_text, read_tree

Read = TypeVar("Read")


class FormatChangedError(DomainError):
    """Two versions of a contract are compared in one format: OpenAPI, or GraphQL SDL."""


def differences(
    old: bytes, new: bytes, terms: Terms, *, allows_remote: bool = False
) -> tuple[Finding, ...]:
    """Return what changed from one document to the other, the gravest first.

    Pure; up to seconds for the largest documents. Raises what `read_contract` and
    `rest_differences` do, `about` "old" or "new"; FormatChangedError.
    """
    texts = _told("old", read_text, old), _told("new", read_text, new)
    if any(map(is_sdl, texts)):
        if not all(map(is_sdl, texts)):
            raise FormatChangedError("new", "One of these is GraphQL, the other is not.")
        return diff_graphql(*texts)
    before, after = _told("old", _openapi, old), _told("new", _openapi, new)
    return rest_differences(before, after, terms, allows_remote=allows_remote)


def _told(side: str, read: Callable[[bytes], Read], document: bytes) -> Read:
    """Read one of the two; what is wrong is about that side."""
    try:
        return read(document)
    except DomainError as error:
        error.about = side
        raise


def _openapi(document: bytes) -> Tree:
    """Return the tree of a document that is OpenAPI."""
    tree = read_tree(document)
    read_openapi(tree)
    return tree
