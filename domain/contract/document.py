"""A document: the bytes of a contract, and what is wrong with them."""

import re
from typing import TypeAlias

import orjson

from domain.aggregate import DomainError

DOCUMENT_BYTES = 50_000_000
NESTING = 200
NODES = 2_000_000  # GitHub's description, among the largest that are public, has 258,000
SHOWN_CHARS = 80

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | float | bool | None"

_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_BINARY_WITHIN_BYTES = 512
_WIDE = re.compile(rb"\xff\xfe|\xfe\xff|\x00\x00\xfe\xff|\x00[^\x00]|[^\x00]\x00")


class DocumentTooLargeError(DomainError):
    """A contract document has at most 50 MB, one in GraphQL at most 10 MB."""


class DocumentBrokenError(DomainError):
    """A contract document is well-formed JSON, YAML or GraphQL SDL, in UTF-8."""


class NotAnApiDocumentError(DomainError):
    """A contract document is OpenAPI 3.0, OpenAPI 3.1 or GraphQL SDL."""


class DocumentTooComplexError(DomainError):
    """A contract document keeps to limits of depth, number of values and length of names."""


def shown(text: str) -> str:
    """Return the text as a message can quote it: short, on one line, printable."""
    part = text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"
    return "".join(char if char.isprintable() else "\ufffd" for char in part)


def cut(text: str, chars: int) -> str:
    """Return the text with at most `chars` characters; what was cut off shows as an ellipsis."""
    return text if len(text) <= chars else text[: chars - 1].rstrip() + "…"


def one_line(text: str, chars: int) -> str:
    """Return the beginning of the text on one line of at most `chars` characters."""
    # Cut twice: white space is only looked for in what can be shown, however long the text is.
    return cut(" ".join(cut(text, chars * 4).split()), chars)


def broken(format_: str, line: int, column: int, problem: str) -> DocumentBrokenError:
    """Return the error for a `problem` at a place; lines and columns count from 1."""
    return DocumentBrokenError(
        "document", f"Line {line}, column {column}, read as {format_}: {problem.rstrip('.')}."
    )


def broken_at(format_: str, document: bytes, offset: int, problem: str) -> DocumentBrokenError:
    """Return the error for a `problem` at a byte of the document."""
    before = document[:offset]
    begin = before.rfind(b"\n") + 1
    column = len(before[begin:].decode(errors="replace")) + 1
    return broken(format_, before.count(b"\n") + 1, column, problem)


def decoded(document: bytes) -> str:
    """Return the text of the document, which has no byte order mark.

    Raises DocumentBrokenError when it is not UTF-8, and NotAnApiDocumentError when it is empty,
    binary, HTML or XML.
    """
    if _WIDE.match(document):
        raise broken("text", 1, 1, "it is UTF-16 or UTF-32; save it as UTF-8")
    if _BINARY.search(document, 0, _BINARY_WITHIN_BYTES):
        raise NotAnApiDocumentError("document", "This one begins like a binary file, not text.")
    try:
        text = document.decode()
    except UnicodeDecodeError as error:
        problem = "it is not UTF-8; save it as UTF-8"
        raise broken_at("text", document, error.start, problem) from None
    begins = text[:1_000].lstrip()
    if begins.startswith("<"):
        raise NotAnApiDocumentError("document", "This one begins with <, as HTML and XML do.")
    if not begins and not text.strip():
        raise NotAnApiDocumentError("document", "This one is empty.")
    return text


def read_json(document: bytes) -> Tree:
    """Return the value of the JSON text; of a key that occurs twice, the last one counts.

    Raises DocumentBrokenError (also for NaN and half surrogate pairs), DocumentTooComplexError.
    """
    # A bound on the number of values that costs no parsing; commas in prose count too.
    if sum(map(document.count, (b",", b"[", b"{"))) > NODES:
        raise DocumentTooComplexError("document", f"This one has more than {NODES:,} values.")
    try:
        tree: Tree = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        if error.msg == "depth limit exceeded":
            raise _too_deep() from None
        raise broken("JSON", error.lineno, error.colno, shown(error.msg)) from None
    level = [tree] if isinstance(tree, (dict, list)) else []
    for _ in range(NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    if level:
        raise _too_deep()
    return tree


def _too_deep() -> DocumentTooComplexError:
    return DocumentTooComplexError("document", f"This one is nested more than {NESTING} deep.")
