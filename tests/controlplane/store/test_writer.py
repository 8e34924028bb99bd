"""Group commit: what shares a transaction, what does not, and who learns of what."""

import asyncio
import gc
from collections.abc import Iterable, Sequence
from hashlib import sha256
from uuid import UUID

import asyncpg
import pytest
from eventsourcing.persistence import StoredEvent

from controlplane.app import App, running
from controlplane.settings import Settings
from controlplane.store import UnavailableError
from controlplane.store import writer as module
from controlplane.store.eventstore import EventStore, Outcome
from controlplane.store.writer import BATCH_BYTES, ConflictError, Receipt, Save, Writer, split
from domain.application import Application
from domain.team import Team
from tests.given import AT, WHY

STREAM = 1_000
LOCK = "LOCK TABLE stored_events IN EXCLUSIVE MODE"


def team(stream: int) -> Team:
    return Team.form(UUID(int=STREAM + stream), name="Team", at=AT, why=WHY)


def save(
    app: App,
    stream: int,
    key: str | None = None,
    *,
    asserted: dict[UUID, int] | None = None,
    documents: Sequence[bytes] = (),
) -> "asyncio.Task[Outcome]":
    receipt = Receipt("o", "ada", key or f"key {stream}", b"")
    bodies = [(sha256(body).digest(), body) for body in documents]
    store = app.services.store
    return asyncio.create_task(store.append([team(stream)], asserted or {}, bodies, receipt))


async def outcomes(
    tasks: Iterable["asyncio.Task[Outcome]"],
) -> list[int | type[BaseException] | None]:
    done = await asyncio.gather(*tasks, return_exceptions=True)
    return [
        type(result) if isinstance(result, BaseException) else result.position for result in done
    ]


async def positions(app: App) -> list[int]:
    rows = await app.services.pool.fetch("SELECT notification_id FROM stored_events ORDER BY 1")
    return [row[0] for row in rows]


async def commits(app: App) -> int:
    found: int = await app.services.pool.fetchval("SELECT count(*) FROM commits")
    return found


async def test_concurrent_saves_share_a_commit_and_leave_no_gap(app: App) -> None:
    assert await outcomes([save(app, n) for n in range(64)]) == list(range(1, 65))
    assert await positions(app) == list(range(1, 65))
    assert await commits(app) < 8


async def test_a_conflicting_save_fails_alone(app: App) -> None:
    await save(app, 7, "first")
    results = await outcomes([save(app, n) for n in range(64)])
    assert [n for n, result in enumerate(results) if result is ConflictError] == [7]
    assert await positions(app) == list(range(1, 65))
    assert await commits(app) == 2


async def test_the_second_of_two_saves_of_one_stream_conflicts(app: App) -> None:
    results = await outcomes([save(app, 1, "one"), save(app, 1, "two"), save(app, 2)])
    assert results == [1, ConflictError, 2]
    # Sharing a batch would have broken it, and each save would have had its own commit.
    assert await commits(app) == 1


async def test_a_save_that_breaks_its_batch_fails_alone(app: App) -> None:
    results = await outcomes([save(app, 1), save(app, 2, "no text: \0"), save(app, 3)])
    assert [results[0], results[2]] == [1, 2]
    assert results[1] is asyncpg.CharacterNotInRepertoireError
    assert await positions(app) == [1, 2]


async def test_a_save_whose_read_stream_moved_on_is_refused_and_its_documents_are_not(
    app: App,
) -> None:
    read = team(1)
    await save(app, 1)
    moved = Application.Registered(read.id, 2, AT, "application", WHY, UUID(int=1), "App")
    read.pending_events.clear()
    read.pending_events.append(moved)
    await app.services.store.append([read], {}, [], Receipt("o", "ada", "moved", b""))
    results = await outcomes(
        [
            save(app, 2, asserted={read.id: 1}),
            save(app, 3, asserted={read.id: 2}),
            save(app, 4, asserted={UUID(int=99): 0}),
        ]
    )
    assert results == [ConflictError, 3, 4]


