"""A contract test: what a server answered when it was held to the contract of a version."""

from dataclasses import dataclass
from enum import Enum

from domain import text
from domain.aggregate import DomainError, Value
from domain.contract.document import one_line

FAILURES = 50


class ContractTestVerdict(Enum):
    """What came of a contract test."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    ERROR = "ERROR"


class ContractTestInvalidError(DomainError):
    """A contract test is of the version's own contract, with at most 50 failures that it names."""


@dataclass(frozen=True)
class BrokenPromise(Value):
    """A promise that an operation broke: the tool's code for it, and what that means."""

    NAME = "broken_promise"
    operation: str
    code: str
    title: str


@dataclass(frozen=True)
class ContractTest(Value):
    """The verdict of one run; nothing that was sent or answered is kept.

    `problem` says why there is no verdict, "" if there is one. `operations` were tried of all that
    `of_operations` counts, in `requests` calls; `failure_count` may exceed the failures listed.
    """

    NAME = "contract_test"
    verdict: str
    problem: str
    contract_sha256: str
    upstream: str
    tool: str
    writes: bool
    operations: int
    of_operations: int
    requests: int
    failure_count: int
    failures: list[BrokenPromise]
    duration_ms: int

    def require_valid(self, contract_sha256: str) -> None:
        """Raise ContractTestInvalidError, UrlInvalidError unless a version can keep it."""
        text.url(self.upstream, "test")
        told = [self.problem, self.tool]
        told += [part for each in self.failures for part in (each.operation, each.code, each.title)]
        if (
            self.contract_sha256 != contract_sha256
            or self.verdict not in ContractTestVerdict.__members__
            or len(self.failures) > FAILURES
            or any(part != one_line(part, text.LABEL_CHARS) for part in told)
        ):
            raise ContractTestInvalidError("test")
