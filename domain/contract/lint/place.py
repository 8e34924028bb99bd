"""Places in a document, and values as JavaScript sees them: rule sets are written in its words."""

from enum import Enum
from typing import Final, TypeAlias

from domain.contract.document import Tree

Key: TypeAlias = str | int
Path: TypeAlias = tuple[Key, ...]


class Missing(Enum):
    """The value of what is not there; null is there."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Missing.UNDEFINED
Value: TypeAlias = "Tree | Missing"


def is_truthy(value: Value) -> bool:
    """Whether the value counts as true: empty objects and lists do, unlike in Python."""
    return isinstance(value, dict | list) or (value is not UNDEFINED and bool(value))


def is_number(value: Value) -> bool:
    """Whether the value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def member(value: Value, key: Key) -> Value:
    """Return the member or element of that name or index, or UNDEFINED."""
    if isinstance(value, dict):
        return value.get(str(key), UNDEFINED)
    if isinstance(value, list):
        if key == "length":
            return len(value)
        index = key if isinstance(key, int) else int(key) if key.isdecimal() else -1
        return value[index] if 0 <= index < len(value) else UNDEFINED
    if isinstance(value, str) and key == "length":
        return len(value)
    return UNDEFINED


def text(value: Value) -> str:
    """Return the value as a message quotes it."""
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return str(value)
