"""Lifecycle: deprecation, sunset and stability of operations, parameters and properties."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain

from domain.contract.diff.operation_pair import OperationPair
from domain.contract.diff.pair import Pair, Place, Said, quoted
from domain.contract.diff.spot import Spot, joined
from domain.contract.diff.terms import STABILITIES, Terms, less_stable
from domain.contract.finding import Finding
from domain.contract.rules.rest import found

SUNSET = "x-sunset"
STABILITY = "x-stability-level"


@dataclass(frozen=True, slots=True)
class Life:
    """What a document says of how long something lives.

    `sunset` is None when there is none, or when `is_sunset_broken`: it is no date.
    """

    is_deprecated: bool
    has_sunset: bool
    is_sunset_broken: bool
    sunset: date | None
    stability: str
    is_stability_broken: bool


def life(spot: Spot) -> Life:
    """Return the life of an operation, a parameter or a property."""
    members = spot.members()
    written = members.get(SUNSET)
    sunset = _date(written)
    stability = members.get(STABILITY)
    return Life(
        is_deprecated=spot.at("deprecated").flag(),
        has_sunset=written is not None,
        is_sunset_broken=written is not None and sunset is None,
        sunset=sunset,
        stability=stability if isinstance(stability, str) else "",
        is_stability_broken=stability is not None and stability not in STABILITIES,
    )


def _date(written: object) -> date | None:
    try:
        return datetime.fromisoformat(written).date() if isinstance(written, str) else None
    except ValueError:
        return None


def is_too_soon(sunset: date, stability: str, terms: Terms) -> bool:
    """Whether the sunset leaves less notice than was promised."""
    return (sunset - terms.today).days < terms.notice(stability)


def broken_stability(where: str, old: Spot, new: Spot) -> Iterator[Finding]:
    """The stability level is not one of the four."""
    for side in (old, new):
        if life(side).is_stability_broken:
            written = quoted(side.members()[STABILITY])
            pointer = joined(side.pointer, STABILITY)
            pointers = (pointer, None) if side is old else (None, pointer)
            said = f"The stability level {written} is not one of {', '.join(STABILITIES)}."
            yield found("api-invalid-stability-level", where, pointers, said)
            return


def operations(pair: OperationPair) -> Iterator[Finding]:
    """An operation is deprecated, alive again, or more or less stable than before."""
    before, after = life(pair.old), life(pair.new)
    yield from broken_stability(pair.where, pair.old, pair.new)
    if before.is_stability_broken or after.is_stability_broken:
        return
    if less_stable(after.stability, before.stability):
        said = f"is {after.stability} now, before {before.stability or 'stable'}"
        yield pair.found("api-stability-decreased", said, STABILITY)
    elif less_stable(before.stability, after.stability):
        said = f"is {after.stability or 'stable'} now, before {before.stability}"
        yield pair.found("api-stability-increased", said, STABILITY)
    if not pair.terms.is_promised(after.stability):
        return
    if after.is_deprecated and not before.is_deprecated:
        yield _deprecated(pair, after)
    elif before.is_deprecated and not after.is_deprecated:
        yield pair.found("endpoint-reactivated", "is no longer deprecated", "deprecated")
    elif before.is_deprecated and before.has_sunset:
        yield from _sunset_changed(pair, before, after)


def _deprecated(pair: OperationPair, after: Life) -> Finding:
    notice = pair.terms.notice(after.stability)
    if after.is_sunset_broken:
        return pair.found("api-deprecated-sunset-parse", "has a sunset that is no date", SUNSET)
    if after.sunset is None:
        if notice:
            said = "is deprecated without saying when it ends"
            return pair.found("api-deprecated-sunset-missing", said, "deprecated")
        return pair.found("endpoint-deprecated", "is deprecated", "deprecated")
    said = f"is deprecated and ends on {after.sunset}"
    if is_too_soon(after.sunset, after.stability, pair.terms):
        said += f"; {notice} days of notice were promised"
        return pair.found("api-sunset-date-too-small", said, SUNSET)
    return pair.found("endpoint-deprecated-with-sunset", said, SUNSET)


def _sunset_changed(pair: OperationPair, before: Life, after: Life) -> Iterator[Finding]:
    if not after.has_sunset:
        yield pair.found("sunset-deleted", "no longer says when it ends", SUNSET)
    elif pair.old.members()[SUNSET] == pair.new.members()[SUNSET]:
        return
    elif before.is_sunset_broken or after.is_sunset_broken:
        yield pair.found("api-path-sunset-parse", "has a sunset that is no date", SUNSET)
    elif _came_too_near(before, after, pair.terms):
        said = f"ends on {after.sunset}, before on {before.sunset}: sooner than promised"
        yield pair.found("api-sunset-date-changed-too-small", said, SUNSET)


def _came_too_near(before: Life, after: Life, terms: Terms) -> bool:
    if before.sunset is None or after.sunset is None or after.sunset >= before.sunset:
        return False
    return is_too_soon(after.sunset, after.stability, terms)


def removed_operation(
    where: str, noun: str, spot: Spot, terms: Terms, *, with_path: bool
) -> Finding:
    """An operation is gone, with its path or alone."""
    was, key = life(spot), ""
    rule, said = f"api{'-path' * with_path}-removed", "is gone"
    if was.is_stability_broken:
        rule, said, key = "api-invalid-stability-level", "is gone; its level was none", STABILITY
    elif not was.is_deprecated and not terms.is_promised(was.stability):
        rule, said = "api-removed-while-unstable", f"is gone; it was {was.stability}"
    elif not was.is_deprecated:
        rule, said = f"{rule}-without-deprecation", "is gone without having been deprecated"
    elif was.is_sunset_broken:
        rule, said, key = "api-path-sunset-parse", "is gone; its sunset was no date", SUNSET
    elif was.sunset is not None and terms.today < was.sunset:
        rule, said = f"{rule}-before-sunset", f"is gone before its sunset on {was.sunset}"
    else:
        rule, said = f"{rule}-with-deprecation", "is gone; it was deprecated"
    pointer = joined(spot.pointer, key) if key else spot.pointer
    return found(rule, where, (pointer, None), f"The {noun} {said}.")


def removed_parameter(where: str, spot: Spot, noun: str, terms: Terms) -> Finding:
    """A parameter is gone."""
    was = life(spot)
    rule, said = "request-parameter-removed", "is no longer read"
    if was.is_deprecated:
        rule, said = "request-parameter-removed-with-deprecation", "is gone; it was deprecated"
        if was.is_sunset_broken:
            rule, said = "request-parameter-sunset-parse", "is gone, and its sunset was no date"
        elif was.sunset is not None and terms.today < was.sunset:
            rule = "request-parameter-removed-before-sunset"
            said = f"is gone before its sunset on {was.sunset}"
    return found(rule, where, (spot.pointer, None), f"The {noun} {said}.")


def parameters(
    where: str, old: Spot, new: Spot, noun: str, terms: Terms, stability: str
) -> Iterator[Finding]:
    """A parameter is deprecated, alive again, or more or less stable."""
    before, after = life(old), life(new)
    stability = after.stability or stability
    told = _stability_changed(before, after)
    if terms.is_promised(stability):
        told = chain(told, _parameter_ends(before, after, terms, stability))
    for change, said, key in told:
        pointers = (joined(side.pointer, key) for side in (old, new))
        yield found(f"request-parameter-{change}", where, pointers, f"The {noun} {said}.")


_Told = tuple[str, str, str]
"""What happened, as in the id of the rule; what a sentence says; the keyword."""


def _stability_changed(before: Life, after: Life) -> Iterator[_Told]:
    if less_stable(after.stability, before.stability):
        yield "stability-decreased", f"is only {after.stability} now", STABILITY
    elif less_stable(before.stability, after.stability):
        yield "stability-increased", f"was only {before.stability} before", STABILITY


def _parameter_ends(before: Life, after: Life, terms: Terms, stability: str) -> Iterator[_Told]:
    if before.is_deprecated and not after.is_deprecated:
        yield "reactivated", "is no longer deprecated", "deprecated"
    elif after.is_deprecated and not before.is_deprecated:
        yield _parameter_deprecated(after, terms, stability)
    elif before.has_sunset and before.is_deprecated and before != after:
        if not after.has_sunset:
            yield "sunset-deleted", "no longer says when it ends", SUNSET
        elif before.is_sunset_broken or after.is_sunset_broken:
            yield _BROKEN
        elif _came_too_near(before, after, terms):
            said = f"ends on {after.sunset}, before on {before.sunset}"
            yield "sunset-date-changed-too-small", said, SUNSET


_BROKEN = "sunset-parse", "has a sunset that is no date", SUNSET


def _parameter_deprecated(after: Life, terms: Terms, stability: str) -> _Told:
    if after.is_sunset_broken:
        return _BROKEN
    if after.sunset is None and terms.notice(stability):
        said = "is deprecated without saying when it ends"
        return "deprecated-sunset-missing", said, "deprecated"
    if after.sunset is not None and is_too_soon(after.sunset, stability, terms):
        return "sunset-date-too-small", f"ends already on {after.sunset}", SUNSET
    return "deprecated", "is deprecated", "deprecated"


def properties(pair: Pair) -> Iterator[Said]:
    """A property is deprecated, alive again, or more or less stable."""
    if not str(pair.place).endswith("property") or pair.place is Place.PARAMETER_PROPERTY:
        return
    before, after = life(pair.old.spot), life(pair.new.spot)
    if before.is_stability_broken or after.is_stability_broken:
        yield pair.says("api-invalid-stability-level", "has a level that is none", STABILITY)
        return
    is_promised = pair.terms.is_promised
    if is_promised(before.stability) or is_promised(after.stability):
        for change, said, key in _stability_changed(before, after):
            yield pair.says(change, said, key)
    if before.is_deprecated and not after.is_deprecated:
        yield pair.says("reactivated", "is no longer deprecated", "deprecated")
    elif after.is_deprecated and not before.is_deprecated and is_promised(after.stability):
        yield _property_ends(pair, after)


def _property_ends(pair: Pair, after: Life) -> Said:
    if after.is_sunset_broken:
        return pair.says("deprecated-sunset-invalid", "has a sunset that is no date", SUNSET)
    if after.sunset is None:
        must = pair.terms.notice(after.stability)
        change = "deprecated-sunset-missing" if must else "deprecated"
        return pair.says(change, "is deprecated", "deprecated")
    if is_too_soon(after.sunset, after.stability, pair.terms):
        return pair.says("sunset-date-too-small", f"ends already on {after.sunset}", SUNSET)
    said = f"is deprecated and ends on {after.sunset}"
    return pair.says("deprecated-with-sunset", said, "deprecated")
