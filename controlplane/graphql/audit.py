"""The audit trail: every event of an organization, with who caused it and why."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import orjson
import strawberry
from asyncpg import Record

from controlplane.audit import content
from controlplane.global_id import key_of, parts_of
from controlplane.graphql import visibility
from controlplane.graphql.errors import invalid
from controlplane.graphql.loaders import ORGANIZATION, Info, Kind, Request
from controlplane.graphql.node import Node
from controlplane.graphql.paging import (
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Window,
    page,
)
from controlplane.graphql.scalars import JSON, Count, Position
from controlplane.store.eventstore import recorded
from projections.paging import Column, Condition

VALUE_BYTES = 16_384
"""A larger value of an event, as the operations of a version, is told by its size only."""
EVENT_BYTES = 262_144
"""A larger event is not read at all but for its envelope."""


@strawberry.type
class Why:
    """The envelope of an event: who caused it, through what. What is unknown is empty."""

    actor: str = strawberry.field(description="The id of who caused it.")
    actor_kind: str = strawberry.field(description="person, token, process or gateway.")
    channel: str = strawberry.field(description="portal, cli, api or timer.")
    command: str = strawberry.field(description="The id of the command.")
    correlation: str = strawberry.field(description="The id of the request it began with.")
    causation: str = strawberry.field(description="The id of the event that caused it, if one did.")
    reason: str = strawberry.field(description="Why, in the words of who caused it.")


class Content(NamedTuple):
    """What the store holds of an event."""

    why: dict[str, str]
    data: JSON


@strawberry.type
class AuditEvent(Node):
    """Something that happened."""

    number: strawberry.Private[int]
    at: datetime = strawberry.field(description="When it happened.")
    noun: str = strawberry.field(description="What kind of thing it happened to, as api_product.")
    noun_id: strawberry.ID = strawberry.field(description="The UUID of the thing.")
    noun_version: Count = strawberry.field(description="The version the thing was at then.")
    event: str = strawberry.field(description="The topic, as api_product.published.")
    actor: str = strawberry.field(description="The id of who caused it.")

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return its place in the history."""
        return info.context.position(self.number)

    @strawberry.field
    async def why(self, info: Info) -> Why:
        """Return its envelope: who caused it, through what, and why."""
        why = (await info.context.loaded(_contents, self.number)).why
        return Why(**{name: why[name] for name in Why.__annotations__})

    @strawberry.field
    async def data(self, info: Info) -> JSON:
        """Return its content; values over 16 KB as {"truncated_bytes": n}, names sealed."""
        return (await info.context.loaded(_contents, self.number)).data


async def _contents(request: Request, numbers: list[int]) -> list[Content]:
    rows = await request.fetch(
        "SELECT notification_id, topic, CASE WHEN length(state) <= $2 THEN state END AS state,"
        " originator_id, originator_version, length(state) AS bytes,"
        " CASE WHEN length(state) > $2 THEN convert_from(state, 'UTF8')::json ->> 'why' END AS why"
        " FROM stored_events WHERE notification_id = ANY($1)",
        numbers,
        EVENT_BYTES,
    )
    found = {row["notification_id"]: _read(row) for row in rows}
    return [found[number] for number in numbers]


def _read(row: Record) -> Content:
    if row["state"] is None:
        return Content(orjson.loads(row["why"]), JSON({"truncated_bytes": row["bytes"]}))
    event = recorded(row).event
    data = {name: _shortened(value) for name, value in content(event).items()}
    return Content(dict[str, Any](event.why), JSON(data))


def _shortened(value: Any) -> object:  # noqa: ANN401  # whatever an event holds
    written = orjson.dumps(value, default=str)
    if len(written) > VALUE_BYTES:
        return {"truncated_bytes": len(written)}
    return orjson.Fragment(written)


@strawberry.type
class AuditEventConnection(Connection[AuditEvent]):
    """Events, in the order in which they happened, or the opposite one."""


def _node(row: Record) -> AuditEvent:
    return AuditEvent(
        key=(row["organization_id"], row["position"]),
        number=row["position"],
        at=row["at"],
        noun=row["noun"],
        noun_id=strawberry.ID(str(row["noun_id"])),
        noun_version=row["noun_version"],
        event=row["event"],
        actor=row["actor"],
    )


AUDIT_EVENT = Kind(
    "AuditEvent",
    "audit",
    visibility.audit_events,
    "audit:read",
    _node,
    key=(ORGANIZATION, Column("n.position", "bigint")),
)
ALL: Listing[AuditEvent] = Listing(
    AUDIT_EVENT, AuditEventConnection, orders={"POSITION": (Column("n.position", "bigint"),)}
)


def _noun_id(id_: str) -> UUID:
    """Return the UUID that is written as it is, or in a global id."""
    found = parts_of(id_)
    key = key_of(("uuid",), found[1][:1] if found else [id_])
    if key is None:
        raise invalid("A nounId is a UUID, or the id of a node.")
    (uuid,) = key
    assert isinstance(uuid, UUID)
    return uuid


def _equal(column: str, value: object) -> Condition | None:
    return None if value is None else Condition(f"{column} = {{}}", (value,))


@strawberry.type
class AuditQueries:
    """What can be read about what happened."""

    @strawberry.field
    async def audit_events(
        self,
        info: Info,
        *,
        noun: Annotated[
            str | None,
            strawberry.argument(description="Only what happened to things of this kind."),
        ] = None,
        noun_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only what happened to this: its UUID, or its id."),
        ] = None,
        actor: Annotated[
            str | None, strawberry.argument(description="Only what this one caused.")
        ] = None,
        event: Annotated[
            str | None, strawberry.argument(description="Only events of this topic.")
        ] = None,
        from_time: Annotated[
            datetime | None, strawberry.argument(description="Only what happened then or later.")
        ] = None,
        until_time: Annotated[
            datetime | None, strawberry.argument(description="Only what happened before then.")
        ] = None,
        since: Annotated[
            Position | None, strawberry.argument(description="Only what comes after this position.")
        ] = None,
        newest_first: Annotated[
            bool, strawberry.argument(description="Whether to begin with the newest.")
        ] = False,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> AuditEventConnection:
        """List the events of the organization, oldest first; needs audit:read."""
        later = None if since is None else info.context.number(since)
        conditions = (
            _equal("n.noun", noun),
            _equal("n.noun_id", None if noun_id is None else _noun_id(noun_id)),
            _equal("n.actor", actor),
            _equal("n.event", event),
            None if from_time is None else Condition("n.at >= {}", (from_time,)),
            None if until_time is None else Condition("n.at < {}", (until_time,)),
            None if later is None else Condition("n.position > {}", (later,)),
        )
        order = "POSITION_DESC" if newest_first else "POSITION_ASC"
        window = Window(first, after, last, before)
        found: AuditEventConnection = await page(
            info, ALL, window, conditions=conditions, order=order
        )
        return found
