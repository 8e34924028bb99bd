"""The cases of oasdiff: how often we say the same of a pair of OpenAPI documents, rule by rule."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from domain.contract.diff.compare import rest_differences
from domain.contract.diff.terms import Terms
from domain.contract.finding import Finding, Level, gravest
from domain.contract.read import read_tree

TODAY = date(2026, 11, 22)
VERDICTS = {Level.ERROR: "breaking", Level.WARNING: "warning"}
REASONS = Path(__file__).parent / "disagreements.json"

Located = tuple[str, str, str]


@dataclass
class Score:
    """What was counted over the cases of one file."""

    cases: int = 0
    agreed: int = 0
    breaking: int = 0
    recalled: int = 0
    harmless: int = 0
    alarmed: int = 0
    errors: int = 0
    located: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)


def oasdiff(folder: Path, file: str) -> Score | None:
    """Compare each pair of the file and print where we disagree, and a report for each rule."""
    cases = folder / "contracts" / file
    if not cases.exists():
        return None
    kinds = _kinds(folder)
    reasons: dict[str, str] = json.loads(REASONS.read_text())
    score = Score()
    for case in json.loads(cases.read_text()):
        findings = _findings(folder / "contracts", case)
        _count(score, case, findings, kinds, reasons)
    for rule in sorted(score.expected):
        hit = score.expected[rule] - score.missed[rule]
        sys.stdout.write(f"{file}: {rule}: {hit} of {score.expected[rule]}\n")
    return score


def _kinds(folder: Path) -> dict[str, str]:
    rules = json.loads((folder / "contracts" / "rules.json").read_text())
    return {rule["id"]: rule["kind"] for rule in rules}


def _findings(folder: Path, case: dict[str, Any]) -> tuple[Finding, ...]:
    options = case["options"]
    notice = {level: options.get(f"deprecation_days_{level}", 0) for level in ("stable", "beta")}
    terms = Terms(TODAY, notice, options.get("stability_level", "beta"))
    old, new = (read_tree((folder / case[side]).read_bytes()) for side in ("base", "revision"))
    return rest_differences(old, new, terms)


def _count(
    score: Score,
    case: dict[str, Any],
    findings: tuple[Finding, ...],
    kinds: dict[str, str],
    reasons: dict[str, str],
) -> None:
    level = gravest(findings)
    verdict = VERDICTS.get(level, "non-breaking") if level else "non-breaking"
    is_agreed = verdict == case["expected"] or bool(case["contested"])
    score.cases += 1
    score.agreed += is_agreed
    if case["expected"] == "breaking":
        score.breaking += 1
        score.recalled += verdict == "breaking"
    elif not case["contested"]:
        score.harmless += 1
        score.alarmed += verdict == "breaking"
    wanted = set(_wanted(case, kinds))
    ours = {
        (finding.where, kinds.get(finding.rule, ""))
        for finding in findings
        if finding.level is Level.ERROR
    }
    for rule, where, kind in wanted:
        score.expected[rule] += 1
        score.missed[rule] += (where, kind) not in ours
    places = {(where, kind) for _, where, kind in wanted}
    score.errors += len(places)
    score.located += len(places & ours)
    if not is_agreed:
        reason = reasons.get(case["id"], "no reason is known")
        told = sorted({f.rule for f in findings if f.level is level and f.level is not Level.INFO})
        sys.stdout.write(
            f"{case['id']}: {case['expected']} ({case['rule']}), we say {verdict}"
            f" {' '.join(told)}: {reason}\n"
        )
    elif places - ours:
        missed = sorted(rule for rule, where, kind in wanted if (where, kind) not in ours)
        told = sorted({f"{f.where}: {f.rule}" for f in findings if f.level is Level.ERROR})
        sys.stdout.write(f"{case['id']}: not located: {missed}; we have {told}\n")


def _wanted(case: dict[str, Any], kinds: dict[str, str]) -> Iterator[Located]:
    for rule in case["rules"]:
        if rule["level"] == "error":
            where = f"{rule['operation']} {rule['path']}" if rule["operation"] else ""
            yield rule["id"], where, kinds[rule["id"]]


def fraction(part: int, whole: int) -> float:
    """Return part of whole, 1 when there is nothing."""
    return part / whole if whole else 1.0
