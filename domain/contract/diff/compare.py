"""Comparing two OpenAPI documents."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from domain.contract.diff.containment import Containment
from domain.contract.diff.operation_pair import OperationPair
from domain.contract.diff.same import Sameness
from domain.contract.diff.schemas import Schemas
from domain.contract.diff.spot import Document, Spot
from domain.contract.diff.terms import Terms
from domain.contract.document import Tree
from domain.contract.finding import Finding, Level, ordered
from domain.contract.openapi import METHODS
from domain.contract.rules import (
    bodies,
    lifecycle,
    operations,
    parameters,
    responses,
    security,
    servers,
)
from domain.contract.rules.rest import found

OPERATION_RULES: tuple[Callable[[OperationPair], Iterator[Finding]], ...] = (
    lifecycle.operations,
    operations.names,
    operations.addresses,
    parameters.parameters,
    bodies.bodies,
    responses.responses,
    security.requirements,
)

CALLBACKS = 20
"""So deep may callbacks have callbacks of their own."""

_VARIABLE = re.compile(r"\{([^{}]*)\}")


def rest_differences(
    old: Tree, new: Tree, terms: Terms, *, allows_remote: bool = False
) -> tuple[Finding, ...]:
    """Return what changed between two OpenAPI documents, the gravest first.

    Documents that are the same give nothing. Raises NotAnApiDocumentError with the place of what
    is missing, broken or of the wrong type, where the two were compared; BrokenReferenceError;
    RemoteReferenceError unless remote references are allowed (they are never fetched).
    """
    before = Document(old, "old", allows_remote).top
    after = Document(new, "new", allows_remote).top
    sameness = Sameness(before.document, after.document)
    containment = Containment(before.document, after.document)
    comparison = _Comparison(terms, sameness, Schemas(sameness, terms, containment))
    return ordered(comparison.documents(before, after))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where operations are: below the paths, the webhooks, or a callback of `within`."""

    is_sent: bool = False
    within: str = ""
    depth: int = 0


