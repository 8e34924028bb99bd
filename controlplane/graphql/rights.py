"""What a key could do: the chain from the key to operations, and the events that made it so."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import orjson
import strawberry
from asyncpg import Record

from controlplane.graphql.as_of import AsOf, AsOfArgument, instant_of, look_back
from controlplane.graphql.audit import AUDIT_EVENT, AuditEvent
from controlplane.graphql.credential import CREDENTIAL, Credential
from controlplane.graphql.errors import RefusedError, not_permitted
from controlplane.graphql.loaders import Info, Key, one, one_anywhere
from controlplane.graphql.moment import Moment
from controlplane.graphql.node import named_key
from controlplane.graphql.plan import PLAN_VERSION, PlanVersion
from controlplane.graphql.product import PRODUCT
from controlplane.graphql.scalars import Position
from controlplane.graphql.subscription import SUBSCRIPTION, Subscription
from controlplane.graphql.version import VERSION, ApiVersion
from controlplane.store.mapper import to_domain_event
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
    "SELECT notification_id, topic, state, originator_id, originator_version FROM stored_events"  # noqa: S608
    " WHERE originator_id = $1 AND notification_id <= $2"
    f" ORDER BY originator_version DESC LIMIT {STEPS}"
)
_AT = (
    "SELECT notification_id, topic, state, originator_id, originator_version FROM stored_events"
    " WHERE notification_id = ANY($1) ORDER BY notification_id"
)


class Row(NamedTuple):
    """What gateways were told: a row as it held."""

    id: str
    body: routing.Body
    position: int


@strawberry.type
class RightsCause:
    """An event that made a key's rights what they were."""

    number: strawberry.Private[int]
    organization_id: strawberry.Private[UUID]
    event: str = strawberry.field(description="The topic, as subscription.accepted.")
    at: datetime = strawberry.field(description="When it happened.")

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return its place in the history."""
        return info.context.position(self.number)

    @strawberry.field
    async def audit_event(self, info: Info) -> AuditEvent | None:
        """Return the event in full; null for those who may not read the audit trail."""
        return await one(info, AUDIT_EVENT, (self.organization_id, self.number))


@strawberry.type
class CredentialRights:
    """What the bearer of a key could do at a moment; everything below is of that moment."""

    number: strawberry.Private[int]
    organization_id: strawberry.Private[UUID]
    version_keys: strawberry.Private[list[Key]]
    plan_version_key: strawberry.Private[Key]
    credential: Credential = strawberry.field(description="The key.")
    subscription: Subscription = strawberry.field(description="The subscription it is for.")
    could_call: bool = strawberry.field(
        description="Whether gateways were told to let it through, and it had not expired."
    )
    because: list[RightsCause] = strawberry.field(
        description="The events that made it so, first to last: those that issued or revoked the"
        " key, changed the subscription last, and put plan, products and versions in force."
    )

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return the position of that moment."""
        return info.context.position(self.number)

    @strawberry.field
    async def plan_version(self, info: Info) -> PlanVersion | None:
        """Return the terms that applied."""
        return await one(info, PLAN_VERSION, self.plan_version_key)

    @strawberry.field
    async def versions(self, info: Info) -> list[ApiVersion]:
        """Return the versions it could call, with product and operations; none if it could not."""
        found = await asyncio.gather(*(self._version(info, key) for key in self.version_keys))
        return [version for version in found if version is not None]

    async def _version(self, info: Info, key: Key) -> ApiVersion | None:
        return await one(info, VERSION, key)


