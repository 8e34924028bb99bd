"""Responses: their statuses, headers and bodies."""

import re
from collections.abc import Iterator

from domain.contract.diff.operation_pair import OperationPair
from domain.contract.diff.pair import Child, Place
from domain.contract.diff.spot import Spot
from domain.contract.finding import Finding
from domain.contract.rules.bodies import covers, described, essence, is_json
from domain.contract.rules.rest import found

_STATUS = re.compile("[1-5]([0-9][0-9]|XX)", re.ASCII)


def responses(pair: OperationPair) -> Iterator[Finding]:
    """What an operation answers is another."""
    old, new = (side.at("responses") for side in (pair.old, pair.new))
    before = {name.upper(): spot for name, spot in old.each(has_extensions=True)}
    after = {name.upper(): spot for name, spot in new.each(has_extensions=True)}
    for status, spot in before.items():
        heir = after.get(status) or after.get(f"{status[:1]}XX")
        if heir is not None:
            yield from _response(pair, status, spot.followed(), heir.followed())
        elif not _is_told_exactly(status, list(after)):
            pointers = spot.pointer, new.pointer
            yield from _status(pair, status, "removed", "is no longer answered", *pointers)
    for status, spot in after.items():
        if status in before:
            continue
        model = before.get(f"{status[:1]}XX")
        if model is not None:
            yield from _response(pair, status, model.followed(), spot.followed())
        else:
            pointers = old.pointer, spot.pointer
            yield from _status(pair, status, "added", "can now be answered", *pointers)


def _is_told_exactly(status: str, others: list[str]) -> bool:
    """Whether a range of statuses became some of them."""
    return status.endswith("XX") and any(other[:1] == status[:1] for other in others)


def _status(
    pair: OperationPair, status: str, change: str, said: str, old: str, new: str
) -> Iterator[Finding]:
    if not _STATUS.fullmatch(status):
        return
    kind = "success" if status.startswith("2") else "non-success"
    rule = f"response-{kind}-status-{change}"
    yield found(rule, pair.where, (old, new), f"The status {status} {said}.")


def _response(pair: OperationPair, status: str, old: Spot, new: Spot) -> Iterator[Finding]:
    if pair.schemas.sameness.same(old, new):
        return
    yield from _headers(pair, status, old, new)
    yield from _contents(pair, status, old.at("content"), new.at("content"))


def _headers(pair: OperationPair, status: str, old: Spot, new: Spot) -> Iterator[Finding]:
    before = {name.lower(): spot.followed() for name, spot in old.at("headers").each()}
    after = {name.lower(): spot.followed() for name, spot in new.at("headers").each()}
    for name in sorted(before.keys() | after.keys()):
        was, is_ = before.get(name), after.get(name)
        noun = f'the header "{name}" of the response {status}'
        if name == "content-type":
            continue
        if was is None or is_ is None:
            yield _header_gone_or_new(pair, noun, was, is_, old if was is None else new)
            continue
        needs = was.at("required").flag(), is_.at("required").flag()
        if needs[0] != needs[1]:
            change, always = ("optional", "no longer") if needs[0] else ("required", "now")
            said = f"{noun[:1].upper()}{noun[1:]} is {always} always sent."
            rule = f"response-header-became-{change}"
            yield found(rule, pair.where, (was.pointer, is_.pointer), said)
        yield from _header_schema(pair, noun, was, is_)


def _header_schema(pair: OperationPair, noun: str, was: Spot, is_: Spot) -> Iterator[Finding]:
    (before, old_type), (after, new_type) = (described(each) for each in (was, is_))
    if before and after:
        place = Place.PARAMETER if pair.is_sent else Place.HEADER
        is_text = not (is_json(old_type) or is_json(new_type))
        child = Child("", before, after, place, is_text=is_text)
        yield from pair.schemas.compare(child, pair.where, noun)


def _header_gone_or_new(
    pair: OperationPair, noun: str, was: Spot | None, is_: Spot | None, missing: Spot
) -> Finding:
    noun = noun[:1].upper() + noun[1:]
    if was is None:
        assert is_ is not None
        said = f"{noun} is new."
        return found("response-header-added", pair.where, (missing.pointer, is_.pointer), said)
    need = "required" if was.at("required").flag() else "optional"
    rule = f"{need}-response-header-removed"
    return found(rule, pair.where, (was.pointer, missing.pointer), f"{noun} is gone.")


def _contents(pair: OperationPair, status: str, old: Spot, new: Spot) -> Iterator[Finding]:
    before = {essence(name): name for name, _ in old.each()}
    after = {essence(name): name for name, _ in new.each()}
    come = [each for each in after if each not in before]
    for each, name in before.items():
        spot = old.at(name)
        heir = each if each in after else _heir(each, come)
        if heir is None:
            said = f'The response {status} no longer comes as "{name}".'
            yield found(
                "response-media-type-removed", pair.where, (spot.pointer, new.pointer), said
            )
            continue
        target = new.at(after[heir])
        if heir != each:
            come.remove(heir)
            said = f'The response {status} comes as "{after[heir]}", before as "{name}".'
            rule = f"response-media-type-name-{_renaming(each, heir)}"
            yield found(rule, pair.where, (spot.pointer, target.pointer), said)
        yield from _content(pair, status, name, spot, target)
    for each in come:
        spot = new.at(after[each])
        said = f'The response {status} can also come as "{after[each]}".'
        yield found("response-media-type-added", pair.where, (old.pointer, spot.pointer), said)


def _heir(each: str, come: list[str]) -> str | None:
    """Return the new media type that is the old one under a wider or narrower name."""
    return next((other for other in come if covers(other, each) or covers(each, other)), None)


def _renaming(old: str, new: str) -> str:
    if old.partition(";")[0] == new.partition(";")[0]:
        return "changed"
    return "generalized" if covers(new, old) else "specialized"


def _content(
    pair: OperationPair, status: str, name: str, old: Spot, new: Spot
) -> Iterator[Finding]:
    before, after = old.at("schema"), new.at("schema")
    if before and after:
        noun = f"the response {status}" + ("" if name == "application/json" else f" ({name})")
        place = Place.REQUEST_BODY if pair.is_sent else Place.RESPONSE_BODY
        child = Child("", before, after, place, is_text=not is_json(name))
        yield from pair.schemas.compare(child, pair.where, noun)
    elif before or after:
        change, said = ("added", "a certain") if after else ("removed", "any")
        rule = f"response-body-media-type-schema-{change}"
        pointers = (each.at("schema").pointer for each in (old, new))
        yield found(rule, pair.where, pointers, f"The response {status} has {said} shape now.")
