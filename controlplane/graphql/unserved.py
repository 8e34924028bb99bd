"""What was sold and the gateways of a group cannot serve."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import strawberry

from controlplane.commands import NotFoundError
from controlplane.graphql import credential, plan, version
from controlplane.graphql.loaders import Info, Key, one
from domain.routing import PLAN, SUBSCRIPTION, VERSION
from domain.unserved import unfindable, unlimited, unserved

if TYPE_CHECKING:
    from controlplane.graphql.credential import Credential
    from controlplane.graphql.plan import Plan
    from controlplane.graphql.version import ApiVersion

MOST = 100
UNFINDABLE = b'"servable":false'
"""What the row of a subscription holds that has such a key: the others need not be read."""


@strawberry.type
class Unserved:
    """Something that was sold, and that no gateway of the group can serve or limit."""

    version_key: strawberry.Private[Key]
    plan_key: strawberry.Private[Key]
    credential_key: strawberry.Private[Key]
    reason: str = strawberry.field(description="Why not.")

    @strawberry.field
    async def version(
        self, info: Info
    ) -> Annotated["ApiVersion", strawberry.lazy("controlplane.graphql.version")] | None:
        """Return the version that nobody reaches there, if it is one."""
        return await one(info, version.VERSION, self.version_key)

    @strawberry.field
    async def plan(
        self, info: Info
    ) -> Annotated["Plan", strawberry.lazy("controlplane.graphql.plan")] | None:
        """Return the plan by which nobody is let in there, or not limited, if it is one."""
        return await one(info, plan.PLAN, self.plan_key)

    @strawberry.field
    async def credential(
        self, info: Info
    ) -> Annotated["Credential", strawberry.lazy("controlplane.graphql.credential")] | None:
        """Return the key with which every call is refused there, if it is one."""
        return await one(info, credential.CREDENTIAL, self.credential_key)


async def read(info: Info, group: Key) -> list[Unserved]:
    """Return what is unserved in a group of gateways now, at most MOST of it."""
    organization_id, group_id = group
    assert isinstance(organization_id, UUID)
    try:
        served = await info.context.app.mirrors.served(organization_id, str(group_id), None)
    except NotFoundError:  # it is newer than what gateways are served
        return []
    view = served.view
    versions, plans = (list(map(orjson.loads, view.bodies_of(kind))) for kind in (VERSION, PLAN))
    subscriptions = (body for body in view.bodies_of(SUBSCRIPTION) if UNFINDABLE in body)
    keys = unfindable(islice(map(orjson.loads, subscriptions), MOST))
    found = [
        *unserved(view.group.head["environment"], versions, plans),
        *unlimited(versions, plans),
    ]
    nothing: Key = (organization_id, None)
    return [
        *(
            Unserved(
                version_key=(organization_id, UUID(each.id)) if each.kind == VERSION else nothing,
                # The id of its row is that of the plan, a hyphen, and the number of the version.
                plan_key=(organization_id, UUID(each.id[:36])) if each.kind == PLAN else nothing,
                credential_key=nothing,
                reason=each.reason,
            )
            for each in found
        ),
        *(
            Unserved(
                version_key=nothing,
                plan_key=nothing,
                credential_key=(organization_id, UUID(subscription_id), each.id),
                reason=each.reason,
            )
            for subscription_id, each in keys
        ),
    ][:MOST]
