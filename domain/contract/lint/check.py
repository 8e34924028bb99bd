"""What a function of a rule is, and what it is asked about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from domain.contract.document import shown
from domain.contract.lint.json_schema import Problem
from domain.contract.lint.place import Path, Value
from domain.contract.lint.schemas import Schemas
from domain.contract.lint.source import Source


@dataclass(frozen=True, slots=True)
class Place:
    """Where the value is that a function is asked about, and whether references are followed."""

    schemas: Schemas
    path: Path
    follow: bool

    @property
    def source(self) -> Source:
        """The document."""
        return self.schemas.source

    @property
    def name(self) -> str:
        """What the value is called in messages."""
        return shown(str(self.path[-1])) if self.path else "the document"

    def moved(self, path: Path) -> "Place":
        """Return another place in the document."""
        return Place(self.schemas, path, self.follow)


Options: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[Value, Place], Iterable[Problem]]


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how it is made of its options, and the JSON Schema that these satisfy."""

    made: Callable[[Options], Check]
    options: dict[str, Any]


def options(required: tuple[str, ...] = (), **properties: object) -> dict[str, Any]:
    """Return the JSON Schema of options with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def plain(check: Check, schema: dict[str, Any] | None = None) -> Function:
    """Return the function that is the same with all options, by default none."""
    return Function(lambda _: check, options() if schema is None else schema)
