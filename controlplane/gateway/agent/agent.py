"""The loop of an agent: ask, check, keep it, have the gateway enforce it, acknowledge it.

What cannot be taken or enforced leaves what was before, is told on standard error and in the
status, and is tried again: after 0.2 s at first and 10 s at last, each time something else by
chance, so that gateways that lost the control plane together do not come back together. What was
taken away meanwhile is waited for: the pause is 2 s at most while there is only a delta to ask for.
Only an agent that is to end by itself ends when the control plane refuses it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from controlplane.gateway.agent.complaints import Complaints
from controlplane.gateway.agent.gateway import Gateway, GatewayError
from controlplane.gateway.agent.held import Change, DocumentOlderError, Held
from controlplane.gateway.agent.kept import Kept
from controlplane.gateway.agent.source import Source, SourceError, SourceRefusedError
from controlplane.gateway.agent.status import UNSERVED, Status
from controlplane.gateway.agent.trust import Trust
from controlplane.gateway.renderers import RenderedInvalidError
from domain.aggregate import DomainError
from domain.config_document import DeltaMisfitError

BACKOFF_S, BACKOFF_MAX_S = 0.2, 10.0
AWAY_MAX_S = 2.0
log = structlog.get_logger()


class DocumentMalformedError(DomainError):
    """The document is not in the format of configurations."""


@dataclass
class Agent:
    """One agent of one gateway."""

    source: Source
    gateway: Gateway
    kept: Kept
    trust: Trust
    status: Status
    now: Callable[[], datetime]
    wait_s: float = 30.0
    held: Held | None = None
    _since: str | None = None
    """What to ask from: not what is held when a snapshot is wanted."""
    _pending: list[Change] | None = None
    """What the gateway was not told yet; None for everything."""
    _enforced: bool = False
    _current: bool = False
    """Whether the control plane said last that there is nothing newer."""
    _acknowledged: str = ""
    _failures: int = 0
    _complaints: Complaints = field(default_factory=Complaints)
    _random: random.Random = field(default_factory=random.SystemRandom)

    def resume(self, snapshot: dict[str, Any] | None = None) -> None:
        """Begin with what was kept, or a snapshot that is newer; without either with nothing."""
        self._resumed(self.kept.documents())
        if snapshot and self._resumed([snapshot]):
            self._replace_kept()
        self._pending = None

    def _resumed(self, documents: Iterable[dict[str, Any]]) -> bool:
        """Return whether all of some documents could be taken."""
        try:
            for document in documents:
                self._take(document)
        except DomainError as error:
            self._tell("agent.kept_refused", error)
        except DeltaMisfitError:
            log.warning("agent.journal_misfits")
        else:
            return True
        return False

    def _replace_kept(self) -> None:
        assert self.held is not None
        self.kept.replace(self.held.document(), self.held.tombstones)

    async def run(self, *, once: bool = False) -> None:
        """Go on until cancelled, or with `once` until the gateway runs the latest.

        With `once` it raises SourceRefusedError, which trying again does not mend.
        """
        final = SourceRefusedError if once else ()
        while True:
            if self.held and not self._enforced:
                await self._tried(self._enforce, final)
            said = not self._enforced or await self._tried(self._acknowledge, final)
            self._write_status()
            if once and self._current and self._enforced and said:
                return
            enforced = self._enforced
            if not (await self._tried(self._poll, final) and said):
                self._write_status()
                await asyncio.sleep(self._pause_s())
            elif enforced:
                self._complaints.end()

    async def _tried(
        self, step: Callable[[], Awaitable[None]], final: type[DomainError] | tuple[()]
    ) -> bool:
        """Return whether a step succeeded; if not, tell why. Raises what is `final`."""
        try:
            await step()
        except DomainError as error:
            self._failures += 1
            self._tell("agent.failed", error)
            await self._report(error)
            if isinstance(error, final):
                self._write_status()
                raise
            return False
        return True

    async def _poll(self) -> None:
        """Ask once and hold what is said.

        While the gateway does not run what is held, what a change makes it try again for is not
        waited for longer than it is left alone.
        """
        wait_s = self.wait_s if self._enforced else min(self._pause_s(), self.wait_s)
        document = await self.source.poll(self._since, wait_s)
        self.status.heard_at = self.now()
        self._current = document is None
        if document is None:
            if self._enforced:
                self._failures, self.status.error = 0, ""
            return
        self._since, since = None, self._since  # if it cannot be taken, a snapshot mends it
        try:
            anew = self._take(document)
        except DeltaMisfitError:
            log.warning("agent.delta_misfits", since=since)
            return
        self._enforced = False
        # Before it is enforced: after a crash nothing that was enforced may be forgotten.
        if anew or not self.kept.append(document):
            self._replace_kept()

    def _take(self, document: dict[str, Any]) -> bool:
        """Hold what a document says; return whether all of it is to be kept anew.

        Raises DomainError or DeltaMisfitError, and then holds what it held.
        """
        self.trust.check(document, self.now())
        epoch = self.held.epoch if self.held else None
        try:
            if document["full"] or self.held is None:
                new = Held(document, self.held, self.kept.tombstones())
                if self._pending is not None and self.held is not None:
                    self._pending += self.held.changes_to(new)
                self.held = new
            else:
                changes = self.held.apply(document)
                if self._pending is not None:
                    self._pending += changes
            if epoch != self.held.epoch:
                self._pending = None  # other rows are kept out than before
            self._since = self.held.cursor
            return self.trust.took(document) or bool(document["full"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, DeltaMisfitError):
                raise
            raise DocumentMalformedError(detail=type(error).__name__) from None

    async def _enforce(self) -> None:
        """Have the gateway run what is held. Raises GatewayError and such."""
        assert self.held is not None
        changes, self._pending = self._pending, []
        changes = changes and self.held.kept_out(changes)
        unserved = await self.gateway.enforce(self.held, changes)
        self._enforced, self._failures, self.status.error = True, 0, ""
        if unserved != self.status.unserved:
            self.status.unserved = unserved
            for each in unserved[:UNSERVED]:
                names = self.held.names(each.kind, each.id)
                log.warning("agent.unserved", **vars(each), **names)
            if not unserved:
                log.info("agent.all_served")

    async def _acknowledge(self) -> None:
        """Say what the gateway runs, if that was not said."""
        assert self.held is not None
        if self._acknowledged == self.held.cursor:
            return
        cursor = self.held.cursor
        if await self.source.acknowledge(cursor, self.held.content_hash()):
            self._since = None
            raise SourceError(detail="It says that what we hold diverged.")
        self._acknowledged = cursor

    async def _report(self, error: DomainError) -> None:
        """Tell the control plane that what it said cannot be run."""
        if self.held and isinstance(error, GatewayError | RenderedInvalidError):
            with suppress(SourceError):
                await self.source.report(self.held.cursor, str(error))
        elif self.held and isinstance(error, DocumentOlderError):
            with suppress(SourceError):
                await self.source.ahead(self.held.head)

    def _tell(self, event: str, error: DomainError) -> None:
        self._complaints.tell(event, str(error), self.now(), type(error).__name__)
        self.status.error = str(error)

    def _write_status(self) -> None:
        held, status = self.held, self.status
        if held:
            status.cursor, status.content_hash = held.cursor, held.content_hash()
            status.enforced = self._enforced
            issued_at = datetime.fromisoformat(held.head["issued_at"])
            heard_at = max(status.heard_at or issued_at, issued_at)
            status.stale = self.now() > heard_at + timedelta(seconds=held.head["max_staleness_s"])
            if status.stale:
                said = f"Nothing was heard since {heard_at.isoformat()}."
                self._complaints.tell("agent.stale", said, self.now())
        status.write(self.now())

    def _pause_s(self) -> float:
        most_s = AWAY_MAX_S if self._enforced and self._since else BACKOFF_MAX_S
        longest_s: float = min(BACKOFF_S * 2.0 ** min(self._failures, 10), most_s)
        return longest_s * self._random.uniform(0.5, 1.0)
