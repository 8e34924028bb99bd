"""Findings about contracts, as text, JSON or Markdown, and the exit code that they give."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum

from domain.contract.bump import bump
from domain.contract.document import cut
from domain.contract.finding import Finding, Level, Verdict
from domain.contract.rules import Rule

EXIT_CODES = {Level.ERROR: 3, Level.WARNING: 4, Level.INFO: 5}
"""What a pipeline sees: 0 nothing that counts, 1 could not be judged, 2 wrong usage, or these."""

PAYLOAD_CHARS = 200
"""A longer payload is cut in text and Markdown; in JSON it is whole."""

_CODE = str.maketrans({"|": "\\|", "`": "'", "\n": " "})
_PROSE = str.maketrans({"|": "\\|", "<": "&lt;", ">": "&gt;", "\n": " "})


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class Threshold(StrEnum):
    """The least grave level that fails a pipeline."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


def exit_code(findings: Iterable[Finding], threshold: Threshold) -> int:
    """Return 0, or the code of the gravest finding if it is as grave as the threshold."""
    if threshold is Threshold.NEVER:
        return 0
    counted = Level(threshold.upper()).rank
    grave = [finding.level for finding in findings if finding.level.rank <= counted]
    return EXIT_CODES[min(grave, key=lambda level: level.rank)] if grave else 0


def written(findings: Sequence[Finding], format_: Format) -> str:
    """Return the findings in the format, with their number of each level."""
    counts = Counter(finding.level for finding in findings)
    numbers = {f"{level.lower()}s": counts[level] for level in Level}
    if format_ is Format.JSON:
        listed = [asdict(finding) for finding in findings]
        return json.dumps({**numbers, "findings": listed}, indent=2, ensure_ascii=False)
    total = ", ".join(
        f"{count:,} {name if count != 1 else name[:-1]}" for name, count in numbers.items()
    )
    if format_ is Format.MARKDOWN:
        rows = [
            f"| {finding.level} | `{finding.rule}` | {_place(finding)}"
            f" | {_cell(' '.join([finding.sentence, *_shown(finding)]))} |"
            for finding in findings
        ]
        table = ["| level | rule | where | what |", "|---|---|---|---|", *rows, ""] if rows else []
        return "\n".join([*table, f"{total}."])
    lines = [
        "\n        ".join(
            [
                f"{finding.level:<7} {finding.rule}  {_printable(_located(finding))}",
                *map(_printable, (finding.sentence, *_shown(finding))),
            ]
        )
        for finding in findings
    ]
    return "\n".join([*lines, f"{total}."])


def numbered(
    old: str, proposed: str, problem: str, findings: Sequence[Finding], format_: Format
) -> str:
    """Return the number that is proposed, and why another one will not do."""
    step = bump(findings)
    if format_ is Format.JSON:
        told = {"bump": step, "from": old, "proposed": proposed, "problem": problem or None}
        return json.dumps(told, indent=2, ensure_ascii=False)
    number = f"**{_cell(proposed)}**" if format_ is Format.MARKDOWN else proposed
    said = f"{number} follows {_printable(old)}: the change is {step.lower()}."
    return "\n".join([said, *([_printable(problem)] if problem else [])])


def catalogue(rules: Iterable[Rule]) -> str:
    """Return the rules as a table in Markdown."""
    rows = [f"| `{rule.id}` | {rule.level.lower()} | {_cell(rule.meaning)} |" for rule in rules]
    return "\n".join(["| rule | level | what it finds |", "|---|---|---|", *rows])


def _shown(finding: Finding) -> list[str]:
    """Return the payload that shows it, as a sentence, when there is one."""
    if finding.witness is None:
        return []
    payload = cut(json.dumps(finding.witness.payload, ensure_ascii=False), PAYLOAD_CHARS)
    if finding.witness.old_verdict is Verdict.ACCEPTED:
        return [f"{payload} was accepted, and is refused now."]
    return [f"{payload} could not come, and can now."]


def _located(finding: Finding) -> str:
    """Return the operation or coordinate, and the pointer when that says more."""
    pointer = finding.old if finding.new is None else finding.new
    places = dict.fromkeys(place for place in (finding.where, pointer) if place)
    return "  ".join(places) or "the contract"


def _place(finding: Finding) -> str:
    return f"`{_printable(_located(finding).translate(_CODE))}`"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _cell(text: str) -> str:
    return _printable(text.translate(_PROSE))
