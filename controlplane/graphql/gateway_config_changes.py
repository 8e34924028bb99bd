"""What can be decided about the configurations that gateways are handed out."""

from datetime import datetime
from typing import Any

import strawberry

from controlplane.commands.gateway_config import ConfirmEpoch, IntendConfigShrink, ReleaseConfig
from controlplane.graphql.changes import Asked, change, mutation
from controlplane.graphql.errors import Rejected
from controlplane.graphql.gateway_changes import GatewayGroupChanged
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named


@strawberry.input
class _OfGroup(Asked):
    """The group that it is about."""

    group_id: strawberry.ID = strawberry.field(description="The id of the group.")

    def said(self) -> dict[str, Any]:
        """Return what every command about a group is told."""
        return {**super().said(), "group_id": named(self.group_id, "GatewayGroup", "group_id")}


@strawberry.input
class ConfirmEpochInput(_OfGroup):
    """The epoch in which nothing is missing."""

    epoch: int = strawberry.field(
        description="The one that is now: the number before the dot of any Position."
    )


@strawberry.input
class ReleaseConfigInput(_OfGroup):
    """The group whose configuration is right."""


@strawberry.input
class IntendConfigShrinkInput(_OfGroup):
    """Until when much will be taken away on purpose; `reason` says why."""

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
            input,
            lambda: ConfirmEpoch(epoch=input.epoch, **input.said()),
        )

    @mutation
    async def release_config(
        self, info: Info, input: ReleaseConfigInput
    ) -> GatewayGroupChanged | Rejected:
        """Hand out what is held back from a group, because it is right; needs config:decide."""
        return await change(info, GatewayGroupChanged, input, lambda: ReleaseConfig(**input.said()))

    @mutation
    async def intend_config_shrink(
        self, info: Info, input: IntendConfigShrinkInput
    ) -> GatewayGroupChanged | Rejected:
        """Say beforehand that much will be taken away from a group; needs config:decide."""
        return await change(
            info,
            GatewayGroupChanged,
            input,
            lambda: IntendConfigShrink(until=input.until, **input.said()),
        )
