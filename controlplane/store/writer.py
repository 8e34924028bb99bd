"""The one writer of a process: it commits what is waiting as one batch (group commit)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import asyncpg
from eventsourcing.persistence import StoredEvent

from controlplane.metrics import COMMIT_COMMANDS
from controlplane.store import UNREACHABLE, UnavailableError
from controlplane.store.deadlines import Deadlines
from controlplane.store.history import HistoryReplacedError
from domain.aggregate import DomainError

BATCH_SAVES = 1_024
BATCH_BYTES = 64 * 2**20
QUEUE_SAVES = 8_192
FIRST_PAUSE_S, LAST_PAUSE_S = 0.05, 0.5

Connect: TypeAlias = "Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]"


class ConflictError(DomainError):
    """Someone else changed this first; read it again and decide again."""


@dataclass(frozen=True)
class Receipt:
    """Who asked for what under which key: the row by which a retry is recognised."""

    organization: str
    actor: str
    key: str
    request_hash: bytes


@dataclass(frozen=True, eq=False)
class Save:
    """The events of one command, waiting to be committed together or not at all."""

    receipt: Receipt
    events: Sequence[StoredEvent]
    asserted: Sequence[tuple[UUID, int]]
    """Streams that were only read, and the versions at which the decision holds."""
    documents: Sequence[tuple[bytes, bytes]]
    """SHA-256 and content."""
    committed: "asyncio.Future[int]"

    @property
    def size_bytes(self) -> int:
        """What the save weighs on the way to the database, roughly."""
        return sum(len(event.state) for event in self.events) + sum(
            len(body) for _, body in self.documents
        )

    @property
    def writes(self) -> set[Hashable]:
        """What no other save of the batch may touch: its streams and its key."""
        receipt = self.receipt
        command = (receipt.organization, receipt.actor, receipt.key)
        return {command, *(event.originator_id for event in self.events)}

    @property
    def reads(self) -> set[Hashable]:
        """What other saves of the batch may read too, but not write."""
        return {stream for stream, _ in self.asserted}


def split(saves: Sequence[Save]) -> tuple[list[Save], list[Save]]:
    """Return a batch in which no save touches what another writes, and the rest, in order."""
    batch: list[Save] = []
    rest: list[Save] = []
    written: set[Hashable] = set()
    read: set[Hashable] = set()
    size_bytes = 0
    for save in saves:
        writes, reads = save.writes, save.reads
        size_bytes += save.size_bytes
        apart = written.isdisjoint(writes) and written.isdisjoint(reads) and read.isdisjoint(writes)
        fits = not batch or size_bytes <= BATCH_BYTES
        (batch if apart and fits else rest).append(save)
        written |= writes
        read |= reads
    return batch, rest


class Writer:
    """Commits saves; nothing is acknowledged before its COMMIT.

    `connect` opens a connection of the writer's own. `budget_s` bounds one statement, and also
    how long a save waits, for its batch and for a database that is away.
    """

    def __init__(self, connect: Connect, budget_s: float) -> None:
        self._connect = connect
        self._budget_s = budget_s
        self._queue: asyncio.Queue[Save] = asyncio.Queue(QUEUE_SAVES)
        self._deadlines = Deadlines(budget_s)
        self._link: asyncpg.Connection[asyncpg.Record] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the writer; at the end, first commit what is waiting."""
        task = asyncio.create_task(self._run(), name="writer")
        try:
            yield
            await self._queue.join()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._deadlines.stop()
            self._drop_link()

    async def commit(self, save: Save) -> int:
        """Return the position of the save's last event once it is durable.

        Raises ConflictError, UnavailableError, or what PostgreSQL says of the save's own values.
        """
        self._deadlines.add(save.committed)
        if self._queue.full():
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._budget_s):
                        await self._queue.put(save)
            except asyncio.CancelledError:
                save.committed.cancel()  # else it fails in time, and nobody takes notice
                raise
        else:
            self._queue.put_nowait(save)
        return await save.committed

    async def _run(self) -> None:
        waiting: list[Save] = []
        while True:
            if not waiting:
                waiting.append(await self._queue.get())
            while len(waiting) < BATCH_SAVES and not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            batch, waiting = split(waiting)
            try:
                await self._commit(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _commit(self, batch: list[Save]) -> None:
        """Settle every save of the batch: stored, refused, or given up by its caller."""
        pause_s = FIRST_PAUSE_S
        while batch := [save for save in batch if not save.committed.done()]:
            try:
                await self._write(batch)
            except HistoryReplacedError as error:
                _fail(batch, UnavailableError(str(error)))
                break
            except UNREACHABLE:
                # A COMMIT may have gone through unheard. Sent again, such a save is refused by
                # its own row in `commands`, which is how its caller learns of the success.
                self._drop_link()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LAST_PAUSE_S)
            except Exception as error:  # noqa: BLE001  # the writer outlives any save
                if len(batch) == 1:
                    _fail(batch, error)
                    break
                for save in batch:  # one save must not fail its neighbours
                    await self._commit([save])
                break
            else:
                break

    async def _write(self, batch: Sequence[Save]) -> None:
        events = [(nth, event) for nth, save in enumerate(batch, 1) for event in save.events]
        reads = [(nth, *read) for nth, save in enumerate(batch, 1) for read in save.asserted]
        documents = [document for save in batch for document in save.documents]
        # Not the driver's own timeout: that one waits for a cancellation to be answered.
        async with asyncio.timeout(self._budget_s):
            if self._link is None or self._link.is_closed():
                self._link = await self._connect()
            # One statement is one transaction: asyncpg returns when the COMMIT is durable.
            verdict = await self._link.fetchrow(
                "SELECT head, refused FROM append_saves("
                "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                [nth for nth, _ in events],
                [event.originator_id for _, event in events],
                [event.originator_version for _, event in events],
                [event.topic for _, event in events],
                [event.state for _, event in events],
                [nth for nth, _, _ in reads],
                [stream for _, stream, _ in reads],
                [version for _, _, version in reads],
                [save.receipt.organization for save in batch],
                [save.receipt.actor for save in batch],
                [save.receipt.key for save in batch],
                [save.receipt.request_hash for save in batch],
                [len(save.events) for save in batch],
                [sha256 for sha256, _ in documents],
                [body for _, body in documents],
            )
        assert verdict is not None
        refused = set(verdict["refused"])
        COMMIT_COMMANDS.observe(len(batch) - len(refused))
        _settle(batch, verdict["head"], refused)

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.terminate()
        self._link = None


def _settle(batch: Sequence[Save], position: int, refused: set[int]) -> None:
    for nth, save in enumerate(batch, 1):
        stored = nth not in refused
        position += len(save.events) if stored else 0
        if save.committed.done():  # its caller gave up waiting
            continue
        if stored:
            save.committed.set_result(position)
        else:
            save.committed.set_exception(ConflictError())


def _fail(batch: Sequence[Save], error: Exception) -> None:
    for save in batch:
        if not save.committed.done():
            save.committed.set_exception(error)
