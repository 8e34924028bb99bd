"""Composition: all of, any of, one of; places of a list; what tells alternatives apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from domain.contract.diff.pair import Pair, Said, named, quoted
from domain.contract.diff.spot import Spot
from domain.contract.diff.view import ANNOTATIONS, is_annotation_only

FEW = 3

COMPOSITIONS = {"allOf": "all-of", "anyOf": "any-of", "oneOf": "one-of"}


@dataclass(slots=True)
class Matching:
    """Which parts of a composition belong together."""

    pairs: list[tuple[Spot, Spot]] = field(default_factory=list)
    gone: list[Spot] = field(default_factory=list)
    come: list[Spot] = field(default_factory=list)


def matched(old: list[Spot], new: list[Spot]) -> Matching:
    """Match what refers to the same, then what says the same, has the same title, or is left."""
    matching = Matching(gone=old, come=new)
    for identity in (_reference, _content, _title):
        matching = _by(identity, matching)
    lone = len(matching.gone) == len(matching.come) == 1
    if lone and not any(
        _reference(each) or _title(each) for each in (*matching.gone, *matching.come)
    ):
        return Matching([*matching.pairs, (matching.gone[0], matching.come[0])])
    return matching


def _by(identity: Callable[[Spot], str], matching: Matching) -> Matching:
    waiting: dict[str, list[Spot]] = {}
    for each in matching.come:
        waiting.setdefault(identity(each), []).append(each)
    pairs, gone = list(matching.pairs), []
    for each in matching.gone:
        same = waiting.get(identity(each)) if identity(each) else None
        if same:
            pairs.append((each, same.pop(0)))
        else:
            gone.append(each)
    left = {each.pointer for others in waiting.values() for each in others}
    return Matching(pairs, gone, [each for each in matching.come if each.pointer in left])


def _reference(part: Spot) -> str:
    return part.reference


def _content(part: Spot) -> str:
    value = part.followed().value
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if key not in ANNOTATIONS}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _title(part: Spot) -> str:
    title = part.followed().value
    return str(title.get("title") or "") if isinstance(title, dict) else ""


def compositions(pair: Pair) -> Iterator[Said]:
    """A part of a composition is new or gone, or a schema became one of several."""
    for keyword, stem in COMPOSITIONS.items():
        old, new = (side.at(keyword).elements() for side in (pair.old, pair.new))
        if keyword == "oneOf" and _is_wrapped(pair):
            said = f"is now one of {len(new)} alternatives"
            yield pair.says("wrapped-in-one-of", said, keyword)
            continue
        matching = matched(old, new)
        for parts, change, verb in (
            (matching.come, "added", "new"),
            (matching.gone, "removed", "gone"),
        ):
            if not parts:
                continue
            idle = keyword == "allOf" and is_annotation_only([part.followed() for part in parts])
            suffix = "-annotation-only" if idle else ""
            names = ", ".join(map(_shown, parts[:FEW])) + ", ..." * (len(parts) > FEW)
            kind = "condition" if keyword == "allOf" else "alternative"
            said = f"has changed: {kind} {names} is {verb}"
            yield pair.says(f"{stem}-{change}{suffix}", said, keyword)


def _is_wrapped(pair: Pair) -> bool:
    """Whether what was written directly became alternatives, and nothing else is left."""
    is_root = not str(pair.place).endswith("property") and str(pair.place).endswith("body")
    return (
        is_root
        and pair.new.has("oneOf")
        and not any(pair.old.has(keyword) for keyword in COMPOSITIONS)
        and bool(pair.old.types)
        and not pair.new.types
    )


def _shown(part: Spot) -> str:
    name = part.reference.rpartition("/")[2] or _title(part)
    return named([name]) if name else quoted(part.value)


def places(pair: Pair) -> Iterator[Said]:
    """A list describes more places, or fewer."""
    old, new = (len(side.at("prefixItems").elements()) for side in (pair.old, pair.new))
    if new > old:
        yield pair.says(
            "prefix-items-added", f"describes {new} places, before {old}", "prefixItems"
        )
    elif old > new:
        said = f"describes {new} places, before {old}"
        yield pair.says("prefix-items-removed", said, "prefixItems")


def discriminators(pair: Pair) -> Iterator[Said]:
    """What tells alternatives apart is another property, or has other values."""
    old, new = (side.at("discriminator") for side in (pair.old, pair.new))
    if not old and not new:
        return
    before, after = (each.at("propertyName").text() for each in (old, new))
    keys = ("discriminator",)
    if not old:
        yield pair.says("discriminator-added", f'is told apart by "{after}"', *keys)
        return
    if not new:
        yield pair.says("discriminator-removed", f'is no longer told apart by "{before}"', *keys)
        return
    if before != after:
        said = f'is told apart by "{after}", before by "{before}"'
        yield pair.says("discriminator-property-name-changed", said, *keys, "propertyName")
    was, is_ = (each.at("mapping").members() for each in (old, new))
    for value in sorted(was.keys() | is_.keys()):
        change = "added" if value not in was else "deleted" if value not in is_ else "changed"
        if change != "changed" or was[value] != is_[value]:
            said = f"has another meaning for {named([value])}"
            yield pair.says(f"discriminator-mapping-{change}", said, *keys, "mapping", value)
