"""A catalogue of 50 products with their plans over HTTP, beside PostGraphile 4 on the same rows.

Both answer 6 fields of each product and 4 of each of its plans, 3 a product, to whoever asks
without a token, from one core. Warm is the same question again and again, while 10 commands a
second that the catalogue does not show happen in two organizations; cold is the same document with
a variable of another value each time, so that no answer was made before. PostGraphile keeps no
answers: one figure of it serves both. Its plans name their product by a foreign key, which spares
it the join that ours take.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from benchmarks.database import database, server
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
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.commands.team import FormTeam
from controlplane.context import Context
from domain.audience import Visibility
from domain.plan_terms import PlanTerms

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 16
PRODUCTS, PLANS = 50, 3
WRITES_PER_S = 10
ORGANIZATIONS = (UUID(int=1), UUID(int=2))
TERMS = PlanTerms(None, None, None, "MANUAL")
PEER = Path(__file__).parent / "node_modules" / ".bin" / "postgraphile"
OURS = """query Catalogue($first: Int, $search: String) { products(first: $first, search: $search) {
  nodes { id slug name description state visibility
    plans(first: 10) { nodes { id slug name state } } } } }"""
THEIRS = """query Catalogue($first: Int) {
  allProducts(
    first: $first, condition: {state: "PUBLISHED", visibility: "PUBLIC"}, orderBy: NAME_ASC
  ) { nodes { id slug name description state visibility
      plansByProductId(first: 10, orderBy: NAME_ASC) { nodes { id slug name state } } } } }"""
TABLES = """
CREATE SCHEMA peer;
CREATE TABLE peer.product AS
  SELECT id, slug, name, description, state, visibility FROM product;
ALTER TABLE peer.product ADD PRIMARY KEY (id);
CREATE INDEX ON peer.product (state, visibility, name, id);
CREATE TABLE peer.plan AS
  SELECT plan.id, product_id, slug, name, state FROM plan JOIN plan_product ON plan_id = plan.id;
