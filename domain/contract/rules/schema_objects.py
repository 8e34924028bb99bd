"""Objects: their properties, which of them must be there, and what is said of the others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from domain.contract.diff.pair import Pair, Said, named
from domain.contract.diff.spot import Spot
from domain.contract.diff.view import View, view
from domain.contract.rules.schema_composition import matched

COMPOSED = 20
"""So deep are conditions looked into for the properties that they describe."""


@dataclass(frozen=True, slots=True)
class Described:
    """The properties that schemas describe, and the names that they require."""

    properties: dict[str, Spot]
    required: frozenset[str]


def described(views: Iterable[View]) -> Described:
    """Return what the schemas describe together, their `allOf` included."""
    properties: dict[str, Spot] = {}
    required: set[str] = set()
    level = list(views)
    seen = {view_.pointer for view_ in level}
    for _ in range(COMPOSED):
        following = []
        for each in level:
            required.update(each.at("required").texts())
            for name in each.at("properties").members():
                properties.setdefault(name, each.at("properties").at(name))
            for part in each.at("allOf").elements():
                inner = view(part)
                if inner.pointer not in seen:
                    seen.add(inner.pointer)
                    following.append(inner)
        level = following
    # Nobody names a property "": some tools write that for no requirement at all.
    return Described(properties, frozenset(required - {""}))


def written(pair: Pair) -> tuple[Described, Described]:
    """Return what either side describes itself: not in a part of `allOf` that both have.

    Such a part is a pair of its own. What moved into one, or out of one, is described before and
    after, and nothing happened.
    """
    parts = matched(*(side.at("allOf").elements() for side in (pair.old, pair.new)))
    return _besides(pair.old, parts.gone), _besides(pair.new, parts.come)


def _besides(side: View, parts: list[Spot]) -> Described:
    inner = described(map(view, parts))
    own = side.at("properties")
    properties = {name: own.at(name) for name in own.members()}
    required = {*side.at("required").texts(), *inner.required} - {""}
    return Described({**inner.properties, **properties}, frozenset(required))


def existence(pair: Pair) -> Iterator[Said]:
    """A property is gone or new."""
    old, new = written(pair)
    before, after = described([pair.old]), described([pair.new])
    for name, property_ in old.properties.items():
        if name not in after.properties:
            rule = _gone(pair, property_, must=name in before.required)
            yield _told(pair, rule, f'has no "{name}" any more', name, property_)
    for name, property_ in new.properties.items():
        if name not in before.properties:
            must = name in after.required
            said = f'{"must" if must and pair.place.is_request else "can"} have "{name}"'
            yield _told(pair, _come(pair, property_, must=must), said, name, property_)


def _told(pair: Pair, rule: str, said: str, name: str, property_: Spot) -> Said:
    is_moot = not pair.is_sent(view(property_))
    return pair.says(rule, said, "properties", name, is_moot=is_moot, proof="required")


def _gone(pair: Pair, property_: Spot, *, must: bool) -> str:
    if pair.place.is_request:
        return f"{_noun(pair)}-removed"
    return f"response-{_need(property_, must=must)}-removed"


def _come(pair: Pair, property_: Spot, *, must: bool) -> str:
    if not pair.place.is_request:
        return f"response-{_need(property_, must=must)}-added"
    if not must:
        return f"new-optional-{_noun(pair)}"
    return f"new-required-{_noun(pair)}{_with_default(property_)}"


def _need(property_: Spot, *, must: bool) -> str:
    access = "write-only-" if view(property_).at("writeOnly").flag() else ""
    return f"{'required' if must else 'optional'}-{access}property"


def _noun(pair: Pair) -> str:
    return str(pair.place.within)


def _with_default(property_: Spot) -> str:
    return "-with-default" if view(property_).has("default") else ""


def requirement(pair: Pair) -> Iterator[Said]:
    """A property that both know must be there, or need not be."""
    old, new = written(pair)
    before, after = described([pair.old]), described([pair.new])
    had, has = before.properties, after.properties
    place = pair.place.within
    for name in sorted(new.required - before.required):
        if name in had or name not in has:
            default = _with_default(has[name]) if name in has and pair.place.is_request else ""
            rule = f"{place}-became-required{default}"
            is_moot = name in has and not pair.is_sent(view(has[name]))
            yield pair.says(rule, f'must have "{name}"', "required", is_moot=is_moot)
    for name in sorted(old.required - after.required):
        if name in has or name not in had:
            is_moot = name in has and not pair.is_sent(view(has[name]))
            said = f'need not have "{name}"'
            yield pair.says(f"{place}-became-optional", said, "required", is_moot=is_moot)


def access(pair: Pair) -> Iterator[Said]:
    """A property is now, or no longer, sent one way only."""
    side = "request" if pair.place.is_request else "response"
    required = pair.new.at("required").texts()
    for name in pair.old.at("properties").members().keys() & pair.new.at("properties").members():
        old, new = (view(each.at("properties").at(name)) for each in (pair.old, pair.new))
        need = "required" if name in required else "optional"
        for keyword, mode in (("readOnly", "read-only"), ("writeOnly", "write-only")):
            was, is_ = old.at(keyword).flag(), new.at(keyword).flag()
            if was != is_:
                change = f"became-{mode}" if is_ else f"became-not-{mode}"
                said = f'has a "{name}" that {"is" if is_ else "is no longer"} {mode}'
                yield pair.says(f"{side}-{need}-property-{change}", said, "properties", name)


def additional(pair: Pair) -> Iterator[Said]:
    """Properties that are not named are refused, or no longer are."""
    old, new = (side.schema.get("additionalProperties", True) for side in (pair.old, pair.new))
    if new is False and old is not False:
        said = "may no longer have properties that are not named"
        yield pair.says("additional-properties-closed", said, "additionalProperties")
    elif old is False and new is not False:
        said = "may have properties that are not named"
        yield pair.says("additional-properties-opened", said, "additionalProperties")


def named_by_pattern(pair: Pair) -> Iterator[Said]:
    """Properties whose names match a pattern are described, or no longer are."""
    keyword = "patternProperties"
    old, new = (side.at(keyword).members() for side in (pair.old, pair.new))
    for pattern in old.keys() - new.keys():
        said = f"says nothing of properties like {named([pattern])} any more"
        yield pair.says("pattern-property-removed", said, keyword, pattern)
    for pattern in new.keys() - old.keys():
        said = f"describes properties like {named([pattern])}"
        yield pair.says("pattern-property-added", said, keyword, pattern)


def dependencies(pair: Pair) -> Iterator[Said]:
    """A property needs other ones beside it, or none."""
    keyword = "dependentRequired"
    old, new = (side.at(keyword) for side in (pair.old, pair.new))
    for name in old.members().keys() | new.members().keys():
        before, after = old.at(name), new.at(name)
        change, said = "", f'beside "{name}" needs {named(after.texts()) or "nothing"}'
        if not before:
            change = "added"
        elif not after:
            change = "removed"
        elif set(before.texts()) != set(after.texts()):
            change = "changed"
        if change:
            yield pair.says(f"dependent-required-{change}", said, keyword, name)


def judged_keywords(pair: Pair) -> Iterator[Said]:
    """A schema for parts of the value was added or removed."""
    for keyword, change, what in (
        ("propertyNames", "property-names", "the names of its properties"),
        ("unevaluatedProperties", "unevaluated-properties", "properties nobody described"),
        ("unevaluatedItems", "unevaluated-items", "elements nobody described"),
        ("contains", "contains", "what it must contain"),
        ("items", "items", "its elements"),
        ("not", "not", "what it must not be"),
        ("if", "if", "a condition"),
        ("then", "then", "what follows from a condition"),
        ("else", "else", "what follows when a condition is not met"),
    ):
        if not _applies(pair, keyword):
            continue
        had, has = (_judges(side, keyword) for side in (pair.old, pair.new))
        if has and not had:
            yield pair.says(f"{change}-added", f"now has a rule for {what}", keyword)
        elif had and not has:
            yield pair.says(f"{change}-removed", f"has no rule for {what} any more", keyword)
    keyword = "dependentSchemas"
    old, new = (side.at(keyword).members() for side in (pair.old, pair.new))
    for name in sorted(old.keys() - new.keys()):
        said = f'follows no more rules when it has "{name}"'
        yield pair.says("dependent-schema-removed", said, keyword, name)
    for name in sorted(new.keys() - old.keys()):
        said = f'must follow more rules when it has "{name}"'
        yield pair.says("dependent-schema-added", said, keyword, name)


_OF_LISTS = {"items", "contains", "unevaluatedItems"}
_OF_OBJECTS = {"propertyNames", "unevaluatedProperties"}


def _applies(pair: Pair, keyword: str) -> bool:
    """Whether both can be what the keyword is about; else the rule of types says all there is."""
    kind = "array" if keyword in _OF_LISTS else "object" if keyword in _OF_OBJECTS else ""
    return not kind or all(kind in side.types or not side.types for side in (pair.old, pair.new))


def _judges(side: View, keyword: str) -> bool:
    """Whether the schema under the keyword can refuse anything."""
    value = side.schema.get(keyword)
    return value is not None and value is not True and orjson.dumps(value) != b"{}"
