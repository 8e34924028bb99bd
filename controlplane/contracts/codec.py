"""Findings as JSON, as they are kept: the same findings are the same bytes."""

import json
from collections.abc import Iterable
from typing import Any

import orjson

from domain.contract.finding import Finding, Level, Verdict, Witness

NOT_JUDGED = "contract-not-judged"


def not_judged(sentence: str) -> Finding:
    """Return what stands for findings that cannot be had: an error, for one may be among them."""
    return Finding(NOT_JUDGED, Level.ERROR, "", None, None, sentence)


def encoded(findings: Iterable[Finding]) -> bytes:
    """Return the findings as JSON."""
    # The standard encoder, unlike a faster one, takes every number that a payload may have.
    return json.dumps([_plain(finding) for finding in findings]).encode()


def decoded(body: bytes) -> list[Finding]:
    """Return the findings that were encoded."""
    try:
        listed = orjson.loads(body)
    except orjson.JSONDecodeError:  # a number of a payload that is too great for it
        listed = json.loads(body)
    return [_finding(**each) for each in listed]


def _plain(finding: Finding) -> dict[str, object]:
    shown = finding.witness and {
        "old_verdict": finding.witness.old_verdict,
        "new_verdict": finding.witness.new_verdict,
        "payload": finding.witness.payload,
    }
    return {
        "rule": finding.rule,
        "level": finding.level,
        "where": _printable(finding.where),
        "old": finding.old and _printable(finding.old),
        "new": finding.new and _printable(finding.new),
        "sentence": _printable(finding.sentence),
        "witness": shown,
    }


def _finding(*, level: str, witness: dict[str, Any] | None = None, **said: str) -> Finding:
    shown = None
    if witness is not None:
        verdicts = Verdict(witness["old_verdict"]), Verdict(witness["new_verdict"])
        shown = Witness(*verdicts, witness["payload"])
    return Finding(level=Level(level), witness=shown, **said)


def _printable(text: str) -> str:
    """Return the text as UTF-8 can hold it: YAML lets halves of surrogate pairs pass."""
    return text.encode(errors="replace").decode()
