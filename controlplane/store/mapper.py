"""How events become bytes and come back: the eventsourcing package's JSON, read and written fast.

The package's own mapper walks every value twice and stops near 100,000 events a second. Ours
knows from an event's annotations which of its fields need a conversion, and does only those;
a property test holds both to the same bytes for every event.
"""

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson
from eventsourcing.persistence import (
    DatetimeAsISO,
    DecimalAsStr,
    JSONTranscoder,
    Mapper,
    StoredEvent,
    Transcoding,
    UUIDAsHex,
)
from eventsourcing.utils import register_topic, resolve_topic

from controlplane.ids import DriverUUID
from domain.aggregate import Aggregate, Value
from domain.events import AGGREGATES, EVENTS, VALUES

Convert: TypeAlias = Callable[[Any], Any]

_OUTSIDE_STATE = ("originator_id", "originator_version")  # columns of their own
_PLAIN: tuple[object, ...] = (str, int, bool, dict)


class Codec(NamedTuple):
    """What one event class needs: its conversions by field, to JSON's values and back."""

    kind: type[Aggregate.Event]
    version: int
    write: tuple[tuple[str, Convert], ...]
    read: tuple[tuple[str, Convert], ...]


def to_stored_event(event: Aggregate.Event) -> StoredEvent:
    """Return the event as the package would store it. Raises TypeError for an unknown class."""
    codec = _codec(event.TOPIC)
    state = dict(vars(event))
    originator_id = state.pop("originator_id")
    originator_version = state.pop("originator_version")
    for name, write in codec.write:
        state[name] = write(state[name])
    if codec.version > 1:
        state["class_version"] = codec.version
    return StoredEvent(originator_id, originator_version, event.TOPIC, orjson.dumps(state))


def to_domain_event(topic: str, state: bytes, id_: UUID, version: int) -> Aggregate.Event:
    """Return the event as it happened, upcast to today's class; no `__post_init__` runs."""
    codec = _codec(topic)
    values = orjson.loads(state)
    if values.pop("class_version", 1) != codec.version:  # rare: an event of an earlier release
        return _upcast(topic, state, id_, version)
    for name, read in codec.read:
        values[name] = read(values[name])
    values["originator_id"] = id_
    values["originator_version"] = version
    event: Aggregate.Event = object.__new__(codec.kind)
    object.__setattr__(event, "__dict__", values)
    return event


def _upcast(topic: str, state: bytes, id_: UUID, version: int) -> Aggregate.Event:
    event = PackageMapper().to_domain_event(StoredEvent(id_, version, topic, state))
    assert isinstance(event, Aggregate.Event)
    return event


class PackageMapper(Mapper[UUID]):
    """The package's own mapper, told about the values our events hold."""

    def __init__(self) -> None:
        transcoder = JSONTranscoder()
        for transcoding in (UUIDAsHex(), DatetimeAsISO(), DecimalAsStr(), *map(_AsState, VALUES)):
            transcoder.register(transcoding)
        super().__init__(transcoder)


class _AsState(Transcoding):
    """Stores a value as the mapping of its fields."""

    def __init__(self, kind: type[Value]) -> None:
        self.type, self.name = kind, kind.NAME

    def encode(self, obj: Value) -> dict[str, Any]:
        return vars(obj)

    def decode(self, data: dict[str, Any]) -> Value:
        value: Value = object.__new__(self.type)
        object.__setattr__(value, "__dict__", data)
        return value


@cache  # bounded by the number of event classes: an unknown topic raises
def _codec(topic: str) -> Codec:
    kind = resolve_topic(topic)
    write, read = _field_conversions(kind, _OUTSIDE_STATE)
    return Codec(kind, getattr(kind, "class_version", 1), write, read)


def _field_conversions(
    kind: type, skip: tuple[str, ...] = ()
) -> tuple[tuple[tuple[str, Convert], ...], tuple[tuple[str, Convert], ...]]:
    hints = get_type_hints(kind)
    assert is_dataclass(kind)
    pairs = {
        field.name: _conversion(hints[field.name])
        for field in fields(kind)
        if field.name not in skip
    }
    write = tuple((name, pair[0]) for name, pair in pairs.items() if pair)
    read = tuple((name, pair[1]) for name, pair in pairs.items() if pair)
    return write, read


def _conversion(hint: Any) -> tuple[Convert, Convert] | None:  # noqa: ANN401  # any annotation
    """Return how to write and read a value of this annotation; None if JSON holds it as it is."""
    hint = getattr(hint, "__supertype__", hint)
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in _PLAIN or (isinstance(origin, type(dict)) and issubclass(origin, dict)):
        return None
    if origin in {UUID, datetime, Decimal}:
        return _SCALARS[origin]
    if origin is list:
        return _each(_conversion(arguments[0]))
    if origin is types.UnionType and type(None) in arguments:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _optional(_conversion(inner))
    if isinstance(origin, type) and issubclass(origin, Value):
        return _value(origin)
    raise TypeError(f"An event cannot hold {hint}: str, int, bool, UUID, datetime, Decimal, Value.")


def _tagged(name: str, write: Convert, read: Convert) -> tuple[Convert, Convert]:
    return (
        lambda value: {"_type_": name, "_data_": write(value)},
        lambda stored: read(stored["_data_"]),
    )


_SCALARS: dict[object, tuple[Convert, Convert]] = {
    UUID: _tagged("uuid_hex", lambda value: value.hex, DriverUUID),
    datetime: _tagged("datetime_iso", datetime.isoformat, datetime.fromisoformat),
    Decimal: _tagged("decimal_str", str, Decimal),
}


def _each(inner: tuple[Convert, Convert] | None) -> tuple[Convert, Convert] | None:
    if inner is None:
        return None
    write, read = inner
    return (
        lambda values: [write(value) for value in values],
        lambda stored: [read(value) for value in stored],
    )


def _optional(inner: tuple[Convert, Convert] | None) -> tuple[Convert, Convert] | None:
    if inner is None:
        return None
    write, read = inner
    return (
        lambda value: None if value is None else write(value),
        lambda stored: None if stored is None else read(stored),
    )


def _value(kind: type[Value]) -> tuple[Convert, Convert]:
    writes, reads = _field_conversions(kind)

    def write(value: Value) -> dict[str, Any]:
        state = dict(vars(value))
        for name, convert in writes:
            state[name] = convert(state[name])
        return state

    def read(state: dict[str, Any]) -> Value:
        for name, convert in reads:
            state[name] = convert(state[name])
        value = object.__new__(kind)
        object.__setattr__(value, "__dict__", state)
        return value

    return _tagged(kind.NAME, write, read)


for _aggregate in AGGREGATES:  # so that every stored topic resolves
    register_topic(_aggregate.TOPIC, _aggregate)
for _event in EVENTS:
    register_topic(_event.TOPIC, _event)
