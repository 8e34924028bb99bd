"""Polls that are held: those that wait for the same answer are a crowd, and are told together.

When a view changes, a thousand gateways are due the same few bytes. Most of what an answer costs
comes after these: handlers go on, requests are measured, connections wait for the next one. So
everyone's bytes are written first, and only then does anyone go on.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from aiohttp import web
from prometheus_client import Gauge

from controlplane.context import Caller
from controlplane.gateway.mirror import Encoded, Served, wake
from controlplane.gateway.places import Places
from controlplane.gateway.poll import Poll
from controlplane.http import CONTEXT
from controlplane.store import UnavailableError
from controlplane.store.projector import ReadModelsBehindError
from domain.aggregate import Aggregate
from domain.cursor import Cursor

WAITERS, WAITERS_EACH = 5_000, 100
"""Polls that are held by a process, and for each token."""

WAITING = Gauge(
    "controlplane_gateway_waiting",
    "Polls that are held until the configuration changes.",
    multiprocess_mode="livesum",
)


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class Held:
    """A poll that is held, and the response to it once that has been sent."""

    request: web.Request
    asked: Poll
    caller: Caller
    gateway: Aggregate | None
    sent: web.Response | None = None
    woken: "asyncio.Future[None]" = field(default_factory=_future)

    @property
    def is_free(self) -> bool:
        """Whether it is still held, and its connection takes an answer without anybody waiting."""
        transport = self.request.transport
        return not (
            self.woken.done()  # its time is over, or its client gone: the handler sees to it
            or transport is None
            or transport.is_closing()
            or transport.get_write_buffer_size()
        )

    async def send(self, answer: Encoded) -> None:
        """Write a response to the connection; aiohttp then finds nothing left to send of it."""
        response = web.Response(body=answer.body, headers=answer.headers)
        response.headers["X-Request-Id"] = self.request[CONTEXT].correlation
        await response.prepare(self.request)
        await response.write_eof()
        self.sent = response


class Crowd:
    """Those who wait for the same answer."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.polls: set[Held] = set()
        self.changed = _future()
        served.waiters.add(self.changed)


Tell: TypeAlias = Callable[[Served, Sequence[Held]], Coroutine[None, None, None]]
"""Sends the answer to those who may have it; whoever is left out then asks like any other."""


class Crowds:
    """The crowds of one process."""

    def __init__(self, waiters: int, tell: Tell) -> None:
        """Hold at most so many polls at once."""
        self._places = Places(waiters, WAITERS_EACH)
        self._tell = tell
        self._crowds: dict[tuple[Served, Cursor | None, str], Crowd] = {}
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many polls are held."""
        return self._places.taken

    async def wait(self, held: Held, served: Served) -> None:
        """Hold a poll until the view changes, the process stops, or its time is over.

        It may have been answered then. Raises HTTPServiceUnavailable.
        """
        with (
            self._places.one(held.caller.actor),
            self._joined(served, held),
            WAITING.track_inprogress(),
            suppress(TimeoutError),
        ):
            async with asyncio.timeout(held.asked.wait_s):
                await held.woken

    @contextmanager
    def _joined(self, served: Served, held: Held) -> Iterator[None]:
        name = (served, held.asked.since, held.asked.coding)
        crowd = self._crowds.get(name)
        if crowd is None or crowd.changed.done():  # those in it are about to be told, or were
            crowd = self._crowds[name] = Crowd(served)
            crowd.changed.add_done_callback(partial(self._begin, crowd))
        crowd.polls.add(held)
        try:
            yield
        finally:
            crowd.polls.discard(held)
            if not crowd.polls:
                served.waiters.discard(crowd.changed)
                if self._crowds.get(name) is crowd:
                    del self._crowds[name]

    def _begin(self, crowd: Crowd, _: "asyncio.Future[None]") -> None:
        """Have a crowd told what has changed, and then go on."""
        polls = list(crowd.polls)
        telling = asyncio.create_task(self._told(crowd.served, polls), name="crowd")
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        telling.add_done_callback(lambda _: wake([each.woken for each in polls]))

    async def _told(self, served: Served, polls: Sequence[Held]) -> None:
        with suppress(ReadModelsBehindError, UnavailableError):  # which they find for themselves
            await self._tell(served, polls)