def waiting(
    stream: int,
    key: str = "",
    *,
    asserted: Sequence[int] = (),
    size_bytes: int = 0,
) -> Save:
    event = StoredEvent(UUID(int=stream), 1, "", b"x" * size_bytes)
    receipt = Receipt("o", "ada", key or str(stream), b"")
    reads = tuple((UUID(int=n), 1) for n in asserted)
    return Save(receipt, [event], reads, (), asyncio.Future())


async def test_two_saves_of_one_stream_or_one_key_never_share_a_batch() -> None:
    one, same_stream, same_key, other = saves = [
        waiting(1, "one"),
        waiting(1, "two"),
        waiting(2, "one"),
        waiting(3),
    ]
    assert split(saves) == ([one, other], [same_stream, same_key])


async def test_a_save_that_reads_never_shares_a_batch_with_one_that_writes_there() -> None:
    writes, reads, other_reads = waiting(1), waiting(2, asserted=[1]), waiting(3, asserted=[1])
    assert split([writes, reads, other_reads]) == ([writes], [reads, other_reads])
    assert split([reads, writes, other_reads]) == ([reads], [writes, other_reads])
    assert split([reads, other_reads]) == ([reads, other_reads], [])


async def test_saves_that_wait_keep_their_order() -> None:
    first, second, third = saves = [waiting(1, "a"), waiting(1, "b"), waiting(1, "c")]
    assert split(saves) == ([first], [second, third])
    # The third would fit, but it waits for what waits before it.
    blocked, behind = waiting(1, "d", asserted=[2]), waiting(2)
    assert split([first, blocked, behind]) == ([first], [blocked, behind])


async def test_a_batch_is_split_by_bytes_and_an_over_large_save_goes_alone() -> None:
    half = BATCH_BYTES // 2
    one, two, three, huge = saves = [
        waiting(1, size_bytes=half),
        waiting(2, size_bytes=half),
        waiting(3, size_bytes=half),
        waiting(4, size_bytes=BATCH_BYTES + 1),
    ]
    assert split(saves) == ([one, two], [three, huge])
    assert split([three, huge]) == ([three], [huge])
    assert split([huge, one]) == ([huge], [one])


async def test_documents_are_stored_with_their_events_and_once(app: App) -> None:
    contract, other = b"openapi: 3.1.0", b"x" * 2**20
    results = await outcomes(
        [
            save(app, 1, documents=[contract, contract]),
            save(app, 2, documents=[contract, other]),
        ]
    )
    assert results == [1, 2]
    await save(app, 3, documents=[other])
    rows = await app.services.pool.fetch("SELECT sha256, body FROM documents")
    assert {(row[0], row[1]) for row in rows} == {
        (sha256(body).digest(), body) for body in (contract, other)
    }
    store = app.services.store
    assert await store.document(sha256(contract).digest()) == contract
    assert await store.document(b"\0" * 32) is None


async def test_a_cancelled_caller_does_not_stop_the_writer(app: App) -> None:
    abandoned = save(app, 1)
    await asyncio.sleep(0)
    abandoned.cancel()
    assert isinstance(await save(app, 2), Outcome)
    assert await positions(app) in ([1], [1, 2])


