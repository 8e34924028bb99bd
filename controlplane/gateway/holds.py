"""What a process holds back from gateway groups, and the alarm: an event, for people to decide."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from controlplane.auth import process
from controlplane.commands import execute
from controlplane.commands.gateway_config import HoldBackConfig
from controlplane.gateway import withholding
from controlplane.gateway.group import Group, Live
from controlplane.gateway.withholding import Withheld
from controlplane.store import UNREACHABLE, Connection, UnavailableError
from domain.aggregate import DomainError

if TYPE_CHECKING:
    from controlplane.app import App

ACTOR = "gateway_config"
log = structlog.get_logger()


class Holds:
    """Holds back what was decided, and tells of it whenever a view is made without it."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._telling: set[asyncio.Task[None]] = set()

    async def decide(
        self, connection: Connection, organization_id: UUID, group: Group, live: Live, upto: int
    ) -> None:
        """Hold back from a group what is to be; nobody waits for the event that says so."""
        found = await withholding.decide(
            connection,
            organization_id,
            group,
            live,
            upto,
            percent=self._app.settings.config_shrink_percent,
            now=self._app.services.now(),
        )
        group.withhold([each.row for each in found])
        if found:
            telling = asyncio.create_task(self._record(organization_id, UUID(group.id), found))
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
