"""What the demo has to show."""

from collections import Counter
from contextlib import suppress

import pytest

from controlplane import importing, openapi
from controlplane.app import App
from controlplane.auth import Bearers, NotAuthenticatedError
from controlplane.commands import Answer, Command, execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.context import Context
from controlplane.demo import filling, shown
from controlplane.demo.filling import fill
from controlplane.demo.sold import Own
from controlplane.graphql.schema import sdl
from domain.access_token import Role

OWN = Own("http://127.0.0.1:8080", sdl(), openapi.document())


async def test_the_demo_sells_our_own_apis_to_two_teams(app: App) -> None:
    await fill(app, OWN)
    pool = app.services.pool

    async def one(sql: str) -> object:
        return await pool.fetchval(sql)

    products = await pool.fetch("SELECT slug, state, visibility FROM product ORDER BY slug")
    assert [tuple(row) for row in products] == [
        ("control-plane-http", "PUBLISHED", "PUBLIC"),
        ("portal-graphql", "PUBLISHED", "PUBLIC"),
    ]
    kinds = await pool.fetch("SELECT contract_kind, state, operations FROM api_version ORDER BY 1")
    assert [(row[0], row[1]) for row in kinds] == [
        ("GRAPHQL", "PUBLISHED"),
        ("OPENAPI_3_1", "PUBLISHED"),
    ]
    assert all(row["operations"] > 5 for row in kinds)
    plans = await pool.fetch("SELECT slug, state FROM plan ORDER BY slug")
    assert [tuple(row) for row in plans] == [
        ("free", "PUBLISHED"),
        ("internal", "PUBLISHED"),
        ("pro", "PUBLISHED"),
    ]
    assert await one("SELECT count(*) FROM team") == 2
    assert await one("SELECT count(*) FROM developer") == 3
    assert await one("SELECT count(*) FROM application") == 3
    states = await pool.fetch("SELECT state FROM subscription")
    assert Counter(row["state"] for row in states) == {
        "ACTIVE": 3,
        "PENDING": 1,
        "SUSPENDED": 1,
    }
    keys = await pool.fetch("SELECT state FROM credential")
    assert Counter(row["state"] for row in keys) == {"ACTIVE": 4, "EXPIRING": 1}
    assert await one("SELECT slug FROM gateway_group") == "edge"
    assert await one("SELECT count(*) FROM gateway") == 1


async def test_a_second_start_changes_nothing_but_the_tokens(app: App) -> None:
    first = await fill(app, OWN)
    before = await app.services.pool.fetchval("SELECT max(notification_id) FROM stored_events")
    second = await fill(app, OWN)
    topics = await app.services.pool.fetch(
        "SELECT topic FROM stored_events WHERE notification_id > $1", before
    )
    assert Counter(row["topic"] for row in topics) == {
        "access_token.issued": 6,
        "access_token.revoked": 6,
    }
    now, store = app.services.now(), app.services.store
    for role in Role:
        caller = await Bearers(store).caller(second[role.value.lower()], now)
        assert caller.role is role
        with pytest.raises(NotAuthenticatedError):
            await Bearers(store).caller(first[role.value.lower()], now)


class KilledError(Exception):
    pass


async def test_a_start_that_was_cut_short_anywhere_is_made_good(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start gets one command further before it is killed, until one is through."""
    left = 0

    async def execute_some(command: Command, context: Context) -> Answer:
        nonlocal left
        if not isinstance(command, IssueToken | RevokeToken):
            left -= 1
            if left < 0:
                raise KilledError
        return await execute(command, context)

    for module in (filling, shown, importing):
        monkeypatch.setattr(module, "execute", execute_some)
    for starts in range(100):  # noqa: B007  # read below
        left = 1
        with suppress(KilledError):
            await fill(app, OWN)
            break
    assert 30 < starts < 60
    for table, rows in (
        *(("product", 2), ("api_version", 2), ("plan", 3), ("team", 2), ("developer", 3)),
        *(("application", 3), ("subscription", 5), ("credential", 5), ("gateway", 1)),
    ):
        count = await app.services.pool.fetchval(f"SELECT count(*) FROM {table}")
        assert count == rows, table


async def test_nobody_holds_a_token_that_was_not_printed(app: App) -> None:
    await fill(app, OWN)
    live = await app.services.pool.fetch("SELECT name FROM access_token WHERE revoked_at IS NULL")
    assert [row["name"] for row in live] == ["demo"] * len(Role)


async def test_a_demo_that_is_started_again_and_again_has_one_key_to_try(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "KEYS", 3)
    await fill(app, OWN)
    keys = []
    for _ in range(5):
        keys.append(await shown.key(app))
        await fill(app, OWN)

    active = await app.services.pool.fetchval(
        "SELECT count(*) FROM credential WHERE label = 'demo' AND state = 'ACTIVE'"
        " AND subscription_id IN (SELECT id FROM subscription WHERE state = 'ACTIVE')"
    )
    assert (len(set(keys)), active) == (5, 1)
