"""A database that lost its newest history gives a revoked key back, and a gateway does not."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from controlplane import app as composition
from controlplane.app import App
from controlplane.commands.credential import RevokeCredential
from controlplane.commands.gateway_config import ConfirmEpoch
from controlplane.gateway.agent.held import Held
from domain.gateway_group import EpochConfirmedError, EpochNotCurrentError
from domain.routing import Document
from domain.signed import trusted, verify
from tests.controlplane.gateway.edge import Provider, serving
from tests.given import AT


@pytest.fixture
async def copy(server: str, dsn: str) -> AsyncIterator[str]:
    """Return the DSN of a database into which the other one can be copied."""
    name = dsn.rsplit("/", 1)[1].partition("?")[0]
    yield dsn.replace(f"/{name}?", f"/{name}_copy?")
    admin = await asyncpg.connect(server)
    await admin.execute(f"DROP DATABASE IF EXISTS {name}_copy WITH (FORCE)")
    await admin.close()


async def back_up(server: str, dsn: str) -> None:
    name = dsn.rsplit("/", 1)[1].partition("?")[0]
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
    await admin.close()


def keys_of(document: Document) -> list[str]:
    return [key["id"] for row in document["subscriptions"] for key in row["keys"]]


async def provided(app: App) -> tuple[Provider, str, str]:
    """Return a provider, its gateway's token, and the id of a key."""
    provider = Provider(app)
    await provider.product("pets")
    token = await provider.gateway("edge")
    provider.ids["subscription"] = await provider.subscription("pets")
    key = await provider.key(provider.ids["subscription"])
    await provider.settled()
    return provider, token, key


async def test_a_key_revoked_before_a_restore_stays_refused_until_the_epoch_is_confirmed(
    server: str, dsn: str, copy: str
) -> None:
    async with composition.running(dsn, now=lambda: AT) as app, serving(app) as client:
        provider, token, key = await provided(app)
        held = Held(await client.config(token))
    await back_up(server, dsn)
    async with composition.running(dsn, now=lambda: AT) as app, serving(app) as client:
        provider.app = app
        subscription = provider.ids["subscription"]
        await provider.do(RevokeCredential(subscription_id=subscription, credential_id=key))
        await provider.settled()
        held.apply(await client.config(token, since=held.cursor))
        assert keys_of(held.enforced()) == []

    async with composition.running(copy, now=lambda: AT) as app, serving(app) as client:
        await app.projector.wait_until(1)
        given = await client.config(token, since=held.cursor)
        verify(given, trusted(held.head))  # the keys were restored, too
        held = Held(given, held)
        assert (keys_of(held.document()), keys_of(held.enforced())) == ([key], [])

        provider.app = app
        group = provider.ids["edge-group"]
        with pytest.raises(EpochNotCurrentError):
            await provider.do(ConfirmEpoch(group_id=group, epoch=app.epoch + 1))
        await provider.do(ConfirmEpoch(group_id=group, epoch=app.epoch))
        with pytest.raises(EpochConfirmedError):
            await provider.do(ConfirmEpoch(group_id=group, epoch=app.epoch))
        await provider.settled()
        held = Held(await client.config(token, since=held.cursor), held)

        assert not held.tombstones.in_force(held.epoch)
        assert keys_of(held.enforced()) == [key]
