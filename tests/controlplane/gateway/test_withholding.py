"""One mistake does not empty a gateway, and what is held back holds no revocation back."""

from datetime import timedelta
from typing import Any

import pytest

from controlplane import app as composition
from controlplane.app import App
from controlplane.commands.api_product import DeprecateProduct, ReinstateProduct, RetireProduct
from controlplane.commands.api_version import BlockVersion
from controlplane.commands.credential import RevokeCredential
from controlplane.commands.gateway_config import IntendConfigShrink, ReleaseConfig
from controlplane.commands.subscription import CancelSubscription
from controlplane.gateway import withholding
from controlplane.gateway.document import snapshot
from controlplane.store.eventstore import head
from domain import config_document
from domain.gateway_group import ConfigNotHeldBackError, IntentionInvalidError
from tests.controlplane.gateway.edge import Client, Provider, serving
from tests.given import AT, OPERATOR

SUBSCRIPTIONS = 20


@pytest.fixture
async def provider(app: App) -> Provider:
    """Return one whose pets have many subscribers and whose food has one."""
    provider = Provider(app)
    await provider.product("pets")
    await provider.product("food")
    for nth in range(SUBSCRIPTIONS):
        provider.ids[f"pets-{nth}"] = await provider.subscription("pets")
    await provider.subscription("food")
    return provider


async def retire(provider: Provider, slug: str) -> None:
    await provider.do(DeprecateProduct(product_id=provider.ids[slug]))
    await provider.do(RetireProduct(product_id=provider.ids[slug]))
    await provider.settled()


def slugs(document: Any) -> list[str]:
    return [row["slug"] for row in document["products"]]


async def held_back(provider: Provider) -> list[str]:
    """Return what events say was decided about configurations."""
    async with provider.app.services.pool.acquire() as connection:
        await provider.app.projector.wait_until(await head(connection))
        events = await connection.fetch(
            "SELECT topic FROM stored_events WHERE topic LIKE 'gateway_group.config_%'"
            " ORDER BY notification_id"
        )
    return [row["topic"].removeprefix("gateway_group.config_") for row in events]


async def test_the_last_product_is_held_back_however_small_the_group(
    client: Client, app: App
) -> None:
    provider = Provider(app)
    product = await provider.product("pets")
    token = await provider.gateway("edge", product)
    await provider.settled()
    before = await client.config(token)

    await retire(provider, "pets")
    held = await client.config(token)
    assert slugs(held) == ["pets"]
    assert len(held["versions"]) == len(before["versions"]) == 1

    await provider.do(ReleaseConfig(group_id=provider.ids["edge-group"]))
    await provider.settled()
    emptied = await client.config(token)
    assert slugs(emptied) == []
    assert emptied["intentionally_empty"]


