"""Rule sets in the form of Spectral, read in full: what is not understood is an error.

`extends` names `spectral:oas` or another of our own sets, or files that the caller finds; `rules`
overrides a rule of those by its level, or defines one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from domain.contract.document import shown
from domain.contract.finding import Level
from domain.contract.lint.check import Check
from domain.contract.lint.functions import CORE
from domain.contract.lint.json_path import JsonPath, json_path
from domain.contract.lint.json_schema import OptionError, schema_problems, validator
from domain.contract.lint.openapi_functions import OPENAPI
from domain.contract.lint.place import Path
from domain.contract.lint.predicate import ExpressionError
from domain.contract.lint.ruleset_document import (
    OPENAPI_SET,
    PARSER,
    Draft,
    Finder,
    Sources,
    no_files,
    severity,
    wrong,
)
from domain.contract.rules import Rule

EXPRESSIONS = 100

FUNCTIONS = CORE | OPENAPI
FORMATS = frozenset({"oas3.0", "oas3.1", "graphql"})
_OPENAPI = frozenset({"oas3.0", "oas3.1"})
ELSEWHERE = frozenset(
    {
        *("oas2", "oas3.2", "json-schema", "json-schema-loose", "json-schema-draft4"),
        *("json-schema-draft6", "json-schema-draft7", "json-schema-2019-09"),
        *("json-schema-2020-12", "aas2", "aas2.0", "aas2.1", "aas2.2", "aas2.3", "aas2.4"),
        *("aas2.5", "aas2.6", "aas3", "asyncapi2", "asyncapi3", "arazzo1", "arazzo1.0"),
    }
)
"""Formats that Spectral knows and no contract is of: their rules have nothing to look at."""


@dataclass(frozen=True, slots=True)
class Then:
    """What is asked of each match: a function about what `field` leads to, or about its keys."""

    field: Path | JsonPath | None
    check: Check


@dataclass(frozen=True, slots=True)
class LintRule:
    """One rule that is in force; `given` are its expressions and the formats each is for."""

    id: str
    level: Level
    description: str
    message: str
    given: tuple[tuple[JsonPath, frozenset[str]], ...]
    then: tuple[Then, ...]
    follow: bool


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The rules in force, by id."""

    rules: dict[str, LintRule]
    parser: Level | None


def read_ruleset(document: bytes, find: Finder = no_files) -> Ruleset:
    """Return the rule set that the document in YAML or JSON describes.

    Raises RulesetBrokenError, which names the place; DocumentBrokenError when it is neither.
    """
    return _compiled(Sources(find).read(document, "recommended", 0))


@cache
def own_ruleset(name: str) -> Ruleset:
    """Return one of the sets that come with this, `spectral:oas` or `controlplane:graphql`."""
    return _compiled(Sources(no_files).named(name, "recommended", 0))


@cache
def own_rules(name: str) -> tuple[Rule, ...]:
    """Return what the catalogue says of a set that comes with this, also of rules that are off."""
    draft = Sources(no_files).named(name, "all", 0)
    found = [
        Rule(id_, severity(raw.get("severity", "warn"), id_) or Level.WARNING, raw["description"])
        for id_, raw in draft.rules.items()
    ]
    if name == OPENAPI_SET:
        found.append(Rule(PARSER, Level.ERROR, "The keys of YAML are text."))
    return tuple(found)


def _compiled(draft: Draft) -> Ruleset:
    rules = {}
    for name, raw in draft.rules.items():
        level = severity(raw.get("severity", "warn"), name)
        # A rule that is off is compiled as well: a mistake in it is told before it is needed.
        rule = _rule(name, raw, level or Level.WARNING, draft.aliases)
        if raw["enabled"] and level is not None:
            rules[name] = rule
    return Ruleset(rules, severity(draft.parser, "parser"))


def _rule(name: str, raw: dict[str, Any], level: Level, aliases: dict[str, Any]) -> LintRule:
    place = f"rules.{name}"
    formats = _formats(raw.get("formats"), f"{place}.formats")
    given = [
        (_path(expression, at), formats & narrowed)
        for at, text in _listed(raw["given"], f"{place}.given")
        for expression, narrowed in _expanded(text, aliases, at, ())
    ]
    if len(given) > EXPRESSIONS:
        wrong(f"{place}.given", f"it stands for more than {EXPRESSIONS} expressions")
    return LintRule(
        id=name,
        level=level,
        description=raw.get("description", ""),
        message=raw.get("message", ""),
        given=tuple((path, narrowed) for path, narrowed in given if narrowed),
        then=tuple(_then(raw_then, at) for at, raw_then in _listed(raw["then"], f"{place}.then")),
        follow=raw.get("resolved", True),
    )


def _listed(value: Any, place: str) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 - as written
    if isinstance(value, list):
        return [(f"{place}.{index}", item) for index, item in enumerate(value)]
    return [(place, value)]


def _formats(names: Any, place: str) -> frozenset[str]:  # noqa: ANN401 - as written
    if names is None:
        return FORMATS
    known = {name.replace("_", ".") for name in names}
    if unknown := known - FORMATS - ELSEWHERE - {"oas3"}:
        wrong(place, f"the format {shown(min(unknown))} is not known")
    return frozenset(known & FORMATS) | (_OPENAPI if "oas3" in known else frozenset())


def _expanded(
    expression: str, aliases: dict[str, Any], place: str, within: tuple[str, ...]
) -> list[tuple[str, frozenset[str]]]:
    """Return the expressions that one stands for: #Name stands for those of an alias."""
    if not expression.startswith("#"):
        return [(expression, FORMATS)]
    end = next((at for at, char in enumerate(expression) if char in ".[^~"), len(expression))
    name, rest = expression[1:end], expression[end:]
    if name not in aliases or name in within:
        wrong(place, f"the alias #{shown(name)} is not defined, or by itself")
    alias = aliases[name]
    targets = alias["targets"] if isinstance(alias, dict) else [{"given": alias}]
    found = []
    for target in targets:
        formats = _formats(target.get("formats"), f"aliases.{name}")
        for _, inner in _listed(target["given"], ""):
            for text, narrowed in _expanded(inner, aliases, f"aliases.{name}", (*within, name)):
                found.append((text + rest, formats & narrowed))
        if len(found) > EXPRESSIONS:
            wrong(place, f"it stands for more than {EXPRESSIONS} expressions")
    return found


def _path(expression: str, place: str) -> JsonPath:
    try:
        return json_path(expression)
    except ExpressionError as error:
        wrong(place, f"{shown(expression)}: {error}")


def _then(raw: dict[str, Any], place: str) -> Then:
    name = raw["function"]
    if name not in FUNCTIONS:
        wrong(f"{place}.function", f"the function {shown(name)} is not supported")
    function = FUNCTIONS[name]
    given = raw.get("functionOptions")
    given = {} if given is None else given
    schema = validator(function.options, "draft2020-12")
    for problem, path in schema_problems(schema, given, ("functionOptions",), 1):
        wrong(".".join(map(str, (place, *path))), problem)
    try:
        check = function.made(given)
    except OptionError as error:
        wrong(f"{place}.functionOptions", str(error))
    at = raw.get("field", "")
    if at == "@key":
        return Then(None, check)
    if at.startswith("$"):
        return Then(_path(at, f"{place}.field"), check)
    return Then(tuple(at.replace("[", ".").replace("]", "").split(".")) if at else (), check)
