"""The one door for what gateways say: what they run, what they cannot, and that they live.

Whoever speaks for a gateway calls it: the gateways' GraphQL, and Envoy's own protocol.
"""

import asyncio
from collections import OrderedDict
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Histogram

from controlplane.app import App
from controlplane.context import Caller
from controlplane.gateway import acknowledgement, envoy_parts
from controlplane.gateway.acknowledgement import Acknowledgement, Heard, Rejects, Runs
from controlplane.gateway.coalesced import Coalesced
from controlplane.gateway.envoy_parts import EnvoyRuns, PartRuns
from controlplane.gateway.mirror import Served
from controlplane.store import UnavailableError
from domain.aggregate import DomainError
from domain.cursor import Cursor

log = structlog.get_logger()
REASON_CHARS = 1_000
HEARD_S = 10.0
"""A gateway that polls more often is written down once in so long."""
GATEWAYS = 10_000
PARTS = 50_000
"""Words of Envoys that wait to be written: a process that starts is told everything at once."""
GROUPS = 100
"""Groups with a label of their own; the others share one."""

NOWHERE = Cursor(0, 0)
PROPAGATION_S = Histogram(
    "controlplane_gateway_propagation_seconds",
    "From the commit of the newest change that a gateway runs to its first acknowledgement.",
    ["group"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600),
)


class ReasonMissingError(DomainError):
    """Say why the configuration cannot be run; of a longer reason 1,000 characters are kept."""


class Observations:
    """What the gateways of one process say, written together when they say it together."""

    def __init__(self, app: App) -> None:
        self._epoch = app.epoch
        pool, budget_s = app.services.pool, app.settings.database_budget_s
        self.runs: Coalesced[Runs, Acknowledgement] = Coalesced(
            pool, budget_s, acknowledgement.run, lambda said: said.gateway
        )
        self._parts: Coalesced[PartRuns, EnvoyRuns] = Coalesced(
            pool, budget_s, envoy_parts.say, lambda said: (said.gateway, said.part), PARTS
        )
        self._rejects = Coalesced(pool, budget_s, acknowledgement.reject, lambda said: said.gateway)
        self._contacts = Coalesced(pool, budget_s, acknowledgement.hear, lambda said: said)
        self._heard: OrderedDict[UUID, float] = OrderedDict()
        self._groups: set[str] = set()

    def heard(self, caller: Caller) -> None:
        """Remember that a gateway lives; nobody waits for it to be written."""
        gateway_id = caller.gateway_id
        if gateway_id is None:
            return
        now_s = asyncio.get_running_loop().time()
        last_s = self._heard.get(gateway_id)
        if last_s is not None and now_s < last_s + HEARD_S:
            return
        self._heard[gateway_id] = now_s
        self._heard.move_to_end(gateway_id)
        if len(self._heard) > GATEWAYS:
            self._heard.popitem(last=False)
        try:
            self._contacts.say(Heard(caller.organization_id, gateway_id))
        except UnavailableError:  # the next poll says it again
            del self._heard[gateway_id]

    def runs_part(
        self, caller: Caller, part: str, version: str, sent_at: Cursor = NOWHERE
    ) -> "asyncio.Future[EnvoyRuns]":
        """Keep which version of a part the calling Envoy runs; return what it runs altogether.

        Of two versions, the one that it was sent of a later configuration. Raises UnavailableError.
        """
        return self._parts.say(PartRuns(_of(caller), part, version, sent_at))

    async def acknowledged(
        self, caller: Caller, served: Served, cursor: Cursor, content_hash: str
    ) -> Acknowledgement:
        """Keep that the calling gateway runs a configuration of the group that it is served.

        It diverged if that is the current one and has another hash. If it said to run a later one
        already, that stays, and is returned. Raises UnavailableError.
        """
        view = served.view
        current = cursor == Cursor(self._epoch, view.cursor)
        said = Runs(
            _of(caller), cursor, content_hash, current and view.content_hash != content_hash
        )
        kept = await self.runs.say(said)
        if kept.cursor != cursor:
            log.warning("gateway.earlier_word", gateway=str(kept.gateway_id), said=str(cursor))
        elif kept.is_news and cursor.epoch == self._epoch and kept.committed_at is not None:
            took = kept.acknowledged_at - kept.committed_at
            PROPAGATION_S.labels(self._label(view.group.id)).observe(max(0.0, took.total_seconds()))
        return kept

    async def rejected(self, caller: Caller, cursor: Cursor, reason: str) -> datetime:
        """Keep that the calling gateway cannot run a configuration, and why; return when.

        Of the reason REASON_CHARS printable characters are kept. Raises ReasonMissingError,
        UnavailableError.
        """
        legible = "".join(char if char.isprintable() else " " for char in reason[:REASON_CHARS])
        if not legible.strip():
            raise ReasonMissingError("reason")
        return await self._rejects.say(Rejects(_of(caller), cursor, legible.strip()))

    def _label(self, group_id: str) -> str:
        if group_id not in self._groups and len(self._groups) >= GROUPS:
            return "other"
        self._groups.add(group_id)
        return group_id


def _of(caller: Caller) -> Heard:
    assert caller.gateway_id is not None  # only a gateway says what it runs
    return Heard(caller.organization_id, caller.gateway_id)
