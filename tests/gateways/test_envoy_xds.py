"""A real Envoy asks the control plane itself, by its own protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from controlplane.app import App, running
from controlplane.commands.access_token import RevokeToken
from controlplane.commands.api_version import ChooseUpstream, WithdrawUpstream, WithdrawVersion
from controlplane.commands.credential import IssueCredential, RevokeCredential
from controlplane.commands.gateway_config import ConfirmEpoch, IntendConfigShrink
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.commands.subscription import ReinstateSubscription, ScheduleSubscriptionExpiry
from controlplane.gateway.renderers import Site, envoy, envoy_plans, envoy_resource
from controlplane.settings import Settings
from domain.access_token import Role
from domain.plan_terms import Override, RateLimit
from tests.controlplane.gateway import edge as sold_at_edge
from tests.controlplane.gateway.edge import TERMS, Client, Provider, serving
from tests.gateways.real_envoy import Answer, Gateway, gateway, upstream
from tests.gateways.sold import auth
from tests.given import AT

PATH = "/pets/v1/pets"
LIMIT = RateLimit(100, 600, 0, "TOKEN_BUCKET")


@dataclass
class Selling:
    """A provider with a product, and a gateway that asks what was sold."""

    provider: Provider
    client: Client
    running: Gateway
    subscription: UUID
    token: str

    async def issue(self) -> tuple[str, str]:
        """Return a key and its id."""
        answer = await self.provider.do(IssueCredential(subscription_id=self.subscription))
        assert answer.secret is not None
        return answer.secret, str(vars(answer.outcome.events[0])["credential_id"])

    async def revoke(self, key_id: str) -> None:
        command = RevokeCredential(subscription_id=self.subscription, credential_id=key_id)
        await self.provider.do(command)

    async def until(self, status: int, key: str) -> float:
        return await asyncio.to_thread(self.running.until, status, PATH, key)

    async def poll(self, word: str, body: bytes = b"{}", role: Role | None = None) -> int:
        token = await self.provider.token(role) if role else self.token
        headers = {"Authorization": f"Bearer {token}"}
        path = f"/v3/discovery:{word}"
        async with self.client.session.post(path, data=body, headers=headers) as response:
            await response.read()
            return response.status


@pytest.fixture
async def selling(app: App, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Selling]:
    provider = Provider(app)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(upstream())
        running = stack.enter_context(gateway(tmp_path_factory.mktemp("envoy")))
        client = await stack.enter_async_context(serving(app))
        await provider.product("pets", url)
        token = await provider.gateway("edge")
        subscription = await provider.subscription("pets")
        site = Site(
            str(running.directory),
            "127.0.0.1",
            running.port,
            running.admin_port,
            control_plane=str(client.server.make_url("")),
            token_file=str(running.directory / "token"),
        )
        running.put({"token": token.encode(), **envoy.bootstrap(site)})
        yield Selling(provider, client, running, subscription, token)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_a_key_works_within_a_blink_of_its_issue_and_not_after_its_revocation(
    selling: Selling,
) -> None:
    await asyncio.to_thread(selling.running.start)
    for _ in range(3):
        key, key_id = await selling.issue()
        assert await selling.until(200, key) < 1
        await selling.revoke(key_id)
        assert await selling.until(401, key) < 1


async def test_a_field_of_a_graphql_api_has_its_own_limit(selling: Selling) -> None:
    await asyncio.to_thread(selling.running.start)
    provider, product, plan = selling.provider, selling.provider.ids["pets"], "pets-free"
    with upstream() as url:
        fields = b"type Query { pets: [Int] owners: [Int] }"
        await provider.version("pets", url, "1.0.0", fields, "graph")
        own = Override(product, "Query.pets", replace(LIMIT, limit_calls=1))
        terms = replace(TERMS, rate_limit=LIMIT, overrides=[own])
        await provider.do(DraftPlanVersion(plan_id=provider.ids[plan], terms=terms))
        await provider.do(PublishPlanVersion(plan_id=provider.ids[plan]))
        selling.subscription = await provider.subscription("pets")
        key, _ = await selling.issue()
        await selling.until(200, key)

        def ask(field: str) -> int:
            body = b'{"query": "{%b}"}' % field.encode()
            kind = {"content_type": "application/json"}
            return selling.running.post("/pets/graph/v1", body, key, **kind).status

        async with asyncio.timeout(5):  # each part is fetched for itself
            while await asyncio.to_thread(ask, "pets") != 429:
                await asyncio.sleep(0.02)
        assert await asyncio.to_thread(ask, "owners") == 200
        assert await asyncio.to_thread(ask, "owners pets") == 429


async def test_what_did_not_change_is_not_sent_again(selling: Selling) -> None:
    await asyncio.to_thread(selling.running.start)
    key, _ = await selling.issue()
    await selling.until(200, key)
    await asyncio.sleep(0.5)

    before = sample("controlplane_xds_polls_total", answer="resources")
    key, _ = await selling.issue()
    await selling.until(200, key)
    await asyncio.sleep(0.3)
    assert sample("controlplane_xds_polls_total", answer="resources") == before + 1


async def test_what_the_gateway_runs_is_known(selling: Selling) -> None:
    await asyncio.to_thread(selling.running.start)
    key, _ = await selling.issue()
    await selling.until(200, key)
    await acknowledged(selling)


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is sold after this be without a limit."""
    monkeypatch.setattr(sold_at_edge, "TERMS", replace(TERMS, rate_limit=None))


