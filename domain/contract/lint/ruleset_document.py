"""Rule sets as they are written: their shape is checked, and what they extend merged in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, NoReturn, TypeAlias

from domain.aggregate import DomainError
from domain.contract.document import Tree, read_json, shown
from domain.contract.finding import Level
from domain.contract.lint.json_schema import schema_problems, validator
from domain.contract.yaml_tree import read_yaml

RULESET_BYTES = 1_000_000
RULES = 500
EXTENDED = 20

SETS = {"spectral:oas": "openapi.yaml", "controlplane:graphql": "graphql.yaml"}
OPENAPI_SET, GRAPHQL_SET = SETS
_OF_OTHER_FORMATS = ("oas2-", "oas3_2-")
"""Spectral's rules whose level may be set, and of whose formats no contract is."""
PARSER = "parser"
"""The rule for what only the text of a document shows; `parserOptions` sets its level."""

_LEVELS: dict[Tree, Level | None] = {
    "error": Level.ERROR,
    "warn": Level.WARNING,
    "info": Level.INFO,
    "hint": Level.INFO,
    "off": None,
}
_NUMBERED = ("error", "warn", "info", "hint")


class RulesetBrokenError(DomainError):
    """A rule set is in the form of Spectral, and uses what is supported of it."""


Finder = Callable[[str], bytes]
"""Returns the rule set of a file that one extends. Raises RulesetBrokenError."""


def no_files(name: str) -> bytes:
    """Find no file at all."""
    raise RulesetBrokenError("ruleset", f"It extends {shown(name)}, which is not to be had here.")


_Shape: TypeAlias = dict[str, Any]

