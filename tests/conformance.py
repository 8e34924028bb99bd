"""Runs cases that come from outside the project: `python -m tests.conformance DIR`.

A report for each set, and as the last line one JSON object of totals as fractions. A set that
DIR does not have is left out.
"""

import json
import sys
from pathlib import Path

from domain.aggregate import DomainError
from domain.contract.finding import Level, gravest
from domain.contract.graphql_diff import diff_graphql
from domain.contract.lint.linter import lint
from domain.contract.read import read_contract
from tests.contract.oasdiff_cases import fraction, oasdiff


def contracts_read(folder: Path) -> float | None:
    """Return the fraction of the OpenAPI documents of the contract cases that can be read."""
    documents = sorted((folder / "contracts" / "data").rglob("*.*"))
    if not documents:
        return None
    refused = 0
    for document in documents:
        try:
            read_contract(document.read_bytes())
        except DomainError as refusal:
            refused += 1
            sys.stdout.write(f"contracts: {document.name} is refused: {refusal}\n")
    sys.stdout.write(f"contracts: {len(documents) - refused} of {len(documents)} read\n")
    return 1 - refused / len(documents)


GRAPHQL_VERDICTS = {
    Level.ERROR: "breaking",
    Level.WARNING: "dangerous",
    Level.INFO: "safe",
    None: "safe",
}
GRAPHQL_DISAGREED = {
    "directive-repeatable-removed": "a document that repeats the directive is refused",
    "deprecation-reason": "a client reads nothing from the reason of a deprecation",
}
"""Parts of the ids of cases where we say something else on purpose, and why."""


def graphql_agreement(folder: Path) -> float | None:
    """Return the fraction of the GraphQL pairs whose verdict is the one that the anchors share."""
    path = folder / "contracts" / "graphql_cases.json"
    if not path.exists():
        return None
    cases = json.loads(path.read_text())
    agreed = 0
    for case in cases:
        findings = diff_graphql(case["old"], case["new"])
        verdict = GRAPHQL_VERDICTS[gravest(findings)]
        agreed += bool(case["anchors_agree"]) and verdict == case["expected"]
        if verdict != case["expected"]:
            known = [why for part, why in GRAPHQL_DISAGREED.items() if part in case["id"]]
            sys.stdout.write(
                f"graphql: {case['id']} expects {case['expected']}, we say {verdict}"
                f" ({', '.join(sorted({finding.rule for finding in findings}))})"
                f"{'' if case['anchors_agree'] else '; the anchors disagree'}"
                f"; {' '.join(known) or 'not explained'}\n"
            )
    shared = sum(bool(case["anchors_agree"]) for case in cases)
    sys.stdout.write(f"graphql: {agreed} of {shared} agree\n")
    return agreed / shared


LINT_LEVELS = {"error": Level.ERROR, "warn": Level.WARNING, "info": Level.INFO}


def lint_recall(folder: Path) -> float | None:
    """Return the fraction of the findings of the default rule set that we have as well.

    One is the same when its rule, level and place are.
    """
    path = folder / "contracts" / "lint_cases.json"
    if not path.exists():
        return None
    wanted = found = both = 0
    for case in json.loads(path.read_text()):
        expected = {
            (entry["code"], LINT_LEVELS[entry["severity"]], pointer(entry["path"]))
            for entry in case["expected"]
        }
        findings = lint((folder / "contracts" / case["document"]).read_bytes())
        ours = {(finding.rule, finding.level, finding.new or "") for finding in findings}
        wanted, found, both = wanted + len(expected), found + len(ours), both + len(expected & ours)
        for sign, differences in (("-", expected - ours), ("+", ours - expected)):
            for rule, level, place in sorted(differences):
                sys.stdout.write(f"lint: {case['id']} {sign} {rule} {level} {place}\n")
    sys.stdout.write(f"lint: {both} of {wanted}, and {found - both} more\n")
    return both / wanted


def pointer(path: list[str | int]) -> str:
    """Return the path as a JSON pointer."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def oasdiff_totals(folder: Path) -> dict[str, float]:
    """Return how well our verdicts on pairs of OpenAPI documents agree with oasdiff's."""
    totals: dict[str, float] = {}
    for prefix, file in (
        ("oasdiff", "oasdiff_cases.json"),
        ("reversed", "oasdiff_reversed_cases.json"),
    ):
        if score := oasdiff(folder, file):
            totals[f"{prefix}.agreement"] = fraction(score.agreed, score.cases)
            totals[f"{prefix}.recall"] = fraction(score.recalled, score.breaking)
            totals[f"{prefix}.false_alarms"] = fraction(score.alarmed, score.harmless)
            totals[f"{prefix}.located"] = fraction(score.located, score.errors)
    return totals


def main(folder: Path) -> None:
    """Run what the folder has."""
    totals = {
        "contracts.read": contracts_read(folder),
        **oasdiff_totals(folder),
        "graphql.agreement": graphql_agreement(folder),
        "lint.recall": lint_recall(folder),
    }
    found = {name: round(value, 4) for name, value in totals.items() if value is not None}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
