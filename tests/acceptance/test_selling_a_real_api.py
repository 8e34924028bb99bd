"""GitHub's whole REST API is sold to 1,000 applications, enforced, revoked and replayed."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

APPLICATIONS = 1_000
AT_ONCE = 64
OPERATIONS = 1_223
START_S = 60
GITHUB = Path(__file__).parent / "node_modules/@octokit/openapi/generated/api.github.com.json"
PLANS = {
    "free": {"rateLimit": {"limitCalls": 60, "windowS": 3_600}, "approval": "AUTOMATIC"},
    "pro": {
        "rateLimit": {"limitCalls": 5_000, "windowS": 3_600, "burstCalls": 100},
        "price": {"currency": "EUR", "monthlyFee": "49.00"},
        "approval": "AUTOMATIC",
    },
    "enterprise": {
        "quota": {"amountCalls": 10**12, "period": "MONTH"},
        "approval": "MANUAL",
    },
}
PAYLOAD = "__typename ... on Rejected { code message path } ... on Changed { id position events }"
SECRET = "... on Issued { secret { ... on SecretShownOnce { value } } }"
ISSUING = {"establishOrganization", "issueCredential", "issueToken"}


@dataclass(frozen=True)
class Service:
    """A control plane that runs in a process of its own."""

    urls: dict[str, Any]
    environment: dict[str, str]

    def controlplane(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "controlplane", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="acceptance-"))
    environment = {
        **os.environ,
        "CONTROLPLANE_PORT": "0",
        "CONTROLPLANE_DATA_DIR": str(folder),
        "CONTROLPLANE_DATABASE_URL": "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "controlplane", "serve", "--demo", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Service(json.loads(process.stdout.readline()), environment)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0
        process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


@dataclass(frozen=True)
class Portal:
    """A portal that acts with one token."""

    http: aiohttp.ClientSession
    url: str
    token: str

    async def change(self, verb: str, **input_: Any) -> Any:
        kind = verb[0].upper() + verb[1:] + "Input"
        wanted = PAYLOAD + SECRET if verb in ISSUING else PAYLOAD
        document = f"mutation ($input: {kind}!) {{ result: {verb}(input: $input) {{ {wanted} }} }}"
        result = (await self.ask(document, input=input_))["result"]
        assert result["__typename"] != "Rejected", (verb, result)
        return result

    async def ask(self, document: str, **variables: Any) -> Any:
        async with self.http.post(
            self.url,
            json={"query": document, "variables": variables},
            headers={"Authorization": f"Bearer {self.token}"},
        ) as response:
            answer = await response.json(content_type=None)
        assert "errors" not in answer, answer
        return answer["data"]


async def together(calls: list[Awaitable[Any]]) -> list[Any]:
    """Make the calls, AT_ONCE of them at the same time."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(call: Awaitable[Any]) -> Any:
        async with turns:
            return await call

    return await asyncio.gather(*map(in_turn, calls))


async def sold(portal: Portal, service: Service) -> dict[str, str]:
    """Import the description and publish three plans for it; return the plans by their slugs."""
    told = service.controlplane(
        "import", str(GITHUB), "--organization", "octo", "--product", "github", "--publish"
    )
    assert f"{OPERATIONS:,}" in told or str(OPERATIONS) in told
    found = await portal.ask('{ product(slug: "github") { id state } }')
    assert found["product"]["state"] == "PUBLISHED"
    plans = {}
    for slug, terms in PLANS.items():
        product = found["product"]["id"]
        plan = await portal.change("definePlan", slug=slug, name=slug, productIds=[product])
        await portal.change("draftPlanVersion", planId=plan["id"], terms=terms)
        await portal.change("publishPlanVersion", planId=plan["id"])
        plans[slug] = plan["id"]
    return plans


async def subscribed(portal: Portal, team: str, plan: str, nth: int) -> tuple[str, str]:
    """Subscribe a new application; return the subscription and its key."""
    application = await portal.change("registerApplication", teamId=team, name=f"app {nth}")
    subscription = await portal.change(
        "requestSubscription", applicationId=application["id"], planId=plan
    )
    if len(subscription["events"]) == 1:  # nobody has accepted it yet
        await portal.change("acceptSubscription", subscriptionId=subscription["id"])
    issued = await portal.change("issueCredential", subscriptionId=subscription["id"])
    return subscription["id"], issued["secret"]["value"]


@dataclass(frozen=True)
class Gateway:
    """A gateway that polls."""

    http: aiohttp.ClientSession
    url: str
    token: str

    async def poll(self, etag: str = "", **query: str) -> tuple[int, str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        if etag:
            headers["If-None-Match"] = etag
        async with self.http.get(
            f"{self.url}/gateway/v1/config", params=query, headers=headers
        ) as response:
            config = await response.json() if response.status == 200 else None
            return response.status, response.headers.get("ETag", ""), config


async def registered(portal: Portal, service: Service) -> Gateway:
    """Set a gateway up and give it its token."""
    group = await portal.change("openGatewayGroup", slug="edge", environment="production")
    gateway = await portal.change("registerGateway", groupId=group["id"], name="edge-1")
    issued = await portal.change(
        "issueToken", name="edge-1", role="GATEWAY", gatewayId=gateway["id"]
    )
    return Gateway(portal.http, service.urls["url"], issued["secret"]["value"])


def keys_of(config: dict[str, Any]) -> set[str]:
    return {key["sha256"] for each in config["subscriptions"] for key in each["keys"]}


async def test_githubs_api_is_sold_enforced_revoked_and_replayed(
    service: Service, http: aiohttp.ClientSession
) -> None:
    operator = Portal(http, service.urls["graphql"], service.urls["tokens"]["operator"])
    established = await operator.change("establishOrganization", slug="octo", name="Octo")
    portal = Portal(http, service.urls["graphql"], established["secret"]["value"])

    plans = await sold(portal, service)
    team = await portal.change("formTeam", name="everybody")
    choice = list(plans.values())
    subscriptions = await together(
        [
            subscribed(portal, team["id"], choice[nth % len(choice)], nth)
            for nth in range(APPLICATIONS)
        ]
    )

    gateway = await registered(portal, service)
    status, etag, config = await gateway.poll()
    assert (status, config["full"]) == (200, True)
    assert keys_of(config) == {hashlib.sha256(key.encode()).hexdigest() for _, key in subscriptions}
    assert [len(version["routes"]) for version in config["versions"]] == [OPERATIONS]
    assert len(config["plans"]) == len(PLANS)
    assert (await gateway.poll(etag))[0] == 304

    revoked_of, revoked_key = subscriptions[APPLICATIONS // 2]
    credentials = await portal.ask(
        "query ($id: ID!) { node(id: $id) { ... on Subscription {"
        " credentials(first: 1) { edges { node { id } } } } } }",
        id=revoked_of,
    )
    (edge,) = credentials["node"]["credentials"]["edges"]
    await portal.change("revokeCredential", credentialId=edge["node"]["id"])
    status, _, delta = await gateway.poll(since=config["cursor"], wait="10")
    assert (status, delta["full"]) == (200, False)
    (changed,) = delta["subscriptions"]
    assert changed["keys"] == []
    _, _, after = await gateway.poll()
    assert keys_of(config) - keys_of(after) == {hashlib.sha256(revoked_key.encode()).hexdigest()}

    replayed = service.controlplane("audit", "replay").splitlines()
    compared = [line for line in replayed if line]
    assert len(compared) > len(PLANS)
    assert [line for line in compared if not line.endswith(" rows, the same")] == []
