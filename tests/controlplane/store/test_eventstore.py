"""Streams, the aggregates at hand, and retries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from controlplane.app import App, running
from controlplane.store import Connection, Pool, UnavailableError, lent
from controlplane.store.eventstore import CACHED_AGGREGATES, IdempotencyKeyReusedError, head, read
from controlplane.store.writer import ConflictError, Receipt
from domain.access_token import AccessToken, Role
from domain.api_product import ApiProduct, ProductState
from domain.application import Application
from domain.audience import Visibility
from tests.given import AT, WHY

ID = UUID(int=1)


def product(id_: UUID = ID) -> ApiProduct:
    return ApiProduct.define(
        id_,
        slug="pets",
        name="Pets",
        description="",
        visibility=Visibility.PUBLIC,
        at=AT,
        why=WHY,
    )


def receipt(key: str = "k", request: bytes = b"r", actor: str = "ada") -> Receipt:
    return Receipt("o", actor, key, request)


async def defined(app: App) -> None:
    await app.services.store.append([product()], {}, [], receipt("define"))


async def published_by(app: App, key: str) -> int | None:
    loaded = await app.services.store.load(ID)
    assert isinstance(loaded, ApiProduct)
    twin = loaded.copy()
    twin.publish(at=AT, why=WHY)
    return (await app.services.store.append([twin], {}, [], receipt(key))).position


async def test_what_was_appended_is_loaded_as_it_was(app: App, dsn: str) -> None:
    await defined(app)
    assert await published_by(app, "publish") == 2
    async with running(dsn, follow=False) as other:
        loaded = await other.services.store.load(ID)
    assert isinstance(loaded, ApiProduct)
    assert (loaded.state, loaded.version) == (ProductState.PUBLISHED, 2)
    assert loaded.organization == WHY["organization"]
    assert await app.services.store.load(UUID(int=2)) is None


async def test_a_stale_copy_conflicts_and_is_brought_up_to_date_when_suspected(
    app: App, dsn: str
) -> None:
    await defined(app)
    async with running(dsn, follow=False) as other:
        await other.services.store.load(ID)
        await published_by(app, "publish")
        with pytest.raises(ConflictError):
            await published_by(other, "publish too")
        store = other.services.store
        stale = await store.load(ID)
        assert stale is not None
        assert not await store.is_current({ID: stale.version})
        store.suspect({ID: stale.version})
        fresh = await store.load(ID)
        assert fresh is not None
        assert (stale.version, fresh.version) == (1, 2)
        store.suspect({ID: 1})  # of the past: what is at hand is newer
        assert await store.load(ID) is fresh


async def test_a_suspicion_raised_while_a_stream_is_read_outlives_the_reading(
    app: App, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = AccessToken.issue(
        ID,
        name="t",
        role=Role.OWNER,
        sha256="",
        team_id=None,
        gateway_id=None,
        expires_at=None,
        at=AT,
        why=WHY,
    )
    await app.services.store.append([token], {}, [], receipt("issue"))
    asked, go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def lent_slowly(pool: Pool, budget_s: float) -> AsyncIterator[Connection]:
        async with lent(pool, budget_s) as connection:
            yield connection
            asked.set()
            await go_on.wait()

    async with running(dsn, follow=False) as other:
        store = other.services.store
        monkeypatch.setattr("controlplane.store.eventstore.lent", lent_slowly)
        reading = asyncio.create_task(store.load(ID))
        await asked.wait()  # it has its answer; before it looks, the token is revoked elsewhere
        twin = token.copy()
        twin.revoke(at=AT, why=WHY)
        await app.services.store.append([twin], {}, [], receipt("revoke"))
        store.suspect_all([ID])
        go_on.set()
        await reading
        found = await store.load(ID)
        assert isinstance(found, AccessToken)
        assert found.revoked


async def test_a_stream_that_nobody_wrote_is_not_remembered(app: App, dsn: str) -> None:
    async with running(dsn, follow=False) as other:
        assert await other.services.store.load(ID) is None
        await defined(app)
        assert await other.services.store.load(ID) is not None


async def test_a_reply_is_recalled_by_its_receipt(app: App) -> None:
    outcome = await app.services.store.append(
        [product(), product(UUID(int=2))], {}, [], receipt("define")
    )
    await published_by(app, "publish")
    again = await app.services.store.recall(receipt("define"))
    assert again is not None
    assert (again.position, again.events, again.repeated) == (2, outcome.events, True)
    assert await app.services.store.recall(receipt("other")) is None
    assert await app.services.store.recall(receipt("define", actor="bob")) is None


async def test_a_key_recalls_only_the_request_it_came_with(app: App) -> None:
    await defined(app)
    with pytest.raises(IdempotencyKeyReusedError) as refused:
        await app.services.store.recall(receipt("define", b"another"))
    assert refused.value.about == "idempotency_key"


async def test_the_same_receipt_is_stored_once(app: App) -> None:
    await defined(app)
    with pytest.raises(ConflictError):
        await app.services.store.append([product(UUID(int=2))], {}, [], receipt("define"))
    assert await app.services.pool.fetchval("SELECT count(*) FROM stored_events") == 1


async def test_events_are_read_in_the_order_of_their_positions(app: App) -> None:
    store = app.services.store
    async with app.services.pool.acquire() as connection:
        assert await head(connection) == 0
        await defined(app)
        application = Application.register(UUID(int=3), team_id=ID, name="App", at=AT, why=WHY)
        await store.append([application], {}, [], receipt("register"))
        await published_by(app, "publish")
        assert await head(connection) == 3
        assert [each.position for each in await read(connection, after=0, upto=9)] == [1, 2, 3]
        (second,) = await read(connection, after=1, upto=2)
        assert second.event == Application.Registered(
            UUID(int=3), 1, AT, "application", WHY, ID, "App"
        )
        topics = [ApiProduct.Published.TOPIC]
        (third,) = await read(connection, after=0, upto=3, topics=topics)
        assert isinstance(third.event, ApiProduct.Published)


async def test_aggregates_at_hand_are_bounded(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CACHED_AGGREGATES == 20_000
    monkeypatch.setattr("controlplane.store.eventstore.CACHED_AGGREGATES", 3)
    store = app.services.store
    for n in range(1, 6):
        await store.append([product(UUID(int=n))], {}, [], receipt(str(n)))
    at_hand = vars(store)["_at_hand"]
    assert list(at_hand) == [UUID(int=n) for n in (3, 4, 5)]
    assert await store.load(UUID(int=1)) is not None
    assert len(at_hand) == 3


async def test_a_closed_pool_is_an_unavailable_database(dsn: str) -> None:
    async with running(dsn, follow=False) as app:
        store = app.services.store
    with pytest.raises(UnavailableError):
        await store.load(ID)
    assert vars(store)["_suspect"] == {}
