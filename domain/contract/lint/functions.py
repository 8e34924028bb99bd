"""What rules can ask of a value: the functions of Spectral's core.

Each is made of its options, and then asked about one value after the other.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from domain.contract.document import Tree, shown
from domain.contract.lint.check import Check, Function, Options, Place, options, plain
from domain.contract.lint.costs import UNCHECKED, Costs
from domain.contract.lint.json_schema import (
    DIALECTS,
    PROBLEMS,
    OptionError,
    Problem,
    schema_problems,
    validator,
)
from domain.contract.lint.place import UNDEFINED, Value, is_number, is_truthy, member, text
from domain.contract.lint.regex import PatternError, PatternTookTooLongError, Regex, regex
from domain.contract.lint.source import Source

COMPILED, ASKED = 10_000, 50_000
"""How large the schema of a rule is, and how much of it is asked about one value."""


def _simple(is_wrong: Callable[[Value], bool], problem: str) -> Function:
    def check(value: Value, place: Place) -> Iterator[Problem]:
        if is_wrong(value):
            yield f"{place.name} {problem}", place.path

    return plain(check)


def _pattern(given: Options) -> Check:
    wanted = {name: _regex(given[name]) for name in ("match", "notMatch") if name in given}

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if not isinstance(value, str):
            return
        for name, pattern in wanted.items():
            try:
                is_match = pattern.search(value)
            except PatternTookTooLongError:
                yield f"could not be compared with {given[name]}: that took too long", place.path
                continue
            if is_match is not (name == "match"):
                must = "must match" if name == "match" else "must not match"
                yield f"{shown(value)!r} {must} the pattern {given[name]}", place.path

    return check


def _regex(pattern: str) -> Regex:
    try:
        return regex(pattern)
    except PatternError as error:
        raise OptionError(f"{pattern!r}: {error}") from None


def _enumeration(given: Options) -> Check:
    values: list[Tree] = given["values"]

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if isinstance(value, dict | list) or value is UNDEFINED:
            return
        if not any(type(value) is type(known) and value == known for known in values):
            names = ", ".join(map(text, values))
            yield f"{shown(text(value))!r} must be one of {shown(names)}", place.path

    return check


def _length(given: Options) -> Check:
    low, high = given.get("min"), given.get("max")

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if is_number(value):
            length = value
        elif isinstance(value, str | list | dict):
            length = len(value)
        else:
            return
        assert isinstance(length, int | float)
        if low is not None and length < low:
            yield f"must be at least {low} long", place.path
        if high is not None and length > high:
            yield f"must be at most {high} long", place.path

    return check


def _alphabetical(given: Options) -> Check:
    keyed_by = given.get("keyedBy")

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if isinstance(value, dict):
            names: list[Value] = list(value)
        elif isinstance(value, list):
            names = list(value) if keyed_by is None else [member(item, keyed_by) for item in value]
        else:
            return
        for index, (first, second) in enumerate(pairwise(names)):
            if _order(first) > _order(second):
                key = str(first) if isinstance(value, dict) else index
                yield (
                    f"{shown(text(first))!r} must be placed after {shown(text(second))!r}",
                    (*place.path, key),
                )
                return

    return check


def _order(value: Value) -> tuple[int, float, str, str]:
    if is_number(value) or (isinstance(value, str) and re.fullmatch(r"\d{1,15}", value)):
        return 0, float(str(value)), "", ""
    words = text(value)
    return 1, 0, words.casefold(), words.swapcase()


_CASES = {
    "flat": "[a-z][a-z{0}]*",
    "camel": "[a-z][a-z{0}]*(?:[A-Z](?:[a-z{0}]+|$))*",
    "pascal": "[A-Z][a-z{0}]*(?:[A-Z](?:[a-z{0}]+|$))*",
    "kebab": "[a-z][a-z{0}]*(?:-[a-z{0}]+)*",
    "cobol": "[A-Z][A-Z{0}]*(?:-[A-Z{0}]+)*",
    "snake": "[a-z][a-z{0}]*(?:_[a-z{0}]+)*",
    "macro": "[A-Z][A-Z{0}]*(?:_[A-Z{0}]+)*",
}
"""Of a name in each case; {0} are the digits, where they are allowed."""


def _casing(given: Options) -> Check:
    case = given["type"]
    part = _CASES[case].format("" if given.get("disallowDigits") else "0-9")
    pattern, only = part, ""
    if separator := given.get("separator"):
        between = re.escape(separator["char"])
        pattern = f"{part}(?:{between}{part})*"
        if separator.get("allowLeading"):
            pattern, only = f"(?:{between})?{pattern}", separator["char"]
    compiled = _regex(f"^{pattern}$")

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if isinstance(value, str) and value not in {"", only} and not _is_match(compiled, value):
            yield f"{shown(value)!r} must be in {case} case", place.path

    return check


def _is_match(pattern: Regex, value: str) -> bool:
    try:
        return pattern.search(value)
    except PatternTookTooLongError:
        return False


_DECLARED = {
    "draft4": "draft-04",
    "draft6": "draft-06",
    "draft2019-09": "2019-09",
    "draft2020-12": "2020-12",
}


def _schema(given: Options) -> Check:
    dialect = given.get("dialect", "auto")
    if dialect == "auto":
        declared = given["schema"].get("$schema", "")
        dialect = next((name for name, part in _DECLARED.items() if part in declared), "draft7")
    compiled = validator(given["schema"], dialect, validate_formats=True)
    limit = PROBLEMS if given.get("allErrors") else 1
    costs = Costs(Source(given["schema"], frozenset()))
    if costs.of_schema(given["schema"], COMPILED) > COMPILED:
        raise OptionError("the schema is too large")

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if value is UNDEFINED:
            yield f"{place.name} is missing", place.path
            return
        whole = place.source.inlined(value) if place.follow else value
        assert whole is not UNDEFINED
        if costs.is_too_deep(whole) or costs.of_value(given["schema"], whole, ASKED) == ASKED:
            yield f"{place.name} {UNCHECKED}", place.path
            return
        yield from schema_problems(compiled, whole, place.path, limit)

    return check


def _properties(given: Options, *, exactly_one: bool) -> Check:
    names = given["properties"]

    def check(value: Value, place: Place) -> Iterator[Problem]:
        if not isinstance(value, dict):
            return
        count = sum(name in value for name in names)
        if count == 0:
            yield f"must have {' or '.join(names)}", place.path
        elif exactly_one and count > 1:
            yield f"must have only one of {', '.join(names)}", place.path

    return check


def unreferenced(value: Value, place: Place, location: str) -> Iterator[Problem]:
    """Return the members of the value that no reference leads to; `location` is the way there."""
    if not isinstance(value, dict):
        return
    used = set()
    prefix = location.removesuffix("/") + "/"
    for reference in place.source.references:
        if reference.startswith(prefix):
            name = reference[len(prefix) :].split("/", 1)[0]
            used.add(name.replace("~1", "/").replace("~0", "~"))
    for name in value:
        if name not in used:
            yield f"{shown(name)} is not used", (*place.path, name)


def _unreferenced(given: Options) -> Check:
    return lambda value, place: unreferenced(value, place, given["reusableObjectsLocation"])


_TYPES: dict[str, Callable[[Value], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": lambda value: is_number(value) and float(str(value)).is_integer(),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def typed_enum(value: Value, place: Place) -> Iterator[Problem]:
    """Return the values of an enum that are not of the type beside it."""
    values, types = member(value, "enum"), member(value, "type")
    if not isinstance(value, dict) or not isinstance(values, list):
        return
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    known = [_TYPES[name] for name in names if isinstance(name, str) and name in _TYPES]
    if value.get("nullable") is True:
        known.append(_TYPES["null"])
    for index, item in enumerate(values):
        if names and not any(is_of(item) for is_of in known):
            problem = f"{shown(text(item))!r} is not of the type {', '.join(map(text, names))}"
            yield problem, (*place.path, "enum", index)


_TEXT, _FLAG, _TEXTS = (
    {"type": "string"},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
)

CORE: dict[str, Function] = {
    "alphabetical": Function(_alphabetical, options((), keyedBy=_TEXT)),
    "casing": Function(
        _casing,
        options(
            ("type",),
            type={"enum": list(_CASES)},
            disallowDigits=_FLAG,
            separator=options(
                ("char",),
                char={"type": "string", "minLength": 1, "maxLength": 1},
                allowLeading=_FLAG,
            ),
        ),
    ),
    "defined": _simple(lambda value: value is UNDEFINED, "is missing"),
    "enumeration": Function(_enumeration, options(("values",), values={"type": "array"})),
    "falsy": _simple(is_truthy, "must not be there"),
    "length": Function(
        _length, {**options((), min={"type": "number"}, max={"type": "number"}), "minProperties": 1}
    ),
    "or": Function(
        lambda given: _properties(given, exactly_one=False),
        options(("properties",), properties=_TEXTS),
    ),
    "pattern": Function(_pattern, {**options((), match=_TEXT, notMatch=_TEXT), "minProperties": 1}),
    "schema": Function(
        _schema,
        options(
            ("schema",),
            schema={"type": "object"},
            dialect={"enum": ["auto", *DIALECTS]},
            allErrors=_FLAG,
        ),
    ),
    "truthy": _simple(lambda value: not is_truthy(value), "is missing or empty"),
    "typedEnum": plain(typed_enum),
    "undefined": _simple(lambda value: value is not UNDEFINED, "must not be there"),
    "unreferencedReusableObject": Function(
        _unreferenced, options(("reusableObjectsLocation",), reusableObjectsLocation=_TEXT)
    ),
    "xor": Function(
        lambda given: _properties(given, exactly_one=True),
        options(("properties",), properties=_TEXTS),
    ),
}
