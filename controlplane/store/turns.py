"""Lets the callers of one process change a contended stream one after the other."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from controlplane.store import UnavailableError


class Turns:
    """Locks for streams that callers collided on; without a collision nobody waits for a turn.

    Version checks keep streams right without it. But when many callers decide at the same
    moment, all but one decide in vain, and some lose every time.
    """

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    def taken(self, streams: Iterable[UUID]) -> bool:
        """Tell whether someone else's turn at one of the streams is on."""
        if not self._locks:
            return False
        found = (self._locks.get(stream) for stream in streams)
        return any(lock is not None and lock.locked() for lock in found)

    @asynccontextmanager
    async def at(self, streams: Iterable[UUID]) -> AsyncIterator[None]:
        """Wait for a turn at all of the streams, and keep it until the block ends.

        Raises UnavailableError when it does not come within the budget.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._budget_s):
                    for stream in sorted(streams):  # one order, so that nobody waits in a circle
                        lock = self._locks.get(stream)
                        if lock is None:
                            lock = self._locks[stream] = asyncio.Lock()
                        await stack.enter_async_context(lock)
            except TimeoutError:
                raise UnavailableError("Too many change the same thing.") from None
            yield