async def test_a_product_whose_end_would_empty_a_gateway_is_held_back(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    before = await client.config(token)

    await retire(provider, "pets")
    held = config_document.apply(before, await client.config(token, since=before["cursor"]))

    assert slugs(held) == slugs(before)
    assert len(held["subscriptions"]) == SUBSCRIPTIONS + 1
    assert held == await client.config(token)
    assert config_document.content_hash(held) == held["content_hash"]


async def test_revocations_go_at_once_below_what_is_held_back(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    first, second = provider.ids["pets-0"], provider.ids["pets-1"]
    key = await provider.key(first)
    await provider.settled()
    before = await client.config(token)
    await retire(provider, "pets")
    held = await client.config(token, since=before["cursor"])

    await provider.do(RevokeCredential(subscription_id=first, credential_id=key))
    await provider.do(CancelSubscription(subscription_id=second))
    block = BlockVersion(version_id=provider.ids["pets-version"])
    operator = Provider(provider.app, OPERATOR)
    await operator.do(block)
    await operator.settled()
    await provider.settled()
    told = await client.config(token, since=held["cursor"])

    assert not told["full"]
    assert {(each["kind"], each["id"]) for each in told["removed"]} == {
        ("subscription", str(second)),
        ("version", str(provider.ids["pets-version"])),
    }
    assert [(row["id"], row["keys"]) for row in told["subscriptions"]] == [(str(first), [])]
    now = config_document.apply(config_document.apply(before, held), told)
    assert config_document.content_hash(now) == told["content_hash"]
    assert now == await client.config(token)


async def test_what_is_held_back_is_handed_out_when_it_is_released(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    group = provider.ids["edge-group"]
    await provider.settled()
    before = await client.config(token)
    with pytest.raises(ConfigNotHeldBackError):
        await provider.do(ReleaseConfig(group_id=group))
    await retire(provider, "pets")
    await client.config(token)
    while await held_back(provider) != ["held_back"]:  # nobody waits for the alarm
        pass

    await provider.do(ReleaseConfig(group_id=group, reason="It was meant."))
    await provider.settled()

    after = await client.config(token, since=before["cursor"])
    assert slugs(after) == ["food"]
    assert len(after["subscriptions"]) == 1


async def test_what_was_intended_is_not_held_back(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    group, until = provider.ids["edge-group"], AT + timedelta(hours=1)
    await provider.settled()
    await client.config(token)
    for wrong in (
        IntendConfigShrink(group_id=group, until=until),
        IntendConfigShrink(group_id=group, until=AT, reason="over"),
        IntendConfigShrink(group_id=group, until=AT + timedelta(days=8), reason="too long"),
    ):
        with pytest.raises(IntentionInvalidError):
            await provider.do(wrong)
    await provider.do(IntendConfigShrink(group_id=group, until=until, reason="pets close"))
    await provider.settled()

    await retire(provider, "pets")

    assert slugs(await client.config(token)) == ["food"]


async def test_a_sunset_that_has_come_is_an_intention(dsn: str) -> None:
    now = [AT]
    async with composition.running(dsn, now=lambda: now[0]) as app, serving(app) as client:
        provider = Provider(app)
        await provider.product("pets")
        for _ in range(SUBSCRIPTIONS):
            await provider.subscription("pets")
        token = await provider.gateway("edge")
        sunset_at = AT + timedelta(days=30)
        pets = provider.ids["pets"]
        await provider.do(DeprecateProduct(product_id=pets, sunset_at=sunset_at))
        await provider.settled()
        await client.config(token)

        now[0] = sunset_at
        await provider.do(RetireProduct(product_id=pets))
        await provider.settled()

        assert (await client.config(token))["intentionally_empty"]


async def test_little_is_never_held_back(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withholding, "FROM_ROWS", 1_000)
    token = await provider.gateway("edge")
    await provider.settled()
    await client.config(token)

    await retire(provider, "pets")

    assert slugs(await client.config(token)) == ["food"]


async def test_a_smaller_share_is_not_held_back(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    await client.config(token)

    await retire(provider, "food")

    assert slugs(await client.config(token)) == ["pets"]
    assert await held_back(provider) == []


async def test_a_product_that_is_reinstated_is_as_before(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    await client.config(token)
    await retire(provider, "pets")
    await client.config(token)

    await provider.do(ReinstateProduct(product_id=provider.ids["pets"]))
    await provider.settled()

    assert slugs(await client.config(token)) == ["pets", "food"]


async def test_a_group_that_was_opened_afterwards_never_had_it(
    client: Client, provider: Provider
) -> None:
    await retire(provider, "pets")
    token = await provider.gateway("edge")
    await provider.settled()

    assert slugs(await client.config(token)) == ["food"]


async def test_every_process_holds_back_the_same_and_says_so_once(
    dsn: str, client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    await client.config(token)
    await retire(provider, "pets")
    one = await client.get(token)
    async with composition.running(dsn, now=lambda: AT) as other, serving(other) as second:
        await other.projector.wait_until(provider.position)
        two = await second.get(token)
        assert await two.read() == await one.read()
        assert two.headers["ETag"] == one.headers["ETag"]
        while not await held_back(provider):
            pass

    assert await held_back(provider) == ["held_back"]


async def test_the_past_shows_what_was_handed_out(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    before = await client.config(token)
    first = provider.position
    await retire(provider, "pets")
    held = await client.config(token)

    group, organization = str(provider.ids["edge-group"]), provider.owner.organization_id
    for position, document in ((first, before), (provider.position, held)):
        view = await client.delivery.mirrors.as_of(organization, group, position)
        again = snapshot(view, provider.app.epoch, AT).head
        assert again["content_hash"] == document["content_hash"]


async def test_whoever_has_what_is_handed_out_is_behind_nothing(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    await client.config(token)

    async def missing(cursor: str) -> list[int]:
        """Return what a gateway with a cursor is told to be behind."""
        await provider.settled()
        found = await client.delivery.mirrors.changed_at(
            provider.owner.organization_id,
            str(provider.ids["edge-group"]),
            int(cursor.split(".")[1]),
        )
        assert found is not None
        return found

    await retire(provider, "pets")
    held = (await client.config(token))["cursor"]
    assert await missing(held) == []

    await provider.do(CancelSubscription(subscription_id=provider.ids["pets-0"]))
    assert await missing(held) == [provider.position]
    told = (await client.config(token))["cursor"]
    assert await missing(told) == []

    while not await held_back(provider):
        pass
    await provider.do(ReleaseConfig(group_id=provider.ids["edge-group"], reason="It was meant."))
    assert await missing(told) == [provider.position]
    assert await missing((await client.config(token))["cursor"]) == []
