"""YAML, as OpenAPI uses it: what JSON can say, keys are text, and aliases are bounded.

The loader of PyYAML is not used beyond its scanner and parser, both in C. It follows YAML 1.1,
where `no` is false and `2026-01-01` a date; it recurses as deep as the document; and it stops at no
number of aliases. Going through the events is also eight times as fast as composing nodes.
"""

import re
from dataclasses import dataclass, field
from math import isfinite
from typing import Protocol

import yaml

from domain.contract.document import (
    NESTING,
    NODES,
    DocumentBrokenError,
    DocumentTooComplexError,
    NotAnApiDocumentError,
    Tree,
    broken,
    broken_at,
    shown,
)

TAG_DIRECTIVES = 100  # libyaml compares each with all before it
WEIGHED_CHARS = 100

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]++|[0-9]++(?:\.[0-9]*+)?)(?:[eE][-+]?[0-9]++)?")
_STANDARD = "tag:yaml.org,2002:"
_TEXT_TAGS = {"!", _STANDARD + "str", _STANDARD + "timestamp"}
_PLAIN_TAGS = {_STANDARD + name for name in ("int", "float", "bool", "null")}
_COLLECTION_TAGS = {None, "!", _STANDARD + "map", _STANDARD + "seq"}
_NUMBERS_AS_WRITTEN = {("openapi",), ("swagger",), ("info", "version")}
"""Where OpenAPI wants text and people write `1.10`, which is not 1.1."""
_AS_WRITTEN_DEPTH = max(map(len, _NUMBERS_AS_WRITTEN))


def read_yaml(document: bytes) -> Tree:
    """Return the value of the one YAML document in UTF-8; aliases share what they stand for.

    Numbers, true, false and null are those of YAML 1.2; anything else is text. Merge keys (`<<`)
    are followed. Raises DocumentBrokenError (also when a key occurs twice or a tag is not JSON's),
    DocumentTooComplexError, NotAnApiDocumentError when there are several documents or none.
    """
    if document.count(b"%TAG") > TAG_DIRECTIVES:
        raise DocumentTooComplexError("document", f"This one has more than {TAG_DIRECTIVES} %TAG.")
    composing = _Composing()
    try:
        for event in yaml.parse(document, Loader=yaml.CSafeLoader):
            composing.take(event)
    except yaml.MarkedYAMLError as error:
        problem = shown(error.problem or error.context or "it cannot be read")
        raise broken("YAML", *_place(error.problem_mark or error.context_mark), problem) from None
    except yaml.reader.ReaderError as error:
        raise broken_at("YAML", document, error.position, shown(error.reason)) from None
    if composing.documents == 0:
        raise NotAnApiDocumentError("document", "This one is empty.")
    return composing.root


class _Mark(Protocol):
    line: int
    column: int


