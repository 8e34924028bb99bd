"""Subscriptions: what is told when it happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated
from uuid import UUID

import strawberry

from controlplane.global_id import named_key
from controlplane.graphql.audit import AUDIT_EVENT, AuditEvent
from controlplane.graphql.errors import RefusedError, invalid, not_permitted
from controlplane.graphql.feed import Feed
from controlplane.graphql.loaders import ORGANIZATION, Info, Request, one_anywhere
from controlplane.graphql.product import PRODUCT, ApiProduct
from controlplane.graphql.scalars import Position
from projections.paging import Column, Pages

PAGE_EVENTS = 100
"""Events that are read at once, and the most that wait for a subscriber to take them."""
LOOK_S = 15.0
"""How often it is looked for events though there was no news, as after a read model failed."""
_POSITION = Column("n.position", "bigint")


@strawberry.type(name="Live")
class Live:
    """What can be followed, over graphql-transport-ws."""

    @strawberry.subscription
    async def product_changed(
        self,
        info: Info,
        *,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the product.")],
    ) -> AsyncIterator[ApiProduct | None]:
        """Tell the product anew after it, or a version of it, changed; null when it is hidden.

        Changes in quick succession may be told as one. Begin to follow, then ask for the product:
        so none is missed. What the caller may not see changes in silence.
        """
        key = named_key(id, "ApiProduct", ("uuid",))
        if key is None:
            raise invalid("That is not the id of an ApiProduct.")
        (product_id,) = key
        assert isinstance(product_id, UUID)
        request = info.context
        async with _feed(request).news(product_id) as woken:
            seen = await one_anywhere(info, PRODUCT, key) is not None
            while not request.app.stopping.is_set():
                await woken.wait()
                woken.clear()
                request.loaders.clear()
                request.spent.clear()
                product = await one_anywhere(info, PRODUCT, key)
                if product is not None or seen:
                    yield product
                seen = product is not None

    @strawberry.subscription
    async def audit_events(
        self,
        info: Info,
        *,
        after: Annotated[
            Position | None,
            strawberry.argument(
                description="The position of the last event one has; null for what is new only."
            ),
        ] = None,
    ) -> AsyncIterator[AuditEvent]:
        """Tell every event of the organization after a position, then each as it happens.

        None is missed, none told twice, and they come in their order. Needs audit:read.
        """
        request = info.context
        conditions = AUDIT_EVENT.visible(request.caller)
        if conditions is None:
            raise not_permitted(AUDIT_EVENT.needs)
        own = request.caller.organization_id
        known = request.app.projector.position if after is None else request.number(after)
        async with _feed(request).news(own) as woken:
            while not request.app.stopping.is_set():
                pages = Pages(
                    "audit AS n",
                    (ORGANIZATION,),
                    conditions,
                    limit=PAGE_EVENTS,
                    order=(_POSITION,),
                    after=(known,),
                )
                sql, bound = pages.statement(PAGE_EVENTS)
                rows = await request.fetch(sql, [own], *bound)
                for row in sorted(rows, key=lambda row: int(row["position"])):
                    yield AUDIT_EVENT.node(row)
                    known = row["position"]
                if len(rows) < PAGE_EVENTS:
                    with suppress(TimeoutError):  # news wakes, the look guarantees
                        async with asyncio.timeout(LOOK_S):
                            await woken.wait()
                    woken.clear()


def _feed(request: Request) -> Feed:
    if request.feed is None:
        raise RefusedError("NOT_SERVED", "Subscriptions need a WebSocket.")
    return request.feed
