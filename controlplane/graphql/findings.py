"""What rules found in contracts, as it is read."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import strawberry

from controlplane.contracts.codec import decoded
from controlplane.graphql.enums import described
from controlplane.graphql.errors import RefusedError, invalid
from domain.contract import finding
from domain.contract.changelog import changelog

PAGE = 500
DEFAULT_PAGE = 100
TITLE_CHARS = 200


class FindingLevel(Enum):
    """How grave a finding is."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"


described(
    FindingLevel,
    {
        "ERROR": "It breaks subscribers.",
        "WARNING": "It may break subscribers.",
        "INFO": "It breaks nobody.",
    },
)


@strawberry.type
class ContractWitness:
    """A payload of which the two contracts think differently; both were asked."""

    payload: str = strawberry.field(description="The payload, as JSON.")
    accepted_before: bool = strawberry.field(description="Whether the contract before accepts it.")
    accepted_now: bool = strawberry.field(description="Whether the contract now accepts it.")


@strawberry.type
class ContractFinding:
    """What one rule found at one place."""

    rule: str = strawberry.field(description="The id of the rule, the same for ever.")
    level: FindingLevel = strawberry.field(description="How grave it is.")
    operation: str = strawberry.field(
        description='The operation, as "GET /users/{id}", or a coordinate of GraphQL; empty for the'
        " contract as a whole."
    )
    place_before: str | None = strawberry.field(
        description="Where in the document before: a JSON pointer, or a coordinate of GraphQL."
    )
    place_now: str | None = strawberry.field(description="Where in the document now.")
    sentence: str = strawberry.field(description="What happened, for people.")
    witness: ContractWitness | None = strawberry.field(
        description="A payload that shows it; null if there is none."
    )


@strawberry.type
class ContractFindings:
    """What rules found, the gravest first."""

    found: strawberry.Private[Sequence[finding.Finding]]
    errors: int = strawberry.field(description="How many of them break subscribers.")
    warnings: int = strawberry.field(description="How many of them may.")
    infos: int = strawberry.field(description="How many of them cannot.")

    @strawberry.field
    def findings(
        self,
        *,
        level: Annotated[
            FindingLevel | None, strawberry.argument(description="Only those of this level.")
        ] = None,
        operation: Annotated[
            str | None, strawberry.argument(description="Only those at this operation.")
        ] = None,
        first: Annotated[
            int, strawberry.argument(description=f"How many at most; 1 to {PAGE}.")
        ] = DEFAULT_PAGE,
        skip: Annotated[int, strawberry.argument(description="How many to leave out first.")] = 0,
    ) -> list[ContractFinding]:
        """List the findings, the gravest first; those of one operation together."""
        if not 0 < first <= PAGE or skip < 0:
            raise RefusedError("PAGE_SIZE", f"A page has 1 to {PAGE} findings.")
        wanted = [
            each
            for each in self.found
            if (level is None or each.level.value == level.value)
            and (operation is None or each.where == operation)
        ]
        return [_shown(each) for each in wanted[skip : skip + first]]

    @strawberry.field
    def changelog(
        self,
        *,
        title: Annotated[
            str, strawberry.argument(description="Heads the text; at most 200 characters.")
        ] = "",
    ) -> str:
        """Return what changed as Markdown, for those who call the API."""
        if len(title) > TITLE_CHARS:
            raise invalid("A title has at most 200 characters.")
        return changelog(self.found, title=title)


async def findings_of(body: bytes) -> ContractFindings:
    """Return findings that were encoded; thousands of them are read beside the loop."""
    found = await asyncio.to_thread(decoded, body)
    counts = Counter(each.level for each in found)
    return ContractFindings(
        found=found,
        errors=counts[finding.Level.ERROR],
        warnings=counts[finding.Level.WARNING],
        infos=counts[finding.Level.INFO],
    )


def _shown(each: finding.Finding) -> ContractFinding:
    witness, accepted = each.witness, finding.Verdict.ACCEPTED
    return ContractFinding(
        rule=each.rule,
        level=FindingLevel(each.level.value),
        operation=each.where,
        place_before=each.old,
        place_now=each.new,
        sentence=each.sentence,
        witness=None
        if witness is None
        else ContractWitness(
            payload=json.dumps(witness.payload),
            accepted_before=witness.old_verdict is accepted,
            accepted_now=witness.new_verdict is accepted,
        ),
    )