@dataclass(slots=True)
class _Comparison:
    terms: Terms
    sameness: Sameness
    schemas: Schemas
    seen: set[tuple[str, str]] = field(default_factory=set)

    def documents(self, old: Spot, new: Spot) -> Iterator[Finding]:
        if self.sameness.same(old, new):
            return
        yield from servers.servers("", old.at("servers"), new.at("servers"))
        yield from security.schemes(old, new)
        yield from operations.components(old, new)
        yield from self.paths(old.at("paths"), new.at("paths"))
        yield from self.webhooks(old.at("webhooks"), new.at("webhooks"))

    def paths(self, old: Spot, new: Spot) -> Iterator[Finding]:
        before = {path: _item(spot) for path, spot in old.each(has_extensions=True)}
        after = {path: _item(spot) for path, spot in new.each(has_extensions=True)}
        by_shape = {_shape(path): path for path in after}
        taken = set()
        for path, item in before.items():
            heir = path if path in after else by_shape.get(_shape(path))
            if heir is None or (heir != path and heir in before):
                for method in _methods(item):
                    where = f"{method.upper()} {path}"
                    yield lifecycle.removed_operation(
                        where, "operation", item.at(method), self.terms, with_path=True
                    )
                continue
            taken.add(heir)
            renamed = dict(zip(_VARIABLE.findall(path), _VARIABLE.findall(heir), strict=True))
            yield from self.items(path, item, after[heir], renamed, _Place())
        for path, item in after.items():
            if path not in taken:
                for method in _methods(item):
                    where = f"{method.upper()} {path}"
                    yield _added(where, "operation", old.pointer, item.at(method))

    def webhooks(self, old: Spot, new: Spot) -> Iterator[Finding]:
        for name, item in old.each():
            other = new.at(name)
            if other:
                place = _Place(is_sent=True)
                yield from self.items(f"webhook:{name}", _item(item), _item(other), {}, place)
            else:
                sentence = f'The webhook "{name}" is no longer sent.'
                yield found("webhook-removed", "", (item.pointer, new.pointer), sentence)
        for name, item in new.each():
            if not old.at(name):
                sentence = f'The webhook "{name}" is new.'
                yield found("webhook-added", "", (old.pointer, item.pointer), sentence)

    def items(
        self, path: str, old: Spot, new: Spot, renamed: dict[str, str], place: _Place
    ) -> Iterator[Finding]:
        for method in METHODS:
            before, after = old.at(method), new.at(method)
            where = place.within or f"{method.upper()} {path}"
            noun = f'callback "{path}"' if place.within else "operation"
            if before and after:
                pair = OperationPair(
                    where,
                    noun,
                    old,
                    new,
                    before,
                    after,
                    renamed,
                    place.is_sent,
                    self.terms,
                    self.schemas,
                )
                yield from self.operations(pair, place)
            elif before:
                yield lifecycle.removed_operation(where, noun, before, self.terms, with_path=False)
            elif after:
                yield _added(where, noun, old.pointer, after)

    def operations(self, pair: OperationPair, place: _Place) -> Iterator[Finding]:
        if self._is_untouched(pair):
            return
        was = lifecycle.life(pair.old)
        is_promised = was.is_stability_broken or self.terms.is_promised(was.stability)
        findings = (finding for rule in OPERATION_RULES for finding in rule(pair))
        for finding in (*findings, *self.callbacks(pair, place)):
            yield finding if is_promised else replace(finding, level=Level.INFO)

    def callbacks(self, pair: OperationPair, place: _Place) -> Iterator[Finding]:
        if place.depth >= CALLBACKS:
            return
        old, new = pair.old.at("callbacks"), pair.new.at("callbacks")
        within = _Place(is_sent=True, within=pair.where, depth=place.depth + 1)
        for name, callback in old.each():
            other = new.at(name)
            if not other:
                sentence = f'The callback "{name}" is no longer sent.'
                pointers = callback.pointer, new.pointer
                yield found("callback-removed", pair.where, pointers, sentence)
                continue
            before = dict(callback.followed().each(has_extensions=True))
            after = dict(other.followed().each(has_extensions=True))
            for url, item in before.items():
                heir = after.get(url)
                if heir is None:
                    sentence = f'The callback "{name}" is no longer sent to {url}.'
                    pointers = item.pointer, other.pointer
                    yield found("callback-removed", pair.where, pointers, sentence)
                else:
                    yield from self.items(name, _item(item), _item(heir), {}, within)
        for name, callback in new.each():
            if not old.at(name):
                sentence = f'The callback "{name}" is new.'
                yield found("callback-added", pair.where, (old.pointer, callback.pointer), sentence)

    def _is_untouched(self, pair: OperationPair) -> bool:
        """Whether neither the operation nor what it takes from its surroundings changed."""
        same = self.sameness.same
        documents = pair.old.document.top, pair.new.document.top
        return (
            same(pair.old, pair.new)
            and all(
                same(pair.old_item.at(key), pair.new_item.at(key))
                for key in ("parameters", "servers")
            )
            and same(documents[0].at("security"), documents[1].at("security"))
        )


def _item(spot: Spot) -> Spot:
    """Return a path item; what is written beside its reference counts too."""
    target = spot.followed()
    if target is spot:
        return spot
    beside = {key: value for key, value in spot.members().items() if key != "$ref"}
    return Spot(spot.document, {**target.members(), **beside}, target.pointer)


def _added(where: str, noun: str, old: str, new: Spot) -> Finding:
    return found("endpoint-added", where, (old, new.pointer), f"The {noun} is new.")


def _methods(item: Spot) -> Iterator[str]:
    return (method for method in METHODS if item.at(method))


def _shape(path: str) -> str:
    return _VARIABLE.sub("{}", path)
