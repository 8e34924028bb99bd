"""A GraphQL mutation from end to end, beside the eventsourcing package behind a plain route.

64 connections; each server has one core, and each request changes one of as many aggregates as
keep the streams of a round short. Ours parses and executes GraphQL, authenticates, decides,
appends durably and answers with the position, while the same process keeps its read models up to
date. The peer is an aiohttp route that loads an aggregate, changes and saves it in a thread, and
has none of that.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from aiohttp import web
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.database import database, package_environment, server
from benchmarks.load import (
    Asked,
    Rate,
    Served,
    answer,
    free_port,
    leave_the_core_to_servers,
    medians,
    ours,
    rate,
    required,
    serving,
    told,
)
from controlplane.app import App, running
from controlplane.auth import process
from controlplane.commands import Command, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_product import DefineProduct
from controlplane.commands.plan import DefinePlan
from controlplane.context import Context
from controlplane.global_id import global_id
from controlplane.loop import run
from domain.access_token import Role

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 64
AGGREGATES = CONNECTIONS * 20
MUTATION = """mutation Draft($input: DraftPlanVersionInput!) {
  result: draftPlanVersion(input: $input) {
    __typename
    ... on Changed { id position events }
    ... on Rejected { code message path } } }"""


class Account(Aggregate):
    """The package's own way to write an aggregate."""

    def __init__(self) -> None:
        self.drafts = 0

    @event("Drafted")
    def draft(self, terms: str) -> None:
        """Count a draft."""
        self.drafts += 1


class Bank(Application[UUID]):
    """The package's own way to keep aggregates."""


async def serve_peer(port: int) -> None:
    """Serve the package until the process is ended."""
    bank, threads = Bank(), ThreadPoolExecutor(CONNECTIONS)

    def draft(account_id: UUID, terms: str) -> int:
        account: Account = bank.repository.get(account_id)
        account.draft(terms)
        return bank.save(account)[-1].notification.id

    def open_account() -> str:
        account = Account()
        bank.save(account)
        return str(account.id)

    async def changed(request: web.Request) -> web.Response:
        asked = await request.json()
        loop = asyncio.get_running_loop()
        position = await loop.run_in_executor(threads, draft, UUID(asked["id"]), asked["terms"])
        return web.json_response({"position": position})

    async def opened(_: web.Request) -> web.Response:
        ids = await asyncio.gather(
            *(asyncio.to_thread(open_account) for _ in range(AGGREGATES)),
        )
        return web.json_response(ids)

    application = web.Application()
    application.add_routes([web.post("/draft", changed), web.get("/open", opened)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def fill(app: App) -> tuple[str, list[str]]:
    """Define plans; return a token that may change them, and their ids."""
    context = app.context(process(UUID(int=1), "benchmark", "cli"))
    product_id = await made(DefineProduct(slug="p", name="P"), context)
    plans = await asyncio.gather(
        *(
            made(DefinePlan(slug=f"p{nth}", name="P", product_ids=(product_id,)), context)
            for nth in range(AGGREGATES)
        )
    )
    issued = await execute(IssueToken(name="manager", role=Role.PRODUCT_MANAGER), context)
    assert issued.secret is not None
    return issued.secret, [global_id("Plan", (plan,)) for plan in plans]


async def made(command: Command, context: Context) -> UUID:
    found = await execute(command, context)
    return found.outcome.events[-1].originator_id


def mutations(token: str, plans: list[str]) -> list[Asked]:
    headers = {"Authorization": f"Bearer {token}"}
    return [
        Asked(
            "/graphql",
            {"query": MUTATION, "variables": {"input": {"planId": plan, "terms": {}}}},
            headers,
        )
        for plan in plans
    ]


def saves(peer: Served) -> list[Asked]:
    status, _, ids = answer(peer.base, Asked("/open"), timeout_s=60)
    assert status == 200
    return [Asked("/draft", {"id": each, "terms": "MANUAL"}) for each in json.loads(ids)]


async def measured(control: Served, peer: Served, asked: list[Asked]) -> dict[str, list[Rate]]:
    """Return the rates of every round, ours and the package's in turn."""
    _, _, body = answer(control.base, asked[0])
    result = json.loads(body)["data"]["result"]
    assert result["events"] == ["plan.version_drafted"], result
    rates: dict[str, list[Rate]] = {"ours": [], "peer": []}
    for nth in range(ROUNDS):
        accounts = saves(peer)
        for name, place, load in (("ours", control, asked), ("peer", peer, accounts)):
            rates[name].append(await rate(place, load, connections=CONNECTIONS, seconds=SECONDS))
        told(nth, rates)
    return rates


async def main() -> None:
    required("taskset", "wrk")
    leave_the_core_to_servers()
    with server() as base:
        async with database(base, "ours") as dsn, database(base, "package") as package_dsn:
            async with running(dsn) as app:
                token, plans = await fill(app)
            environment = {
                name: value
                for name, value in package_environment(package_dsn).items()
                if name.startswith(("POSTGRES_", "PERSISTENCE_"))
            }
            port = free_port()
            command = [sys.executable, __file__, str(port)]
            ready = f"http://127.0.0.1:{port}/ready"
            environment["POSTGRES_POOL_SIZE"] = "20"
            with ours(dsn) as control, serving(command, ready, **environment) as peer:
                rates = await measured(control, peer, mutations(token, plans))
    print(json.dumps(summary(medians(rates))))


def summary(found: dict[str, Rate]) -> dict[str, object]:
    mutation, save = found["ours"], found["peer"]
    return {
        "bench": "mutation",
        "unit": "requests/s",
        "ours": round(mutation.per_s),
        "peer": round(save.per_s),
        "ratio": round(mutation.per_s / save.per_s, 1),
        "cpu_us": {name: round(each.cpu_us) for name, each in found.items()},
        "connections": CONNECTIONS,
    }


if __name__ == "__main__":
    run(serve_peer(int(sys.argv[1])) if len(sys.argv) > 1 else main())
