"""Commands about gateway groups and gateways."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.gateway import Gateway
from domain.gateway_group import GatewayGroup


@dataclass(frozen=True, kw_only=True)
class OpenGatewayGroup(Command):
    """Set up gateways that enforce the same configuration."""

    permission = "gateway:register"
    slug: str
    environment: str
    product_ids: tuple[UUID, ...] = ()

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a group, whose slug is unique in the organization."""
        group = GatewayGroup.open(
            context.services.new_id(),
            slug=self.slug,
            environment=self.environment,
            product_ids=list(self.product_ids),
            at=work.at,
            why=work.why,
        )
        for product_id in self.product_ids:
            await work.get(ApiProduct, product_id, "product_ids")
        await work.reserve("gateway_group", self.slug, group.id, "slug")
        work.add(group)


@dataclass(frozen=True, kw_only=True)
class RegisterGateway(Command):
    """Announce a gateway of a group; it needs a token before it can poll."""

    permission = "gateway:register"
    group_id: UUID
    name: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a gateway."""
        await work.get(GatewayGroup, self.group_id, "group_id")
        work.add(
            Gateway.register(
                context.services.new_id(),
                group_id=self.group_id,
                name=self.name,
                at=work.at,
                why=work.why,
            )
        )
