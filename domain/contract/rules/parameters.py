"""Parameters: which there are, where they are, whether they must be sent, how they are written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from domain.contract.diff.operation_pair import OperationPair
from domain.contract.diff.pair import Child, Place
from domain.contract.diff.spot import Spot, joined
from domain.contract.finding import Finding, Level
from domain.contract.rules import lifecycle
from domain.contract.rules.bodies import described, essence, is_json
from domain.contract.rules.rest import found

_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}
_NOT_PARAMETERS = ("accept", "content-type", "authorization")
"""Headers that OpenAPI describes elsewhere."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation; `is_shared` when it is written at the path."""

    spot: Spot
    location: str
    name: str
    is_shared: bool

    @property
    def noun(self) -> str:
        """What a sentence calls it."""
        return f'{self.location} parameter "{self.name}"'

    @property
    def is_required(self) -> bool:
        """Whether it must be sent."""
        return self.location == "path" or self.spot.at("required").flag()

    @property
    def style(self) -> str:
        """How it is written."""
        return self.spot.at("style").text() or _STYLES.get(self.location, "form")

    @property
    def is_exploded(self) -> bool:
        """Whether the elements of a list are written one by one."""
        return self.spot.at("explode").flag(default=self.style == "form")


Key = tuple[str, str]

_OF_HEADERS = {
    "new-required-request-parameter-property": "new-required-request-header-property",
    "request-parameter-property-became-required": "request-header-property-became-required",
    "request-parameter-property-became-enum": "request-header-property-became-enum",
}
"""What parameters in headers call it."""


def parameters(pair: OperationPair) -> Iterator[Finding]:
    """Parameters came, went, moved, or are other ones than before."""
    old = _parameters(pair.old_item, pair.old, pair.renamed)
    new = _parameters(pair.new_item, pair.new, {})
    gone = {key: each for key, each in old.items() if key not in new}
    come = {key: each for key, each in new.items() if key not in old}
    for key, each in gone.items():
        target = next(
            (other for other in come.values() if other.name.lower() == key[1].lower()), None
        )
        if target is None:
            yield lifecycle.removed_parameter(pair.where, each.spot, each.noun, pair.terms)
        else:
            said = f"The {each.noun} is read as {target.location} parameter now."
            pointers = each.spot.pointer, target.spot.pointer
            yield found("request-parameter-moved", pair.where, pointers, said)
    for each in come.values():
        yield _come(pair, each)
    for key in old.keys() & new.keys():
        if not pair.schemas.sameness.same(old[key].spot, new[key].spot):
            yield from _changed(pair, old[key], new[key])


def _parameters(item: Spot, operation: Spot, renamed: dict[str, str]) -> dict[Key, Parameter]:
    all_: dict[Key, Parameter] = {}
    for holder, is_shared in ((item, True), (operation, False)):
        for element in holder.at("parameters").elements():
            spot = element.followed()
            location, name = spot.at("in").text(), spot.at("name").text()
            key = name.lower() if location == "header" else name
            if location == "header" and key in _NOT_PARAMETERS:
                continue
            if location == "path":
                key = renamed.get(name, name)
            all_[location, key] = Parameter(spot, location, name, is_shared)
    return all_


def _come(pair: OperationPair, each: Parameter) -> Finding:
    must = "must" if each.is_required else "can"
    if each.location == "path":
        rule = "new-request-path-parameter"
    elif each.is_shared:
        need = "required" if each.is_required else "optional"
        rule = f"new-{need}-request-default-parameter-to-existing-path"
    else:
        rule = f"new-{'required' if each.is_required else 'optional'}-request-parameter"
    said = f"The {each.noun} is new and {must} be sent."
    return found(rule, pair.where, (pair.old.pointer, each.spot.pointer), said)


def _changed(pair: OperationPair, old: Parameter, new: Parameter) -> Iterator[Finding]:
    told = [*_written(old, new)]
    if new.is_required and not old.is_required:
        told.append(("became-required", "must now be sent", "required"))
    elif old.is_required and not new.is_required:
        told.append(("became-optional", "need no longer be sent", "required"))
    for change, said, key in told:
        pointers = (joined(side.spot.pointer, key) for side in (old, new))
        sentence = f"The {new.noun} {said}."
        yield found(f"request-parameter-{change}", pair.where, pointers, sentence)
    stability = lifecycle.life(pair.new).stability
    yield from lifecycle.broken_stability(pair.where, old.spot, new.spot)
    yield from lifecycle.parameters(pair.where, old.spot, new.spot, new.noun, pair.terms, stability)
    is_always_sent = all(each.spot.at("required").flag() for each in (old, new))
    for finding in _schema(pair, old, new):
        rule, level = finding.rule, finding.level
        if new.location == "header":
            rule = _OF_HEADERS.get(rule, rule)
        if is_always_sent and rule.startswith("request-parameter-default-value"):
            level = Level.INFO
        yield replace(finding, rule=rule, level=level)


def _written(old: Parameter, new: Parameter) -> Iterator[tuple[str, str, str]]:
    """Return how the parameter is written in another way: change, predicate, keyword."""
    change = "serialization-changed"
    if (old.style, old.is_exploded) != (new.style, new.is_exploded) and _can_be_several(old):
        if old.style != new.style:
            yield change, f"is written in the style {new.style}, before {old.style}", "style"
        else:
            again = "again" if new.is_exploded else "no more"
            yield change, f"repeats its name for each element {again}", "explode"
    media_types = [essence(described(each.spot)[1]) for each in (old, new)]
    if media_types[0] != media_types[1]:
        before, after = (each or "plain text" for each in media_types)
        yield change, f"is written as {after}, before as {before}", "content"
    if old.spot.at("allowReserved").flag() and not new.spot.at("allowReserved").flag():
        yield change, "must escape reserved characters", "allowReserved"
    if old.spot.at("allowEmptyValue").flag() and not new.spot.at("allowEmptyValue").flag():
        yield "allows-empty-no-more", "may no longer be empty", "allowEmptyValue"


def _can_be_several(each: Parameter) -> bool:
    """Whether the value can be a list or an object, so that its style shows."""
    return bool(_types(each.spot.at("schema")) & {"array", "object", ""})


def _types(schema: Spot) -> set[str]:
    value = schema.followed().at("type").value
    return {str(each) for each in value} if isinstance(value, list) else {str(value or "")}


def _schema(pair: OperationPair, old: Parameter, new: Parameter) -> Iterator[Finding]:
    (before, was), (after, is_) = (described(each.spot) for each in (old, new))
    if before and after:
        child = Child(
            "",
            before,
            after,
            Place.PARAMETER,
            is_text=not (is_json(was) or is_json(is_)),
            is_exploded=new.style == "form" and new.is_exploded and new.location != "path",
        )
        yield from pair.schemas.compare(child, pair.where, f"the {new.noun}")
