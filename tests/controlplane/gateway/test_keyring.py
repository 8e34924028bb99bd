"""Configurations are signed by keys of the database, which rotate without a gap."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from controlplane import app as composition
from controlplane.app import App
from controlplane.gateway import keyring
from controlplane.gateway.keyring import (
    OUTLIVES,
    OVERLAP_S_MIN,
    Keyring,
    RotationUnderWayError,
)
from domain import signed
from tests.controlplane.gateway.edge import Client, Provider, serving
from tests.given import AT


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now

    def forward(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def app(dsn: str, clock: Clock) -> AsyncIterator[App]:
    """Return a control plane whose clock is put forward by hand."""
    async with composition.running(dsn, now=clock) as app:
        yield app


@pytest.fixture
async def client(app: App, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr(keyring, "RELOAD_S", 0)
    async with serving(app) as client:
        yield client


@pytest.fixture
async def token(app: App) -> str:
    provider = Provider(app)
    await provider.product("pets")
    token = await provider.gateway("edge")
    await provider.settled()
    return token


async def test_a_snapshot_is_signed_by_a_published_key(client: Client, token: str) -> None:
    published = await client.get(None, path="/gateway/v1/keys")
    document = await client.config(token)

    keys = (await published.json())["keys"]
    assert published.headers["Content-Type"] == "application/jwk-set+json"
    signed.verify_snapshot(document, keys, AT)
    assert document["signing_keys"] == keys
    assert all("d" not in key for key in keys)


async def test_all_processes_sign_with_the_same_key(dsn: str, app: App) -> None:
    async with composition.running(dsn, now=lambda: AT) as other:
        rings = [await Keyring(each.services).ring() for each in (app, other)]

    assert rings[0].signing == rings[1].signing
    assert rings[0].id == rings[1].id


async def test_a_rotation_is_announced_before_it_signs(
    client: Client, token: str, clock: Clock
) -> None:
    before = await client.get(token)
    first = await before.json()
    tag = before.headers["ETag"]
    assert (await client.get(token, tag)).status == 304

    await client.delivery.keyring.rotate(OVERLAP_S_MIN)
    announced = await client.get(token, tag, since=first["cursor"])
    told = await announced.json()
    assert (announced.status, told["full"], told["removed"]) == (200, False, [])
    signed.verify(told, signed.trusted(first))
    assert told["signature"]["key_id"] == first["signature"]["key_id"]
    assert len(told["signing_keys"]) == 2

    clock.forward(timedelta(seconds=OVERLAP_S_MIN))
    after = await client.config(token)
    assert after["signature"]["key_id"] != first["signature"]["key_id"]
    signed.verify(after, signed.trusted(told))
    assert len(after["signing_keys"]) == 2

    clock.forward(OUTLIVES)
    later = await client.config(token)
    assert [key["kid"] for key in later["signing_keys"]] == [after["signature"]["key_id"]]


async def test_a_compromised_key_is_trusted_no_more(client: Client, token: str) -> None:
    first = await client.config(token)

    ring = await client.delivery.keyring.rotate(0, compromised=True)

    after = await client.config(token)
    assert [key["kid"] for key in after["signing_keys"]] == [ring.signing.jwk["kid"]]
    assert after["signature"]["key_id"] != first["signature"]["key_id"]
    with pytest.raises(signed.SignerUnknownError):
        signed.verify(after, signed.trusted(first))


async def test_one_rotation_follows_the_other(app: App, clock: Clock) -> None:
    keys = Keyring(app.services)
    await keys.ring()
    await keys.rotate(OVERLAP_S_MIN)
    with pytest.raises(RotationUnderWayError):
        await keys.rotate(OVERLAP_S_MIN)

    for _ in range(3):
        clock.forward(OUTLIVES + timedelta(seconds=OVERLAP_S_MIN))
        await keys.rotate(OVERLAP_S_MIN)

    stored = await app.services.pool.fetchval("SELECT count(*) FROM signing_keys")
    assert stored == 2  # what nobody may trust any more is destroyed


async def test_a_process_signs_on_while_the_database_is_away(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keyring(app.services)
    before = await keys.ring()
    monkeypatch.setattr(keyring, "RELOAD_S", 0)

    def away(*_: object, **__: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(type(app.services.pool), "acquire", away)
    for _ in range(3):
        assert await keys.ring() is before
    monkeypatch.undo()


async def test_the_private_part_is_never_shown(app: App) -> None:
    ring = await Keyring(app.services).ring()

    assert str(ring.signing.private) not in repr(ring)
    assert ring.signing.private.hex() not in repr(ring)
