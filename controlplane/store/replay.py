"""Replays the history into a fresh database, and proves that it gives the same state."""

from collections.abc import Sequence

from controlplane.store import Connection, Pool, tables
from controlplane.store.eventstore import EVENT_COLUMNS, head, rows_between
from controlplane.store.generation import Generation
from controlplane.store.projector import Projector, live_now
from controlplane.store.rebuild import Comparison, Progress, rebuild
from projections.readmodel import ReadModel

PAGE_EVENTS = 10_000


class NotFreshError(Exception):
    """The database to replay into has events already; name an empty one."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


async def replay(
    source: Pool, target: Pool, models: Sequence[ReadModel], upto: int | None, progress: Progress
) -> list[Comparison]:
    """Copy the events up to a position into a migrated, empty database and project them there.

    With `upto` None all events, and then every table is compared with the live one at the same
    position; with a position the rows of that time are counted. Keys of persons stay behind:
    sealed texts are compared as they are. Raises NotFreshError.
    """
    async with source.acquire(timeout=None) as here, target.acquire(timeout=None) as there:
        if await head(there):
            raise NotFreshError
        last = await head(here) if upto is None else min(upto, await head(here))
        await _copy_events(here, there, 0, last, progress)
        await _copy_documents(here, there)
        for model in models:
            await rebuild(target, model, lambda _done, _of: None)
        if upto is not None:
            return [
                Comparison(name, 0, rows, same=None) for name, rows in await _counted(there, models)
            ]
        return await _compare(here, there, target, models, last)


async def _compare(
    here: Connection, there: Connection, target: Pool, models: Sequence[ReadModel], last: int
) -> list[Comparison]:
    async with here.transaction():
        generations = await live_now(here, models)
        positions = [await generation.lock(here) or 0 for generation in generations]
        upto = max(positions)  # they move together, and nothing moves while we hold them
        await _copy_events(here, there, last, upto, lambda _done, _of: None)
        projector = Projector(target, models, probe_s=60)
        while await projector.catch_up():
            pass
        compared = []
        for live, replayed in zip(generations, await live_now(there, models), strict=True):
            for table in live.model.TABLES:
                ours = await tables.fingerprint(here, live.schema, table)
                theirs = await tables.fingerprint(there, replayed.schema, table)
                compared.append(Comparison(table.name, ours[0], theirs[0], ours == theirs))
    return compared


async def _copy_events(
    here: Connection, there: Connection, after: int, upto: int, progress: Progress
) -> None:
    progress(after, upto)
    while after < upto:
        end = min(after + PAGE_EVENTS, upto)
        rows = await rows_between(here, after=after, upto=end)
        await there.copy_records_to_table(
            "stored_events", records=[tuple(row) for row in rows], columns=EVENT_COLUMNS
        )
        after = end
        progress(after, upto)
    await there.execute(
        "SELECT setval('stored_events_notification_id_seq', greatest($1::bigint, 1))", upto
    )


async def _copy_documents(here: Connection, there: Connection) -> None:
    # One at a time: each may have 50 MB.
    for (sha256,) in await here.fetch("SELECT sha256 FROM documents"):
        body = await here.fetchval("SELECT body FROM documents WHERE sha256 = $1", sha256)
        await there.execute("INSERT INTO documents VALUES ($1, $2)", sha256, body)


async def _counted(there: Connection, models: Sequence[ReadModel]) -> list[tuple[str, int]]:
    generations: list[Generation] = await live_now(there, models)
    return [
        (table.name, (await tables.fingerprint(there, generation.schema, table))[0])
        for generation in generations
        for table in generation.model.TABLES
    ]
