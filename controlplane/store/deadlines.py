"""One timer for many waits of the same length: a timer for each costs as much as a small query."""

import asyncio
from collections import deque

from controlplane.store import UnavailableError


class Deadlines:
    """Fails futures that are not done in time, all of them after the same `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._due: deque[tuple[float, asyncio.Future[int]]] = deque()  # the next one first
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: "asyncio.Future[int]") -> None:
        """Have a future fail with UnavailableError unless it is done in time."""
        self._forget_done()
        due_s = future.get_loop().time() + self._limit_s
        self._due.append((due_s, future))
        if self._timer is None:
            self._timer = future.get_loop().call_at(due_s, self._fail)

    def stop(self) -> None:
        """Fail what is left: nothing will be done any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        for _, future in self._due:
            if not future.done():
                future.set_exception(UnavailableError("It was not done before the end."))
        self._due.clear()

    def _fail(self) -> None:
        loop = asyncio.get_running_loop()
        while self._due and self._due[0][0] <= loop.time():
            _, future = self._due.popleft()
            if not future.done():
                future.set_exception(
                    UnavailableError(f"It was not done within {self._limit_s:g} s.")
                )
        self._forget_done()
        self._timer = loop.call_at(self._due[0][0], self._fail) if self._due else None

    def _forget_done(self) -> None:
        while self._due and self._due[0][1].done():
            self._due.popleft()
