"""A spot: a value in one of the two documents, and how to get there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from domain.contract.document import NotAnApiDocumentError, Tree, shown

REFERENCES = 100
"""So many references may follow one another before something that is none."""

_TYPES = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
_KEY = re.compile("[~/]")
_ESCAPES = {"~": "~0", "/": "~1"}


class BrokenReferenceError(NotAnApiDocumentError):
    """A reference leads to something in the same document."""


class RemoteReferenceError(NotAnApiDocumentError):
    """A reference stays in the document: bundle other files into it. Nothing is ever fetched."""


def joined(pointer: str, key: str | int) -> str:
    """Return the JSON pointer to a member or element of what `pointer` leads to."""
    if isinstance(key, int):
        return f"{pointer}/{key}"
    return f"{pointer}/{_KEY.sub(lambda found: _ESCAPES[found[0]], key)}"


@dataclass(eq=False, slots=True)
class Document:
    """One of the two documents. `about` is "old" or "new", as errors name it.

    References to other documents are errors, unless they are allowed: then they stand for
    themselves, are equal when their text is, and are never followed.
    """

    root: Tree
    about: str
    allows_remote: bool = False
    is_3_0: bool = field(init=False)
    resolved: dict[str, "Spot"] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Look once at the version."""
        version = self.root.get("openapi") if isinstance(self.root, dict) else None
        self.is_3_0 = isinstance(version, str) and version.startswith("3.0")

    @property
    def top(self) -> "Spot":
        """The whole document."""
        return Spot(self, self.root, "")


@dataclass(frozen=True, slots=True)
class Spot:
    """A value in a document and the JSON pointer to it. Null is the same as absent."""

    document: Document
    value: Tree
    pointer: str

    def wrong(self, problem: str) -> NotAnApiDocumentError:
        """Return the error that says where the problem is."""
        return NotAnApiDocumentError(self.document.about, f"#{shown(self.pointer)} {problem}.")

    def must_be(self, what: str) -> NotAnApiDocumentError:
        """Return the error for a value of the wrong type."""
        return self.wrong(f"is {_TYPES.get(type(self.value), 'a number')}; it must be {what}")

    def __bool__(self) -> bool:
        """Whether something is here."""
        return self.value is not None

    def members(self) -> dict[str, Tree]:
        """Return what the object holds, nothing for null."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.must_be("an object")
        return self.value

    def at(self, key: str) -> "Spot":
        """Return the member of that name; it is null when there is none."""
        return Spot(self.document, self.members().get(key), joined(self.pointer, key))

    def each(self, *, has_extensions: bool = False) -> "Iterator[tuple[str, Spot]]":
        """Return the members in their order, without extensions (x-...) where there can be some.

        Where members are named by whoever wrote the document, "x-trace" is a name like another.
        """
        for key in self.members():
            if not (has_extensions and key.startswith("x-")):
                yield key, self.at(key)

    def elements(self) -> "list[Spot]":
        """Return the elements of the list, none for null."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.must_be("a list")
        return [
            Spot(self.document, element, joined(self.pointer, index))
            for index, element in enumerate(self.value)
        ]

    def text(self) -> str:
        """Return the text, "" for null."""
        if self.value is None:
            return ""
        if not isinstance(self.value, str):
            raise self.must_be("text")
        return self.value

    def texts(self) -> list[str]:
        """Return the texts of the list."""
        return [element.text() for element in self.elements()]

    def flag(self, *, default: bool = False) -> bool:
        """Return the truth value, `default` for null."""
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            raise self.must_be("true or false")
        return self.value

    def number(self) -> float | None:
        """Return the number, None for null."""
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise self.must_be("a number")
        return self.value

    @property
    def reference(self) -> str:
        """What this refers to, "" when it is no reference."""
        if not isinstance(self.value, dict):
            return ""
        reference = self.value.get("$ref")
        return reference if isinstance(reference, str) else ""

    def followed(self, *, to_remote: bool = False) -> "Spot":
        """Return what this refers to in the end, or itself.

        With `to_remote` that may be a reference to another document. Raises
        BrokenReferenceError when it leads to nothing or in a circle, RemoteReferenceError.
        """
        spot = self
        for _ in range(REFERENCES):
            if not spot.reference or (to_remote and not spot.reference.startswith("#")):
                return spot
            spot = spot.follow()
        raise BrokenReferenceError(
            self.document.about, f"#{shown(self.pointer)} refers to itself, and to nothing else."
        )

    def follow(self) -> "Spot":
        """Return what this refers to directly."""
        known = self.document.resolved.get(self.reference)
        if known is None:
            known = self.document.resolved[self.reference] = self._found()
        return known

    def _found(self) -> "Spot":
        reference, place = self.reference, f"#{shown(self.pointer)}"
        if not reference.startswith("#"):
            raise RemoteReferenceError(
                self.document.about, f'{place} refers to "{shown(reference)}".'
            )
        value: Tree = self.document.root
        keys = unquote(reference[1:]).split("/")[1:]
        for part in keys:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise BrokenReferenceError(
                    self.document.about, f'{place} leads to nothing: "{shown(reference)}".'
                )
        return Spot(self.document, value, unquote(reference[1:]))