@strawberry.type
class RightsQueries:
    """What can be read about the rights of keys."""

    @strawberry.field
    async def credential_rights(
        self,
        info: Info,
        *,
        credential_id: Annotated[
            strawberry.ID, strawberry.argument(description="The id of the credential.")
        ],
        as_of: AsOfArgument = None,
    ) -> CredentialRights | None:
        """Tell what a key could do: terms, versions and operations, and why; by default now.

        Null if there was no such key then, or the caller does not see it; needs
        subscription:read.
        """
        if CREDENTIAL.visible(info.context.caller) is None:
            raise not_permitted(CREDENTIAL.needs)
        now = AsOf(position=info.context.position(max(info.context.app.projector.position, 0)))
        moment = await look_back(info, as_of or now)
        assert moment is not None
        key = named_key(credential_id, "Credential", ("uuid", "text"))
        credential = await one_anywhere(info, CREDENTIAL, key or (None,))
        if credential is None:
            return None
        subscription = await one(info, SUBSCRIPTION, credential.key[:2])
        if subscription is None:
            return None
        instant = as_of.at if as_of else None
        chain = Chain(info, moment, credential, subscription)
        return await chain.rights(instant or await instant_of(info, moment.position))


class Chain:
    """The way from a key to what it may call, through the rows that gateways were given."""

    def __init__(
        self, info: Info, moment: Moment, credential: Credential, subscription: Subscription
    ) -> None:
        self._info = info
        self._moment = moment
        self._credential = credential
        self._subscription = subscription
        organization_id, self._subscription_id, self._name = credential.key
        assert isinstance(organization_id, UUID)
        self._organization_id = organization_id

    async def rights(self, instant: datetime | None) -> CredentialRights:
        """Return what there was at the end of the chain at an instant. Raises RefusedError."""
        told = await self._held(routing.SUBSCRIPTION, [str(self._subscription_id)])
        keys = [key for row in told for key in row.body["keys"] if key["id"] == self._name]
        over = any(_ended(key["not_after"], instant) for key in keys)
        plans = await self._held(routing.PLAN, [row.body["plan"] for row in told])
        sold = [product for row in plans for product in row.body["products"]]
        products = await self._held(routing.PRODUCT, sold)
        # Whether a consumer sees a version depends on its product.
        await self._moment.include(PRODUCT.table, [UUID(row.id) for row in products])
        versions = await self._rows(_OF_PRODUCTS, [row.id for row in products])
        if len(versions) > VERSIONS:
            raise RefusedError("TOO_MUCH_DATA", f"The key reaches more than {VERSIONS} versions.")
        could_call = bool(keys) and not over and bool(versions)
        organization_id, subscription = self._organization_id, self._subscription
        return CredentialRights(
            number=self._moment.position,
            organization_id=organization_id,
            version_keys=[(organization_id, UUID(row.id)) for row in versions if could_call],
            plan_version_key=(*subscription.plan_key, subscription.plan_version_number),
            credential=self._credential,
            subscription=subscription,
            could_call=could_call,
            because=await self._causes(row.position for row in (*plans, *products, *versions)),
        )

    async def _held(self, kind: str, ids: list[str]) -> list[Row]:
        return await self._rows(_NAMED, kind, ids)

    async def _rows(self, sql: str, *values: object) -> list[Row]:
        rows = await self._info.context.fetch(
            sql, self._organization_id, self._moment.position, *values
        )
        return [Row(row["id"], orjson.loads(row["body"]), row["from_position"]) for row in rows]

    async def _causes(self, positions: Iterable[int]) -> list[RightsCause]:
        fetch, position = self._info.context.fetch, self._moment.position
        own = [_recorded(row) for row in await fetch(_STEPS, self._subscription_id, position)]
        about = [(each, getattr(each.event, "credential_id", None)) for each in own]
        found = [each for each, key in about if key == self._name]
        found += [each for each, key in about if key is None][:1]
        found += [_recorded(row) for row in await fetch(_AT, list(positions))]
        return [
            RightsCause(
                number=each.position,
                organization_id=self._organization_id,
                event=each.event.TOPIC,
                at=each.event.timestamp,
            )
            for each in sorted(found, key=lambda each: each.position)
        ]


def _recorded(row: Record) -> Recorded:
    return Recorded(
        row["notification_id"],
        to_domain_event(
            row["topic"], row["state"], row["originator_id"], row["originator_version"]
        ),
    )


def _ended(not_after: str | None, instant: datetime | None) -> bool:
    return bool(not_after and instant and datetime.fromisoformat(not_after) <= instant)