_TEXT: _Shape = {"type": "string"}
_FLAG: _Shape = {"type": "boolean"}
_TEXTS: _Shape = {"type": "array", "items": _TEXT, "minItems": 1}
_TEXT_OR_TEXTS: _Shape = {"if": {"type": "array"}, "then": _TEXTS, "else": _TEXT}
_SEVERITY: _Shape = {"type": ["string", "integer", "boolean"]}
_THEN: _Shape = {
    "type": "object",
    "properties": {
        "field": {"type": "string"},
        "function": {"type": "string"},
        "functionOptions": {"type": ["object", "null"]},
    },
    "required": ["function"],
    "additionalProperties": False,
}
_RULE: _Shape = {
    "type": "object",
    "properties": {
        "description": _TEXT,
        "message": _TEXT,
        "documentationUrl": _TEXT,
        "recommended": _FLAG,
        "resolved": _FLAG,
        "type": {"enum": ["style", "validation"]},
        "severity": _SEVERITY,
        "formats": _TEXTS,
        "tags": _TEXTS,
        "given": _TEXT_OR_TEXTS,
        "then": {"if": {"type": "array"}, "then": {"items": _THEN, "maxItems": 20}, "else": _THEN},
        "extensions": {},
    },
    "additionalProperties": False,
}
_TARGET: _Shape = {
    "type": "object",
    "properties": {"formats": _TEXTS, "given": _TEXT_OR_TEXTS},
    "required": ["given"],
    "additionalProperties": False,
}
_ALIAS: _Shape = {
    "if": {"type": "object"},
    "then": {
        "properties": {"description": {}, "targets": {"type": "array", "items": _TARGET}},
        "required": ["targets"],
        "additionalProperties": False,
    },
    "else": _TEXT_OR_TEXTS,
}
_SHAPE: _Shape = {
    "type": "object",
    "properties": {
        "extends": {
            "if": {"type": "array"},
            "then": {
                "items": {
                    "if": {"type": "array"},
                    "then": {
                        "prefixItems": [
                            {"type": "string"},
                            {"enum": ["recommended", "all", "off"]},
                        ],
                        "minItems": 2,
                        "maxItems": 2,
                    },
                    "else": {"type": "string"},
                },
            },
            "else": {"type": "string"},
        },
        "rules": {
            "type": "object",
            "additionalProperties": {"if": {"type": "object"}, "then": _RULE, "else": _SEVERITY},
        },
        "aliases": {"type": "object", "additionalProperties": _ALIAS},
        "formats": _TEXTS,
        "documentationUrl": {"type": "string"},
        "parserOptions": {
            "type": "object",
            "properties": {"incompatibleValues": _SEVERITY, "duplicateKeys": _SEVERITY},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


@dataclass(slots=True)
class Draft:
    """A rule set as it is written, with all that it extends."""

    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, Any] = field(default_factory=dict)
    parser: Tree = "error"


def wrong(place: str, problem: str) -> NoReturn:
    """Raise RulesetBrokenError for a problem at a place."""
    raise RulesetBrokenError("ruleset", f"{place}: {problem}.")


class Sources:
    """Reads rule sets and those that they extend."""

    def __init__(self, find: Finder) -> None:
        self.find = find
        self.count = 0

    def read(self, document: bytes, mode: str, depth: int) -> Draft:
        """Return the rule set with its rules in force as `mode` says: recommended, all, off."""
        if len(document) > RULESET_BYTES:
            wrong("the rule set", f"it has more than {RULESET_BYTES:,} bytes")
        is_json = document.lstrip().startswith(b"{")
        tree = read_json(document) if is_json else read_yaml(document)
        for problem, path in schema_problems(validator(_SHAPE, "draft2020-12"), tree, (), 1):
            wrong(".".join(map(str, path)) or "the rule set", problem)
        assert isinstance(tree, dict)
        draft = Draft()
        extends: Any = tree.get("extends", [])
        for index, item in enumerate([extends] if isinstance(extends, str) else extends):
            name, inner_mode = (item, "recommended") if isinstance(item, str) else item
            inner = self.named(name, inner_mode, depth + 1, f"extends.{index}")
            draft.rules |= inner.rules
            draft.aliases |= inner.aliases
            draft.parser = inner.parser
        aliases: Any = tree.get("aliases", {})
        draft.aliases |= aliases
        options: Any = tree.get("parserOptions", {})
        draft.parser = options.get("incompatibleValues", draft.parser)
        rules: Any = tree.get("rules", {})
        formats = tree.get("formats")
        for name, rule in rules.items():
            _define(draft, name, rule, mode, formats)
        if len(draft.rules) > RULES:
            wrong("rules", f"there are more than {RULES}")
        return draft

    def named(self, name: str, mode: str, depth: int, place: str = "extends") -> Draft:
        """Return one of our own sets, or that of a file."""
        self.count += 1
        if self.count > EXTENDED or depth > EXTENDED:
            wrong(place, f"more than {EXTENDED} rule sets extend each other")
        if name in SETS:
            return self.read(File(__file__).with_name(SETS[name]).read_bytes(), mode, depth)
        if ":" in name:
            known = ", ".join(SETS)
            wrong(place, f"{shown(name)} is not known; there are {known}, and files")
        return self.read(self.find(name), mode, depth)


def _define(draft: Draft, name: str, rule: Any, mode: str, formats: Tree) -> None:  # noqa: ANN401 - as written
    if not isinstance(rule, dict):
        if name.startswith(_OF_OTHER_FORMATS):
            return
        if name not in draft.rules:
            wrong(f"rules.{name}", "there is no such rule whose level could be set")
        known = draft.rules[name]
        known["enabled"] = rule is not False and severity(rule, name) is not None
        if not isinstance(rule, bool) and known["enabled"]:
            known["severity"] = rule
        return
    known = {"formats": formats} if formats is not None else {}
    merged = {**known, **draft.rules.get(name, {}), **rule}
    for required in ("given", "then"):
        if required not in merged:
            wrong(f"rules.{name}", f"{required} is missing")
    is_recommended = mode == "all" or merged.get("recommended", True)
    merged["enabled"] = mode != "off" and is_recommended
    draft.rules[name] = merged


def severity(value: Any, name: str) -> Level | None:  # noqa: ANN401 - as written
    """Return the level that a word or number stands for, None when that is off."""
    if value is True:
        return Level.WARNING
    if value is False or value == -1:
        return None
    word = _NUMBERED[value] if isinstance(value, int) and 0 <= value < len(_NUMBERED) else value
    if word not in _LEVELS:
        wrong(f"rules.{name}.severity", f"{shown(str(value))} is no severity")
    return _LEVELS[word]
