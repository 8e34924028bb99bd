"""Security: an OR of ANDs. Whoever could call before must be able to call now."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.contract.diff.operation_pair import OperationPair
from domain.contract.diff.pair import named
from domain.contract.diff.spot import Spot
from domain.contract.finding import Finding
from domain.contract.rules.rest import found

Credentials = dict[str, frozenset[str]]
"""Schemes that are all needed, each with the scopes it must have."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """The ways to authenticate, any of which is enough, and where they are written."""

    ways: tuple[Credentials, ...]
    pointer: str


def requirements(pair: OperationPair) -> Iterator[Finding]:
    """Credentials that were enough no longer are, or another way to authenticate is possible."""
    old, new = _offer(pair.old), _offer(pair.new)
    if old.ways == new.ways:
        return
    for way in old.ways or ({},):
        if new.ways and not any(_is_enough(way, needed) for needed in new.ways):
            said = f"{_shown(way)} is no longer enough to call the {pair.noun}"
            sentence = f"{said[:1].upper()}{said[1:]}."
            pointers = old.pointer, new.pointer
            yield found("api-security-tightened", pair.where, pointers, sentence)
    for ways, others, change, said in (
        (new.ways, old.ways, "added", "is accepted now"),
        (old.ways, new.ways, "removed", "is no longer listed"),
    ):
        for way in ways:
            if way not in others:
                shown = _shown(way)
                sentence = f"{shown[:1].upper()}{shown[1:]} {said} as a way to authenticate."
                pointers = old.pointer, new.pointer
                yield found(f"api-security-{change}", pair.where, pointers, sentence)


def _offer(operation: Spot) -> _Offer:
    holder = operation if operation.at("security") else operation.document.top
    security = holder.at("security")
    ways = tuple(
        {scheme: frozenset(scopes.texts()) for scheme, scopes in way.each()}
        for way in security.elements()
    )
    return _Offer(ways, security.pointer if security else operation.pointer)


def _is_enough(held: Credentials, needed: Credentials) -> bool:
    return all(scheme in held and scopes <= held[scheme] for scheme, scopes in needed.items())


def _shown(way: Credentials) -> str:
    if not way:
        return "calling without credentials"
    return " with ".join(
        named([scheme]) + (f" (scopes {', '.join(sorted(scopes))})" if scopes else "")
        for scheme, scopes in sorted(way.items())
    )


def schemes(old: Spot, new: Spot) -> Iterator[Finding]:
    """A security scheme came, went, or works in another way."""
    before, after = (side.at("components").at("securitySchemes") for side in (old, new))
    for name in before.members().keys() | after.members().keys():
        was, is_ = (side.at(name).followed() for side in (before, after))
        pointers = was.pointer, is_.pointer
        if not was or not is_:
            change, said = ("added", "is new") if is_ else ("removed", "is gone")
            rule = f"api-security-component-{change}"
            yield found(rule, "", pointers, f"The security scheme {named([name])} {said}.")
        elif was.value != is_.value:
            yield from _scheme(name, was, is_)


def _scheme(name: str, was: Spot, is_: Spot) -> Iterator[Finding]:
    pointers = was.pointer, is_.pointer
    noun = f"The security scheme {named([name])}"
    for keys, rule, said in (
        (("type", "scheme"), "type-changed", "is of another type"),
        (("in", "name"), "moved", "is sent in another place"),
    ):
        if any(was.at(key).text().lower() != is_.at(key).text().lower() for key in keys):
            yield found(f"api-security-component-{rule}", "", pointers, f"{noun} {said}.")
    for flow in sorted(was.at("flows").members().keys() & is_.at("flows").members().keys()):
        before, after = was.at("flows").at(flow), is_.at("flows").at(flow)
        for key, rule in (("authorizationUrl", "oauth-url"), ("tokenUrl", "oauth-token-url")):
            if before.at(key).text() != after.at(key).text():
                pointers = before.at(key).pointer, after.at(key).pointer
                sentence = f"{noun} has another {key} for {flow}."
                yield found(f"api-security-component-{rule}-changed", "", pointers, sentence)
        yield from _scopes(noun, before.at("scopes"), after.at("scopes"))


def _scopes(noun: str, before: Spot, after: Spot) -> Iterator[Finding]:
    was, is_ = before.members(), after.members()
    for scope in sorted(was.keys() | is_.keys()):
        change = "added" if scope not in was else "removed" if scope not in is_ else "changed"
        if change != "changed" or was[scope] != is_[scope]:
            rule = f"api-security-component-oauth-scope-{change}"
            pointers = before.at(scope).pointer, after.at(scope).pointer
            yield found(rule, "", pointers, f"{noun}: the scope {named([scope])} was {change}.")
