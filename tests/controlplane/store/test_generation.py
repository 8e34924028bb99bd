"""Read models of any history: the same rows, however it is cut into pages."""

import asyncio
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress

import asyncpg
import pytest
from hypothesis import given, settings

from controlplane.app import App
from controlplane.store import Connection
from controlplane.store.generation import Fold, Generation, live, moved
from projections import PROJECTIONS, team
from projections.readmodel import Recorded
from tests.controlplane.store.recorder import Background
from tests.histories import HISTORIES, drawn

ONE_BY_ONE, AT_ONCE, ANEW = 101, 102, 103


class _UndoneError(Exception):
    """Thrown to roll an example back."""


@pytest.fixture(scope="module")
def background(server: str) -> Iterator[Background]:
    async def execute(sql: str) -> None:
        admin = await asyncpg.connect(server)
        await admin.execute(sql)
        await admin.close()

    name = f"generation_{os.getpid()}"
    asyncio.run(execute(f"CREATE DATABASE {name}"))
    opened = Background(server.replace("/postgres?", f"/{name}?"))
    opened.run(_create(opened.app))
    yield opened
    opened.close()
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


async def _create(app: App) -> None:
    async with app.services.pool.acquire() as connection:
        for model in PROJECTIONS:
            for number in (ONE_BY_ONE, AT_ONCE, ANEW):
                generation = Generation(model, number)
                await generation.create(connection)
                if number != ANEW:  # keys and indexes come after the rows there
                    await generation.add_keys(connection)
                    await generation.add_indexes(connection)


async def _project(
    connection: Connection, history: Sequence[Recorded], number: int, page_events: int
) -> None:
    """Fold as the projector does: each page with a fold of its own."""
    for model in PROJECTIONS:
        for start in range(0, len(history), page_events):
            fold = Fold(Generation(model, number), fresh=False)
            await fold.add(connection, history[start : start + page_events])
            await fold.flush(connection)


async def _rebuild(
    connection: Connection, history: Sequence[Recorded], page_events: int, flush_pages: int
) -> None:
    """Fold as a rebuild does: one fold, stored now and then."""
    for model in PROJECTIONS:
        fold = Fold(Generation(model, ANEW), fresh=True)
        for nth, start in enumerate(range(0, len(history), page_events), 1):
            await fold.add(connection, history[start : start + page_events])
            if nth % flush_pages == 0:
                await fold.flush(connection)
        await fold.flush(connection)
        await fold.complete(connection)


async def _rows(connection: Connection, number: int) -> dict[str, list[tuple[object, ...]]]:
    return {
        table.name: [
            tuple(row)
            for row in await connection.fetch(
                f"SELECT * FROM {Generation(model, number).schema}.{table.name}"
                f" ORDER BY {', '.join(table.key)}"
            )
        ]
        for model in PROJECTIONS
        for table in model.TABLES
    }


@settings(max_examples=25)
@given(history=HISTORIES)
def test_any_history_gives_the_same_rows_event_by_event_at_once_and_anew(
    background: Background, history: list[Recorded]
) -> None:
    async def compare() -> None:
        async with background.app.services.pool.acquire() as connection:
            with suppress(_UndoneError):
                async with connection.transaction():
                    await _project(connection, history, ONE_BY_ONE, 1)
                    await _project(connection, history, AT_ONCE, 5_000)
                    await _rebuild(connection, history, 7, 2)
                    expected = await _rows(connection, ONE_BY_ONE)
                    assert await _rows(connection, AT_ONCE) == expected
                    assert await _rows(connection, ANEW) == expected
                    assert len(expected["audit"]) == len(history)
                    raise _UndoneError

    background.run(compare())


def test_the_histories_reach_every_table_and_most_events() -> None:
    """A guard for the test above: it is worth as much as its histories vary."""
    chosen = random.Random(1)  # noqa: S311  # to be repeated
    seen = {recorded.event.TOPIC for _ in range(400) for recorded in drawn(chosen)}
    everything = {event.TOPIC for model in PROJECTIONS for event in model.EVENTS}
    assert everything - seen == set()


async def test_a_generation_is_created_once_by_whoever_comes_first(app: App) -> None:
    async def first() -> Generation:
        async with app.services.pool.acquire() as connection, connection.transaction():
            await connection.execute("DELETE FROM read_models WHERE name = 'team'")
            await connection.execute("DROP SCHEMA IF EXISTS team_v2_1, team_v2 CASCADE")
            await connection.execute(
                "DELETE FROM notification_tracking WHERE application_name = 'team_v2_1'"
            )
            return await live(connection, team)

    async def later() -> Generation:
        async with app.services.pool.acquire() as connection, connection.transaction():
            return await live(connection, team)

    assert await first() == Generation(team, 1)
    assert list(await asyncio.gather(later(), later(), later())) == [Generation(team, 1)] * 3


async def test_a_generation_is_built_beside_the_live_one_and_takes_its_place(app: App) -> None:
    pool = app.services.pool
    async with pool.acquire() as connection:
        old = Generation(team, 1)
        new = old.next()
        assert (old.schema, new.schema) == ("team_v2_1", "team_v2_2")
        await new.create(connection)
        await new.add_keys(connection)
        await new.add_indexes(connection)
        await connection.execute(
            "INSERT INTO team_v2_2.team (organization_id, id, name)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), 'new')"
        )
        assert await pool.fetchval("SELECT count(*) FROM team") == 0
        async with connection.transaction():
            await new.make_live(connection)
        assert await pool.fetchval("SELECT name FROM team") == "new"
        await old.drop(connection)
        assert await old.lock(connection) is None
        assert await new.lock(connection) == 0


async def test_a_position_never_goes_back(app: App) -> None:
    async with app.services.pool.acquire() as connection:
        generation = Generation(team, 1)
        for position, expected in ((5, 5), (3, 5), (9, 9)):
            await moved(connection, [generation], position)
            assert await generation.lock(connection) == expected
