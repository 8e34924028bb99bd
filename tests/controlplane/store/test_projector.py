"""Read models catch up, alone or with others, and one that breaks holds up no other."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from eventsourcing.persistence import StoredEvent
from structlog.testing import capture_logs

from controlplane.app import App, running
from controlplane.commands import execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.commands.team import FormTeam
from controlplane.settings import Settings
from controlplane.store import UNREACHABLE
from controlplane.store import projector as module
from controlplane.store.projector import Projector, ReadModelsBehindError, _lock
from controlplane.store.writer import Receipt, Save, Writer
from domain.access_token import AccessToken, Role
from domain.team import Team
from projections import PROJECTIONS, audit, team
from projections.readmodel import Recorded, Rows
from tests.given import ACE, AT, OWNER, WHY


async def formed(app: App, count: int) -> int:
    """Form teams through the writer alone; return the last position."""
    ids = [app.services.new_id() for _ in range(count)]

    async def append(id_: UUID) -> int:
        new = Team.form(id_, name=f"Team {id_.int}", at=AT, why=WHY)
        receipt = Receipt("o", "ada", str(id_), b"")
        return (await app.services.store.append([new], {}, [], receipt)).position or 0

    return max(await asyncio.gather(*map(append, ids)))


async def teams(app: App) -> int:
    found: int = await app.services.pool.fetchval("SELECT count(*) FROM team")
    return found


async def audited(app: App) -> list[int]:
    rows = await app.services.pool.fetch("SELECT position FROM audit ORDER BY position")
    return [row[0] for row in rows]


async def test_queries_see_a_write_once_its_position_is_reached(app: App) -> None:
    for count in range(1, 6):
        answer = await execute(FormTeam(name="Payments"), app.context(OWNER))
        assert answer.outcome.position is not None
        await app.projector.wait_until(answer.outcome.position)
        assert await teams(app) == count
    assert app.projector.caught_up


async def test_whoever_waits_need_not_wait_for_the_pause_between_pages(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_S", 30)
    async with running(dsn) as app, asyncio.timeout(3):
        for _ in range(5):
            await app.projector.wait_until(await formed(app, 1))


async def test_watchers_hear_of_every_move(app: App) -> None:
    heard: list[int] = []
    app.projector.watchers.append(lambda: heard.append(app.projector.position))
    for _ in range(3):
        await app.projector.wait_until(await formed(app, 10))
    assert heard == sorted(heard)
    assert heard[-1] == 30


async def test_a_page_is_bounded_and_the_rest_follows(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_EVENTS", 10)
    async with running(dsn, follow=False) as app:
        await formed(app, 25)
        assert [await app.projector.catch_up() for _ in range(4)] == [True, True, False, False]
        assert (app.projector.position, await teams(app)) == (25, 25)


async def test_two_processes_project_each_event_once(dsn: str) -> None:
    async with running(dsn) as one, running(dsn) as two:
        for _ in range(10):
            last = max(await asyncio.gather(formed(one, 20), formed(two, 20)))
            await asyncio.gather(one.projector.wait_until(last), two.projector.wait_until(last))
        assert await audited(one) == list(range(1, 401))
        assert await teams(two) == 400
        assert one.projector.failing == two.projector.failing == set()


async def test_those_that_wake_at_the_same_moment_do_not_all_give_up(dsn: str) -> None:
    async with running(dsn, follow=False) as app:
        pool, budget_s = app.services.pool, app.settings.database_budget_s
        projectors = [Projector(pool, PROJECTIONS, budget_s) for _ in range(6)]
        for _ in range(60):
            last = await formed(app, 1)
            await asyncio.gather(*(each.catch_up() for each in projectors))
            assert max(each.position for each in projectors) == last


async def test_a_process_that_is_frozen_in_a_transaction_holds_up_the_others_for_a_moment(
    dsn: str,
) -> None:
    brief = Settings(database_budget_s=1)
    async with running(dsn, brief, follow=False) as frozen, running(dsn) as app:
        async with frozen.services.pool.acquire() as link:
            await link.transaction().start()
            assert len((await _lock(link, PROJECTIONS))[0]) == len(PROJECTIONS)
            last = await formed(app, 1)
            await app.projector.wait_until(last)
            with pytest.raises(UNREACHABLE):
                await link.execute("SELECT 1")
        assert await frozen.projector.catch_up() is False
        assert frozen.projector.position == last


async def test_rows_never_appear_without_their_position_nor_it_without_them(dsn: str) -> None:
    async with running(dsn) as app:
        reader = await asyncpg.connect(dsn)
        reads = 0

        async def look() -> None:
            nonlocal reads
            while True:
                async with reader.transaction(isolation="repeatable_read"):
                    position = await reader.fetchval(
                        "SELECT notification_id FROM notification_tracking"
                        " WHERE application_name = 'team_v2_1'"
                    )
                    seen = await reader.fetchval("SELECT count(*) FROM team_v2_1.team")
                    logged = await reader.fetchval("SELECT max(position) FROM audit_v1_1.audit")
                assert seen == position == (logged or 0)
                reads += 1

        looking = asyncio.create_task(look())
        for _ in range(20):
            await app.projector.wait_until(await formed(app, 30))
        assert not looking.done()
        looking.cancel()
        await asyncio.wait([looking])
        assert reads > 20
        await reader.close()


@contextmanager
def broken(model: ModuleType) -> Iterator[None]:
    """Let a read model's fold fail."""

    def project(recorded: Recorded, rows: Rows) -> None:
        raise ZeroDivisionError

    whole = model.project
    vars(model)["project"] = project
    try:
        yield
    finally:
        vars(model)["project"] = whole


