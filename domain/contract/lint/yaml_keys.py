"""Keys of YAML that are no text: `200:` is a number there, and JSON has none such."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from domain.contract.lint.place import Key, Path

_NOT_TEXT = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|~?|null|Null|NULL|true|True|TRUE|false|False|FALSE"
)


@dataclass(slots=True)
class _Collection:
    """A mapping or sequence that is being read; `key` is that of the value to come."""

    is_mapping: bool
    path: Path
    index: int = 0
    key: Key | None = field(default=None)

    def next_path(self) -> Path:
        """Return the path of the value that begins now."""
        if self.is_mapping:
            key, self.key = self.key, None
            return self.path if key is None else (*self.path, key)
        self.index += 1
        return (*self.path, self.index - 1)


def keys_that_are_not_text(document: bytes) -> Iterator[Path]:
    """Return the path of every such key of a YAML document that was read before."""
    open_: list[_Collection] = []
    for event in yaml.parse(document, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        holder = open_[-1] if open_ else None
        if holder and holder.is_mapping and holder.key is None:
            value = event.value if isinstance(event, yaml.ScalarEvent) else ""
            holder.key = value
            is_plain = isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            if is_plain and _NOT_TEXT.fullmatch(value):
                yield (*holder.path, value)
            continue
        path = holder.next_path() if holder else ()
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(_Collection(isinstance(event, yaml.MappingStartEvent), path))
