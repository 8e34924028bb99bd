"""Servers: the addresses at which the API is offered."""

from collections.abc import Iterator

from domain.contract.diff.pair import named
from domain.contract.diff.spot import Spot
from domain.contract.finding import Finding
from domain.contract.rules.rest import found


def servers(where: str, old: Spot, new: Spot) -> Iterator[Finding]:
    """An address came or went, or its variables have other values."""
    if not old or not new:
        return  # The addresses of what is above apply, and are compared there.
    before = {each.at("url").text().rstrip("/"): each for each in old.elements()}
    after = {each.at("url").text().rstrip("/"): each for each in new.elements()}
    for url in sorted(before.keys() | after.keys()):
        was, is_ = before.get(url), after.get(url)
        if was is None or is_ is None:
            change, said = ("added", "also") if is_ is not None else ("removed", "no longer")
            pointers = (each.pointer if each else None for each in (was, is_))
            sentence = f"The API is {said} offered at {named([url])}."
            yield found(f"server-{change}", where, pointers, sentence)
        else:
            yield from _variables(where, url, was.at("variables"), is_.at("variables"))


def _variables(where: str, url: str, old: Spot, new: Spot) -> Iterator[Finding]:
    for name in sorted(old.members().keys() & new.members().keys()):
        was, is_ = old.at(name), new.at(name)
        noun = f"The variable {named([name])} of the address {named([url])}"
        pointers = was.pointer, is_.pointer
        if was.at("default").value != is_.at("default").value:
            sentence = f"{noun} has another default."
            yield found("server-variable-default-changed", where, pointers, sentence)
        gone = set(map(str, was.at("enum").texts())) - set(map(str, is_.at("enum").texts()))
        if gone and is_.at("enum"):
            sentence = f"{noun} can no longer be {named(sorted(gone))}."
            yield found("server-variable-value-removed", where, pointers, sentence)
