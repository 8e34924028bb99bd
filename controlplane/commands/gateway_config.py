"""Commands about what gateways are handed out, and what is held back from them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.gateway_group import GatewayGroup


@dataclass(frozen=True, kw_only=True)
class ConfigCommand(Command):
    """A command about the configuration of one group."""

    permission = "config:decide"
    group_id: UUID

    async def get(self, work: UnitOfWork) -> GatewayGroup:
        """Return the group. Raises NotFoundError."""
        return await work.get(GatewayGroup, self.group_id, "group_id")


@dataclass(frozen=True, kw_only=True)
class ConfirmEpoch(ConfigCommand):
    """Say that nothing is missing in this history that gateways should go on refusing."""

    epoch: int

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Confirm the epoch for the group."""
        group = await self.get(work)
        group.confirm_epoch(self.epoch, current=context.services.epoch, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class HoldBackConfig(ConfigCommand):
    """Note that the end of a product is held back; the process that does so asks for it."""

    product_id: UUID
    position: int
    rows: int
    of_rows: int

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002  # as declared
        """Note it."""
        group = await self.get(work)
        await work.get(ApiProduct, self.product_id, "product_id")
        group.hold_back(
            self.product_id,
            position=self.position,
            rows=self.rows,
            of_rows=self.of_rows,
            at=work.at,
            why=work.why,
        )


class ReleaseConfig(ConfigCommand):
    """Hand out what is held back: it is right."""

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002  # as declared
        """Release it."""
        (await self.get(work)).release_config(at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class IntendConfigShrink(ConfigCommand):
    """Say beforehand that much will be taken away, until an instant and for a reason."""

    until: datetime

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002  # as declared
        """Keep the intention."""
        (await self.get(work)).intend_shrink(self.until, at=work.at, why=work.why)
