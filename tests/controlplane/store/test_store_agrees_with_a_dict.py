"""Two processes append, conflict, load, recall and forget; the store agrees with a dict."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import asyncpg
import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from controlplane.store.eventstore import EventStore, IdempotencyKeyReusedError, Outcome, read
from controlplane.store.writer import ConflictError, Receipt
from domain.aggregate import Aggregate
from domain.plan import Plan
from domain.plan_terms import PlanTerms
from domain.price import Price
from tests.controlplane.store.recorder import Background
from tests.given import AT, WHY

STREAMS, PROCESSES, KEYS = st.integers(0, 2), st.integers(0, 1), st.integers(0, 60)


@dataclass
class Model:
    """What a dict knows: the events of each stream, all events in order, and every reply."""

    streams: dict[UUID, list[Aggregate.Event]] = field(default_factory=dict)
    replies: dict[str, Outcome] = field(default_factory=dict)
    history: list[Aggregate.Event] = field(default_factory=list)

    def version(self, stream: UUID) -> int:
        return len(self.streams.get(stream, []))


class StoreAgreesWithADict(RuleBasedStateMachine):
    backgrounds: ClassVar[list[Background]]
    runs: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        self.model = Model()
        self.stores: list[EventStore] = [each.app.services.store for each in self.backgrounds]
        self.first = self.head()

    def head(self) -> int:
        pool = self.backgrounds[0].app.services.pool
        found: int = self.backgrounds[0].run(
            pool.fetchval("SELECT coalesce(max(notification_id), 0) FROM stored_events")
        )
        return found

    def stream(self, number: int) -> UUID:
        return UUID(int=self.runs * 100 + number)

    def receipt(self, key: int, request: bytes = b"") -> Receipt:
        return Receipt("o", f"actor {self.runs}", str(key), request)

    def load(self, process: int, stream: UUID) -> Plan | None:
        found = self.backgrounds[process].run(self.stores[process].load(stream))
        assert found is None or isinstance(found, Plan)
        return found

    @rule(
        saves=st.lists(
            st.tuples(PROCESSES, STREAMS, st.integers(1, 3), KEYS), min_size=1, max_size=8
        )
    )
    def append(self, saves: list[tuple[int, int, int, int]]) -> None:
        for process, stream, steps, key in saves:
            self.attempt(process, self.stream(stream), steps, key, {})

    @rule(process=PROCESSES, stream=STREAMS, asserted=STREAMS, behind=st.integers(0, 1), key=KEYS)
    def append_and_assert(
        self, process: int, stream: int, asserted: int, behind: int, key: int
    ) -> None:
        read_id = self.stream(asserted)
        version = self.model.version(read_id) - behind
        if asserted != stream and version > 0:
            self.attempt(process, self.stream(stream), 1, key, {read_id: version})

    def attempt(
        self, process: int, id_: UUID, steps: int, key: int, asserted: dict[UUID, int]
    ) -> None:
        loaded = self.load(process, id_)
        plan = (
            Plan.define(id_, slug="p", name="P", product_ids=[id_], at=AT, why=WHY)
            if loaded is None
            else loaded.copy()
        )
        before = plan.version - len(plan.pending_events)
        for step in range(steps):
            price = Price("EUR", Decimal(step))
            plan.draft_version(PlanTerms(None, None, price, "MANUAL"), at=AT, why=WHY)
        receipt, store = self.receipt(key), self.stores[process]
        allowed = (
            before == self.model.version(id_)
            and receipt.key not in self.model.replies
            and all(self.model.version(each) == version for each, version in asserted.items())
        )
        try:
            outcome = self.backgrounds[process].run(store.append([plan], asserted, [], receipt))
        except ConflictError:
            assert not allowed
            self.backgrounds[process].run(self.doubt(process, {id_: before}))
            return
        assert allowed
        self.model.streams.setdefault(id_, []).extend(outcome.events)
        self.model.history.extend(outcome.events)
        self.model.replies[receipt.key] = outcome
        assert outcome.position == self.first + len(self.model.history)

    async def doubt(self, process: int, versions: dict[UUID, int]) -> None:
        self.stores[process].suspect(versions)

    async def doubt_all(self, process: int) -> None:
        self.stores[process].suspect_all(self.model.streams)

    @rule(process=PROCESSES, stream=STREAMS)
    def load_anew(self, process: int, stream: int) -> None:
        id_ = self.stream(stream)
        self.backgrounds[process].run(self.doubt_all(process))
        found = self.load(process, id_)
        if found is None:
            assert id_ not in self.model.streams
            return
        drafts = [e.terms for e in self.model.streams[id_] if isinstance(e, Plan.VersionDrafted)]
        assert (found.version, found.draft) == (self.model.version(id_), drafts[-1])
        assert found.pending_events == []

    @rule(process=PROCESSES, stream=STREAMS)
    def load_what_is_at_hand(self, process: int, stream: int) -> None:
        id_ = self.stream(stream)
        found = self.load(process, id_)
        version = found.version if found else 0
        assert version <= self.model.version(id_)
        current = self.backgrounds[process].run(
            self.stores[process].is_current({id_: version} if found else {})
        )
        assert current is (found is None or version == self.model.version(id_))

    @rule(process=PROCESSES, key=KEYS)
    def recall(self, process: int, key: int) -> None:
        store, background = self.stores[process], self.backgrounds[process]
        reply = self.model.replies.get(str(key))
        recalled = background.run(store.recall(self.receipt(key)))
        assert (recalled is None) is (reply is None)
        if reply is not None and recalled is not None:
            assert (recalled.position, recalled.events) == (reply.position, reply.events)
            with pytest.raises(IdempotencyKeyReusedError):
                background.run(store.recall(self.receipt(key, b"other")))

    def teardown(self) -> None:
        async def everything() -> list[tuple[int, Aggregate.Event]]:
            async with self.backgrounds[0].app.services.pool.acquire() as connection:
                found = await read(connection, after=self.first, upto=self.first + 10_000)
            return [(each.position, each.event) for each in found]

        stored = self.backgrounds[0].run(everything())
        assert stored == list(enumerate(self.model.history, self.first + 1))


@pytest.fixture
def two_processes(server: str) -> Iterator[list[Background]]:
    async def execute(sql: str) -> None:
        admin = await asyncpg.connect(server)
        await admin.execute(sql)
        await admin.close()

    name = f"agrees_{os.getpid()}"
    asyncio.run(execute(f"CREATE DATABASE {name}"))
    opened = [Background(server.replace("/postgres?", f"/{name}?")) for _ in range(2)]
    yield opened
    for background in opened:
        background.close()
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


def test_the_store_agrees_with_a_dict(two_processes: list[Background]) -> None:
    StoreAgreesWithADict.backgrounds = two_processes
    run_state_machine_as_test(
        StoreAgreesWithADict, settings=settings(max_examples=25, stateful_step_count=30)
    )
