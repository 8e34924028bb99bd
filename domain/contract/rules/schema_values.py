"""Single values: which there are, which is meant when none is sent, and how text looks."""

from collections.abc import Iterator

import orjson

from domain.contract.diff.pair import Pair, Said, named, quoted
from domain.contract.diff.spot import Spot
from domain.contract.document import Tree

_EVERYTHING = {"", ".*", "^.*$", "^.*", ".*$", "^", "$"}
"""Patterns that match whatever there is."""


def enums(pair: Pair) -> Iterator[Said]:
    """The list of values has others."""
    old, new = pair.old.at("enum"), pair.new.at("enum")
    if old and new:
        gone, come = _difference(old, new)
        for value in gone:
            yield pair.says("enum-value-removed", f"can no longer be {quoted(value)}", "enum")
        for value in come:
            yield pair.says("enum-value-added", f"can also be {quoted(value)}", "enum")
    elif new:
        values = named([quoted(each.value) for each in new.elements()]).replace('"', "")
        yield pair.says("became-enum", f"must be one of {values}", "enum")
    elif old:
        yield pair.says("enum-removed", "need no longer be one of a list", "enum")


def extensible_enums(pair: Pair) -> Iterator[Said]:
    """The list of values that may grow has others; whoever reads it expects that it grows."""
    keyword = "x-extensible-enum"
    gone, come = _difference(pair.old.at(keyword), pair.new.at(keyword))
    if not pair.new.has(keyword):
        return
    for value in gone:
        said = f"can no longer be {quoted(value)}"
        yield pair.says(f"{keyword}-value-removed", said, keyword)
    for value in come if pair.old.has(keyword) else ():
        yield pair.says(f"{keyword}-value-added", f"can also be {quoted(value)}", keyword)


def constants(pair: Pair) -> Iterator[Said]:
    """The one possible value is another."""
    old, new = pair.old.at("const").value, pair.new.at("const").value
    had, has = pair.old.has("const"), pair.new.has("const")
    if had and has and _written(old) != _written(new):
        yield pair.says("const-changed", f"must be {quoted(new)}, before {quoted(old)}", "const")
    elif has and not had:
        yield pair.says("const-added", f"must be {quoted(new)}", "const")
    elif had and not has:
        yield pair.says("const-removed", f"need no longer be {quoted(old)}", "const")


def defaults(pair: Pair) -> Iterator[Said]:
    """What is left out means something else."""
    old, new = pair.old.at("default").value, pair.new.at("default").value
    had, has = pair.old.has("default"), pair.new.has("default")
    if had and has and _written(old) != _written(new):
        said = f"is {quoted(new)} when left out, before {quoted(old)}"
        yield pair.says("default-value-changed", said, "default")
    elif has and not had:
        yield pair.says("default-value-added", f"is {quoted(new)} when left out", "default")
    elif had and not has:
        said = f"is no longer {quoted(old)} when left out"
        yield pair.says("default-value-removed", said, "default")


def patterns(pair: Pair) -> Iterator[Said]:
    """Text must look different."""
    old, new = pair.old.at("pattern").text(), pair.new.at("pattern").text()
    if old == new:
        return
    if not new:
        yield pair.says("pattern-removed", f"need no longer match {quoted(old)}", "pattern")
    elif not old:
        yield pair.says("pattern-added", f"must match {quoted(new)}", "pattern")
    elif pair.place.is_request and new in _EVERYTHING:
        yield pair.says("pattern-generalized", f"may be any text, as {quoted(new)} says", "pattern")
    else:
        said = f"must match {quoted(new)}, before {quoted(old)}"
        yield pair.says("pattern-changed", said, "pattern")


def contents(pair: Pair) -> Iterator[Said]:
    """Text holds something else, or holds it in another encoding."""
    for keyword, change in (
        ("contentEncoding", "content-encoding-changed"),
        ("contentMediaType", "content-media-type-changed"),
    ):
        old, new = (side.at(keyword).text() for side in (pair.old, pair.new))
        if old != new:
            yield pair.says(change, f"holds {new or 'plain text'}, before {old or 'that'}", keyword)
    had, has = pair.old.has("contentSchema"), pair.new.has("contentSchema")
    if has and not had:
        yield pair.says("content-schema-added", "must hold what a schema says", "contentSchema")
    elif had and not has:
        said = "need no longer hold what a schema said"
        yield pair.says("content-schema-removed", said, "contentSchema")


def _difference(old: Spot, new: Spot) -> tuple[list[Tree], list[Tree]]:
    before = {_written(each.value): each.value for each in old.elements()}
    after = {_written(each.value): each.value for each in new.elements()}
    gone = [value for written, value in before.items() if written not in after]
    come = [value for written, value in after.items() if written not in before]
    return gone, come


def _written(value: Tree) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
