"""Operations: their names, tags and callbacks."""

from collections.abc import Iterator

from domain.contract.diff.operation_pair import OperationPair
from domain.contract.diff.pair import named
from domain.contract.diff.spot import Spot
from domain.contract.finding import Finding
from domain.contract.rules.rest import found
from domain.contract.rules.servers import servers


def names(pair: OperationPair) -> Iterator[Finding]:
    """An operation has another operationId, or other tags."""
    old, new = (side.at("operationId").text() for side in (pair.old, pair.new))
    if old and old != new:
        said = f"is no longer called {named([old])}, after which clients name their methods"
        yield pair.found("api-operation-id-removed", said, "operationId")
    elif new and not old:
        yield pair.found("api-operation-id-added", f"is called {named([new])}", "operationId")
    before, after = (set(side.at("tags").texts()) for side in (pair.old, pair.new))
    for tag in sorted(after - before):
        yield pair.found("api-tag-added", f"got the tag {named([tag])}", "tags")
    for tag in sorted(before - after):
        yield pair.found("api-tag-removed", f"lost the tag {named([tag])}", "tags")


def addresses(pair: OperationPair) -> Iterator[Finding]:
    """An operation is offered at other addresses."""
    holders = (pair.old, pair.old_item), (pair.new, pair.new_item)
    if any(holder.at("servers") for side in holders for holder in side):
        yield from servers(pair.where, *(_servers(*side) for side in holders))


def _servers(operation: Spot, item: Spot) -> Spot:
    """Return the servers that count: the nearest."""
    for holder in (operation, item):
        if holder.at("servers"):
            return holder.at("servers")
    return operation.document.top.at("servers")


def components(old: Spot, new: Spot) -> Iterator[Finding]:
    """A named schema is gone."""
    before, after = (side.at("components").at("schemas") for side in (old, new))
    for name in before.members().keys() - after.members().keys():
        sentence = f"The schema {named([name])} is gone."
        pointers = before.at(name).pointer, after.pointer
        yield found("api-schema-removed", "", pointers, sentence)