ALTER TABLE peer.plan ADD PRIMARY KEY (id), ADD FOREIGN KEY (product_id) REFERENCES peer.product;
CREATE INDEX ON peer.plan (product_id, name);
ANALYZE peer.product;
ANALYZE peer.plan;
"""


async def fill(app: App, dsn: str) -> None:
    """Offer the products of two organizations, and copy their rows for the peer."""
    for nth in range(PRODUCTS):
        organization = ORGANIZATIONS[nth % len(ORGANIZATIONS)]
        context = app.context(process(organization, "benchmark", "cli"))
        product_id = await made(
            DefineProduct(
                slug=f"product-{nth}",
                name=f"Product {nth:03}",
                description=f"What product {nth} is good for, in a sentence or two. " * 3,
                visibility=Visibility.PUBLIC,
            ),
            context,
        )
        await execute(PublishProduct(product_id=product_id), context)
        for size in range(PLANS):
            plan = DefinePlan(
                slug=f"plan-{nth}-{size}", name=f"Plan {size}", product_ids=(product_id,)
            )
            plan_id = await made(plan, context)
            await execute(DraftPlanVersion(plan_id=plan_id, terms=TERMS), context)
            last = await execute(PublishPlanVersion(plan_id=plan_id), context)
    assert last.outcome.position is not None
    await app.projector.wait_until(last.outcome.position)
    await app.services.pool.execute("ANALYZE")
    connection = await asyncpg.connect(dsn, server_settings={"search_path": await path(app)})
    await connection.execute(TABLES)
    await connection.close()


async def path(app: App) -> str:
    found = await app.services.pool.fetchval("SHOW search_path")
    assert isinstance(found, str)
    return found


async def made(command: Command, context: Context) -> UUID:
    answer = await execute(command, context)
    return answer.outcome.events[-1].originator_id


@asynccontextmanager
async def writing(app: App) -> AsyncIterator[list[int]]:
    """Have commands happen, in turn in each organization, that the catalogue does not show."""
    done: list[int] = []

    async def write() -> None:
        while True:
            organization = ORGANIZATIONS[len(done) % len(ORGANIZATIONS)]
            context = app.context(process(organization, "benchmark", "cli"))
            answer = await execute(FormTeam(name=f"team {uuid4()}"), context)
            done.append(answer.outcome.position or 0)
            await asyncio.sleep(1 / WRITES_PER_S)

    task = asyncio.create_task(write())
    try:
        yield done
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def names(answered: bytes) -> list[Any]:
    """Return what is in an answer, without the ids that each server writes its own way."""
    answer = json.loads(answered)
    assert "errors" not in answer, answer["errors"]
    (products,) = answer["data"].values()
    found = []
    for product in products["nodes"]:
        (plans,) = [value for value in product.values() if isinstance(value, dict)]
        fields = [product[name] for name in ("slug", "name", "description", "state", "visibility")]
        sold = [[plan[name] for name in ("slug", "name", "state")] for plan in plans["nodes"]]
        found.append([fields, sold])
    assert len(found) == PRODUCTS
    assert all(len(sold) == PLANS for _, sold in found)
    return found


def questions(name: str) -> list[Asked]:
    variables: dict[str, Any] = {"first": PRODUCTS}
    if name == "peer":
        return [Asked("/graphql", {"query": THEIRS, "variables": variables})]
    if name == "cold":  # the variable is declared nowhere, so it changes nothing but the question
        variables["nth"] = "@@@@@@@@"
    return [Asked("/graphql", {"query": OURS, "variables": variables})]


async def main() -> None:
    required("taskset", "wrk", "node", str(PEER))
    leave_the_core_to_servers()
    with server() as base:
        async with database(base, "catalogue") as dsn:
            async with running(dsn) as app:
                await fill(app, dsn)
            port = free_port()
            command = [
                *("node", str(PEER), "-c", dsn, "-s", "peer", "-p", str(port), "-n", "127.0.0.1"),
                *("--disable-query-log", "--disable-graphiql", "--dynamic-json"),
            ]
            ready = f"http://127.0.0.1:{port}/graphql?query=%7B__typename%7D"
            with ExitStack() as stack:
                places = {
                    "ours": stack.enter_context(ours(dsn)),
                    "peer": stack.enter_context(serving(command, ready, NODE_ENV="production")),
                }
                async with running(dsn, follow=False) as app:
                    rates = await measured(places, lambda: writing(app))
    print(json.dumps(summary(medians(rates))))


async def measured(
    places: dict[str, Served], writes: Callable[[], AbstractAsyncContextManager[list[int]]]
) -> dict[str, list[Rate]]:
    """Return the rates of every round, each of warm, cold and the peer in turn."""
    shown = {
        name: names(answer(places[place].base, questions(name)[0])[2])
        for name, place in (("warm", "ours"), ("cold", "ours"), ("peer", "peer"))
    }
    assert shown["warm"] == shown["cold"] == shown["peer"]
    rates: dict[str, list[Rate]] = {"warm": [], "cold": [], "peer": []}

    async def load(name: str) -> Rate:
        place = places["peer" if name == "peer" else "ours"]
        return await rate(
            place,
            questions(name),
            connections=CONNECTIONS,
            seconds=SECONDS,
            numbered=name == "cold",
        )

    for nth in range(ROUNDS):
        async with writes() as done:
            rates["warm"].append(await load("warm"))
        assert len(done) > SECONDS * WRITES_PER_S / 2
        rates["peer"].append(await load("peer"))
        rates["cold"].append(await load("cold"))
        told(nth, rates)
    return rates


def summary(found: dict[str, Rate]) -> dict[str, object]:
    warm, cold, peer = (found[name] for name in ("warm", "cold", "peer"))
    return {
        "bench": "catalogue",
        "unit": "requests/s",
        "ours": round(warm.per_s),
        "peer": round(peer.per_s),
        "ratio": round(warm.per_s / peer.per_s, 1),
        "cold": round(cold.per_s),
        "ratio_cold": round(cold.per_s / peer.per_s, 2),
        "cpu_us": {name: round(each.cpu_us) for name, each in found.items()},
        "products": PRODUCTS,
        "plans": PRODUCTS * PLANS,
        "connections": CONNECTIONS,
        "unrelated_writes_per_s": WRITES_PER_S,
    }


if __name__ == "__main__":
    asyncio.run(main())
