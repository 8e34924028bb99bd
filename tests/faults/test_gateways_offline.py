"""A gateway that was away for long catches up, whoever tells it of what it missed."""

import asyncio

from controlplane.app import App, running
from controlplane.commands import execute
from controlplane.commands.credential import IssueCredential, RevokeCredential
from controlplane.gateway.agent.held import Held
from controlplane.store.eventstore import head
from tests.controlplane.gateway.edge import Client, Provider, serving
from tests.given import AT

SUBSCRIPTIONS, CHANGED, TIMES = 300, 100, 50
CHANGES = 10_000
BEHIND = 20


async def change(provider: Provider, slug: str) -> None:
    """Issue keys and revoke all but the last."""
    subscription, context = provider.ids[slug], provider.app.context(provider.owner)
    for nth in range(TIMES):
        issued = await execute(IssueCredential(subscription_id=subscription), context)
        key = str(vars(issued.outcome.events[0])["credential_id"])
        if nth < TIMES - 1:
            revoke = RevokeCredential(subscription_id=subscription, credential_id=key)
            await execute(revoke, context)


async def sold(provider: Provider, subscriptions: int) -> str:
    """Return the token of a gateway that serves so many subscriptions."""
    await provider.product("pets")
    token = await provider.gateway("edge")
    for nth in range(subscriptions):
        provider.ids[f"pets-{nth}"] = await provider.subscription("pets")
    await provider.settled()
    return token


async def last(app: App) -> int:
    async with app.services.pool.acquire() as connection:
        return await head(connection)


async def test_a_gateway_that_missed_ten_thousand_changes_has_what_all_others_have(
    dsn: str, app: App
) -> None:
    provider = Provider(app)
    async with serving(app) as near:
        token = await sold(provider, SUBSCRIPTIONS)
        snapshot = await near.config(token)
        began = await last(app)
        await asyncio.gather(*(change(provider, f"pets-{nth}") for nth in range(CHANGED)))
        assert await last(app) - began >= CHANGES - CHANGED
        await app.projector.wait_until(await last(app))

        whole = Held(await near.config(token))
        assert sum(len(row["keys"]) for row in whole.rows["subscription"].values()) == CHANGED
        await caught_up(near, token, Held(snapshot), whole)
        async with running(dsn, now=lambda: AT) as other, serving(other) as far:
            await caught_up(far, token, Held(snapshot), whole)  # from the database
    assert whole.content_hash() != snapshot["content_hash"]


async def caught_up(client: Client, token: str, held: Held, whole: Held) -> None:
    """Check what a gateway comes to that was away, by what it missed and by all there is."""
    delta = await client.config(token, since=held.cursor)
    assert not delta["full"]
    assert len(delta["subscriptions"]) == CHANGED
    held.apply(delta)
    for each in (held, Held(await client.config(token, since="9.1"))):
        assert (each.cursor, each.content_hash()) == (whole.cursor, whole.content_hash())
        assert each.rows == whole.rows


async def test_a_process_that_has_yet_to_take_in_what_happened_tells_nobody_half_of_it(
    dsn: str,
) -> None:
    async with running(dsn, now=lambda: AT) as app:
        provider = Provider(app)
        token = await sold(provider, BEHIND)
    async with running(dsn, now=lambda: AT, follow=False) as app:
        provider.app = app
        await asyncio.gather(*(change(provider, f"pets-{nth}") for nth in range(BEHIND)))
        upto = await last(app)
    async with running(dsn, now=lambda: AT) as app, serving(app) as client:
        assert app.projector.position < upto
        first = await client.config(token)
        await app.projector.wait_until(upto)
        assert first == await client.config(token)
        assert sum(len(row["keys"]) for row in first["subscriptions"]) == BEHIND
