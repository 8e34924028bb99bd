"""Whole commands, durable, beside the eventsourcing package's repository.get + save.

Ours: `execute` with permission, envelope, idempotency row and aggregates at hand; the package: an
Application on the same server, with its own pool, called from as many threads. Each caller changes
an aggregate of its own, as in the package's examples. Also measured: one caller of each, 1 % of
commands on an aggregate that another process changes too, and whether a tailing reader ever passes
an event over while the package appends to the same table.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from benchmarks.database import database, package_environment, server
from controlplane.app import App, running
from controlplane.auth import process
from controlplane.commands import execute
from controlplane.commands.api_product import DefineProduct
from controlplane.commands.plan import DefinePlan, DraftPlanVersion
from controlplane.context import Context
from controlplane.store.mapper import PackageMapper
from domain.plan_terms import PlanTerms

CALLERS = 64
ROUNDS = 5
SECONDS = 3.0
TERMS = PlanTerms(None, None, None, "MANUAL")


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


def package_rate(application: Bank, accounts: list[UUID], callers: int) -> float:
    """Return the changes a second that the package makes durable."""
    deadline = time.perf_counter() + SECONDS

    def call(nth: int) -> int:
        done = 0
        while time.perf_counter() < deadline:
            own = accounts[nth::callers]
            account: Account = application.repository.get(own[done % len(own)])
            account.draft("MANUAL")
            application.save(account)
            done += 1
        return done

    started = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        done = sum(threads.map(call, range(callers)))
    return done / (time.perf_counter() - started)


def opened(application: Bank) -> list[UUID]:
    """Return new accounts, so many that their streams stay short: the package replays them."""
    accounts = [Account() for _ in range(CALLERS * 20)]
    application.save(*accounts)
    return [account.id for account in accounts]


async def our_rate(command: Callable[[int, int], Awaitable[object]], callers: int) -> float:
    """Return the commands a second that we make durable."""
    deadline = time.perf_counter() + SECONDS

    async def call(nth: int) -> int:
        done = 0
        while time.perf_counter() < deadline:
            await command(nth, done)
            done += 1
        return done

    started = time.perf_counter()
    done = sum(await asyncio.gather(*(call(nth) for nth in range(callers))))
    return done / (time.perf_counter() - started)


async def plans(context: Context, count: int) -> list[UUID]:
    """Return new plans, each of which a caller changes."""
    product = await execute(DefineProduct(slug=f"p{uuid4().hex}", name="P"), context)
    product_id = product.outcome.events[-1].originator_id
    made = []
    for _ in range(count):
        define = DefinePlan(slug=f"p{uuid4().hex}", name="P", product_ids=(product_id,))
        made.append((await execute(define, context)).outcome.events[-1].originator_id)
    return made


async def gaps_beside_the_package(dsn: str, app: App, draft: Callable[[int, int], Any]) -> int:
    """Return how many events a tailing reader missed while both appended."""
    environment = package_environment(dsn)
    stop = time.perf_counter() + SECONDS
    seen: list[int] = []

    async def tail() -> None:
        reader = await asyncpg.connect(dsn)
        after = await reader.fetchval("SELECT max(notification_id) FROM stored_events")
        seen.append(after)
        while time.perf_counter() < stop + 0.5:
            rows = await reader.fetch(
                "SELECT notification_id FROM stored_events WHERE notification_id > $1"
                " ORDER BY notification_id LIMIT 10000",
                seen[-1],
            )
            seen.extend(row[0] for row in rows)
            await asyncio.sleep(0.001)
        await reader.close()

    def append() -> None:
        with PostgresDatastore(
            environment["POSTGRES_DBNAME"],
            environment["POSTGRES_HOST"],
            environment["POSTGRES_PORT"],
            environment["POSTGRES_USER"],
            "",
        ) as datastore:
            recorder = PostgresApplicationRecorder(datastore)
            recorder.create_table()
            template = PackageMapper().to_stored_event(
                asyncio.run_coroutine_threadsafe(one_event(app), loop).result()
            )
            while time.perf_counter() < stop:
                row = StoredEvent(uuid4(), 1, template.topic, template.state)
                recorder.insert_events([row])

    loop = asyncio.get_running_loop()
    await asyncio.gather(tail(), our_rate(draft, CALLERS), asyncio.to_thread(append))
    total = await app.services.pool.fetchval("SELECT max(notification_id) FROM stored_events")
    assert isinstance(total, int)
    return total - seen[0] - (len(seen) - 1)


async def one_event(app: App) -> Any:
    context = app.context(process(UUID(int=1), "benchmark", "cli"))
    answer = await execute(DefineProduct(slug=f"p{uuid4().hex}", name="P"), context)
    return answer.outcome.events[-1]


async def main() -> None:
    with server() as base:
        async with database(base, "ours") as dsn, database(base, "package") as package_dsn:
            application = Bank(env={**package_environment(package_dsn), "POSTGRES_POOL_SIZE": "20"})
            async with running(dsn, follow=False) as app, running(dsn, follow=False) as other:
                context = app.context(process(UUID(int=1), "benchmark", "cli"))
                elsewhere = other.context(process(UUID(int=1), "benchmark", "cli"))
                own, (hot,) = await plans(context, CALLERS), await plans(context, 1)

                async def draft(nth: int, _done: int) -> None:
                    await execute(DraftPlanVersion(plan_id=own[nth], terms=TERMS), context)

                async def contended(nth: int, done: int) -> None:
                    if (done + nth) % 100:
                        return await draft(nth, done)
                    place = elsewhere if nth % 2 else context
                    await execute(DraftPlanVersion(plan_id=hot, terms=TERMS), place)
                    return None

                rates: dict[str, list[float]] = {}
                for nth in range(ROUNDS):
                    ids = opened(application)
                    measured = {
                        "ours": await our_rate(draft, CALLERS),
                        "peer": await asyncio.to_thread(package_rate, application, ids, CALLERS),
                        "ours_1": await our_rate(draft, 1),
                        "peer_1": await asyncio.to_thread(package_rate, application, ids, 1),
                        "conflicts": await our_rate(contended, CALLERS),
                    }
                    for name, rate in measured.items():
                        rates.setdefault(name, []).append(rate)
                    line = ", ".join(f"{name} {rate:,.0f}" for name, rate in measured.items())
                    print(f"round {nth + 1}: {line}", file=sys.stderr)
                missed = await gaps_beside_the_package(dsn, app, draft)
            application.close()
    print(json.dumps(summary({name: median(rate) for name, rate in rates.items()}, missed)))


def summary(rate: dict[str, float], missed: int) -> dict[str, object]:
    return {
        "bench": "append",
        "unit": "commands/s",
        "ours": round(rate["ours"]),
        "peer": round(rate["peer"]),
        "ratio": round(rate["ours"] / rate["peer"], 1),
        "callers": CALLERS,
        "ours_one_caller": round(rate["ours_1"]),
        "peer_one_caller": round(rate["peer_1"]),
        "ratio_one_caller": round(rate["ours_1"] / rate["peer_1"], 2),
        "ours_1_percent_conflicts": round(rate["conflicts"]),
        "cost_of_conflicts": round(1 - rate["conflicts"] / rate["ours"], 2),
        "missed_by_a_tailing_reader": missed,
    }


if __name__ == "__main__":
    asyncio.run(main())
