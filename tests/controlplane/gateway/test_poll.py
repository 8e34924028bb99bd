"""A gateway polls what was sold."""

import asyncio
import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import jsonschema
import pytest
from prometheus_client import REGISTRY

from controlplane import app as composition
from controlplane import gateway
from controlplane.app import App
from controlplane.commands import Command
from controlplane.commands.access_token import RevokeToken
from controlplane.commands.api_product import DefineProduct
from controlplane.commands.credential import RevokeCredential
from controlplane.commands.subscription import (
    CancelSubscription,
    ExpireSubscription,
    ReinstateSubscription,
    ScheduleSubscriptionExpiry,
)
from controlplane.gateway import following
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.document import snapshot
from controlplane.gateway.routes import routes
from domain import config_document, routing
from domain.access_token import Role
from tests.controlplane.gateway.edge import POLL, Client, Provider, serving
from tests.given import AT, STRANGER

SCHEMA = json.loads((Path(gateway.__file__).parent / "config.schema.json").read_text())


def strict(schema: Any) -> Any:  # JSON
    """Return a schema that allows no member it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(each) for name, each in schema.items()}
    if "properties" in schema and "required" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


VALIDATOR = jsonschema.Draft202012Validator(strict(SCHEMA))


@pytest.fixture
async def provider(app: App) -> Provider:
    """Return one that sells two products."""
    provider = Provider(app)
    await provider.product("pets")
    await provider.product("food")
    return provider


def not_modified() -> float:
    name = "controlplane_gateway_polls_total"
    return REGISTRY.get_sample_value(name, {"answer": "not_modified"}) or 0


def keys_of(document: dict[str, Any]) -> list[str]:
    return [key["id"] for row in document["subscriptions"] for key in row["keys"]]


async def test_a_key_appears_in_the_next_poll_and_is_gone_after_its_revocation(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    await provider.settled()
    first = await client.config(token)
    assert [row["slug"] for row in first["products"]] == ["pets", "food"]
    assert keys_of(first) == []

    key = await provider.key(subscription)
    await provider.settled()
    issued = await client.config(token, since=first["cursor"])
    assert not issued["full"]
    assert keys_of(issued) == [key]

    await provider.do(RevokeCredential(subscription_id=subscription, credential_id=key))
    await provider.settled()
    revoked = await client.config(token, since=issued["cursor"])
    assert [row["keys"] for row in revoked["subscriptions"]] == [[]]
    assert keys_of(await client.config(token)) == []

    held = config_document.apply(config_document.apply(first, issued), revoked)
    assert config_document.content_hash(held) == revoked["content_hash"]
    assert held == await client.config(token)
    for document in (first, issued, revoked):
        VALIDATOR.validate(document)


async def test_a_cancelled_subscription_is_removed(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    await provider.key(subscription)
    await provider.settled()
    before = await client.config(token)

    await provider.do(CancelSubscription(subscription_id=subscription))
    await provider.settled()
    after = await client.config(token, since=before["cursor"])

    assert after["removed"] == [{"kind": "subscription", "id": str(subscription)}]
    assert (await client.config(token))["subscriptions"] == []
    VALIDATOR.validate(after)


async def test_an_end_travels_when_it_moves_and_what_is_reinstated_is_back(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    kept, revoked = await provider.key(subscription), await provider.key(subscription)
    await provider.settled()
    held = await client.config(token)
    past = [held]

    async def after(command: Command) -> Any:
        """Return the row after a command, None if it is gone; the deltas lead to the snapshot."""
        await provider.do(command)
        await provider.settled()
        nonlocal held
        held = await client.config(token)
        for before in past:
            delta = await client.config(token, since=before["cursor"])
            VALIDATOR.validate(delta)
            assert config_document.apply(before, delta) == held
        past.append(held)
        return next(iter(held["subscriptions"]), None)

    def moved(days: int) -> ScheduleSubscriptionExpiry:
        end = AT + timedelta(days=days)
        return ScheduleSubscriptionExpiry(subscription_id=subscription, expires_at=end)

    assert (await after(moved(9)))["not_after"] == "2026-01-10T00:00:00+00:00"
    assert (await after(moved(1)))["not_after"] == "2026-01-02T00:00:00+00:00"
    later = replace(provider.app.services, now=lambda: AT + timedelta(days=1))
    object.__setattr__(provider.app, "services", later)  # the clock goes on
    assert await after(ExpireSubscription(subscription_id=subscription)) is None
    assert held["subscriptions"] == []
    await provider.do(RevokeCredential(subscription_id=subscription, credential_id=revoked))
    back = await after(ReinstateSubscription(subscription_id=subscription))
    assert (back["not_after"], [key["id"] for key in back["keys"]]) == (None, [kept])


async def test_nothing_new_is_304_without_sql(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    first = await client.get(token)
    document = await first.json()
    tag = first.headers["ETag"].strip('"')
    assert re.fullmatch(rf"{document['cursor']}-[0-9a-f]{{8}}-gzip", tag)
    counted = not_modified()

    def no_sql(*_: object, **__: object) -> None:
        raise AssertionError("SQL")

    monkeypatch.setattr(asyncpg.Pool, "acquire", no_sql)
    by_etag = await client.get(token, first.headers["ETag"])
    by_cursor = await client.get(token, since=document["cursor"])
    among_others = await client.get(token, f'"other", W/{first.headers["ETag"]}')
    monkeypatch.undo()

    assert [each.status for each in (by_etag, by_cursor, among_others)] == [304] * 3
    assert by_etag.headers["ETag"].strip('"') == tag.removesuffix("-gzip")
    assert not_modified() == counted + 3


async def test_a_held_poll_is_woken_by_a_revocation_in_another_process(
    dsn: str, client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    key = await provider.key(subscription)
    await provider.settled()
    held = await client.config(token)
    async with composition.running(dsn) as other:
        elsewhere = Provider(other)
        await other.projector.wait_until(provider.position)
        polls = [
            asyncio.create_task(client.get(token, since=held["cursor"], wait="30"))
            for _ in range(20)
        ]
        await client.held(20)
        began = time.monotonic()
        await elsewhere.do(RevokeCredential(subscription_id=subscription, credential_id=key))
        answers = await asyncio.gather(*polls)
        took_s = time.monotonic() - began

    assert {each.status for each in answers} == {200}
    assert {await each.text() for each in answers} == {await answers[0].text()}
    assert keys_of(await answers[0].json()) == []
    assert took_s < 0.7
    await client.held(0)


async def test_a_held_poll_ends_with_304_when_nothing_happens(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    held = await client.config(token)
    began = time.monotonic()

    answer = await client.get(token, since=held["cursor"], wait="0.2")

    assert answer.status == 304
    assert 0.2 <= time.monotonic() - began < 1


async def test_changes_of_others_leave_the_etag(client: Client, provider: Provider) -> None:
    """Another tenant's, those of a product that is not the group's, and of no row at all."""
    token = await provider.gateway("pets-only", provider.ids["pets"])
    await provider.settled()
    first = await client.get(token)
    poll = asyncio.create_task(client.get(token, first.headers["ETag"], wait="1"))
    await client.held(1)

    await provider.key(await provider.subscription("food"))
    await provider.make(DefineProduct(slug="draft", name="Draft"))
    stranger = Provider(provider.app, STRANGER)
    await stranger.product("pets")
    await stranger.settled()

    assert (await poll).status == 304
    whole = await client.config(token)
    assert [row["slug"] for row in whole["products"]] == ["pets"]
    assert [row["product"] for row in whole["versions"]] == [str(provider.ids["pets"])]
    assert whole["subscriptions"] == []
    VALIDATOR.validate(whole)


async def test_a_group_loaded_anew_has_the_same_cursor_and_bytes(
    dsn: str, client: Client, provider: Provider
) -> None:
    tokens = [
        await provider.gateway("edge"),
        await provider.gateway("pets-only", provider.ids["pets"]),
    ]
    await provider.settled()
    for token in tokens:  # so that this process follows what comes
        await client.config(token)
    gone = await provider.subscription("pets")
    await provider.key(gone)
    await provider.do(CancelSubscription(subscription_id=gone))
    await provider.key(await provider.subscription("food"))
    await provider.settled()
    async with composition.running(dsn, now=lambda: AT) as other, serving(other) as second:
        await other.projector.wait_until(provider.position)
        for token in tokens:
            one, two = await client.get(token), await second.get(token)
            assert await one.read() == await two.read()
            assert one.headers["ETag"] == two.headers["ETag"]


async def test_a_process_that_is_behind_catches_up_with_what_the_gateway_knows(
    dsn: str, client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "POLL_S", 60)  # of itself the second hears of nothing
    token = await provider.gateway("edge")
    await provider.settled()
    apart = composition.running(dsn, now=lambda: AT, follow=False)
    async with apart as other, serving(other) as second:
        await other.projector.catch_up()
        first = await second.config(token)
        await provider.key(await provider.subscription("pets"))
        await provider.settled()
        newer = await client.get(token)
        cursor = (await newer.json())["cursor"]
        assert cursor != first["cursor"]
        assert await second.config(token) == first

        assert (await second.get(token, since=cursor)).status == 304
        assert (await second.get(token, newer.headers["ETag"])).status == 304


async def test_a_delta_from_before_the_process_began_comes_from_the_read_model(
    dsn: str, client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    await provider.settled()
    held = await client.config(token)
    key = await provider.key(subscription)
    await provider.settled()
    async with composition.running(dsn, now=lambda: AT) as other, serving(other) as second:
        await other.projector.wait_until(provider.position)
        received = await second.config(token, since=held["cursor"])

    assert not received["full"]
    assert keys_of(received) == [key]
    assert config_document.apply(held, received) == await client.config(token)


async def test_the_configuration_as_it_was_at_a_position(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    taken: list[tuple[int, dict[str, Any]]] = []

    async def take() -> None:
        await provider.settled()
        taken.append((provider.position, await client.config(token)))

    await take()
    key = await provider.key(subscription)
    await take()
    await provider.do(RevokeCredential(subscription_id=subscription, credential_id=key))
    await take()
    await provider.key(subscription)
    await provider.do(CancelSubscription(subscription_id=subscription))
    await take()

    group = str(provider.ids["edge-group"])
    organization = provider.owner.organization_id
    for position, document in taken:
        view = await client.delivery.mirrors.as_of(organization, group, position)
        again = json.loads(snapshot(view, provider.app.epoch, AT).encode())
        assert again == {name: document[name] for name in again}  # what was is not signed


async def test_a_cursor_of_another_epoch_or_ahead_gives_a_snapshot(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    whole = await client.config(token)
    epoch, _, position = whole["cursor"].partition(".")

    for since in (f"{int(epoch) + 1}.{position}", f"{epoch}.9000000000", f"{epoch}.0"):
        assert await client.config(token, since=since, wait="30") == whole


async def test_a_malformed_cursor_or_wait_is_a_bad_request(client: Client, app: App) -> None:
    owner = await Provider(app).token(Role.OWNER)

    for since in ("", "1", "1.", "x.y", "1.-2", "1.2.3", "1.99999999999999999999", "\0"):
        answer = await client.get(owner, since=since, group="edge")
        assert answer.status == 400
        assert "cursor" in (await answer.json())["detail"]
    for wait in ("", "-1", "60.5", "61", "1e1", "nan", "soon"):
        answer = await client.get(owner, wait=wait, group="edge")
        assert answer.status == 400
        assert "seconds" in (await answer.json())["detail"]


async def test_an_owner_names_the_group_and_a_gateway_has_its_own(
    client: Client, provider: Provider
) -> None:
    owner, token = await provider.token(Role.OWNER), await provider.gateway("edge")
    await provider.gateway("other")
    await provider.settled()

    assert await client.config(owner, group="edge") == await client.config(token, group="edge")
    assert (await client.get(owner)).status == 400
    assert (await client.get(owner, group="unknown")).status == 404
    assert (await client.get(token, group="other")).status == 404


async def test_another_organizations_gateway_sees_nothing(
    client: Client, provider: Provider
) -> None:
    await provider.gateway("edge")
    await provider.key(await provider.subscription("pets"))
    stranger = Provider(provider.app, STRANGER)
    own, owner = await stranger.gateway("own"), await stranger.token(Role.OWNER)
    await stranger.settled()

    document = await client.config(own)

    assert document["intentionally_empty"]
    assert all(document[name] == [] for name in routing.LISTS.values())
    assert (await client.get(own, group="edge")).status == 404
    assert (await client.get(owner, group="edge")).status == 404
    VALIDATOR.validate(document)


async def test_who_may_not_read_configurations_is_refused(
    client: Client, provider: Provider
) -> None:
    await provider.gateway("edge")
    await provider.subscription("pets")
    team = provider.ids["team"]
    developer = await provider.token(Role.DEVELOPER, team_id=team)
    auditor, manager = [await provider.token(r) for r in (Role.AUDITOR, Role.PRODUCT_MANAGER)]

    for token in (developer, auditor, manager):
        assert (await client.get(token, group="edge")).status == 403
    assert (await client.get(None, group="edge")).status == 401


async def test_a_revoked_gateway_is_refused_even_while_it_waits(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    revoke = RevokeToken(token_id=provider.ids["token"])
    subscription = await provider.subscription("pets")
    await provider.settled()
    held = await client.config(token)
    poll = asyncio.create_task(client.get(token, since=held["cursor"], wait="30"))
    await client.held(1)

    await provider.do(revoke)
    await provider.key(subscription)

    assert (await poll).status == 401
    assert (await client.get(token)).status == 401


async def test_a_client_that_goes_away_is_not_waited_for(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    held = await client.config(token)
    poll = asyncio.create_task(client.get(token, since=held["cursor"], wait="30"))
    await client.held(1)
    poll.cancel()
    await client.held(0)

    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(
        f"GET {POLL}?wait=30&since={held['cursor']} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    await client.held(1)
    writer.write_eof()  # it only closed its half
    await client.held(0)
    assert await reader.read() == b""
    writer.close()


async def test_a_gateway_of_a_group_opened_just_now_is_served(
    client: Client, provider: Provider
) -> None:
    first = await provider.gateway("first")
    await provider.settled()
    await client.config(first)
    token = await provider.gateway("second")
    await provider.settled()

    assert (await client.config(token))["group"]["slug"] == "second"


async def test_without_its_database_the_process_serves_what_it_has(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    held = await client.config(token)

    def away(*_: object, **__: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(asyncpg.Pool, "acquire", away)

    assert await client.config(token) == held
    assert (await client.get(token, since=held["cursor"], wait="0.1")).status == 304
    monkeypatch.undo()


async def test_all_who_need_a_snapshot_get_the_same_bytes(
    client: Client, provider: Provider, app: App
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()

    for since in (None, "7.1", "7.2", "8.9"):
        query = {} if since is None else {"since": since}
        assert (await client.config(token, **query))["full"]

    served = await app.mirrors.served(provider.owner.organization_id, None, "edge")
    bodies = {id((await each).body) for each in served.encoded.values()}
    assert len(bodies) == 1


async def test_the_routes_are_those_of_the_contract(app: App) -> None:
    assert [(each.method, each.path) for each in routes(app, Delivery(app))] == [
        ("GET", "/gateway/v1/config"),
        ("GET", "/gateway/v1/keys"),
        ("POST", "/gateway/v1/ahead"),
        ("POST", "/gateway/graphql"),
        ("POST", "/v3/discovery:{kind}"),
    ]