def _place(mark: _Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _broken(event: yaml.Event, problem: str) -> DocumentBrokenError:
    return broken("YAML", *_place(event.start_mark), problem)


def _too_complex(event: yaml.Event, problem: str) -> DocumentTooComplexError:
    line, column = _place(event.start_mark)
    return DocumentTooComplexError("document", f"Line {line}, column {column}: {problem}.")


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end was not yet seen; `key` waits for its value."""

    into: dict[str, Tree] | list[Tree]
    anchor: str | None
    weight_before: int
    height: int = 1
    key: str | None = None
    is_merging: bool = False
    merged: list[dict[str, Tree]] = field(default_factory=list)


@dataclass(slots=True)
class _Anchored:
    """What aliases stand for. `weight` and `height` are those of everything in it."""

    value: Tree
    weight: int
    height: int


class _Composing:
    """The tree so far. `weight` counts values, and text by its length, with aliases expanded."""

    def __init__(self) -> None:
        self.root: Tree = None
        self.documents = 0
        self.weight = 0
        self.open: list[_Open] = []
        self.anchors: dict[str, _Open | _Anchored] = {}

    def take(self, event: yaml.Event) -> None:
        """Go one event further."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                line, _ = _place(event.start_mark)
                raise NotAnApiDocumentError("document", f"Another one begins at line {line}.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text: str = event.value
        weight = 1 + len(text) // WEIGHED_CHARS
        self._weigh(event, weight)
        value = self._meant(event, text)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(value, weight, 0)
        holder = self.open[-1] if self.open else None
        if holder and holder.key is None and isinstance(holder.into, dict):
            self._key(event, holder, text)
        else:
            self._put(event, value, 0)

    def _meant(self, event: yaml.ScalarEvent, text: str) -> Tree:
        tag = event.tag
        if tag in _TEXT_TAGS or (tag is None and not event.implicit[0]):
            return text
        if tag is not None and tag not in _PLAIN_TAGS:
            raise _broken(event, f"the tag {shown(tag)} means nothing in OpenAPI")
        if text in _WORDS:
            return _WORDS[text]
        if len(self.open) <= _AS_WRITTEN_DEPTH and self._keys() in _NUMBERS_AS_WRITTEN:
            return text
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text) and isfinite(number := float(text)):
            return number
        return text

    def _keys(self) -> tuple[str | None, ...]:
        return tuple(holder.key for holder in self.open)

    def _key(self, event: yaml.Event, holder: _Open, key: str) -> None:
        holder.is_merging = (
            key == "<<"
            and isinstance(event, yaml.ScalarEvent)
            and event.tag is None
            and event.implicit[0]
        )
        if key in holder.into and not holder.is_merging:
            raise _broken(event, f'the key "{shown(key)}" occurs twice')
        holder.key = key

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag not in _COLLECTION_TAGS:
            raise _broken(event, f"the tag {shown(str(event.tag))} means nothing in OpenAPI")
        if len(self.open) >= NESTING:
            raise _too_complex(event, f"it is nested more than {NESTING} deep")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        begun = _Open({} if is_mapping else [], event.anchor, self.weight)
        if self.open and self.open[-1].key is None and isinstance(self.open[-1].into, dict):
            raise _broken(event, "a key is a list or a mapping; it must be text")
        self._weigh(event, 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = begun
        self.open.append(begun)

    def _end(self, event: yaml.Event) -> None:
        ended = self.open.pop()
        value: Tree = ended.into
        if isinstance(ended.into, dict) and ended.merged:
            # What a mapping says itself wins over what it merges, and the first merged wins.
            value = {}
            for merged in (*reversed(ended.merged), ended.into):
                value.update(merged)
        if ended.anchor is not None and self.anchors[ended.anchor] is ended:
            weight = self.weight - ended.weight_before
            self.anchors[ended.anchor] = _Anchored(value, weight, ended.height)
        self._put(event, value, ended.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = shown(event.anchor or "")
        anchored = self.anchors.get(event.anchor or "")
        if anchored is None:
            raise _broken(event, f"the alias *{name} has no anchor before it")
        if isinstance(anchored, _Open):
            raise _too_complex(event, f"the alias *{name} contains itself")
        if len(self.open) + anchored.height > NESTING:
            raise _too_complex(event, f"with its aliases it is nested more than {NESTING} deep")
        self._weigh(event, anchored.weight)
        holder = self.open[-1]  # No document is an alias alone: its anchor would be elsewhere.
        if holder.key is not None or isinstance(holder.into, list):
            self._put(event, anchored.value, anchored.height)
        elif isinstance(anchored.value, str):
            self._key(event, holder, anchored.value)
        else:
            raise _broken(event, f"the alias *{name} is a key but not text")

    def _put(self, event: yaml.Event, value: Tree, height: int) -> None:
        if not self.open:
            self.root = value
            return
        holder = self.open[-1]
        holder.height = max(holder.height, height + 1)
        if isinstance(holder.into, list):
            holder.into.append(value)
            return
        assert holder.key is not None
        if holder.is_merging:
            self._merge(event, holder, value)
        else:
            holder.into[holder.key] = value
        holder.key = None

    def _merge(self, event: yaml.Event, holder: _Open, value: Tree) -> None:
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                raise _broken(event, "<< merges a mapping or a list of mappings, nothing else")
            self._weigh(event, len(source))
            holder.merged.append(source)

    def _weigh(self, event: yaml.Event, weight: int) -> None:
        self.weight += weight
        if self.weight > NODES:
            raise _too_complex(event, f"with its aliases it has more than {NODES:,} values")
