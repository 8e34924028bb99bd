"""A finding: one thing that a rule has to say about a contract, or about two of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest

from domain.contract.document import Tree

FINDINGS = 20_000
"""So many of one comparison are kept, the gravest; what is left out is told as one more."""

TOO_MANY = "too-many-findings"


class Level(StrEnum):
    """How grave a finding is: an error breaks subscribers, a warning may, an info cannot."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(Level)}


class Verdict(StrEnum):
    """What a contract says of a payload."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Witness:
    """A payload of which the two contracts think differently, as was tried out."""

    old_verdict: Verdict
    new_verdict: Verdict
    payload: Tree


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found at one place.

    `rule` is the stable id of the rule. `where` is the operation, as in `Operation.id`, a schema
    coordinate of GraphQL, or "" for the contract as a whole. `old` and `new` are JSON pointers
    into the two documents, "" for a whole document, None where there is no such place; linting
    has only `new`. In GraphQL they are coordinates. `sentence` says what happened in the words of
    a product manager.
    """

    rule: str
    level: Level
    where: str
    old: str | None
    new: str | None
    sentence: str
    witness: Witness | None = None


def ordered(findings: Iterable[Finding], limit: int = FINDINGS) -> tuple[Finding, ...]:
    """Return the findings, each once: the gravest first, those of one operation together.

    When there are more than `limit`, one more finding says how many are left out and is as grave
    as the gravest of them, so that cutting hides no error.
    """
    different: dict[tuple[object, ...], Finding] = {}
    omitted = 0
    for finding in findings:
        different[_identity(finding)] = finding
        if len(different) > 4 * limit:  # However many there are, memory is bounded.
            omitted += len(different) - limit - 1
            gravest_ = nsmallest(limit + 1, different.values(), key=_place)
            different = {_identity(each): each for each in gravest_}
    if len(different) <= limit:
        return tuple(sorted(different.values(), key=_place))
    kept = nsmallest(limit + 1, different.values(), key=_place)
    omitted += len(different) - limit
    sentence = f"{omitted:,} more findings are not listed; compare smaller steps to see them."
    return (*kept[:limit], Finding(TOO_MANY, kept[limit].level, "", None, None, sentence))


def gravest(findings: Iterable[Finding]) -> Level | None:
    """Return the level of the gravest finding, None when there is none."""
    return min((finding.level for finding in findings), key=lambda level: level.rank, default=None)


def _identity(finding: Finding) -> tuple[object, ...]:
    return finding.rule, finding.where, finding.old, finding.new, finding.sentence


def _place(finding: Finding) -> tuple[int, str, str, str, str, str]:
    place = (finding.new or "", finding.old or "")
    return (finding.level.rank, finding.where, finding.rule, *place, finding.sentence)
