"""A gateway that is ahead proves it by what we signed, once."""

import asyncio
from typing import Any

import pytest

from controlplane import app as composition
from controlplane.app import App
from controlplane.gateway.agent.held import DocumentOlderError, Held
from controlplane.gateway.ahead import PATH
from tests.controlplane.gateway.edge import Client, Provider, serving
from tests.given import AT, STRANGER


@pytest.fixture
async def token(app: App) -> str:
    provider = Provider(app)
    await provider.product("pets")
    token = await provider.gateway("edge")
    await provider.settled()
    return token


async def later(client: Client, token: str, **said: Any) -> dict[str, Any]:
    """Return what the control plane had said, of a history of which the end is lost."""
    document = await client.config(token)
    head = {**document, **said}
    del head["signature"], head["signing_keys"]
    return (await client.delivery.keyring.ring()).signed(head)


async def report(client: Client, token: str | None, shown: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await client.session.post(PATH, json=shown, headers=headers)
    return answer.status, await answer.json()


async def epoch(app: App) -> int:
    found: int = await app.services.pool.fetchval("SELECT current_epoch()")
    return found


async def test_a_gateway_that_is_ahead_has_the_epoch_raised_once(
    dsn: str, client: Client, app: App, token: str
) -> None:
    shown = await later(client, token, cursor=f"{app.epoch}.9000")
    held = Held(shown)
    with pytest.raises(DocumentOlderError):
        Held(await client.config(token), held)

    async with composition.running(dsn, now=lambda: AT) as other:
        assert await report(client, token, held.head) == (
            200,
            {"raised": True, "epoch": app.epoch + 1},
        )
        assert app.history.replaced.is_set()
        async with asyncio.timeout(5):
            await other.history.replaced.wait()

    async with composition.running(dsn, now=lambda: AT) as after, serving(after) as anew:
        assert after.epoch == app.epoch + 1
        assert await report(anew, token, shown) == (
            200,
            {"raised": False, "epoch": after.epoch},
        )
        assert not after.history.replaced.is_set()
        assert Held(await anew.config(token), held).cursor.startswith(f"{after.epoch}.")


async def test_a_later_epoch_that_was_lost_is_raised_above(
    client: Client, app: App, token: str
) -> None:
    shown = await later(client, token, cursor=f"{app.epoch + 5}.1")

    assert (await report(client, token, shown))[1]["epoch"] == app.epoch + 6
    assert await epoch(app) == app.epoch + 6


async def test_what_is_still_there_raises_nothing(client: Client, app: App, token: str) -> None:
    shown = await client.config(token)

    assert await report(client, token, shown) == (200, {"raised": False, "epoch": app.epoch})
    assert await epoch(app) == app.epoch
    assert not app.history.replaced.is_set()


async def test_who_cannot_prove_it_raises_nothing(client: Client, app: App, token: str) -> None:
    ahead = await later(client, token, cursor=f"{app.epoch}.9000")
    stranger = Provider(app, STRANGER)
    theirs = await stranger.gateway("edge")
    await stranger.settled()

    for who, shown, status in (
        (None, ahead, 401),
        (theirs, ahead, 422),
        (token, {**ahead, "cursor": f"{app.epoch}.9001"}, 422),
        (token, {**ahead, "signature": None}, 422),
        (token, {**ahead, "group": {"id": "x", "slug": "elsewhere"}}, 404),
        (token, {"cursor": "1.1"}, 400),
        (token, {**ahead, "cursor": "x"}, 400),
        (token, [], 400),
        (token, {**ahead, "group": 1}, 400),
        (token, {"more": "x" * 70_000}, 413),
    ):
        assert (await report(client, who, shown))[0] == status
    assert await epoch(app) == app.epoch
