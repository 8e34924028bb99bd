"""Limits: numbers, lengths and counts."""

from collections.abc import Iterator

from domain.contract.diff.pair import Pair, Said, quoted

_UPPER = {
    "maximum": ("max", "be at most"),
    "exclusiveMaximum": ("exclusive-max", "be less than"),
    "maxLength": ("max-length", "have at most this many characters:"),
    "maxItems": ("max-items", "have at most this many elements:"),
    "maxProperties": ("max-properties", "have at most this many properties:"),
    "maxContains": ("max-contains", "hold at most this many matching elements:"),
}
_LOWER = {
    "minimum": ("min", "be at least"),
    "exclusiveMinimum": ("exclusive-min", "be more than"),
    "minLength": ("min-length", "have at least this many characters:"),
    "minItems": ("min-items", "have at least this many elements:"),
    "minProperties": ("min-properties", "have at least this many properties:"),
    "minContains": ("min-contains", "hold at least this many matching elements:"),
}
_IDLE = dict.fromkeys(("minLength", "minItems", "minProperties"), 0) | {"minContains": 1}
"""Lower limits that ask nothing more than their absence does."""


def bounds(pair: Pair) -> Iterator[Said]:
    """A limit was set, moved or removed."""
    for table, less, more in (
        (_UPPER, "decreased", "increased"),
        (_LOWER, "decreased", "increased"),
    ):
        for keyword, (stem, must) in table.items():
            old, new = (side.at(keyword).number() for side in (pair.old, pair.new))
            idle = _IDLE.get(keyword)
            old, new = (None if value == idle else value for value in (old, new))
            if old == new:
                continue
            if old is None:
                yield pair.says(f"{stem}-set", f"must {must} {quoted(new)}", keyword)
            elif new is None:
                yield pair.says(f"{stem}-unset", f"need no longer {must} {quoted(old)}", keyword)
            else:
                change = f"{stem}-{less if new < old else more}"
                yield pair.says(change, f"must {must} {quoted(new)}, before {quoted(old)}", keyword)


def multiples(pair: Pair) -> Iterator[Said]:
    """Numbers must be multiples of something else, or need not."""
    old, new = (side.at("multipleOf").number() for side in (pair.old, pair.new))
    if old == new:
        return
    if old is None:
        yield pair.says("multiple-of-set", f"must be a multiple of {quoted(new)}", "multipleOf")
    elif new is None:
        said = f"need no longer be a multiple of {quoted(old)}"
        yield pair.says("multiple-of-unset", said, "multipleOf")
    else:
        said = f"must be a multiple of {quoted(new)}, before of {quoted(old)}"
        yield pair.says("multiple-of-changed", said, "multipleOf")


def uniqueness(pair: Pair) -> Iterator[Said]:
    """Elements must be different, or need not."""
    old, new = (side.at("uniqueItems").flag() for side in (pair.old, pair.new))
    if new and not old:
        yield pair.says("unique-items-set", "must not hold an element twice", "uniqueItems")
    elif old and not new:
        yield pair.says("unique-items-unset", "may hold an element twice", "uniqueItems")
