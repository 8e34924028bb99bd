"""The rules, as the catalogue in docs/contract-rules.md lists them.

A rule is one function, which yields findings under one or several ids. Each function has a golden
folder, tests/contract/golden/<set>/<name of the function>, with old.yaml, new.yaml and
findings.json (linting has new.yaml only; GraphQL has .graphql). Each set keeps a literal tuple of
`Rule`, one for each id; tests see that every id is in a golden, and that the page is this table.
"""

from dataclasses import dataclass

from domain.contract.finding import Level


@dataclass(frozen=True, slots=True)
class Rule:
    """An id of findings, its level unless a policy says otherwise, and what it means."""

    id: str
    level: Level
    meaning: str
