"""The package and we share one layout: its own recorder tests pass against our writer, its
recorders read what we wrote and append beside us, and no reader passes over a position.

Of the package's test cases two cannot apply. `optional_test_insert_subscribe` is about its
synchronous subscriptions, which we do not offer: our projector reads. ProcessRecorderTestCase is
about events and a tracking row in one save; our projections keep positions with their own rows.
The table of positions is the package's too, so TrackingRecorderTestCase runs, with the package's
recorder in our database.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import (
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresTrackingRecorder,
)

from controlplane.app import App
from controlplane.store.mapper import PackageMapper
from controlplane.store.writer import Receipt
from domain.team import Team
from projections import PROJECTIONS
from tests.controlplane.store.recorder import (
    Background,
    OurAggregateRecorder,
    OurApplicationRecorder,
)
from tests.given import AT, WHY

# The package's test module imports its cipher, which needs a library that we have no other use
# for; no recorder test touches it.
_CIPHER = ModuleType("eventsourcing.cipher")
vars(_CIPHER)["AESCipher"] = object
sys.modules.setdefault("eventsourcing.cipher", _CIPHER)

from eventsourcing.tests import persistence as cases  # noqa: E402  # after the line above

NUMBERS = itertools.count(1)


async def _execute(server: str, sql: str) -> None:
    admin = await asyncpg.connect(server)
    await admin.execute(sql)
    await admin.close()


class Fresh:
    """Gives each of the package's tests an empty database of ours."""

    background: Background
    dsn: str

    @pytest.fixture(autouse=True)
    def _database(self, server: str) -> Iterator[None]:
        name = f"recorder_{os.getpid()}_{next(NUMBERS)}"
        asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
        self.dsn = server.replace("/postgres?", f"/{name}?")
        self.background = Background(self.dsn)
        yield
        self.background.close()
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


class TestAggregateRecorder(Fresh, cases.AggregateRecorderTestCase):
    def create_recorder(self) -> OurAggregateRecorder:
        return OurAggregateRecorder(self.background)


class TestApplicationRecorder(Fresh, cases.ApplicationRecorderTestCase[OurApplicationRecorder]):
    def create_recorder(self) -> OurApplicationRecorder:
        return OurApplicationRecorder(self.background)


class TestNonInterleavingNotificationIDs(Fresh, cases.NonInterleavingNotificationIDsBaseCase):
    insert_num = 1_000

    def create_recorder(self) -> OurApplicationRecorder:
        return OurApplicationRecorder(self.background)


class TestTrackingRecorder(Fresh, cases.TrackingRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _tracking(self, _database: None) -> Iterator[None]:
        with datastore(self.dsn) as opened:
            self.recorder = PostgresTrackingRecorder(opened)
            self.recorder.create_table()
            yield

    def create_recorder(self) -> PostgresTrackingRecorder:
        return self.recorder


@contextmanager
def datastore(dsn: str) -> Iterator[PostgresDatastore]:
    url = urlsplit(dsn)
    query = parse_qs(url.query)
    with PostgresDatastore(
        url.path[1:], query["host"][0], query["port"][0], url.username or "", "", pool_size=4
    ) as opened:
        yield opened


def save(app: App, stream: int) -> "asyncio.Task[int | None]":
    async def append() -> int | None:
        team = Team.form(UUID(int=stream), name="Team", at=AT, why=WHY)
        receipt = Receipt("o", "ada", str(stream), b"")
        return (await app.services.store.append([team], {}, [], receipt)).position

    return asyncio.create_task(append())


async def test_the_package_reads_what_we_wrote_and_appends_beside_us(app: App, dsn: str) -> None:
    await asyncio.gather(*(save(app, n) for n in range(3)))
    with datastore(dsn) as opened:
        recorder = PostgresApplicationRecorder(opened)
        recorder.create_table()
        tracking = PostgresTrackingRecorder(opened)
        tracking.create_table()
        for model in PROJECTIONS:
            assert tracking.max_tracking_id(f"{model.NAME}_v{model.VERSION}_1") is not None
        theirs = await asyncio.to_thread(recorder.select_notifications, start=1, limit=10)
        event = PackageMapper().to_domain_event(theirs[0])
        assert event == Team.form(UUID(int=0), name="Team", at=AT, why=WHY).pending_events[0]
        state = theirs[0].state
        appended = await asyncio.to_thread(
            recorder.insert_events, [StoredEvent(UUID(int=9), 1, theirs[0].topic, state)]
        )
    assert appended == [4]
    assert await save(app, 4) == 5
    loaded = await app.services.store.load(UUID(int=9))
    assert isinstance(loaded, Team)


async def test_no_reader_passes_over_a_position_while_both_append(app: App, dsn: str) -> None:
    """Three of our saves at a time, the package from four threads, and one that tails."""
    ours, theirs, threads = 400, 40, 4
    done = asyncio.Event()
    tailed: list[int] = []
    state = b"{}"

    def append_beside(recorder: PostgresApplicationRecorder) -> None:
        for _ in range(theirs):
            stream = uuid4()
            events = [StoredEvent(stream, n, "other.happened", state) for n in (1, 2, 3)]
            recorder.insert_events(events)

    async def tail() -> None:
        link = await asyncpg.connect(dsn)
        while True:
            last = done.is_set()
            rows = await link.fetch(
                "SELECT notification_id FROM stored_events WHERE notification_id > $1"
                " ORDER BY notification_id",
                tailed[-1] if tailed else 0,
            )
            tailed.extend(row[0] for row in rows)
            if last:
                return await link.close()

    async def append() -> None:
        for first in range(0, ours, 3):
            await asyncio.gather(*(save(app, n) for n in range(first, min(ours, first + 3))))

    tailing = asyncio.create_task(tail())
    with datastore(dsn) as opened:
        recorder = PostgresApplicationRecorder(opened)
        recorder.create_table()
        beside = (asyncio.to_thread(append_beside, recorder) for _ in range(threads))
        await asyncio.gather(append(), *beside)
    done.set()
    await tailing
    count = ours + threads * theirs * 3
    assert tailed == list(range(1, count + 1))
