"""Containment: whether everything that one side may send is fine with the other.

A rule says what changed in the text of a schema; here is asked what it means. "Yes" may take a
finding back, "no" shows a payload, and where nobody knows the rule has the last word.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import jsonschema_rs
import orjson
from jsonschema_rs import canonical

from domain.contract.diff.pair import Pair
from domain.contract.diff.plain_schema import JsonSchema, PlainSchemas
from domain.contract.diff.samples import samples
from domain.contract.diff.spot import Document, RemoteReferenceError
from domain.contract.diff.view import View
from domain.contract.document import Tree
from domain.contract.finding import Verdict, Witness

Accepts = Callable[[Tree], bool]

_ERRORS = (
    canonical.CanonicalizationError,
    jsonschema_rs.ValidationError,
    jsonschema_rs.ReferencingError,
    ValueError,
    RemoteReferenceError,
)
ALTERNATIVES = 64
EFFORT = 20_000_000
"""Bytes of schemas times their alternatives that one comparison asks about; GitHub's takes 1 %."""

_SUBTRACTED_BYTES = 4_000
"""What one larger schema leaves of another may take seconds to compute."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`is_contained` is None when nobody knows; `payloads` are accepted by one side only."""

    is_contained: bool | None
    payloads: tuple[Tree, ...] = ()


_UNKNOWN = Outcome(None)


@dataclass(slots=True)
class Containment:
    """Judges pairs of schemas of two documents, as far as their size allows."""

    old: Document
    new: Document
    _written: dict[tuple[str, bool], PlainSchemas] = field(default_factory=dict)
    _effort: int = EFFORT

    def judge(self, pair: Pair) -> Outcome:
        """Return whether the judging side is content with all that the accepting side says."""
        is_rewritten = pair.is_text and pair.old.types != pair.new.types
        if is_rewritten or pair.is_negated:
            return _UNKNOWN  # 1 and "1" are the same text; below a `not` the sides change places.
        try:
            accepting = self._plain(pair, pair.accepting)
            judging = self._plain(pair, pair.judging)
            if accepting is None or judging is None:
                return _UNKNOWN
            return self._judged(accepting, judging)
        except _ERRORS:
            return _UNKNOWN

    def _judged(self, accepting: JsonSchema, judging: JsonSchema) -> Outcome:
        tells_apart = _telling(accepting, judging)
        payloads = tuple(filter(tells_apart, samples(accepting)))
        if not payloads and self._is_affordable(accepting, judging):
            wide, narrow = _canonical(judging), _canonical(accepting)
            if wide.covers(narrow) is canonical.Containment.YES:
                return Outcome(is_contained=True)
            if _is_small(accepting) and _is_small(judging):
                payloads = tuple(filter(tells_apart, samples(_rest(narrow, wide))))
        return Outcome(is_contained=False, payloads=payloads) if payloads else _UNKNOWN

    def _is_affordable(self, *schemas: JsonSchema) -> bool:
        """Whether the answer is worth its time: alternatives multiply where they meet."""
        spread = max(map(alternatives, schemas))
        effort = spread * sum(len(orjson.dumps(schema)) for schema in schemas)
        if spread > ALTERNATIVES or effort > self._effort:
            return False
        self._effort -= effort
        return True

    def witness(self, pair: Pair, outcome: Outcome, keyword: str) -> Witness | None:
        """Return a payload that the keyword, as the judging side has it, is the reason for."""
        plain = self._plain(pair, pair.judging) if outcome.payloads else None
        if plain is None or keyword not in plain:
            return None
        part = {key: plain[key] for key in (keyword, "$defs") if key in plain}
        try:
            accepts = _validator(part)
        except _ERRORS:
            return None
        for payload in outcome.payloads:
            if not accepts(payload):
                return shown(pair, payload)
        return None

    def _plain(self, pair: Pair, side: View) -> JsonSchema | None:
        document = side.spot.document
        key = (document.about, pair.place.is_request)
        schemas = self._written.get(key)
        if schemas is None:
            schemas = self._written[key] = PlainSchemas(document, pair.place.is_request)
        plain = schemas.written(side.spot)
        if plain is None or not side.nullable:
            return plain
        definitions = plain.get("$defs", {})
        rest = {key: value for key, value in plain.items() if key != "$defs"}
        return {"anyOf": [{"type": "null"}, rest], "$defs": definitions}


def shown(pair: Pair, payload: Tree) -> Witness:
    """Return the payload with what the two sides say of it."""
    if pair.place.is_request:
        return Witness(Verdict.ACCEPTED, Verdict.REFUSED, payload)
    return Witness(Verdict.REFUSED, Verdict.ACCEPTED, payload)


def _canonical(schema: JsonSchema) -> jsonschema_rs.CanonicalSchema:
    return jsonschema_rs.canonicalize(
        schema, draft=jsonschema_rs.Draft202012, validate_formats=True, offline=True
    )


def _validator(schema: JsonSchema) -> Accepts:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
    return validator.is_valid


def _rest(narrow: jsonschema_rs.CanonicalSchema, wide: jsonschema_rs.CanonicalSchema) -> JsonSchema:
    """Return a schema of what the one accepts and the other does not, or of anything."""
    try:
        rest = narrow.subtract(wide).to_json_schema()
    except _ERRORS:
        return {}
    return rest if isinstance(rest, dict) else {}


def alternatives(schema: object) -> int:
    """Return in how many ways a value can be valid, at most one more than ALTERNATIVES."""
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if not isinstance(schema, dict):
        return 1
    ways = 1
    for keyword, value in schema.items():
        if keyword in ("anyOf", "oneOf") and isinstance(value, list):
            ways *= max(sum(map(alternatives, value)), 1)
        else:
            ways *= alternatives(value)
        if ways > ALTERNATIVES:
            return ALTERNATIVES + 1
    return ways


def _is_small(schema: JsonSchema) -> bool:
    return len(orjson.dumps(schema)) <= _SUBTRACTED_BYTES


def _telling(accepting: JsonSchema, judging: JsonSchema) -> Accepts:
    """Return the test whether the one side accepts a value and the other refuses it."""
    accepts, judges = _validator(accepting), _validator(judging)
    return lambda value: accepts(value) and not judges(value)
