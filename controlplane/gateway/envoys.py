"""What a process sent the Envoys that ask it, and what it hears of them: what they run, or refuse.

Envoy says which version it runs of what it asks for. That it asks again under the version it had
before is all it says of a configuration that it refused.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import structlog
from prometheus_client import Counter

from controlplane.context import Caller
from controlplane.gateway.envoy_parts import EnvoyRuns
from controlplane.gateway.envoy_poll import Poll
from controlplane.gateway.mirror import Served
from controlplane.gateway.observations import Observations
from controlplane.gateway.offered import Offered, Part
from controlplane.store import UnavailableError
from domain.cursor import Cursor

log = structlog.get_logger()
GATEWAYS = 10_000
"""Of those that asked last it is known what they were sent."""

ANSWERS = Counter(
    "controlplane_xds_polls_total", "Polls of Envoys by what they were answered.", ["answer"]
)
_REFUSED = ANSWERS.labels("refused")


class Sent(NamedTuple):
    """Resources that were sent, in place of what the gateway said to run then."""

    version: str
    transport: asyncio.Transport | None
    before: str

    @property
    def lost(self) -> bool:
        """Whether it may not have arrived."""
        return self.transport is None or self.transport.is_closing()


@dataclass
class Known:
    """What a process sent a gateway, and heard of it: others may know more."""

    sent: dict[Part, Sent] = field(default_factory=dict)
    """What was sent of a part; gone once the gateway has asked for it again."""
    said: dict[Part, str] = field(default_factory=dict)
    refused: dict[Part, str] = field(default_factory=dict)
    """What it did not take: it is sent again only after a pause."""
    looked: Cursor | None = None
    """The newest configuration of which it was asked whether the gateway runs it."""

    def is_due(self, asked: Poll, version: str) -> bool:
        """Tell whether to send now: something else than it runs, and that it has not refused.

        What it refused it is sent again only after a pause, or it would ask ten times a second.
        """
        return version not in {asked.version, self.refused.get(asked.part)}


class Envoys:
    """The Envoys that ask one process."""

    def __init__(self, observations: Observations) -> None:
        """Have what they say written down there."""
        self._observations = observations
        self._known: OrderedDict[UUID, Known] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()

    def known(self, caller: Caller) -> Known:
        """Return what is known of a gateway: of those that asked last."""
        assert caller.gateway_id is not None  # others are refused
        known = self._known.setdefault(caller.gateway_id, Known())
        self._known.move_to_end(caller.gateway_id)
        if len(self._known) > GATEWAYS:
            self._known.popitem(last=False)
        return known

    def hear(
        self, caller: Caller, served: Served, offered: Offered, asked: Poll
    ) -> "asyncio.Future[EnvoyRuns] | None":
        """Take in which version of a part a gateway runs; return what will be known by that."""
        known, part = self.known(caller), asked.part
        sent = known.sent.pop(part, None)
        # Under yet another version it was told by another process of what came later.
        if sent and sent.version != asked.version and sent.before == asked.said and not sent.lost:
            known.refused[part] = sent.version
            self._tell_refused(caller, offered, asked)
        # What it runs comes back, under another position: only "" is said of different things.
        is_known = asked.said and known.said.get(part) == asked.said
        if is_known and known.looked == offered.newest:
            return None
        try:
            runs = self._observations.runs_part(caller, asked.what, asked.version, *asked.held)
        except UnavailableError as error:  # the next poll says it again
            log.warning("xds.not_written_down", error=str(error))
            return None
        known.said[part], known.looked = asked.said, offered.newest
        self._tell(self._acknowledge(caller, served, offered, known, runs))
        return runs

    async def _acknowledge(
        self,
        caller: Caller,
        served: Served,
        offered: Offered,
        known: Known,
        said: "asyncio.Future[EnvoyRuns]",
    ) -> None:
        """Write down which configuration a gateway runs, once it says so of all parts."""
        try:
            runs = await said
        except UnavailableError:
            known.said, known.looked = {}, None
            raise
        former = runs.acknowledged
        if former is not None and offered.is_behind(former):
            return  # what is the same for an Envoy may have a newer name elsewhere
        versions = {
            (word, name): version
            for part, version in runs.versions.items()
            for word, _, name in (part.partition(" "),)
        }
        found = offered.rendering(versions)
        if found is not None and found.cursor != former:
            await self._observations.acknowledged(caller, served, found.cursor, found.content_hash)

    def _tell_refused(self, caller: Caller, offered: Offered, asked: Poll) -> None:
        _REFUSED.inc()
        what = asked.what
        log.error("xds.refused", gateway=str(caller.gateway_id), what=what, runs=asked.version)
        cursor = offered.renderings[-1].cursor
        reason = f"Envoy does not take {what} and keeps version {asked.version}; its log says why."
        self._tell(self._observations.rejected(caller, cursor, reason))

    def _tell(self, said: Coroutine[None, None, object]) -> None:
        """Have something written down; nobody waits for it."""

        async def tell() -> None:
            try:
                await said
            except UnavailableError as error:
                log.warning("xds.not_written_down", error=str(error))

        task = asyncio.create_task(tell(), name="xds")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