async def test_a_caller_cancelled_before_a_full_queue_leaves_nothing_to_fail(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE_SAVES", 1)
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
    stuck = await asyncpg.connect(dsn)
    async with running(dsn, Settings(database_budget_s=0.3), follow=False) as app:
        async with stuck.transaction():
            await stuck.execute(LOCK)
            waits = [save(app, n) for n in range(2)]
            await asyncio.sleep(0.1)  # one is being written, one in the queue
            cancelled = save(app, 2)
            await asyncio.sleep(0.1)
            cancelled.cancel()
            assert await outcomes([*waits, cancelled]) == [
                UnavailableError,
                UnavailableError,
                asyncio.CancelledError,
            ]
        del cancelled
        await asyncio.sleep(0.4)
        gc.collect()
    assert not reported
    await stuck.close()


async def test_a_writer_that_ends_early_leaves_nobody_waiting(dsn: str) -> None:
    stuck = await asyncpg.connect(dsn)
    waits: list[asyncio.Task[Outcome]] = []

    async def early() -> None:
        async with running(dsn, follow=False) as app:
            waits.extend(save(app, n) for n in range(3))
            await asyncio.sleep(0.1)
            raise ZeroDivisionError

    async with stuck.transaction():
        await stuck.execute(LOCK)
        with pytest.raises(ZeroDivisionError):
            await early()
        async with asyncio.timeout(1):
            assert await outcomes(waits) == [UnavailableError] * 3
    await stuck.close()


async def test_a_caller_cancelled_in_mid_commit_finds_its_save_whole_or_not_at_all(
    app: App,
) -> None:
    for n in range(20):
        task = save(app, n)
        await asyncio.sleep(n / 5_000)
        task.cancel()
    await save(app, 100)
    stored = await positions(app)
    assert stored == list(range(1, len(stored) + 1))
    rows = await app.services.pool.fetchval("SELECT count(*) FROM commands")
    assert rows == len(stored)


async def test_the_writer_finishes_what_it_accepted_before_it_stops(dsn: str) -> None:
    async with running(dsn, follow=False) as app:
        accepted = [save(app, n) for n in range(100)]
        await asyncio.sleep(0)
    assert await outcomes(accepted) == list(range(1, 101))


async def test_a_stuck_table_lock_is_a_bounded_error_and_then_all_goes_on(dsn: str) -> None:
    stuck = await asyncpg.connect(dsn)
    loop = asyncio.get_running_loop()
    async with running(dsn, Settings(database_budget_s=1.0), follow=False) as app:
        transaction = stuck.transaction()
        await transaction.start()
        await stuck.execute(LOCK)
        started = loop.time()
        with pytest.raises(UnavailableError, match="within 1 s"):
            await save(app, 1)
        assert 0.9 < loop.time() - started < 3
        waits = [save(app, 2), save(app, 3)]
        await asyncio.sleep(0.3)
        await transaction.rollback()
        assert sorted(map(str, await outcomes(waits))) in (["1", "2"], ["2", "3"])
    await stuck.close()


async def test_postgresql_itself_gives_up_on_the_lock_after_five_seconds(dsn: str) -> None:
    async with asyncio.timeout(5):
        stuck, link = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        kept = await link.fetchval("SELECT proconfig FROM pg_proc WHERE proname = 'append_saves'")
        assert "lock_timeout=5s" in kept
        await link.execute("ALTER FUNCTION append_saves SET lock_timeout = '50ms'")
        async with stuck.transaction():
            await stuck.execute(LOCK)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await link.fetchrow(
                    "SELECT append_saves('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',"
                    " '{}', '{}', '{}', '{}', '{}', '{}', '{}')"
                )
        await stuck.close()
        await link.close()


async def test_commit_times_never_go_back(app: App) -> None:
    await save(app, 1)
    pool = app.services.pool
    await pool.execute("UPDATE commits SET committed_at = committed_at + interval '1 hour'")
    await save(app, 2)
    await save(app, 3)
    times = [
        row[0] for row in await pool.fetch("SELECT committed_at FROM commits ORDER BY position")
    ]
    assert times == sorted(times)


async def test_without_a_database_a_save_fails_within_its_budget(app: App) -> None:
    async def refused() -> "asyncpg.Connection[asyncpg.Record]":
        raise ConnectionRefusedError

    writer = Writer(refused, 0.3)
    store = EventStore(app.services.pool, writer, 0.3)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with writer.running():
        calls = [
            store.append([team(n)], {}, [], Receipt("o", "ada", str(n), b"")) for n in range(50)
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {UnavailableError}
    assert loop.time() - started < 2
