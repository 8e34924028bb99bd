"""Builds a read model anew beside the live one: to replace it, or to compare the two."""

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from controlplane.store import Connection, Pool, tables
from controlplane.store.eventstore import head, read
from controlplane.store.generation import Fold, Generation, moved
from controlplane.store.projector import live_now
from projections.readmodel import ReadModel

PAGE_POSITIONS = 20_000
"""How many positions are read at once: about 60 MB of events at the most usual sizes."""

Progress = Callable[[int, int], None]
"""Told how many positions are done, of how many."""


class RebuildRunningError(Exception):
    """The read model is being rebuilt or checked already; wait until that has ended."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True)
class Comparison:
    """A table of the live generation beside the same table built anew."""

    table: str
    rows: int
    rebuilt_rows: int
    same: bool | None
    """None where there is no live one to compare with, as of an earlier position."""


async def rebuild(pool: Pool, model: ReadModel, progress: Progress) -> int:
    """Build the next generation and let it take the live one's place; return its number.

    Queries see the old rows until the new ones are complete. Memory stays bounded by
    generation.LIVE_ROWS. Raises RebuildRunningError.
    """
    async with _beside(pool, model) as (connection, old, new):
        with _no_collecting():
            await _fill(connection, new, progress)
        async with connection.transaction():
            await _catch_up_with(connection, old, new)
            await new.make_live(connection)
        async with connection.transaction():
            await old.drop(connection)
    return new.number


async def check(pool: Pool, model: ReadModel, progress: Progress) -> list[Comparison]:
    """Build the read model beside the live one and compare all their rows, at one position.

    Raises RebuildRunningError.
    """
    async with _beside(pool, model) as (connection, old, new):
        with _no_collecting():
            await _fill(connection, new, progress)
        async with connection.transaction():
            await _catch_up_with(connection, old, new)
            compared = [
                (
                    table.name,
                    await tables.fingerprint(connection, old.schema, table),
                    await tables.fingerprint(connection, new.schema, table),
                )
                for table in model.TABLES
            ]
        async with connection.transaction():
            await new.drop(connection)
    return [Comparison(name, live[0], built[0], live == built) for name, live, built in compared]


@asynccontextmanager
async def _beside(
    pool: Pool, model: ReadModel
) -> AsyncIterator[tuple[Connection, Generation, Generation]]:
    """Lend a connection, the live generation, and an empty one after it."""
    async with pool.acquire(timeout=None) as connection:
        key = f"rebuild {model.NAME}"
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", key):
            raise RebuildRunningError
        try:
            (old,) = await live_now(connection, [model])
            new = old.next()
            async with connection.transaction():
                await new.drop(connection)  # what a rebuild that was killed left behind
                await new.create(connection)
            yield connection, old, new
        finally:
            if not connection.is_closed():
                try:
                    await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", key)
                except BaseException:  # the next to be lent it would hold the lock
                    connection.terminate()
                    raise


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Spare the collector: rows hold no cycles, and it would walk all of them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def _fill(connection: Connection, new: Generation, progress: Progress) -> None:
    """Fold all events up to now, storing whenever enough rows have come together."""
    topics = [event.TOPIC for event in new.model.EVENTS]
    fold = Fold(new, fresh=True)
    done, last = 0, await head(connection)
    progress(done, last)
    while True:  # ends: it is faster than the writers, and stops within a page of them
        upto = min(done + PAGE_POSITIONS, last)
        await fold.add(connection, await read(connection, after=done, upto=upto, topics=topics))
        done = upto
        if fold.full or done == last:
            async with connection.transaction():
                await fold.flush(connection)
                await moved(connection, [new], done)
        progress(done, last)
        if done == last:
            last = await head(connection)
            if last - done < PAGE_POSITIONS:  # the rest comes with the lock held
                return await fold.complete(connection)


async def _catch_up_with(connection: Connection, old: Generation, new: Generation) -> None:
    """Bring the new generation to the position of the old one, which waits meanwhile."""
    upto = await old.lock(connection)
    done = await new.lock(connection)
    assert upto is not None
    assert done is not None
    topics = [event.TOPIC for event in new.model.EVENTS]  # a later release may write others
    if done > upto:  # we have overtaken the live projection: let it come this far
        fold = Fold(old, fresh=False)
        await fold.add(connection, await read(connection, after=upto, upto=done, topics=topics))
        await fold.flush(connection)
        await moved(connection, [old], done)
    elif done < upto:
        fold = Fold(new, fresh=False)
        await fold.add(connection, await read(connection, after=done, upto=upto, topics=topics))
        await fold.flush(connection)
        await moved(connection, [new], upto)
