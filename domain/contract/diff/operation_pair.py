"""A pair of operations: what both versions of a contract have under the same method and path."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.contract.diff.spot import Spot, joined
from domain.contract.diff.terms import Terms
from domain.contract.finding import Finding
from domain.contract.rules.rest import found

if TYPE_CHECKING:
    from domain.contract.diff.schemas import Schemas


@dataclass(frozen=True, slots=True)
class OperationPair:
    """Both versions of an operation, and the path items they stand in.

    `where` is the id of the operation, `noun` what a sentence calls it. `renamed` has the new
    names of parameters in the path by their old ones. `is_sent` says that the provider makes the
    call, as in webhooks and callbacks: then requests are what subscribers read.
    """

    where: str
    noun: str
    old_item: Spot
    new_item: Spot
    old: Spot
    new: Spot
    renamed: dict[str, str]
    is_sent: bool
    terms: Terms
    schemas: "Schemas"

    def found(self, rule: str, predicate: str, key: str) -> Finding:
        """Return what a rule says of the operation itself; `key` is the member it is about."""
        pointers = (
            joined(side.pointer, key) if key in side.members() else side.pointer
            for side in (self.old, self.new)
        )
        return found(rule, self.where, pointers, f"The {self.noun} {predicate}.")
