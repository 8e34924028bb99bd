"""GitHub's whole REST API, 22.0.0 -> 23.0.0 of @octokit/openapi, compared and linted.

Each run is a process of its own, from its start to its end: it reads two documents of 13 MB,
compares them, and every payload that shows a break is tried out on both sides; `seconds` and `mb`
are those of the whole process. The peer is api-schema-diff, as its users call it. It also has to
see that 23.0.0 -> 23.0.1, a patch release, breaks callers.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median
from typing import NamedTuple

from domain.contract.bump import VersionTooSmallError, refuse_smaller
from domain.contract.diff.terms import Terms
from domain.contract.differences import differences
from domain.contract.finding import Finding, Level

ROUNDS = 5
DEPENDENCIES = Path(__file__).parent.parent / "var" / "bench"
PEER = DEPENDENCIES / "peer" / "bin" / "api-schema-diff"
DOCUMENTS = {
    "22.0.0": "3e8065e9059605343c997b736154b12f7f2bb2b8f409b1a6b40b16b6728c2eaa",
    "23.0.0": "466e1d62734cbc296d763b7b23413335012565d016805a4e2dabe394df6c1c2c",
    "23.0.1": "b8a13a227923c7c5086b5879932a51155c0833fa5a90ead12bbdbcc40c305790",
}
"""The SHA-256 of each."""

COMPARE = """
import sys
from datetime import date
from pathlib import Path
from domain.contract.diff.terms import Terms
from domain.contract.differences import differences
old, new = (Path(name).read_bytes() for name in sys.argv[1:])
assert differences(old, new, Terms(date(2026, 11, 22)))
"""
LINT = """
import sys
from pathlib import Path
from domain.contract.lint.linter import lint
assert lint(Path(sys.argv[1]).read_bytes())
"""


class Run(NamedTuple):
    """What a process took from its start to its end, and the most memory that it had."""

    seconds: float
    mb: float


def document(version: str) -> Path:
    path = DEPENDENCIES / f"github-{version}.json"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found == DOCUMENTS[version], f"{path} is not the one: run `make bench-deps`"
    return path


def run(*command: str | Path) -> Run:
    """Run a process to its end; memory is the most it ever had."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - ours and the peer
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Run(time.perf_counter() - begin, usage.ru_maxrss / 1024)


def typical(runs: list[Run]) -> Run:
    return Run(*(median(values) for values in zip(*runs, strict=True)))


def compared(old: str, new: str) -> tuple[Finding, ...]:
    before, after = (document(version).read_bytes() for version in (old, new))
    return differences(before, after, Terms(date(2026, 11, 22)))


def is_refused_as_patch() -> bool:
    try:
        refuse_smaller("23.0.0", "23.0.1", compared("23.0.0", "23.0.1"))
    except VersionTooSmallError as refusal:
        print(refusal)
        return True
    return False


def main() -> None:
    old, new = document("22.0.0"), document("23.0.0")
    ours, lints, peers = [], [], []
    for _ in range(ROUNDS):
        ours.append(run(sys.executable, "-c", COMPARE, old, new))
        peers.append(run(PEER, old, new, "--format", "json"))
        lints.append(run(sys.executable, "-c", LINT, new))
        print(f"ours {ours[-1]}, peer {peers[-1]}, lint {lints[-1]}")
    findings = compared("22.0.0", "23.0.0")
    diff, peer, lint = map(typical, (ours, peers, lints))
    print(
        json.dumps(
            {
                "bench": "contract_diff",
                "seconds": round(diff.seconds, 2),
                "mb": round(diff.mb),
                "peer_seconds": round(peer.seconds, 2),
                "peer_mb": round(peer.mb),
                "ratio": round(peer.seconds / diff.seconds, 2),
                "lint_seconds": round(lint.seconds, 2),
                "lint_mb": round(lint.mb),
                "findings": len(findings),
                "errors": sum(finding.level is Level.ERROR for finding in findings),
                "witnesses": sum(finding.witness is not None for finding in findings),
                "patch_release_refused": is_refused_as_patch(),
            }
        )
    )


if __name__ == "__main__":
    main()
