"""What can be done about gateway groups and gateways."""

from typing import Any

import strawberry

from controlplane.commands.gateway import (
    DrainGateway,
    OpenGatewayGroup,
    RegisterGateway,
    ReinstateGateway,
)
from controlplane.graphql.changes import Asked, Changed, change, mutation
from controlplane.graphql.errors import Rejected
from controlplane.graphql.gateway import GATEWAY, GATEWAY_GROUP, Gateway, GatewayGroup
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named


@strawberry.input
class OpenGatewayGroupInput(Asked):
    """The group to set up."""

    slug: str = strawberry.field(
        description="Unique in the organization; 1 to 63 lower-case letters, digits and hyphens."
    )
    environment: str = strawberry.field(description="The slug of the environment.")
    product_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="The ids of the products it serves, at most 1,000; none means all.",
    )


@strawberry.input
class RegisterGatewayInput(Asked):
    """The gateway to announce."""

    group_id: strawberry.ID = strawberry.field(description="The id of its group.")
    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.input
class GatewayInput(Asked):
    """The gateway that is meant."""

    gateway_id: strawberry.ID = strawberry.field(description="The id of the gateway.")

    def said(self) -> dict[str, Any]:
        """Return what every command about a gateway is told."""
        return {**super().said(), "gateway_id": named(self.gateway_id, "Gateway", "gateway_id")}


@strawberry.type
class GatewayGroupChanged(Changed):
    """The group, and what happened to it."""

    kinds = (GATEWAY_GROUP,)

    @strawberry.field
    async def gateway_group(self, info: Info) -> GatewayGroup | None:
        """Return the group; null after a dry run."""
        return await self.node(info, GATEWAY_GROUP)


@strawberry.type
class GatewayChanged(Changed):
    """The gateway, and what happened to it."""

    kinds = (GATEWAY,)

    @strawberry.field
    async def gateway(self, info: Info) -> Gateway | None:
        """Return the gateway; null after a dry run."""
        return await self.node(info, GATEWAY)


@strawberry.type
class GatewayMutations:
    """What can be done about gateways."""

    @mutation
    async def open_gateway_group(
        self, info: Info, input: OpenGatewayGroupInput
    ) -> GatewayGroupChanged | Rejected:
        """Set up gateways that enforce the same configuration; needs gateway:register."""
        return await change(
            info,
            GatewayGroupChanged,
            input,
            lambda: OpenGatewayGroup(
                slug=input.slug,
                environment=input.environment,
                product_ids=tuple(
                    named(id_, "ApiProduct", "product_ids") for id_ in input.product_ids
                ),
                **input.said(),
            ),
        )

    @mutation
    async def register_gateway(
        self, info: Info, input: RegisterGatewayInput
    ) -> GatewayChanged | Rejected:
        """Announce a gateway, which polls once it has a token; needs gateway:register."""
        return await change(
            info,
            GatewayChanged,
            input,
            lambda: RegisterGateway(
                group_id=named(input.group_id, "GatewayGroup", "group_id"),
                name=input.name,
                **input.said(),
            ),
        )

    @mutation
    async def drain_gateway(self, info: Info, input: GatewayInput) -> GatewayChanged | Rejected:
        """Take a gateway out of service: its polls are refused; needs gateway:register.

        It is missed by nobody, and its token stays: reinstateGateway takes it back.
        """
        return await change(info, GatewayChanged, input, lambda: DrainGateway(**input.said()))

    @mutation
    async def reinstate_gateway(self, info: Info, input: GatewayInput) -> GatewayChanged | Rejected:
        """Take a gateway that was drained into service again; needs gateway:register."""
        return await change(info, GatewayChanged, input, lambda: ReinstateGateway(**input.said()))