@pytest.mark.usefixtures("unlimited")
async def test_an_end_is_where_it_was_moved_to_and_what_is_reinstated_is_back(
    selling: Selling,
) -> None:
    app, id_ = selling.provider.app, selling.subscription
    object.__setattr__(app, "services", replace(app.services, now=lambda: datetime.now(UTC)))
    await asyncio.to_thread(selling.running.start)
    key, _ = await selling.issue()
    await selling.until(200, key)
    for lasts_s in (3_600, 1.5):
        soon = datetime.now(UTC) + timedelta(seconds=lasts_s)
        moved = ScheduleSubscriptionExpiry(subscription_id=id_, expires_at=soon)
        await selling.provider.do(moved)
    await selling.until(401, key)
    late_s = (datetime.now(UTC) - soon).total_seconds()
    assert 0 <= late_s < 0.5

    await selling.provider.do(ReinstateSubscription(subscription_id=id_))
    assert await selling.until(200, key) < 1


@pytest.mark.usefixtures("unlimited")
async def test_a_server_moves_and_no_call_is_lost(selling: Selling) -> None:
    await asyncio.to_thread(selling.running.start)
    key, _ = await selling.issue()
    await selling.until(200, key)
    version = selling.provider.ids["pets-version"]
    answers: list[Answer] = []
    moved = asyncio.Event()

    def call() -> None:
        while not moved.is_set():
            answers.append(selling.running.call(PATH, key))

    with upstream() as one, upstream() as two:
        calling = asyncio.create_task(asyncio.to_thread(call))
        for url in (one, two, one, f"{two}/moved"):
            await selling.provider.do(
                ChooseUpstream(version_id=version, environment="live", url=url)
            )
            await asyncio.sleep(0.3)
        for number, url in (("1.1.0", f"{two}/moved"), ("1.2.0", one), ("1.3.0", f"{two}/moved")):
            await selling.provider.version("pets", url, number)
            await asyncio.sleep(0.3)
        for number in ("1.3.0", "1.2.0"):
            mistaken = WithdrawVersion(version_id=selling.provider.ids[f"pets-{number}"])
            await selling.provider.do(mistaken)
            await asyncio.sleep(0.3)
        moved.set()
        await calling
        assert answers[-1].seen["path"] == "/moved/pets"
        assert answers[-1].seen["headers"]["host"] == two.removeprefix("http://")
    assert [each for each in answers if each.status != 200] == []
    for number in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        version = selling.provider.ids[f"pets-{number}"]
        await selling.provider.do(WithdrawUpstream(version_id=version, environment="live"))
    await selling.until(404, key)


async def acknowledged(selling: Selling) -> None:
    """Wait until the gateway said that it runs what there is."""
    await selling.provider.settled()
    config = await selling.client.config(selling.token)
    epoch, position = config["cursor"].split(".")
    async with asyncio.timeout(5):
        while True:
            row = await selling.provider.app.services.pool.fetchrow(
                "SELECT epoch, position, content_hash FROM gateway_acknowledgements"
            )
            if row is not None and row["position"] == int(position):
                break
            await asyncio.sleep(0.02)
    assert (row["epoch"], row["content_hash"]) == (int(epoch), config["content_hash"])


async def test_what_changes_nothing_for_an_envoy_it_is_known_to_run_as_well(
    selling: Selling,
) -> None:
    await asyncio.to_thread(selling.running.start)
    await acknowledged(selling)
    group = selling.provider.ids["edge-group"]

    until = AT + timedelta(hours=1)
    await selling.provider.do(IntendConfigShrink(group_id=group, until=until, reason="soon"))
    await acknowledged(selling)  # the same rows, and the same head
    await selling.provider.do(ConfirmEpoch(group_id=group, epoch=1))
    await acknowledged(selling)  # another head


