"""`python -m controlplane.contracts.worker`: one question about contracts, then the end.

A process of its own, for what takes seconds of pure Python would keep an event loop waiting from
any thread of that. Standard input is one line of JSON, which says what is asked and how long the
documents are, and the documents; standard output is the findings.
"""

import os
import resource
import sys
from datetime import date
from typing import Any

import orjson

from controlplane.contracts.codec import encoded, not_judged
from domain.aggregate import DomainError
from domain.contract.diff.terms import Terms
from domain.contract.differences import differences
from domain.contract.finding import Finding, ordered
from domain.contract.lint.linter import lint

FINDINGS = 5_000
"""So many of one question are kept, the gravest; what is left out is told as one more."""
MEMORY_BYTES = 3 * 2**30
NICE = 10


def answered(question: dict[str, Any], documents: list[bytes]) -> tuple[Finding, ...]:
    """Return what is found; what is wrong with a document is a finding too."""
    try:
        if question["kind"] == "lint":
            return ordered(lint(documents[0]), FINDINGS)
        terms = Terms(
            date.fromisoformat(question["today"]), question["notice"], question["stable_from"]
        )
        return ordered(differences(documents[0], documents[1], terms), FINDINGS)
    except DomainError as error:
        side = {"old": "The version before: ", "new": "This version: "}.get(error.about or "", "")
        return (not_judged(f"{side}{error}"),)
    except RecursionError:
        return (not_judged("The contract is nested too deep to be judged."),)


def main() -> None:
    """Answer the question on standard input."""
    os.nice(NICE)  # whoever asks goes on serving others meanwhile
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    question = orjson.loads(sys.stdin.buffer.readline())
    documents = [sys.stdin.buffer.read(size) for size in question["bytes"]]
    sys.stdout.buffer.write(encoded(answered(question, documents)))


if __name__ == "__main__":
    main()
