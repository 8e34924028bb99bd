"""Reading: the bytes that a product team sends become a contract."""

import re
from codecs import BOM_UTF8

from domain.contract.contract import Contract
from domain.contract.document import (
    DOCUMENT_BYTES,
    DocumentTooLargeError,
    Tree,
    decoded,
    read_json,
)
from domain.contract.graphql_sdl import is_sdl, read_sdl
from domain.contract.openapi import read_openapi
from domain.contract.yaml_tree import read_yaml

__all__ = ["Contract", "is_json", "read_contract", "read_text", "read_tree"]

_JSON = re.compile(r'\s*(?:\{\s*["}]|\[)')


def read_contract(document: bytes) -> Contract:
    """Return the contract that the document describes: OpenAPI 3.0 or 3.1, or GraphQL SDL.

    The format follows from how the document begins, so that a mistake in it is reported in its own
    terms. Raises DocumentTooLargeError, DocumentBrokenError, NotAnApiDocumentError,
    TooManyOperationsError, DocumentTooComplexError; each names the place.
    """
    text = read_text(document)
    return read_sdl(text) if is_sdl(text) else read_openapi(_tree(document, text))


def read_tree(document: bytes) -> Tree:
    """Return the value of a JSON or YAML document. Raises what `read_contract` does."""
    return _tree(document, read_text(document))


def is_json(text: str) -> bool:
    """Whether the text begins as JSON does; YAML otherwise."""
    return bool(_JSON.match(text))


def read_text(document: bytes) -> str:
    """Return the text of a document, without byte order mark. Raises what `read_contract` does."""
    if len(document) > DOCUMENT_BYTES:
        raise DocumentTooLargeError("document", f"This one has {len(document):,} bytes.")
    return decoded(document.removeprefix(BOM_UTF8))


def _tree(document: bytes, text: str) -> Tree:
    unmarked = document.removeprefix(BOM_UTF8)
    return read_json(unmarked) if is_json(text) else read_yaml(unmarked)
