"""The base of every aggregate: typed, explicitly named events that carry their envelope.

The library's `trigger_event(cls, **kwargs)` is checked only at run time. `begin` and `emit`
take the event class itself, so a misspelt or missing field is a type error. An aggregate
with a TOPIC must give every nested event a TOPIC: the name it is stored under for ever.

A long life is told in several classes, each of a part of it: the last one, which has the TOPIC of
the aggregate, builds on the others. The library makes their events its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypedDict, cast
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate
from eventsourcing.utils import get_topic, resolve_topic

Payload = ParamSpec("Payload")
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""Before it every instant has a UTC form, whatever its offset: the last hours of 9999 have none."""


class DomainError(Exception):
    """A rule was not met. Subclasses are named after the rule; their docstring is the message."""

    def __init__(self, about: str | None = None, detail: str = "") -> None:
        """Remember what the refusal is `about`; `detail` is a sentence that follows the rule.

        `about` is the argument at fault, or None when it is the whole command.
        """
        super().__init__(f"{type(self).__doc__} {detail}".strip())
        self.about = about


class Why(TypedDict):
    """The envelope of every event: who caused it, for whom, through what. Unknown is "".

    Plain strings in a plain dict: JSON and back without a transcoding, and cheap to decode.
    """

    organization: str
    actor: str
    actor_kind: str
    """person, token, process or gateway"""
    channel: str
    """portal, cli, api or timer"""
    command: str
    correlation: str
    causation: str
    reason: str


@dataclass(frozen=True)
class Value:
    """A value that events hold: a frozen dataclass of str, int, bool, Decimal and lists of them.

    NAME is stored with it for ever; loading runs neither `__init__` nor `__post_init__`.
    """

    NAME: ClassVar[str]


class Aggregate(BaseAggregate[UUID]):
    """A consistency boundary: methods decide, nested events remember, `apply` assigns."""

    TOPIC: ClassVar[str]
    organization = ""  # Not annotated: the library would take that for a dataclass field.

    def __init__(self) -> None:
        """Begin with the state that no event has changed yet; subclasses assign theirs."""

    @dataclass(frozen=True)
    class Event(AggregateEvent):
        """Something that happened to one aggregate. `apply` assigns; it never decides."""

        TOPIC: ClassVar[str]
        why: Why

    @classmethod
    def begin(
        cls,
        event: Callable[Concatenate[UUID, int, datetime, str, Why, Payload], "First"],
        aggregate_id: UUID,
        at: datetime,
        why: Why,
        *args: Payload.args,
        **payload: Payload.kwargs,
    ) -> Self:
        """Return a new aggregate of `why`'s organization whose first event is `event`."""
        topic = get_topic(cls)
        first = event(aggregate_id, cls.INITIAL_VERSION, at, topic, why, *args, **payload)
        aggregate: Self = first.mutate(None)
        aggregate.pending_events.append(first)
        return aggregate

    def emit(
        self,
        event: Callable[Concatenate[UUID, int, datetime, Why, Payload], "Aggregate.Event"],
        at: datetime,
        why: Why,
        *args: Payload.args,
        **payload: Payload.kwargs,
    ) -> None:
        """Apply `event`, dated `at` (UTC), and keep it until the unit of work is committed."""
        happened = event(self.id, self.version + 1, at, why, *args, **payload)
        happened.mutate(self)
        self.pending_events.append(happened)

    @property
    def happened(self) -> "list[Aggregate.Event]":
        """The events since the aggregate was loaded; the list is the aggregate's own."""
        return cast("list[Aggregate.Event]", self.pending_events)

    def copy(self) -> Self:
        """Return an aggregate that can change without changing this one.

        Shallow is deep enough: `apply` assigns new values and never changes one in place.
        """
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._pending_events = []  # noqa: SLF001  # the library's own list, ours by inheritance
        return twin


@dataclass(frozen=True)
class First(Aggregate.Event, AggregateCreated):
    """The event that begins an aggregate; `apply` assigns those of its fields that rules read."""

    def mutate(self, aggregate: Any) -> Any:  # noqa: ANN401  # the library's signature
        """Begin the aggregate; it belongs to the organization it began in, for ever.

        The library's own version inspects signatures: a third of the cost of a small command.
        """
        assert aggregate is None
        kind: type[Aggregate] = resolve_topic(self.originator_topic)
        begun = object.__new__(kind)
        begun.__base_init__(self.originator_id, self.originator_version, self.timestamp)
        kind.__init__(begun)
        begun.organization = self.why["organization"]
        self.apply(begun)
        return begun
