"""What changed between two GraphQL schemas."""

from domain.contract.finding import Finding, ordered
from domain.contract.graphql_comparison import Comparison
from domain.contract.graphql_schema import read_schema
from domain.contract.rules import Rule, graphql_directives, graphql_fields, graphql_types

_SETS = (graphql_types, graphql_fields, graphql_directives)
RULES: tuple[Rule, ...] = tuple(rule for rules in _SETS for rule in rules.RULES)
LEVELS = {rule.id: rule.level for rule in RULES}
CHECKS = tuple(check for rules in _SETS for check in rules.CHECKS)


def diff_graphql(old: str, new: str) -> tuple[Finding, ...]:
    """Return what changed from one document in SDL to the other, the gravest first.

    Raises what `read_schema` does, of either document.
    """
    schemas = Comparison(read_schema(old), read_schema(new), LEVELS)
    return ordered(finding for check in CHECKS for finding in check(schemas))