async def test_a_fold_that_breaks_holds_up_no_other_and_nobody_waits_for_it(dsn: str) -> None:
    async with running(dsn, follow=False) as app:
        projector = app.projector
        await formed(app, 3)
        with broken(audit), capture_logs() as logs:
            assert not await projector.catch_up()
            assert projector.failing == {"audit"}
            assert (await teams(app), await audited(app)) == (3, [])
            await projector.wait_until(3)  # the others are there: who reads them need not wait
            await formed(app, 2)
            await projector.catch_up()
            assert (projector.position, await teams(app)) == (5, 5)
        assert {"projector.failed"} <= {line["event"] for line in logs}
        assert {line.get("model") for line in logs if line["event"] == "projector.failed"} == {
            "audit"
        }


async def test_a_fold_that_works_again_catches_up_and_the_others_are_not_folded_twice(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_EVENTS", 10)
    async with running(dsn, follow=False) as app:
        with broken(team), capture_logs():
            await formed(app, 25)
            while await app.projector.catch_up():
                pass
        assert await audited(app) == list(range(1, 26))
        while await app.projector.catch_up():
            pass
        assert app.projector.failing == set()
        assert await teams(app) == 25
        assert await audited(app) == list(range(1, 26))


async def test_a_new_read_model_catches_up_beside_those_that_have(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_EVENTS", 10)
    async with running(dsn, follow=False) as app:
        others = [model for model in PROJECTIONS if model is not team]
        pool, budget_s = app.services.pool, app.settings.database_budget_s
        earlier = Projector(pool, others, budget_s)
        await formed(app, 25)
        while await earlier.catch_up():
            pass
        later = Projector(pool, PROJECTIONS, budget_s)
        while await later.catch_up():
            pass
        assert (await teams(app), await audited(app)) == (25, list(range(1, 26)))


async def test_an_event_of_a_later_release_is_passed_over(app: App) -> None:
    writer: Writer = vars(app.services.store)["_writer"]
    event = StoredEvent(UUID(int=77), 1, "wormhole.opened", b"{}")
    committed = asyncio.get_running_loop().create_future()
    receipt = Receipt("o", "later", "1", b"")
    position = await writer.commit(Save(receipt, [event], (), (), committed))
    last = await formed(app, 1)
    await app.projector.wait_until(last)
    assert (position, last, app.projector.failing) == (1, 2, set())
    assert await audited(app) == [2]


async def test_waiting_for_a_position_is_bounded(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.2)
    async with running(dsn, follow=False) as app:
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(ReadModelsBehindError, match="ask again"):
            await app.projector.wait_until(1)
        assert 0.1 < loop.time() - started < 3
        monkeypatch.setattr(module, "WAIT_S", 10)
        waits = asyncio.create_task(app.projector.wait_until(1))
        await formed(app, 1)
        await app.projector.catch_up()
        await waits


async def test_a_projector_that_starts_late_is_not_caught_up_before_it_is(dsn: str) -> None:
    async with running(dsn, follow=False) as app:
        await formed(app, 50)
        assert (app.projector.caught_up, app.projector.position) == (False, -1)
    async with running(dsn) as app:
        await app.projector.wait_until(50)
        async with asyncio.timeout(5):
            while not app.projector.caught_up:
                await asyncio.sleep(0.01)
        assert await teams(app) == 50


async def test_a_position_that_another_process_reached_comes_with_its_news(dsn: str) -> None:
    async with running(dsn) as there, running(dsn, follow=False) as here:
        last = await formed(there, 1)
        await there.projector.wait_until(last)
        await here.projector.catch_up()
        assert (here.projector.position, here.projector.news.last(but=())) == (last, last)


async def revoked_at(app: App, token_id: UUID) -> bool:
    found = await app.services.store.load(token_id)
    assert isinstance(found, AccessToken)
    return found.revoked


async def test_a_token_that_another_process_revokes_is_refused_here_soon(dsn: str) -> None:
    async with running(dsn) as here, running(dsn) as there:
        issued = await execute(IssueToken(name="ci", role=Role.OWNER), here.context(OWNER))
        token_id = issued.outcome.events[0].originator_id
        assert not await revoked_at(here, token_id)
        await execute(RevokeToken(token_id=token_id), there.context(OWNER))
        async with asyncio.timeout(3):
            while not await revoked_at(here, token_id):
                await asyncio.sleep(0.01)


async def test_a_revocation_is_noticed_before_all_that_came_after_it_is_folded(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_EVENTS", 5)
    async with running(dsn, follow=False) as here, running(dsn, follow=False) as there:
        issued = await execute(IssueToken(name="ci", role=Role.OWNER), here.context(OWNER))
        token_id = issued.outcome.events[0].originator_id
        await execute(RevokeToken(token_id=token_id), there.context(OWNER))
        await formed(there, 20)
        assert not await revoked_at(here, token_id)
        catch_up, pages = here.projector.catch_up, iter([True])

        async def held_up() -> bool:
            if next(pages, None) is None:
                await asyncio.Event().wait()
            return await catch_up()

        monkeypatch.setattr(here.projector, "catch_up", held_up)
        following = asyncio.create_task(
            here.projector.follow(lambda: asyncpg.connect(dsn), here.services.store)
        )
        async with asyncio.timeout(3):
            while not await revoked_at(here, token_id):
                await asyncio.sleep(0.01)
        assert here.projector.position < 20
        following.cancel()
        await asyncio.wait([following])


async def test_a_revocation_during_an_outage_of_the_link_is_noticed(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.1)
    async with running(dsn) as here, running(dsn, follow=False) as there:
        issued = await execute(IssueToken(name="ci", role=Role.OWNER), here.context(OWNER))
        token_id = issued.outcome.events[0].originator_id
        await here.projector.wait_until(issued.outcome.position or 0)
        observe: Any = here.projector._observe  # noqa: SLF001  # held up, as by a slow network
        gate = asyncio.Event()

        async def held_up(*args: object) -> None:
            if not gate.is_set():
                raise ConnectionResetError
            await observe(*args)

        monkeypatch.setattr(here.projector, "_observe", held_up)
        await execute(RevokeToken(token_id=token_id), there.context(OWNER))
        await asyncio.sleep(0.3)  # the link is made anew some times
        gate.set()
        async with asyncio.timeout(3):
            while not await revoked_at(here, token_id):
                await asyncio.sleep(0.01)


async def test_rows_are_of_the_organization_they_happened_in(app: App) -> None:
    answer = await execute(FormTeam(name="Payments"), app.context(OWNER))
    await app.projector.wait_until(answer.outcome.position or 0)
    row = await app.services.pool.fetchrow("SELECT organization_id, name FROM team")
    assert row is not None
    assert tuple(row) == (ACE, "Payments")
