"""OpenAPI 3.0 and 3.1: paths become operations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from domain.contract.contract import (
    DESCRIPTION_CHARS,
    OPERATIONS,
    SERVER_CHARS,
    SERVERS,
    TITLE_CHARS,
    VERSION_CHARS,
    Contract,
    TooManyOperationsError,
)
from domain.contract.document import (
    DocumentTooComplexError,
    NotAnApiDocumentError,
    Tree,
    cut,
    one_line,
    shown,
)
from domain.contract.operation import (
    NAME_CHARS,
    PATH_CHARS,
    SUMMARY_CHARS,
    TAG_CHARS,
    TAGS,
    Operation,
)
from domain.text import storable

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
POINTER_CHARS = 2_000

_VERSION = re.compile(r"3\.([01])(?:\.[0-9]{1,9})?(?:-[\w.]{1,40})?", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_OTHERS = {
    "swagger": "This one is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1.",
    "asyncapi": "This one is AsyncAPI.",
    "__schema": "This one is the result of a GraphQL introspection; send the schema as SDL.",
}
_TYPES = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def read_openapi(tree: Tree) -> Contract:
    """Return the contract of an OpenAPI document.

    Raises NotAnApiDocumentError with a JSON pointer to what is missing or of the wrong type,
    DocumentTooComplexError, TooManyOperationsError.
    """
    root = _Place(tree)
    kind = _kind(root)
    paths = root.member("paths")
    has_no_paths = kind == "OPENAPI_3_1" and ("webhooks" in root or "components" in root)
    if paths.value is None and not has_no_paths:
        raise root.wrong("has no paths")
    info = root.member("info")
    return Contract(
        kind=kind,
        title=one_line(info.member("title").text(), TITLE_CHARS),
        version=one_line(info.member("version").text(), VERSION_CHARS),
        description=cut(info.member("description").text(), DESCRIPTION_CHARS),
        operations=tuple(_operations(root, paths)),
        servers=tuple(_servers(root.member("servers"))),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A value in the document, and the keys that lead to it. Null is the same as absent."""

    value: Tree
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the JSON pointer, with very long keys cut."""
        keys = (shown(key.replace("~", "~0").replace("/", "~1")) for key in self.keys)
        return "/".join(("#", *keys))

    def wrong(self, problem: str) -> NotAnApiDocumentError:
        """Return the error that says where the problem is."""
        return NotAnApiDocumentError("document", f"{self} {problem}.")

    def must_be(self, what: str) -> NotAnApiDocumentError:
        """Return the error for a value of the wrong type."""
        return self.wrong(f"is {_TYPES.get(type(self.value), 'a number')}; it must be {what}")

    def __contains__(self, key: str) -> bool:
        """Whether there is such a member, be it null."""
        return isinstance(self.value, dict) and key in self.value

    def members(self) -> dict[str, Tree]:
        """Return what the object holds. Raises NotAnApiDocumentError when it is none."""
        if not isinstance(self.value, dict):
            raise self.must_be("an object")
        return self.value

    def member(self, key: str) -> Self:
        """Return the member of that name; it is null when this has none or is null itself."""
        members = {} if self.value is None else self.members()
        return type(self)(members.get(key), (*self.keys, key))

    def elements(self, limit: int) -> Iterator[Self]:
        """Return up to `limit` elements of the list, none for null."""
        if self.value is not None and not isinstance(self.value, list):
            raise self.must_be("a list")
        for index, element in enumerate((self.value or [])[:limit]):
            yield type(self)(element, (*self.keys, str(index)))

    def text(self) -> str:
        """Return the text, "" for null, cut where no limit is that large."""
        if self.value is None:
            return ""
        if not isinstance(self.value, str):
            raise self.must_be("text")
        text = self.value[: 4 * DESCRIPTION_CHARS]
        if not storable(text):
            raise self.wrong("holds a NUL or half of a surrogate pair; remove it")
        return text

    def name(self, limit: int) -> str:
        """Return a text that means something only in full."""
        text = self.text()
        if len(text) > limit:
            problem = f"{self} has more than {limit:,} characters."
            raise DocumentTooComplexError("document", problem)
        if _CONTROL.search(text):
            raise self.wrong("holds a control character; remove it")
        return text

    def flag(self) -> bool:
        """Return the truth value, False for null."""
        if self.value is not None and not isinstance(self.value, bool):
            raise self.must_be("true or false")
        return bool(self.value)


def _kind(root: _Place) -> str:
    if not isinstance(root.value, dict):
        raise root.must_be("an object that begins with openapi: 3.x")
    for key, problem in _OTHERS.items():
        if key in root:
            raise NotAnApiDocumentError("document", problem)
    if "openapi" not in root:
        raise root.wrong("has no openapi: 3.x")
    place = root.member("openapi")
    version = place.text()
    if not (match := _VERSION.fullmatch(version[:100])):
        raise place.wrong(f'is "{shown(version)}"; 3.0 and 3.1 are supported')
    return f"OPENAPI_3_{match[1]}"


def _servers(servers: _Place) -> Iterator[str]:
    for server in servers.elements(SERVERS):
        if url := server.member("url").name(SERVER_CHARS):
            yield url


def _operations(root: _Place, paths: _Place) -> Iterator[Operation]:
    members = {} if paths.value is None else paths.members()
    if len(members) > OPERATIONS:
        raise TooManyOperationsError("document", f"This one has {len(members):,} paths.")
    count = 0
    for path in members:
        item = paths.member(path)
        if path.startswith("x-"):
            continue
        if not path.startswith("/"):
            raise item.wrong("is not a path; a path begins with /")
        _Place(path, item.keys).name(PATH_CHARS)
        item.members()
        shared = _referenced(root, item)
        for place in (item, shared):
            _refuse_upper_case(place)
        for method in METHODS:
            holder = item if method in item else shared
            if method in holder:
                count += 1
                if count > OPERATIONS:
                    raise TooManyOperationsError("document", f"{holder} has the first too many.")
                yield _operation(method.upper(), path, holder.member(method))


def _operation(method: str, path: str, operation: _Place) -> Operation:
    operation.members()
    return Operation(
        id=f"{method} {path}",
        method=method,
        path=path,
        name=operation.member("operationId").name(NAME_CHARS),
        summary=one_line(operation.member("summary").text(), SUMMARY_CHARS),
        deprecated=operation.member("deprecated").flag(),
        tags=[one_line(tag.text(), TAG_CHARS) for tag in operation.member("tags").elements(TAGS)],
    )


def _refuse_upper_case(item: _Place) -> None:
    # It would be no method, and the operation would be missing without a word.
    for method in map(str.upper, METHODS):
        if method in item:
            raise item.member(method).wrong("must be written in lower case")


def _referenced(root: _Place, item: _Place) -> _Place:
    """Return the path item that `item` refers to, or an empty one; references go one level."""
    reference = item.member("$ref")
    pointer = reference.name(POINTER_CHARS)
    if reference.value is None:
        return _Place({})
    if not pointer.startswith("#/"):
        raise reference.wrong("must begin with #/; bundle other files into this one")
    place = root
    for part in unquote(pointer[2:]).split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if key not in place:
            raise reference.wrong(f'leads to nothing: "{shown(pointer)}"')
        place = place.member(key)
    if "$ref" in place:
        raise place.wrong("is itself a reference; a path refers to its operations directly")
    place.members()
    return place
