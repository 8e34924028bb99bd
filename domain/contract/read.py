"""Reading: the bytes that a product team sends become a contract."""

import re
from codecs import BOM_UTF8

from domain.contract.contract import Contract
from domain.contract.document import DOCUMENT_BYTES, DocumentTooLargeError, decoded, read_json
from domain.contract.graphql_sdl import is_sdl, read_sdl
from domain.contract.openapi import read_openapi
from domain.contract.yaml_tree import read_yaml

__all__ = ["Contract", "read_contract"]

_JSON = re.compile(r'\s*(?:\{\s*["}]|\[)')


def read_contract(document: bytes) -> Contract:
    """Return the contract that the document describes: OpenAPI 3.0 or 3.1, or GraphQL SDL.

    The format follows from how the document begins, so that a mistake in it is reported in its own
    terms. Raises DocumentTooLargeError, DocumentBrokenError, NotAnApiDocumentError,
    TooManyOperationsError, DocumentTooComplexError; each names the place.
    """
    if len(document) > DOCUMENT_BYTES:
        raise DocumentTooLargeError("document", f"This one has {len(document):,} bytes.")
    unmarked = document.removeprefix(BOM_UTF8)
    text = decoded(unmarked)
    if is_sdl(text):
        return read_sdl(text)
    return read_openapi(read_json(unmarked) if _JSON.match(text) else read_yaml(unmarked))
