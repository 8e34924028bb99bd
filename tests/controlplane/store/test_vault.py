"""What is sealed stays shut: to other organizations, to other persons, and to the forgetful."""

from base64 import b64decode, b64encode
from dataclasses import replace
from uuid import UUID

import pytest

from controlplane.app import App, running
from controlplane.store import UnavailableError
from domain.sealed import Sealed
from tests.given import ACE, BAD

ADA, BOB = UUID(int=1), UUID(int=2)


async def test_what_was_sealed_can_be_opened_in_one_go(app: App) -> None:
    vault = app.services.vault
    name, mail = await vault.seal(ACE, ADA, "Ada", "ada@example.com")
    (other,) = await vault.seal(ACE, BOB, "Bob")
    assert await vault.open(ACE, [mail, other, name]) == ["ada@example.com", "Bob", "Ada"]
    assert await vault.open(ACE, []) == []


async def test_every_text_survives(app: App) -> None:
    vault = app.services.vault
    texts = ["", " ", "\0", "Ünïcödé 製品 🐾", "x" * 20_000]
    assert await vault.open(ACE, await vault.seal(ACE, ADA, *texts)) == texts


async def test_the_same_text_is_never_the_same_box(app: App) -> None:
    one, two = await app.services.vault.seal(ACE, ADA, "Ada", "Ada")
    assert one.box != two.box
    assert b"Ada" not in b64decode(one.box)


async def test_a_box_that_is_moved_or_changed_stays_shut(app: App) -> None:
    vault = app.services.vault
    (ada,) = await vault.seal(ACE, ADA, "Ada")
    await vault.seal(ACE, BOB, "Bob")
    await vault.seal(BAD, ADA, "Ada")
    bent = bytearray(b64decode(ada.box))
    bent[-1] ^= 1
    for box in (replace(ada, person=str(BOB)), Sealed(str(ADA), b64encode(bent).decode())):
        assert await vault.open(ACE, [box]) == [None]
    assert await vault.open(BAD, [ada]) == [None]


async def test_a_person_whose_key_is_gone_is_forgotten_and_no_one_else(app: App) -> None:
    vault = app.services.vault
    (ada,) = await vault.seal(ACE, ADA, "Ada")
    (bob,) = await vault.seal(ACE, BOB, "Bob")
    await app.services.pool.execute("DELETE FROM person_keys WHERE person = $1", ADA)
    assert await vault.open(ACE, [ada, bob]) == [None, "Bob"]
    await vault.seal(ACE, ADA, "Ada again")
    assert await vault.open(ACE, [ada]) == [None]


async def test_a_blind_name_is_the_same_in_one_organization_only(app: App) -> None:
    vault = app.services.vault
    blind = await vault.blind(ACE, "ada@example.com")
    assert await vault.blind(ACE, "ada@example.com") == blind
    assert await vault.blind(BAD, "ada@example.com") != blind
    assert await vault.blind(ACE, "bob@example.com") != blind


async def test_without_a_database_the_vault_says_so(dsn: str) -> None:
    async with running(dsn, follow=False) as app:
        vault = app.services.vault
    with pytest.raises(UnavailableError):
        await vault.seal(ACE, ADA, "Ada")
    with pytest.raises(UnavailableError):
        await vault.open(ACE, [Sealed(str(ADA), "")])
