"""Alarms about configurations: what is held back becomes an event, for people to decide."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import structlog

from controlplane.app import App
from controlplane.auth import process
from controlplane.commands import execute
from controlplane.commands.gateway_config import HoldBackConfig
from controlplane.gateway.group import Group
from controlplane.gateway.withholding import Withheld
from controlplane.store import UNREACHABLE, UnavailableError
from domain.aggregate import DomainError

ACTOR = "gateway_config"
log = structlog.get_logger()


class Alarms:
    """Tells of what is held back whenever a view is made with it; who hears it twice keeps one."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._telling: set[asyncio.Task[None]] = set()

    def raise_for(self, organization_id: UUID, group: Group, found: Iterable[Withheld]) -> None:
        """Record what is held back from a group; nobody waits for it."""
        telling = asyncio.create_task(self._record(organization_id, UUID(group.id), list(found)))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _record(
        self, organization_id: UUID, group_id: UUID, found: Iterable[Withheld]
    ) -> None:
        context = self._app.context(process(organization_id, ACTOR, "timer"))
        for row, decision in found:
            product, position = row.key[1], row.until_position or 0
            told = {"group": str(group_id), "product": product, "position": position}
            log.error("config.held_back", **told, rows=decision.rows, of_rows=decision.of_rows)
            command = HoldBackConfig(
                group_id=group_id,
                product_id=UUID(product),
                position=position,
                rows=decision.rows,
                of_rows=decision.of_rows,
                reason="Too much of the configuration would go with the product at once.",
                idempotency_key=f"hold back {group_id} {product} {position}",
            )
            try:
                await execute(command, context)
            except DomainError as refusal:  # another process told of it
                log.info("config.held_back_already", **told, why=str(refusal))
            except (UnavailableError, *UNREACHABLE) as error:
                log.warning("config.alarm_not_recorded", **told, error=str(error))
