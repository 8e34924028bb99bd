"""The routes that answer for the process itself, and what holds for every route."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO

import pytest
import yaml
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from controlplane import openapi
from controlplane.address import bind, url_of
from controlplane.app import App
from controlplane.commands import execute
from controlplane.commands.team import FormTeam
from controlplane.server import Site, caught_up
from domain.contract.read import read_contract
from tests.given import OWNER

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    async with TestClient(TestServer(Site(app).application())) as client:
        yield client


async def test_a_process_is_alive_without_its_database(app: App, client: Client) -> None:
    await caught_up(app, asyncio.Event())
    await app.services.pool.close()
    assert (await client.get("/healthz")).status == 200
    answer = await client.get("/readyz")
    assert answer.status == 503
    assert (await answer.json())["reasons"] == ["The database does not answer."]
    assert (await client.get("/metrics")).status == 200


async def test_a_process_is_ready_when_its_read_models_have_caught_up(
    app: App, client: Client
) -> None:
    await caught_up(app, asyncio.Event())
    assert (await client.get("/readyz")).status == 200
    app.projector.caught_up = False
    app.projector.failing = {"plan", "audit"}
    answer = await client.get("/readyz")
    assert answer.status == 503
    assert (await answer.json())["reasons"] == [
        "The read models have not caught up yet.",
        "The read model audit fails.",
        "The read model plan fails.",
    ]
    app.projector.failing = set()


async def test_a_stopping_process_is_not_ready(app: App, client: Client) -> None:
    woken = asyncio.Event()
    app.projector.watchers.append(woken.set)
    await caught_up(app, asyncio.Event())
    await Site(app).drained(patience_s=1)
    assert woken.is_set()
    assert "The process is stopping." in await (await client.get("/readyz")).text()


async def test_metrics_count_requests_by_route_and_commands_by_commit(
    app: App, client: Client
) -> None:
    before = await _metrics(client)
    for path in ("/healthz", "/nowhere", "/nowhere/else", "/readyz?token=x"):
        await client.get(path)
    answer = await execute(FormTeam(name="Ants"), app.context(OWNER))
    assert answer.outcome.position == 1
    await app.projector.wait_until(1)
    after = await _metrics(client)

    def more(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0)

    count = "controlplane_request_duration_seconds_count"
    assert more(count, method="GET", route="/healthz", status="200") == 1
    assert more(count, method="GET", route="unmatched", status="404") == 2
    assert more("controlplane_commit_commands_sum") == 1
    assert after["controlplane_store_position", ()] == 1
    assert after["controlplane_projector_position", ()] == 1
    assert after["controlplane_projector_lag_events", ()] == 0


async def _metrics(client: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = await (await client.get("/metrics")).text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_openapi_document_names_exactly_the_routes_there_are(
    app: App, client: Client
) -> None:
    answer = await client.get("/openapi.json")
    document = await answer.json()
    assert read_contract(await answer.read()).kind == "OPENAPI_3_1"
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    registered = {
        (route.method, route.resource.canonical)
        for route in Site(app).application().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert described == registered


def test_the_openapi_document_describes_every_response_and_names_every_operation() -> None:
    document = yaml.safe_load(openapi.document())
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert operation["responses"]


async def test_every_answer_names_its_request(client: Client) -> None:
    answer = await client.get("/nowhere", headers={"X-Request-Id": "trace-1"})
    assert answer.headers["X-Request-Id"] == "trace-1"
    assert (await answer.json())["reference"] == "trace-1"


async def test_a_body_that_does_not_arrive_is_given_up(app: App) -> None:
    hasty = replace(app, settings=app.settings.model_copy(update={"body_s": 0.1}))

    async def trickle() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    async with TestServer(Site(hasty).application()) as server, ClientSession() as session:
        answer = await session.post(server.make_url("/graphql"), data=trickle())
        assert answer.status == 408


async def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    answer = await client.post("/graphql", data=BytesIO(b" " * (3 * 2**20)))
    assert answer.status == 413


def test_a_wildcard_address_is_announced_as_one_that_can_be_called() -> None:
    with bind("0.0.0.0", 0) as bound:  # noqa: S104  # what is tested
        assert url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"
    with bind("::1", 0) as bound:
        assert url_of(bound) == f"http://[::1]:{bound.getsockname()[1]}"
