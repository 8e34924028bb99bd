"""Contract tests: what a server answered when it was held to the contract of a version."""

from datetime import datetime
from typing import Any

import orjson
import strawberry

from controlplane.graphql.enums import described
from controlplane.graphql.scalars import Count
from domain.contract_test import ContractTestVerdict

described(
    ContractTestVerdict,
    {
        "PASSED": "Every answer kept to the contract.",
        "FAILED": "An answer broke the contract.",
        "ERROR": "There is no verdict: nothing could be tried, or not all of it.",
    },
)


@strawberry.type
class BrokenPromise:
    """What one operation answered against its contract."""

    operation: str = strawberry.field(description='As "GET /users/{id}" or "Query.user".')
    code: str = strawberry.field(description="What the tool calls it, for programs.")
    title: str = strawberry.field(description="What it means, for people.")


@strawberry.type
class ContractTest:
    """The verdict of one run of `controlplane contract test`; no payload is kept."""

    at: datetime = strawberry.field(description="When it was recorded.")
    verdict: ContractTestVerdict = strawberry.field(description="What came of it.")
    problem: str = strawberry.field(description="Why there is no verdict; else empty.")
    contract_sha256: str = strawberry.field(description="The hash of the contract, as hex.")
    upstream: str = strawberry.field(description="The address of the server.")
    tool: str = strawberry.field(description="What tested, and its version.")
    writes: bool = strawberry.field(description="Whether operations that change things were tried.")
    operations: Count = strawberry.field(description="How many operations were tried.")
    of_operations: Count = strawberry.field(description="How many the contract has.")
    requests: Count = strawberry.field(description="How many calls were made.")
    failure_count: Count = strawberry.field(description="How many broken promises were found.")
    failures: list[BrokenPromise] = strawberry.field(description="At most 50 of them.")
    duration_ms: Count = strawberry.field(description="How long it took.")


def contract_test_of(column: str | None) -> ContractTest | None:
    """Return the contract test in a column of a read model."""
    if column is None:
        return None
    said: dict[str, Any] = orjson.loads(column)
    failures = [BrokenPromise(**each) for each in said.pop("failures")]
    at, verdict = datetime.fromisoformat(said.pop("at")), ContractTestVerdict(said.pop("verdict"))
    return ContractTest(at=at, verdict=verdict, failures=failures, **said)
