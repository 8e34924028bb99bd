"""The layout of the database, and which server it is."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TypeAlias

import asyncpg
import pytest

from controlplane.app import running
from controlplane.store import migrate as module
from controlplane.store.migrate import Migration, MigrationError, migrate, migrations

Link: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def link(empty_dsn: str) -> AsyncIterator[Link]:
    connection = await asyncpg.connect(empty_dsn)
    yield connection
    await connection.close()


def release(monkeypatch: pytest.MonkeyPatch, found: list[Migration]) -> None:
    monkeypatch.setattr(module, "migrations", lambda: found)


async def test_files_run_once_and_in_their_order(
    link: Link,
) -> None:
    known = migrations()
    assert [migration.number for migration in known] == list(range(1, len(known) + 1))
    assert await migrate(link) == [migration.name for migration in known]
    assert await migrate(link) == []


async def test_a_file_that_was_edited_after_it_ran_is_refused(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(link)
    first, *others = migrations()
    release(monkeypatch, [replace(first, sql=first.sql + "-- edited"), *others])
    with pytest.raises(MigrationError, match="was edited after it ran here"):
        await migrate(link)


async def test_the_database_of_a_later_release_is_refused(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations()
    later = Migration(len(known) + 1, "9999_later.sql", "CREATE TABLE later ()")
    with monkeypatch.context() as patch:
        release(patch, [*known, later])
        assert await migrate(link) == [*(migration.name for migration in known), later.name]
    with pytest.raises(MigrationError, match=f"migration {later.number}, which this release"):
        await migrate(link)


async def test_a_file_that_fails_leaves_nothing_and_can_be_run_again(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations()
    number = len(known) + 1
    broken = Migration(number, "9999_more.sql", "CREATE TABLE more (); SELECT 1 / 0")
    release(monkeypatch, [*known, broken])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(link)
    assert await link.fetchval("SELECT to_regclass('more')") is None
    release(monkeypatch, [*known, replace(broken, sql="CREATE TABLE more ()")])
    assert await migrate(link) == [broken.name]


async def test_two_processes_at_once_migrate_once(empty_dsn: str) -> None:
    links = [await asyncpg.connect(empty_dsn) for _ in range(4)]
    ran = await asyncio.gather(*(migrate(link) for link in links))
    assert sorted(map(len, ran)) == [0, 0, 0, len(migrations())]
    for link in links:
        await link.close()


async def test_two_processes_at_once_start_on_an_empty_database(empty_dsn: str) -> None:
    async def start() -> int:
        async with running(empty_dsn) as app:
            return app.epoch

    assert list(await asyncio.gather(start(), start(), start())) == [1, 1, 1]


async def test_the_same_server_has_the_same_epoch(link: Link) -> None:
    await migrate(link)
    assert [await link.fetchval("SELECT current_epoch()") for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    "moved",
    ["system_identifier = system_identifier + 1", "timeline = timeline + 1", "database = 1"],
)
async def test_another_server_timeline_or_database_raises_the_epoch(link: Link, moved: str) -> None:
    await migrate(link)
    assert await link.fetchval("SELECT current_epoch()") == 1
    # As a copy of this database on another server would find it.
    await link.execute(f"UPDATE epochs SET {moved}")
    assert await link.fetchval("SELECT current_epoch()") == 2
    assert await link.fetchval("SELECT current_epoch()") == 2
    assert await link.fetchval("SELECT count(*) FROM epochs") == 2


async def test_many_that_ask_first_on_another_server_agree(empty_dsn: str) -> None:
    links = [await asyncpg.connect(empty_dsn) for _ in range(5)]
    await migrate(links[0])
    epochs = await asyncio.gather(*(link.fetchval("SELECT current_epoch()") for link in links))
    assert set(epochs) == {1}
    for link in links:
        await link.close()
