"""What was sold and the gateways of a group cannot serve."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import orjson
import strawberry

from controlplane.commands import NotFoundError
from controlplane.graphql import plan, version
from controlplane.graphql.loaders import Info, Key, one
from domain.routing import PLAN, VERSION
from domain.unserved import unserved

if TYPE_CHECKING:
    from controlplane.graphql.plan import Plan
    from controlplane.graphql.version import ApiVersion

MOST = 100


@strawberry.type
class Unserved:
    """Something that was sold, and that no gateway of the group can serve."""

    version_key: strawberry.Private[Key]
    plan_key: strawberry.Private[Key]
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
        """Return the plan by which nobody is let in there, if it is one."""
        return await one(info, plan.PLAN, self.plan_key)


async def read(info: Info, group: Key) -> list[Unserved]:
    """Return what is unserved in a group of gateways now, at most MOST of it."""
    organization_id, group_id = group
    assert isinstance(organization_id, UUID)
    try:
        served = await info.context.app.mirrors.served(organization_id, str(group_id), None)
    except NotFoundError:  # it is newer than what gateways are served
        return []
    view = served.view
    versions, plans = (map(orjson.loads, view.bodies_of(kind)) for kind in (VERSION, PLAN))
    found = unserved(view.group.head["environment"], versions, plans)
    return [
        Unserved(
            version_key=(organization_id, UUID(each.id) if each.kind == VERSION else None),
            # The id of its row is that of the plan, a hyphen, and the number of the version.
            plan_key=(organization_id, UUID(each.id[:36]) if each.kind == PLAN else None),
            reason=each.reason,
        )
        for each in found[:MOST]
    ]
