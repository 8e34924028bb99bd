"""What gateways were told at a position: the rows of their configuration, and what made them so."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
import strawberry

from controlplane.graphql.audit import AUDIT_EVENT, AuditEvent
from controlplane.graphql.errors import RefusedError
from controlplane.graphql.loaders import Info, one
from controlplane.graphql.scalars import Position
from controlplane.store.eventstore import SELECT_EVENTS, recorded
from domain import routing
from projections.readmodel import Recorded

VERSIONS = 500
STEPS = 1_000
"""Events of one subscription: a hundred keys, issued, rotated and revoked, and its own life."""
_HELD = (
    "SELECT id, body, from_position FROM ("
    "SELECT kind, id, body, from_position FROM config WHERE organization_id = $1"
    " AND from_position <= $2 AND (until_position IS NULL OR until_position > $2)"
    " UNION ALL SELECT kind, id, body, from_position FROM config_past WHERE organization_id = $1"
    " AND from_position <= $2 AND until_position > $2) AS held"
)
_NAMED = f"{_HELD} WHERE kind = $3 AND id = ANY($4) ORDER BY id"
_OF_PRODUCTS = (
    f"{_HELD} WHERE kind = 'version' AND body::jsonb ->> 'product' = ANY($3)"
    f" ORDER BY id LIMIT {VERSIONS + 1}"
)
_STEPS = (
    f"{SELECT_EVENTS} WHERE originator_id = $1 AND notification_id <= $2"
    f" ORDER BY originator_version DESC LIMIT {STEPS}"
)
_AT = f"{SELECT_EVENTS} WHERE notification_id = ANY($1) ORDER BY notification_id"


class Row(NamedTuple):
    """A row as it held."""

    id: str
    body: routing.Body
    position: int


class Steps(NamedTuple):
    """What happened to a key, and to its subscription apart from its keys; the newest first."""

    key: list[Recorded]
    subscription: list[Recorded]


@strawberry.type
class RightsCause:
    """An event that made a key's rights what they were."""

    number: strawberry.Private[int]
    organization_id: strawberry.Private[UUID]
    actor_id: strawberry.Private[str]
    event: str = strawberry.field(description="The topic, as subscription.accepted.")
    at: datetime = strawberry.field(description="When it happened.")

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return its place in the history."""
        return info.context.position(self.number)

    @strawberry.field
    def actor(self, info: Info) -> str | None:
        """Return the id of who caused it; null for those who may not read the audit trail."""
        return self.actor_id if "audit:read" in info.context.caller.permissions else None

    @strawberry.field
    async def audit_event(self, info: Info) -> AuditEvent | None:
        """Return the event in full; null for those who may not read the audit trail."""
        return await one(info, AUDIT_EVENT, (self.organization_id, self.number))


class Told:
    """The rows of an organization as gateways were given them at a position."""

    def __init__(self, info: Info, organization_id: UUID, position: int) -> None:
        self._fetch = info.context.fetch
        self._organization_id = organization_id
        self._position = position

    async def named(self, kind: str, ids: list[str]) -> list[Row]:
        """Return the rows of a kind with these ids that held."""
        return await self._rows(_NAMED, kind, ids)

    async def versions(self, products: list[str]) -> list[Row]:
        """Return the versions of products. Raises RefusedError beyond VERSIONS."""
        versions = await self._rows(_OF_PRODUCTS, products)
        if len(versions) > VERSIONS:
            raise RefusedError("TOO_MUCH_DATA", f"The key reaches more than {VERSIONS} versions.")
        return versions

    async def steps(self, subscription_id: UUID, credential_id: str) -> Steps:
        """Return the events of a key and of its subscription until then, at most STEPS."""
        rows = await self._fetch(_STEPS, subscription_id, self._position)
        steps = Steps([], [])
        for each in map(recorded, rows):
            about = getattr(each.event, "credential_id", None)
            if credential_id in {about, getattr(each.event, "successor_id", None)}:
                steps.key.append(each)
            elif about is None:
                steps.subscription.append(each)
        return steps

    async def recorded(self, positions: Iterable[int]) -> list[Recorded]:
        """Return the events at these positions."""
        return [recorded(row) for row in await self._fetch(_AT, list(positions))]

    def cause(self, recorded: Recorded) -> RightsCause:
        """Return an event as it is shown."""
        return RightsCause(
            number=recorded.position,
            organization_id=self._organization_id,
            actor_id=recorded.event.why["actor"],
            event=recorded.event.TOPIC,
            at=recorded.event.timestamp,
        )

    async def _rows(self, sql: str, *values: object) -> list[Row]:
        rows = await self._fetch(sql, self._organization_id, self._position, *values)
        return [Row(row["id"], orjson.loads(row["body"]), row["from_position"]) for row in rows]


def ended(not_after: str | None, instant: datetime | None) -> bool:
    """Tell whether what holds until `not_after` was over at an instant."""
    return bool(not_after and instant and datetime.fromisoformat(not_after) <= instant)
