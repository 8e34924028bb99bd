"""What can be decided about the configurations that gateways are handed out."""

from datetime import datetime

import strawberry

from controlplane.commands.gateway_config import ConfirmEpoch, IntendConfigShrink, ReleaseConfig
from controlplane.graphql.changes import Asked, change, mutation
from controlplane.graphql.errors import Rejected
from controlplane.graphql.gateway import GATEWAY_GROUP
from controlplane.graphql.gateway_changes import GatewayGroupChanged
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named


@strawberry.input
class ConfirmEpochInput(Asked):
    """The epoch in which nothing is missing."""

    group_id: strawberry.ID = strawberry.field(description="The id of the group.")
    epoch: int = strawberry.field(
        description="The one that is now: the number before the dot of any Position."
    )


@strawberry.input
class ReleaseConfigInput(Asked):
    """The group whose configuration is right."""

    group_id: strawberry.ID = strawberry.field(description="The id of the group.")


@strawberry.input
class IntendConfigShrinkInput(Asked):
    """Until when much will be taken away on purpose; `reason` says why."""

    group_id: strawberry.ID = strawberry.field(description="The id of the group.")
    until: datetime = strawberry.field(description="An instant of the next 7 days.")


@strawberry.type
class GatewayConfigMutations:
    """What can be decided about configurations."""

    @mutation
    async def confirm_epoch(
        self, info: Info, input: ConfirmEpochInput
    ) -> GatewayGroupChanged | Rejected:
        """Have gateways no longer refuse what was taken away in other epochs; needs config:decide.

        For after a failover or a restore, once what had been lost was taken away again.
        """
        return await change(
            info,
            GatewayGroupChanged,
            GATEWAY_GROUP,
            input,
            lambda: ConfirmEpoch(
                group_id=named(input.group_id, "GatewayGroup", "group_id"),
                epoch=input.epoch,
                **input.said(),
            ),
        )

    @mutation
    async def release_config(
        self, info: Info, input: ReleaseConfigInput
    ) -> GatewayGroupChanged | Rejected:
        """Hand out what is held back from a group, because it is right; needs config:decide."""
        return await change(
            info,
            GatewayGroupChanged,
            GATEWAY_GROUP,
            input,
            lambda: ReleaseConfig(
                group_id=named(input.group_id, "GatewayGroup", "group_id"), **input.said()
            ),
        )

    @mutation
    async def intend_config_shrink(
        self, info: Info, input: IntendConfigShrinkInput
    ) -> GatewayGroupChanged | Rejected:
        """Say beforehand that much will be taken away from a group; needs config:decide."""
        return await change(
            info,
            GatewayGroupChanged,
            GATEWAY_GROUP,
            input,
            lambda: IntendConfigShrink(
                group_id=named(input.group_id, "GatewayGroup", "group_id"),
                until=input.until,
                **input.said(),
            ),
        )
