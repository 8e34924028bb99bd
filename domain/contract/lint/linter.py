"""Linting: what the rules of a set say about one document."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator

from domain.contract.document import NotAnApiDocumentError, Tree, decoded, one_line
from domain.contract.finding import Finding, Level, ordered
from domain.contract.graphql_schema import read_schema
from domain.contract.graphql_sdl import is_sdl
from domain.contract.lint.check import Place
from domain.contract.lint.graphql_tree import coordinate, schema_tree
from domain.contract.lint.json_path import JsonPath
from domain.contract.lint.json_schema import Problem
from domain.contract.lint.place import UNDEFINED, Path, Value, text
from domain.contract.lint.ruleset import LintRule, Ruleset, Then, own_ruleset
from domain.contract.lint.ruleset_document import GRAPHQL_SET, OPENAPI_SET, PARSER
from domain.contract.lint.schemas import Schemas
from domain.contract.lint.source import Source
from domain.contract.lint.walk import Automaton
from domain.contract.lint.yaml_keys import keys_that_are_not_text
from domain.contract.openapi import METHODS
from domain.contract.read import is_json, read_tree

SENTENCE_CHARS = 500

_Located = Callable[[Path], tuple[str, str]]
"""Returns `where` and `new` of a finding."""


def lint(document: bytes, ruleset: Ruleset | None = None) -> tuple[Finding, ...]:
    """Return what a rule set says about a contract, the gravest first; by default our own set.

    The document need not be a valid contract, only OpenAPI 3.0 or 3.1 or GraphQL SDL as far as
    that it can be read. Raises what `read_contract` does.
    """
    text_ = decoded(document.removeprefix(BOM_UTF8))
    if is_sdl(text_):
        schema = read_schema(text_)
        rules = ruleset or own_ruleset(GRAPHQL_SET)
        source = Source(schema_tree(schema), frozenset({"graphql"}))

        def located(path: Path) -> tuple[str, str]:
            where = coordinate(path, schema)
            return where, where

        return ordered(_findings(source, rules, located))
    tree = read_tree(document)
    rules = ruleset or own_ruleset(OPENAPI_SET)
    source = Source(tree, _formats(tree))
    found = [*_findings(source, rules, _place)]
    if rules.parser is not None and not is_json(text_):
        for path in keys_that_are_not_text(document.removeprefix(BOM_UTF8)):
            sentence = f"In YAML the key {path[-1]} is no text unless it is in quotes."
            found.append(_finding(PARSER, rules.parser, _place(path), sentence))
    return ordered(found)


def _formats(tree: Tree) -> frozenset[str]:
    version = tree.get("openapi") if isinstance(tree, dict) else None
    for minor in ("3.0", "3.1"):
        if isinstance(version, str) and (version == minor or version.startswith(minor + ".")):
            return frozenset({f"oas{minor}"})
    raise NotAnApiDocumentError("document", "This one does not begin with openapi: 3.0 or 3.1.")


def _findings(source: Source, ruleset: Ruleset, located: _Located) -> Iterator[Finding]:
    schemas = Schemas(source)
    for follow in (True, False):
        asked = [
            (rule, expression)
            for rule in ruleset.rules.values()
            for expression, formats in rule.given
            if rule.follow is follow and formats & source.formats
        ]
        automaton = Automaton([expression for _, expression in asked])
        for match in automaton.matches(source, follow=follow):
            rule, expression = asked[match.expression]
            value, path = _selected(match.value, match.path, expression, source)
            for then in rule.then:
                for problem, there in _problems(then, value, Place(schemas, path, follow)):
                    existing = source.existing(there)
                    sentence = _sentence(rule, problem, existing, value)
                    yield _finding(rule.id, rule.level, located(existing), sentence)


def _selected(value: Tree, path: Path, expression: JsonPath, source: Source) -> tuple[Value, Path]:
    """Return what the end of the expression makes of a match: its holder, its key, or itself."""
    if expression.up:
        return source.at(source.root, (), path[: -expression.up], follow=False)
    return (str(path[-1]) if expression.is_key and path else value), path


def _problems(then: Then, value: Value, place: Place) -> Iterator[Problem]:
    source = place.source
    if then.field is None:
        for key in value if isinstance(value, dict) else ():
            yield from then.check(key, place.moved((*place.path, key)))
    elif isinstance(then.field, JsonPath):
        found = False
        inner = Automaton([then.field])
        start = (None if value is UNDEFINED else value), place.path
        for match in inner.matches(source, follow=place.follow, start=start):
            found = True
            selected, path = _selected(match.value, match.path, then.field, source)
            yield from then.check(selected, place.moved(path))
        if not found:
            yield from then.check(UNDEFINED, place)
    else:
        inner_value, path = source.at(value, place.path, then.field, follow=place.follow)
        yield from then.check(inner_value, place.moved(path))


def _sentence(rule: LintRule, problem: str, path: Path, value: Value) -> str:
    """Return the message of the rule, by default its description and what is wrong."""
    message = rule.message or "{{description}}"
    if not rule.message and rule.description:
        message = rule.description.rstrip(".") + ": {{error}}."
    filled = {
        "error": problem,
        "description": rule.description or problem,
        "path": "/".join(map(str, path)),
        "property": str(path[-1]) if path else "",
        "value": text(value),
    }
    for name, filling in filled.items():
        message = message.replace("{{" + name + "}}", one_line(filling, SENTENCE_CHARS))
        message = message.replace("{{ " + name + " }}", one_line(filling, SENTENCE_CHARS))
    return one_line(message, SENTENCE_CHARS)


def _finding(rule: str, level: Level, located: tuple[str, str], sentence: str) -> Finding:
    where, new = located
    return Finding(rule, level, where, None, new, sentence)


def _place(path: Path) -> tuple[str, str]:
    """Return the operation and the JSON pointer of a path in an OpenAPI document."""
    keys = [str(key) for key in path]
    pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    match keys:
        case ["paths", route, method, *_] if method in METHODS:
            return f"{method.upper()} {route}", pointer
    return "", pointer