async def test_what_is_rendered_wrong_is_never_served_and_a_revocation_is(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(selling.running.start)
    key, key_id = await selling.issue()
    await selling.until(200, key)

    right = envoy_plans.limits_filter

    def wrong(*sold: Any) -> Any:
        config = right(*sold)
        return {**config, "typed_config": {**config["typed_config"], "unheard_of": 1}}

    monkeypatch.setattr(envoy, "limits_filter", wrong)
    alarms = sample("controlplane_gateway_rendered_wrong_total", vendor="envoy")
    with structlog.testing.capture_logs() as logs:
        await selling.provider.product("food", "http://127.0.0.1:9")
        await selling.revoke(key_id)
        await selling.until(401, key)
    assert sample("controlplane_gateway_rendered_wrong_total", vendor="envoy") > alarms
    told = [each for each in logs if each["event"] == "gateway.rendered_wrong"]
    assert told[0]["what"] == "limits.json"
    assert "unheard_of" in told[0]["why"]
    assert (await asyncio.to_thread(selling.running.call, "/food/v1/pets")).status == 401


async def test_what_envoy_refuses_is_noticed_and_told(
    app: App, selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(selling.running.start)
    key, _ = await selling.issue()
    await selling.until(200, key)
    right = envoy_resource.lua_filter

    def broken(name: str, source: str) -> Any:
        return right(name, f"{source}\nthis is no Lua")

    refused = sample("controlplane_xds_polls_total", answer="refused")
    monkeypatch.setattr(envoy, "lua_filter", broken)
    await selling.issue()
    async with asyncio.timeout(10):
        while sample("controlplane_xds_polls_total", answer="refused") == refused:
            await asyncio.sleep(0.02)
        while not (row := await app.services.pool.fetchrow("SELECT * FROM gateway_rejections")):
            await asyncio.sleep(0.02)
    assert "keys-" in row["reason"]
    assert await selling.until(200, key) < 1  # it keeps what it had

    monkeypatch.undo()
    key, _ = await selling.issue()
    await selling.until(200, key)


async def test_tokens_are_verified_by_the_key_sets_of_the_installation(
    dsn: str, tmp_path: Path
) -> None:
    key_sets = tmp_path / "key-sets.json"
    key_sets.write_bytes(b'{"https://issuer.example": {"keys": []}}')
    terms = replace(TERMS, auth=auth("JWT", "https://issuer.example", "pets", "client"))
    async with (
        running(dsn, Settings(gateway_key_sets=str(key_sets))) as app,
        serving(app) as client,
    ):
        provider = Provider(app)
        product = await provider.product("pets")
        plan = await provider.make(DefinePlan(slug="t", name="T", product_ids=(product,)))
        await provider.do(DraftPlanVersion(plan_id=plan, terms=terms))
        await provider.do(PublishPlanVersion(plan_id=plan))
        headers = {"Authorization": f"Bearer {await provider.gateway('edge')}"}
        await provider.settled()

        path, named = "/v3/discovery:extension_configs", b'{"resource_names":["tokens"]}'
        async with client.session.post(path, data=named, headers=headers) as response:
            (config,) = (await response.json())["resources"]
        (provider_of,) = config["typed_config"]["providers"].values()
        assert provider_of["local_jwks"]["inline_string"] == '{"keys":[]}'

        other = replace(TERMS, auth=auth("JWT", "https://other.example", "pets", "client"))
        await provider.do(DraftPlanVersion(plan_id=plan, terms=other))
        await provider.do(PublishPlanVersion(plan_id=plan))
        await provider.settled()
        named = b'{"resource_names":["plans"]}'  # which did change
        with capture_logs() as logs:
            async with client.session.post(path, data=named, headers=headers) as response:
                await response.read()
        (told,) = [each for each in logs if each["event"] == "gateway.unserved"]
        assert (told["kind"], told["id"]) == ("plan", f"{plan}-2")


async def test_only_a_gateway_is_answered_and_only_what_there_is(selling: Selling) -> None:
    named = b'{"resource_names":["%s"]}'

    assert await selling.poll("clusters") == 200
    assert await selling.poll("listeners") == 200
    assert await selling.poll("routes", named % b"routes") == 200
    assert await selling.poll("extension_configs", named % b"keys-0") == 200
    assert await selling.poll("extension_configs", named % b"keys-g") == 404
    assert await selling.poll("routes") == 400
    assert await selling.poll("secrets") == 404
    assert await selling.poll("clusters", role=Role.OWNER) == 403
    listen = b'{"node":{"id":"a","cluster":"b","metadata":{"listen":"%s"}}}'
    assert await selling.poll("listeners", listen % b"127.0.0.1 0") == 400
    assert await selling.poll("listeners", listen % b"::1 8000") == 200


async def test_a_gateway_whose_token_is_revoked_keeps_what_it_has_and_hears_no_more(
    selling: Selling,
) -> None:
    token_id = selling.provider.ids["token"]
    await asyncio.to_thread(selling.running.start)
    first, first_id = await selling.issue()
    await selling.until(200, first)

    await selling.provider.do(RevokeToken(token_id=token_id))
    await selling.revoke(first_id)
    await selling.provider.settled()
    await asyncio.sleep(0.5)

    assert (await asyncio.to_thread(selling.running.call, PATH, first)).status == 200
    assert await selling.poll("clusters") in {401, 429}  # Envoy asks on, and is slowed down
