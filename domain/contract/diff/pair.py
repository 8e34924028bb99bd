"""A pair of schemas that stand at the same place of the old and the new contract."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import orjson

from domain.contract.diff.spot import Spot, joined
from domain.contract.diff.terms import Terms
from domain.contract.diff.view import View
from domain.contract.document import Tree, one_line

QUOTED_CHARS = 60


class Place(StrEnum):
    """What a schema describes; ids of rules begin with it."""

    PARAMETER = "request-parameter"
    PARAMETER_PROPERTY = "request-parameter-property"
    REQUEST_BODY = "request-body"
    REQUEST_PROPERTY = "request-property"
    HEADER = "response-header"
    RESPONSE_BODY = "response-body"
    RESPONSE_PROPERTY = "response-property"

    @property
    def is_request(self) -> bool:
        """Whether clients write it: then the new contract must accept what the old one did."""
        return self.startswith("request")

    @property
    def within(self) -> "Place":
        """The place of what is inside."""
        return _WITHIN[self]

    @property
    def mirrored(self) -> "Place":
        """The place where more and less mean the opposite."""
        return _MIRRORED[self]


_WITHIN = {
    Place.PARAMETER: Place.PARAMETER_PROPERTY,
    Place.PARAMETER_PROPERTY: Place.PARAMETER_PROPERTY,
    Place.REQUEST_BODY: Place.REQUEST_PROPERTY,
    Place.REQUEST_PROPERTY: Place.REQUEST_PROPERTY,
    Place.HEADER: Place.HEADER,
    Place.RESPONSE_BODY: Place.RESPONSE_PROPERTY,
    Place.RESPONSE_PROPERTY: Place.RESPONSE_PROPERTY,
}
_MIRRORED = {
    Place.PARAMETER: Place.HEADER,
    Place.PARAMETER_PROPERTY: Place.HEADER,
    Place.REQUEST_BODY: Place.RESPONSE_BODY,
    Place.REQUEST_PROPERTY: Place.RESPONSE_PROPERTY,
    Place.HEADER: Place.PARAMETER,
    Place.RESPONSE_BODY: Place.REQUEST_BODY,
    Place.RESPONSE_PROPERTY: Place.REQUEST_PROPERTY,
}


@dataclass(frozen=True, slots=True)
class Child:
    """Where the two sides go on: the unread schemas, and how one gets there.

    `label` is the name of a property, or what a sentence calls what the `keyword` describes.
    `is_text` says that values are written as plain text, so that 1 and "1" look the same;
    `is_exploded` that a single value and a list of one look the same; `is_negated` that the
    schemas are below a `not`, where more is less.
    """

    label: str
    old: Spot
    new: Spot
    place: Place
    keyword: str = ""
    is_text: bool = False
    is_exploded: bool = False
    is_negated: bool = False


def way(path: tuple[Child, ...]) -> str:
    """Return in words how one gets there: `"id" of each element of "cats/kittens"`."""
    steps = []
    for is_property, children in groupby(path, lambda each: not each.keyword):
        labels = [each.label for each in children]
        steps += [f'"{"/".join(labels)}"'] if is_property else labels
    return " of ".join(reversed(steps))


@dataclass(frozen=True, slots=True)
class Pair:
    """The two schemas, read; see `Child`."""

    old: View
    new: View
    place: Place
    is_text: bool
    is_exploded: bool
    is_negated: bool
    terms: Terms

    @property
    def key(self) -> tuple[object, ...]:
        """What tells the pair from others: a schema that two places refer to is compared once."""
        views = (self.old, self.new)
        return (
            *((each.pointer, each.nullable) for each in views),
            self.place,
            self.is_text,
            self.is_exploded,
            self.is_negated,
        )

    @property
    def accepting(self) -> View:
        """The side that says what there may be: the old one of a request."""
        return self.old if self.place.is_request else self.new

    @property
    def judging(self) -> View:
        """The side that must be content with it."""
        return self.new if self.place.is_request else self.old

    def is_sent(self, property_: View) -> bool:
        """Whether a property is sent in this direction at all."""
        keyword = "readOnly" if self.place.is_request else "writeOnly"
        return not property_.at(keyword).flag()

    def within(self, label: str, old: Spot, new: Spot, keyword: str = "") -> Child:
        """Return where the pair goes on inside, in a property or below a keyword."""
        is_value = self.place is Place.PARAMETER and keyword == "items"
        return Child(
            label,
            old,
            new,
            self.place if is_value else self.place.within,
            keyword,
            is_text=self.is_text,
            is_negated=self.is_negated != (keyword == "not"),
        )

    def says(
        self, change: str, predicate: str, *keys: str, is_moot: bool = False, proof: str = ""
    ) -> "Said":
        """Return that `change` happened; `keys` lead from the schema to where it is written.

        `predicate` follows the name of the place in a sentence. `change` is what follows the
        place in the id of the rule, or a whole id when it contains the place already. What
        `is_moot` is about something that is not sent in this direction. `proof` is the keyword that
        refuses a payload which shows it, the first of `keys` unless told.
        """
        is_whole = change.startswith(("request-", "response-", "new-", "api-", "remote-"))
        rule = change if is_whole else f"{self.place}-{change}"
        pointers = _place(self.old, keys), _place(self.new, keys)
        return Said(rule, predicate, *pointers, is_moot, proof or "".join(keys[:1]))


def _place(side: View, keys: tuple[str, ...]) -> str | None:
    """Return the pointer to the keyword, to the schema when the keyword is not written."""
    pointer, value = side.pointer, side.spot.value
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            break
        pointer, value = joined(pointer, key), value[key]
    return pointer


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says of a pair, whichever operation it is met at."""

    rule: str
    predicate: str
    old: str | None
    new: str | None
    is_moot: bool
    proof: str


def quoted(value: Tree) -> str:
    """Return the value as a sentence can hold it."""
    return one_line(orjson.dumps(value).decode(), QUOTED_CHARS)


def named(keys: list[str]) -> str:
    """Return a few names as a sentence can hold them."""
    few = ", ".join(f'"{one_line(key, QUOTED_CHARS)}"' for key in keys[:3])
    return few if len(keys) <= len(keys[:3]) else f"{few} and {len(keys) - 3} more"
