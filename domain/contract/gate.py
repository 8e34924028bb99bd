"""The gate: what the findings between two versions mean for the number that the new one has."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.aggregate import Value
from domain.contract.bump import VersionTooSmallError, proposed_version, refuse_smaller
from domain.contract.finding import TOO_MANY, Finding, Level, ordered
from domain.contract_policy import ContractPolicy


@dataclass(frozen=True)
class GateResult(Value):
    """What the gate said of a version: the hash of its findings, and how many there are.

    `follows_id`, `follows_number` and `follows_sha256` are of the version it was compared with.
    """

    NAME = "gate_result"
    follows_id: UUID
    follows_number: str
    follows_sha256: str
    findings_sha256: str
    errors: int
    warnings: int
    infos: int
    ignored: int
    proposed: str
    refused: bool

    @property
    def remedy(self) -> str:
        """What was found and what may be done about it, for people."""
        if not self.errors:
            found = f"{self.warnings + self.infos:,} changes after {self.follows_number}"
        else:
            found = f"{self.errors:,} break{'s' * (self.errors != 1)} after {self.follows_number}"
        return (
            f"It found {found}: mend the contract, give it a number from {self.proposed} on if"
            " the policy lets that break, or have the gate overridden with a reason."
        )


def weighed(findings: Iterable[Finding], policy: ContractPolicy, at: datetime) -> list[Finding]:
    """Return the findings that count, as grave as the policy says.

    When some are left out and the policy makes a rule graver, one of that may be among them: what
    is left out is an error then.
    """
    levels = {each.rule: Level(each.level) for each in policy.levels}
    if Level.ERROR in levels.values():
        levels.setdefault(TOO_MANY, Level.ERROR)
    counted = [
        finding
        for finding in findings
        if not any(each.covers(finding.rule, finding.where, at) for each in policy.ignored)
    ]
    return list(
        ordered(
            replace(finding, level=levels.get(finding.rule, finding.level)) for finding in counted
        )
    )


def judged(
    findings: Sequence[Finding],
    policy: ContractPolicy,
    number: str,
    *,
    follows_id: UUID,
    follows_number: str,
    follows_sha256: str,
    findings_sha256: str,
    ignored: int,
) -> GateResult:
    """Return what the gate says of a version with a number, given the findings that count.

    It refuses a number that announces less than there is, and under a policy that lets no number
    break, every error.
    """
    count = Counter(finding.level for finding in findings)
    refused = bool(count[Level.ERROR]) and not policy.major_may_break
    try:
        refuse_smaller(follows_number, number, findings)
    except VersionTooSmallError:
        refused = True
    return GateResult(
        follows_id=follows_id,
        follows_number=follows_number,
        follows_sha256=follows_sha256,
        findings_sha256=findings_sha256,
        errors=count[Level.ERROR],
        warnings=count[Level.WARNING],
        infos=count[Level.INFO],
        ignored=ignored,
        proposed=proposed_version(follows_number, findings),
        refused=refused,
    )
