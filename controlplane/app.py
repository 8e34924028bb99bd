"""The composition root: the only file that constructs things."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
from asyncpg import Connection, Record

from controlplane.context import Caller, Context, Services
from controlplane.processes.timer import keep_time
from controlplane.settings import Settings
from controlplane.store.eventstore import EventStore
from controlplane.store.generation import views
from controlplane.store.migrate import migrate
from controlplane.store.projector import Projector
from controlplane.store.retention import keep_tidy
from controlplane.store.vault import Vault
from controlplane.store.writer import Writer
from projections import PROJECTIONS

CONNECT_S = 5.0


@dataclass(frozen=True)
class App:
    """A running control plane."""

    settings: Settings
    services: Services
    projector: Projector
    epoch: int
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and the projector's watchers called, when the process stops: long polls answer then."""

    def context(self, caller: Caller, correlation: str = "") -> Context:
        """Return what one request of the caller may reach."""
        return Context(self.services, caller, correlation or str(self.services.new_id()))


def search_path() -> str:
    """Return where queries find tables: the store's own, then this code's read models."""
    return ", ".join(["public", *map(views, PROJECTIONS)])


@asynccontextmanager
async def running(
    dsn: str,
    settings: Settings | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    new_id: Callable[[], UUID] = uuid4,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
    follow: bool = True,
) -> AsyncIterator[App]:
    """Run a control plane on a PostgreSQL database until the block ends.

    Raises MigrationError, and what asyncpg raises when the database cannot be reached. Without
    `follow` the read models stay as they are.
    """
    settings = settings or Settings()
    path = {"search_path": search_path(), "application_name": "controlplane"}

    async def connect() -> "Connection[Record]":
        return await asyncpg.connect(dsn, timeout=CONNECT_S, server_settings=path)

    budget_s = settings.database_budget_s
    async with AsyncExitStack() as stack:
        first = await connect()
        try:
            await migrate(first)
            epoch = await first.fetchval("SELECT current_epoch()")
        finally:
            await first.close()
        pool = asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=settings.pool_size,
            timeout=CONNECT_S,
            command_timeout=budget_s,
            server_settings=path,
        )
        await stack.enter_async_context(pool)
        writer = Writer(connect, budget_s)
        store = EventStore(pool, writer, budget_s)
        vault = Vault(pool, entropy, budget_s)
        services = Services(store, vault, pool, now, new_id, entropy, settings.log_commands)
        projector = Projector(pool, PROJECTIONS, budget_s)
        await projector.prepare()
        await stack.enter_async_context(writer.running())
        if follow:
            for task in (
                asyncio.create_task(projector.follow(connect, store), name="projector"),
                asyncio.create_task(keep_tidy(pool), name="retention"),
                asyncio.create_task(keep_time(services), name="timer"),
            ):
                stack.push_async_callback(asyncio.wait, [task])
                stack.callback(task.cancel)
        yield App(settings, services, projector, epoch)
