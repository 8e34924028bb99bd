"""Types, formats and null."""

from collections.abc import Iterable, Iterator

from domain.contract.diff.pair import Pair, Place, Said, quoted
from domain.contract.diff.view import ANNOTATIONS, View, view

FORMAT = "format"
_NARROWER_FORMATS = {("int32", "int64"), ("float", "double")}


def types(pair: Pair) -> Iterator[Said]:
    """The type or the format is another one."""
    old, new = pair.old, pair.new
    formats = old.at("format").text(), new.at("format").text()
    if old.types == new.types and formats[0] == formats[1]:
        return
    said = f"is {_described(new, formats[1])}, before {_described(old, formats[0])}"
    key = "type" if old.types != new.types else "format"
    if (old.is_listed or new.is_listed) and old.types and new.types:
        yield from _listed(pair, said)
        return
    proof = FORMAT if formats[0] != formats[1] else "type"
    yield pair.says(_change(pair, formats), said, key, proof=proof)


def _listed(pair: Pair, said: str) -> Iterator[Said]:
    before, after = (_with_integers(side.types) for side in (pair.old, pair.new))
    if before - after:
        yield pair.says("list-of-types-narrowed", said, "type")
    if after - before:
        yield pair.says("list-of-types-widened", said, "type")


def _with_integers(types: Iterable[str]) -> set[str]:
    return {*types, "integer"} if "number" in types else set(types)


def _change(pair: Pair, formats: tuple[str, str]) -> str:
    accepting, judging = pair.accepting, pair.judging
    if not pair.place.is_request:
        formats = formats[1], formats[0]
    is_covered = _covers(judging, accepting, *formats, is_text=False)
    is_covered_as_text = _covers(judging, accepting, *formats, is_text=True)
    if pair.place is Place.PARAMETER_PROPERTY:
        if is_covered:
            return "type-generalized"
        return "type-changed" if is_covered_as_text else "type-specialized"
    if is_covered or _is_list_of_the_same(pair):
        return _fine(pair)
    if pair.is_text and is_covered_as_text:
        return _fine(pair) if pair.place.is_request else "type-compatible"
    if not pair.place.is_request and _covers(accepting, judging, *reversed(formats), is_text=False):
        return "type-generalized"
    return "type-changed"


def _fine(pair: Pair) -> str:
    return "type-generalized" if pair.place.is_request else "type-specialized"


def _covers(judging: View, accepting: View, accepted: str, judged: str, *, is_text: bool) -> bool:
    """Whether the one takes every type and format of the other."""
    if judging.types and not accepting.types and accepting.types != judging.types:
        return False
    wide = _with_integers(judging.types)
    fits = not wide or accepting.types <= wide
    if is_text and not fits:
        fits = judging.types == {"string"}
    return fits and (not judged or accepted == judged or (accepted, judged) in _NARROWER_FORMATS)


def _is_list_of_the_same(pair: Pair) -> bool:
    """Whether ?a=1 meant one value and means a list of one such value now."""
    if not pair.is_exploded or pair.new.types != {"array"} or "array" in pair.old.types:
        return False
    items = view(pair.new.at("items"))
    ignored = ("nullable", "type", "default", *ANNOTATIONS)
    return _covers(items, pair.old, "", "", is_text=True) and all(
        pair.old.schema.get(key) == value
        for key, value in items.schema.items()
        if key not in ignored
    )


def remote_references(pair: Pair) -> Iterator[Said]:
    """Another document describes it, and nobody looks into that one."""
    old, new = pair.old.schema.get("$ref"), pair.new.schema.get("$ref")
    if old != new:
        said = f"is what {quoted(new or 'this document')} says, before {quoted(old or 'this one')}"
        yield pair.says("remote-reference-changed", said, "$ref")


def nullability(pair: Pair) -> Iterator[Said]:
    """It may be null, or may not be null any more."""
    if bool(pair.old.types) != bool(pair.new.types) and not pair.new.spot.document.is_3_0:
        return  # What has no type may be anything: the rule of types says so.
    if pair.new.nullable and not pair.old.nullable:
        yield pair.says("became-nullable", "may now be null", "type")
    elif pair.old.nullable and not pair.new.nullable:
        yield pair.says("became-not-nullable", "may no longer be null", "type")


def _described(side: View, format_: str) -> str:
    kinds = " or ".join(sorted(side.types)) or "anything"
    return f"{kinds} ({format_})" if format_ else kinds
