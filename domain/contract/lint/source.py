"""The document that is linted, and how places in it are found."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote

from domain.contract.document import Tree
from domain.contract.lint.place import UNDEFINED, Key, Path, Value

REFERENCES = 50
INLINED_VALUES = 10_000


@dataclass(frozen=True)
class Source:
    """A document as a tree, and the formats that it is of: oas3.0, oas3.1 or graphql."""

    root: Tree
    formats: frozenset[str]
    _targets: dict[str, tuple[Tree, Path] | None] = field(default_factory=dict, repr=False)

    def target(self, reference: str) -> tuple[Tree, Path] | None:
        """Return what a reference within the document leads to, and where that is.

        References on the way and at the end are followed, up to 50 of them. None when it leads
        nowhere, or out of the document.
        """
        if reference not in self._targets:
            self._targets[reference] = self._look_up(reference)
        return self._targets[reference]

    def followed(self, value: Value, path: Path) -> tuple[Value, Path]:
        """Return what the value refers to and where that is, or both as they are."""
        if isinstance(value, dict) and isinstance(reference := value.get("$ref"), str):
            return self.target(reference) or (value, path)
        return value, path

    def at(self, value: Value, path: Path, keys: Path, *, follow: bool) -> tuple[Value, Path]:
        """Return what these keys lead to from the value at the path; references are followed."""
        for key in keys:
            if follow:
                value, path = self.followed(value, path)
            value, path = _inner(value, key), (*path, key)
        return self.followed(value, path) if follow else (value, path)

    def existing(self, path: Path) -> Path:
        """Return as much of the path as there is."""
        value: Value = self.root
        for index, key in enumerate(path):
            value = _inner(value, key)
            if value is UNDEFINED:
                return path[:index]
        return path

    def inlined(self, value: Value) -> Value:
        """Return the value with what it refers to in it, as far as that is not too much.

        References that lead back or nowhere stay, and so do all of them after 10,000 values.
        """
        return _Inlining(self).value(value, ())

    @cached_property
    def references(self) -> dict[str, list[Path]]:
        """Every reference in the document, and where it stands."""
        found: dict[str, list[Path]] = {}
        for path, value in walked(self.root):
            if isinstance(value, dict) and isinstance(reference := value.get("$ref"), str):
                found.setdefault(reference, []).append(path)
        return found

    @cached_property
    def shared(self) -> frozenset[int]:
        """The ids of the objects and lists that references lead to; the root keeps them alive."""
        targets = (self.target(reference) for reference in self.references)
        return frozenset(
            id(target[0])
            for target in targets
            if target is not None and isinstance(target[0], dict | list)
        )

    def _look_up(self, reference: str) -> tuple[Tree, Path] | None:
        keys = _keys(reference)
        if keys is None:
            return None
        value: Value = self.root
        path: Path = ()
        count = 0
        while True:
            if isinstance(value, dict) and isinstance(inner := value.get("$ref"), str):
                before = _keys(inner)
                count += 1
                if before is None or count > REFERENCES:
                    return None
                keys, value, path = before + keys, self.root, ()
            elif keys:
                key: Key = keys.pop(0)
                if isinstance(value, list) and str(key).isdecimal():
                    key = int(key)
                value, path = _inner(value, key), (*path, key)
            elif value is UNDEFINED:
                return None
            else:
                return value, path


def walked(root: Tree) -> Iterator[tuple[Path, Tree]]:
    """Return every object and list of the tree with its path."""
    left: list[tuple[Path, Tree]] = [((), root)]
    while left:
        path, value = left.pop()
        if isinstance(value, dict):
            yield path, value
            left.extend(
                ((*path, key), inner)
                for key, inner in value.items()
                if isinstance(inner, dict | list)
            )
        elif isinstance(value, list):
            yield path, value
            left.extend(
                ((*path, index), inner)
                for index, inner in enumerate(value)
                if isinstance(inner, dict | list)
            )


def _keys(reference: str) -> list[Key] | None:
    if reference != "#" and not reference.startswith("#/"):
        return None
    parts = unquote(reference).split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def _inner(value: Value, key: Key) -> Value:
    if isinstance(value, dict):
        return value.get(str(key), UNDEFINED)
    if isinstance(value, list) and (isinstance(key, int) or key.isdecimal()):
        return value[int(key)] if int(key) < len(value) else UNDEFINED
    return UNDEFINED


class _Inlining:
    """One value being inlined; `left` values may still be made."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.left = INLINED_VALUES

    def value(self, value: Value, within: tuple[str, ...]) -> Value:
        self.left -= 1
        if self.left < 0:
            return value
        if isinstance(value, list):
            return [self.tree(inner, within) for inner in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and len(within) < REFERENCES and reference not in within:
            target = self.source.target(reference)
            if target is not None:
                return self.value(target[0], (*within, reference))
        return {key: self.tree(inner, within) for key, inner in value.items()}

    def tree(self, value: Tree, within: tuple[str, ...]) -> Tree:
        inlined = self.value(value, within)
        return None if inlined is UNDEFINED else inlined
