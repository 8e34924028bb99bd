"""What a key could do: the chain from the key to operations, and the events that made it so."""

import asyncio
from typing import Annotated
from uuid import UUID

import strawberry

from controlplane.global_id import named_key
from controlplane.graphql.as_of import AsOfArgument, look_back, look_now
from controlplane.graphql.credential import CREDENTIAL, Credential
from controlplane.graphql.errors import not_permitted
from controlplane.graphql.gateways_told import RightsCause, Row, Told, ended
from controlplane.graphql.loaders import Info, Key, one, one_anywhere
from controlplane.graphql.past import Moment
from controlplane.graphql.plan import PLAN_VERSION, PlanVersion
from controlplane.graphql.product import PRODUCT
from controlplane.graphql.scalars import Position
from controlplane.graphql.subscription import SUBSCRIPTION, Subscription
from controlplane.graphql.version import VERSION, ApiVersion
from domain import routing


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
        moment = await look_back(info, as_of) or look_now(info)
        key = named_key(credential_id, "Credential", ("uuid", "text"))
        credential = await one_anywhere(info, CREDENTIAL, key or (None,))
        if credential is None:
            return None
        subscription = await one(info, SUBSCRIPTION, credential.key[:2])
        if subscription is None:
            return None
        return await Chain(info, moment, credential, subscription).rights()


class Chain:
    """The way from a key to what it may call, through the rows that gateways were given."""

    def __init__(
        self, info: Info, moment: Moment, credential: Credential, subscription: Subscription
    ) -> None:
        self._moment = moment
        self._credential = credential
        self._subscription = subscription
        organization_id, subscription_id, self._name = credential.key
        assert isinstance(organization_id, UUID)
        assert isinstance(subscription_id, UUID)
        self._organization_id, self._subscription_id = organization_id, subscription_id
        self._told = Told(info, organization_id, moment.position)

    async def rights(self) -> CredentialRights:
        """Return what there was at the end of the chain at that moment. Raises RefusedError."""
        told = await self._told.named(routing.SUBSCRIPTION, [str(self._subscription_id)])
        keys = [key for row in told for key in row.body["keys"] if key["id"] == self._name]
        lasting = [*(row.body for row in told), *keys]
        over = any(ended(each["not_after"], self._moment.at) for each in lasting)
        plans = await self._told.named(routing.PLAN, [row.body["plan"] for row in told])
        sold = [product for row in plans for product in row.body["products"]]
        products = await self._told.named(routing.PRODUCT, sold)
        # Whether a consumer sees a version depends on its product.
        await self._moment.include(PRODUCT.table, [UUID(row.id) for row in products])
        versions = await self._told.versions([row.id for row in products])
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
            because=await self._because([*plans, *products, *versions]),
        )

    async def _because(self, rows: list[Row]) -> list[RightsCause]:
        steps = await self._told.steps(self._subscription_id, str(self._name))
        found = [*steps.key, *steps.subscription[:1]]
        found += await self._told.recorded(row.position for row in rows)
        found.sort(key=lambda each: each.position)
        return [self._told.cause(each) for each in found]
