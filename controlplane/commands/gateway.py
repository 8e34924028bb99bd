"""Commands about gateway groups and gateways."""

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, kw_only=True)
class GatewayCommand(Command):
    """A command about one gateway."""

    permission = "gateway:register"
    gateway_id: UUID

    async def get(self, work: UnitOfWork) -> Gateway:
        """Return the gateway. Raises NotFoundError."""
        return await work.get(Gateway, self.gateway_id, "gateway_id")


class DrainGateway(GatewayCommand):
    """Take a gateway out of service: it is handed nothing more, and is not missed."""

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002  # as declared
        """Drain it; its token stays, since a mistake has a way back."""
        (await self.get(work)).drain(at=work.at, why=work.why)


class ReinstateGateway(GatewayCommand):
    """Take a gateway that was drained into service again."""

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002  # as declared
        """Reinstate it."""
        (await self.get(work)).reinstate(at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class NoteGateway(GatewayCommand):
    """Record that a gateway went stale or diverged, or that it is well again; a timer asks for it.

    None, and no cursor, for a gateway that is heard and agrees.
    """

    silent_since: datetime | None = None
    cursor: str | None = None
    content_hash: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002  # as declared
        """Note what is new of it."""
        (await self.get(work)).note(
            silent_since=self.silent_since,
            diverged_at=self.cursor,
            content_hash=self.content_hash,
            at=work.at,
            why=work.why,
        )
