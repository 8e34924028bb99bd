"""Bodies of requests, and media types."""

from collections.abc import Iterator
from itertools import chain

from domain.contract.diff.operation_pair import OperationPair
from domain.contract.diff.pair import Child, Place
from domain.contract.diff.spot import Spot
from domain.contract.finding import Finding
from domain.contract.rules.rest import found


def is_json(media_type: str) -> bool:
    """Whether the media type tells numbers from text."""
    essence = media_type.partition(";")[0].strip().lower()
    return essence.endswith(("/json", "+json"))


def described(spot: Spot) -> tuple[Spot, str]:
    """Return the schema of a parameter or header, and the media type when it has one."""
    for media_type, content in spot.at("content").each():
        return content.at("schema"), media_type
    return spot.at("schema"), ""


def essence(media_type: str) -> str:
    """Return the media type as it is compared: no blanks, lower case."""
    return "".join(media_type.split()).lower()


def covers(wide: str, narrow: str) -> bool:
    """Whether the one media type or range stands for the other."""
    wide, narrow = (essence(each).partition(";")[0] for each in (wide, narrow))
    if wide in ("*/*", narrow):
        return True
    kind, _, subtype = wide.partition("/")
    other, _, other_subtype = narrow.partition("/")
    is_suffix = "+" in other_subtype and other_subtype.rpartition("+")[2] == subtype
    return kind == other and (subtype == "*" or is_suffix)


def bodies(pair: OperationPair) -> Iterator[Finding]:
    """The body of a request came, went, must be sent, or is another."""
    old, new = (side.at("requestBody").followed() for side in (pair.old, pair.new))
    if not old and not new:
        return
    must = new.at("required").flag()
    if not old:
        rule = f"request-body-added-{'required' if must else 'optional'}"
        yield pair.found(rule, f"{'needs' if must else 'can have'} a body now", "requestBody")
        return
    if not new:
        yield pair.found("request-body-removed", "has no body any more", "requestBody")
        return
    if must and not old.at("required").flag():
        yield pair.found("request-body-became-required", "needs its body now", "requestBody")
    elif old.at("required").flag() and not must:
        yield pair.found("request-body-became-optional", "no longer needs its body", "requestBody")
    yield from _contents(pair, old.at("content"), new.at("content"))


def _contents(pair: OperationPair, old: Spot, new: Spot) -> Iterator[Finding]:
    before = {essence(name): name for name, _ in old.each()}
    after = {essence(name): name for name, _ in new.each()}
    taken: set[str | None] = set()
    for each, name in before.items():
        taker = each if each in after else _taker(each, list(after))
        taken.add(taker)
        if taker is None:
            said = f'The body can no longer be sent as "{name}".'
            pointers = old.at(name).pointer, new.pointer
            yield found("request-body-media-type-removed", pair.where, pointers, said)
        else:
            yield from _content(pair, name, old.at(name), new.at(after[taker]))
    for each, name in after.items():
        if each not in before and (each not in taken or "*" in each):
            said = f'The body can also be sent as "{name}".'
            pointers = old.pointer, new.at(name).pointer
            yield found("request-body-media-type-added", pair.where, pointers, said)


def _taker(each: str, others: list[str]) -> str | None:
    """Return the same media type with other parameters, or a range that stands for it."""
    plain = each.partition(";")[0]
    same = (other for other in others if other.partition(";")[0] == plain)
    ranges = (other for other in others if "*" in other and covers(other, each))
    return next(chain(same, ranges), None)


def _content(pair: OperationPair, name: str, old: Spot, new: Spot) -> Iterator[Finding]:
    before, after = old.at("schema"), new.at("schema")
    place = Place.RESPONSE_BODY if pair.is_sent else Place.REQUEST_BODY
    if before and after:
        child = Child("", before, after, place, is_text=not is_json(name))
        noun = "the body of the request" if name == "application/json" else f"the body ({name})"
        yield from pair.schemas.compare(child, pair.where, noun)
    elif after:
        said = f'The body sent as "{name}" must have a certain shape now.'
        pointers = old.pointer, after.pointer
        yield found("request-body-media-type-schema-added", pair.where, pointers, said)
    elif before:
        said = f'The body sent as "{name}" can have any shape now.'
        pointers = before.pointer, new.pointer
        yield found("request-body-media-type-schema-removed", pair.where, pointers, said)
    was, is_ = old.at("encoding"), new.at("encoding")
    for part in was.members().keys() & is_.members().keys():
        if any(was.at(part).at(key).value != is_.at(part).at(key).value for key in _WRITTEN):
            said = f'The part "{part}" of the body is written in another way.'
            pointers = was.at(part).pointer, is_.at(part).pointer
            yield found("request-body-encoding-changed", pair.where, pointers, said)


_WRITTEN = ("contentType", "style", "explode", "allowReserved")
