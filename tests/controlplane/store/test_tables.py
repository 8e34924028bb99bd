"""However rows are stored, the same rows are there afterwards."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from controlplane.store import tables
from projections.readmodel import Key, Row, Rows, Table
from tests.given import ACE, AT, BAD

THING = Table(
    "thing",
    key={"organization_id": "uuid", "id": "bigint"},
    columns={
        "name": "text",
        "tags": "jsonb",
        "at": "timestamptz",
        "held": "boolean",
        "owner": "uuid",
    },
    indexes=("organization_id, name", "organization_id, at, id"),
)
LOG = Table("log", key={"id": "bigint"}, columns={"line": "text"}, appends=True)
HOW = {"fresh": (True, 10_000), "sent": (False, 10_000), "copy": (False, 1)}
"""Whether the tables are fresh, and from how many rows on they are copied."""


@pytest.fixture
async def link(dsn: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE SCHEMA s")
    for table in (THING, LOG):
        await tables.create(connection, "s", table)
        await tables.add_key(connection, "s", table)
        await tables.add_indexes(connection, "s", table)
    yield connection
    await connection.close()


def thing(number: int, name: str = "thing") -> Row:
    return {
        "name": f"{name} {number}\n\t\\ ünïcödé",
        "tags": f'["{number}", "\\"quoted\\""]',
        "at": AT + timedelta(microseconds=number),
        "held": number % 2 == 0,
        "owner": UUID(int=number) if number % 3 else None,
    }


def things(count: int, name: str = "thing") -> Rows:
    return {
        Key(THING, (organization, number)): thing(number, name)
        for organization in (ACE, BAD)
        for number in range(count)
    }


async def flush(
    link: "asyncpg.Connection[asyncpg.Record]",
    rows: Rows,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh, copy_rows = HOW[how]
    monkeypatch.setattr(tables, "COPY_ROWS", copy_rows)
    async with link.transaction():
        await tables.flush(link, "s", (THING, LOG), rows, new=set(rows) if fresh else set())


@pytest.mark.parametrize("how", HOW)
async def test_rows_come_back_as_they_were_stored(
    link: "asyncpg.Connection[asyncpg.Record]", how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = things(20)
    await flush(link, rows, how, monkeypatch)
    missing = Key(THING, (ACE, 99))
    assert await tables.load(link, "s", (THING, LOG), [*rows, missing]) == rows
    one = Key(THING, (BAD, 7))
    assert await tables.load(link, "s", (THING,), [one]) == {one: rows[one]}
    assert await tables.load(link, "s", (THING,), []) == {}


@pytest.mark.parametrize("how", ["sent", "copy"])
async def test_rows_take_the_place_of_those_with_their_key(
    link: "asyncpg.Connection[asyncpg.Record]", how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = things(20), things(5, "other")
    after[Key(THING, (ACE, 20))] = {"name": "new"}
    await flush(link, before, "fresh", monkeypatch)
    await flush(link, after, how, monkeypatch)
    await flush(link, {}, how, monkeypatch)
    left_out = dict.fromkeys(THING.columns)
    expected = before | {key: left_out | row for key, row in after.items()}
    assert await tables.load(link, "s", (THING,), expected) == expected


@pytest.mark.parametrize("how", ["sent", "copy"])
async def test_what_only_appends_is_never_read_back_or_replaced(
    link: "asyncpg.Connection[asyncpg.Record]", how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: Rows = {Key(LOG, (number,)): {"line": str(number)} for number in range(3)}
    await flush(link, rows, how, monkeypatch)
    assert await tables.load(link, "s", (LOG,), rows) == {}
    with pytest.raises(asyncpg.UniqueViolationError):
        await flush(link, rows, how, monkeypatch)
    assert [tuple(row) for row in await link.fetch("SELECT * FROM s.log ORDER BY id")] == [
        (0, "0"),
        (1, "1"),
        (2, "2"),
    ]


async def test_a_large_flush_is_copied_and_a_small_one_is_not(
    link: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    async with link.transaction():
        await tables.flush(link, "s", (THING,), things(tables.COPY_ROWS))
        await tables.flush(link, "s", (THING,), things(tables.COPY_ROWS, "b"))
        await tables.flush(link, "s", (THING,), things(10, "c"))
    counted = "SELECT left(name, 1), count(*) FROM s.thing GROUP BY 1 ORDER BY 1"
    assert [tuple(row) for row in await link.fetch(counted)] == [("b", 980), ("c", 20)]


async def test_a_fingerprint_tells_whether_two_tables_hold_the_same(
    link: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = await tables.fingerprint(link, "s", THING)
    rows = things(10)
    await flush(link, rows, "fresh", monkeypatch)
    full = await tables.fingerprint(link, "s", THING)
    assert (empty[0], full[0]) == (0, 20)
    await link.execute("DELETE FROM s.thing")
    await flush(link, dict(reversed(rows.items())), "sent", monkeypatch)
    assert await tables.fingerprint(link, "s", THING) == full
    await link.execute("UPDATE s.thing SET held = NOT held WHERE id = 3")
    assert await tables.fingerprint(link, "s", THING) != full
