"""Events that are still in memory are folded from there, and to the same rows."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from controlplane.app import running
from controlplane.store import eventstore, projector
from controlplane.store.rebuild import check
from controlplane.store.recent import Recent
from domain.aggregate import DomainError
from domain.application import Application
from projections import PROJECTIONS
from tests.controlplane.commands.world import COMMANDS, do, world
from tests.given import AT, WHY


def happened(count: int) -> list[Application.Event]:
    team_id = UUID(int=1)
    return [
        Application.register(UUID(int=nth), name="A", team_id=team_id, at=AT, why=WHY).happened[0]
        for nth in range(count)
    ]


def test_events_are_taken_once_and_in_their_order() -> None:
    recent, events = Recent(), happened(5)
    recent.add(2, events[:2], [9, 9])
    recent.add(5, events[2:], [9, 9, 9])
    assert recent.take(after=0, upto=3) == list(enumerate(events[:3], 1))
    assert recent.take(after=3, upto=5) == list(enumerate(events[3:], 4))
    assert recent.take(after=3, upto=5) is None
    assert recent.take(after=5, upto=5) == []


def test_where_another_process_wrote_between_nothing_is_taken() -> None:
    recent, events = Recent(), happened(3)
    recent.add(1, events[:1], [9])
    recent.add(3, events[1:2], [9])
    assert recent.take(after=0, upto=3) is None
    recent.add(4, events[2:], [9])
    assert recent.take(after=3, upto=4) == [(4, events[2])]  # and those before are forgotten


def test_no_more_is_held_than_fits() -> None:
    recent, events = Recent(limit_bytes=25), happened(3)
    for position, event in enumerate(events, 1):
        recent.add(position, [event], [10])
    assert recent.take(after=0, upto=3) is None
    recent.add(4, events[:1], [26])
    assert recent.take(after=3, upto=4) is None


async def test_rows_of_events_in_memory_are_those_of_events_in_the_store(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    rows_between: Any = eventstore.rows_between

    async def counted(*args: Any, after: int, upto: int) -> Any:  # what it is given and returns
        read.append(upto - after)
        return await rows_between(*args, after=after, upto=upto)

    monkeypatch.setattr(projector, "rows_between", counted)
    async with running(dsn) as app:
        there = await world(app)
        for command in COMMANDS.values():
            with suppress(DomainError):  # of what an earlier one has ended
                await do(app, command(there))
        last = await app.services.pool.fetchval("SELECT max(notification_id) FROM stored_events")
        await app.projector.wait_until(last)
        assert sum(read) < last / 2  # most pages came from memory
        for model in PROJECTIONS:
            for table in await check(app.services.pool, model, lambda _done, _of: None):
                assert table.same, table
