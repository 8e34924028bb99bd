"""What many say at once is written by one statement: a group commit for observations."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeAlias, TypeVar

import structlog

from controlplane.store import UNREACHABLE, Connection, Pool, UnavailableError, lent

log = structlog.get_logger()
BATCH = 1_000
WAITING = 10_000
Said = TypeVar("Said")
Kept = TypeVar("Kept")
Write: TypeAlias = "Callable[[Connection, Sequence[Said]], Awaitable[Sequence[Kept]]]"


class Coalesced(Generic[Said, Kept]):
    """Writes what comes together as one batch: the first at once, the others while it is written.

    `write` answers in the order of what it is given, of which no two have the same `key`. At most
    `waiting` may wait, by default WAITING.
    """

    def __init__(
        self,
        pool: Pool,
        budget_s: float,
        write: "Write[Said, Kept]",
        key: Callable[[Said], Hashable],
        waiting: int | None = None,
    ) -> None:
        self._pool = pool
        self._budget_s = budget_s
        self._write = write
        self._key = key
        self._most = WAITING if waiting is None else waiting
        self._waiting: deque[tuple[Said, asyncio.Future[Kept]]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self.batches = 0
        """How many statements it took so far."""

    def say(self, said: Said) -> "asyncio.Future[Kept]":
        """Return what will be what was kept. Raises UnavailableError, also when too many wait."""
        if len(self._waiting) >= self._most:
            raise UnavailableError("Too many observations wait to be written.")
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((said, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._run(), name="observations")
        return kept

    async def _run(self) -> None:
        while batch := self._batch():  # ends: what may wait bounds what comes meanwhile
            try:
                async with lent(self._pool, self._budget_s) as connection:
                    self.batches += 1
                    kept = await self._write(connection, [said for said, _ in batch])
            except (UnavailableError, *UNREACHABLE) as error:
                # Nor would the others be written: nobody waits for longer than two budgets.
                _fail(
                    [*batch, *self._waiting], UnavailableError(str(error) or type(error).__name__)
                )
                self._waiting.clear()
            except Exception as error:  # whoever said it is told; the next batch is written
                log.exception("observations.failed")
                _fail(batch, error)
            else:
                for (_, waiter), each in zip(batch, kept, strict=True):
                    if not waiter.done():  # its caller gave up waiting
                        waiter.set_result(each)

    def _batch(self) -> "list[tuple[Said, asyncio.Future[Kept]]]":
        """Return what is written next: of each key the first; the others keep their order."""
        batch: dict[Hashable, tuple[Said, asyncio.Future[Kept]]] = {}
        later: deque[tuple[Said, asyncio.Future[Kept]]] = deque()
        while self._waiting and len(batch) < BATCH:
            each = self._waiting.popleft()
            key = self._key(each[0])
            if key in batch:
                later.append(each)
            else:
                batch[key] = each
        self._waiting.extendleft(reversed(later))
        return list(batch.values())


def _fail(batch: "Sequence[tuple[Said, asyncio.Future[Kept]]]", error: Exception) -> None:
    for _, waiter in batch:
        if not waiter.done():
            waiter.set_exception(error)
            waiter.exception()  # nobody may wait for it
