"""The composition root: the only file that constructs things."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
from asyncpg import Connection, Record

from controlplane import secret
from controlplane.auth import Bearers
from controlplane.context import Caller, Context, Services
from controlplane.contracts.judge import Judge
from controlplane.gateway.mirrors import Mirrors
from controlplane.ids import random_id
from controlplane.processes.timer import keep_time
from controlplane.settings import Settings
from controlplane.store import UNREACHABLE, Pool
from controlplane.store.eventstore import EventStore
from controlplane.store.generation import views
from controlplane.store.history import History
from controlplane.store.migrate import migrate
from controlplane.store.projector import Projector
from controlplane.store.retention import keep_tidy
from controlplane.store.vault import Vault
from controlplane.store.writer import Writer
from controlplane.throttle import HOUR_S, MINUTE_S, SALT_BYTES, Throttle
from projections import PROJECTIONS

if TYPE_CHECKING:
    from controlplane.oidc import Issuer

CONNECT_S = 5.0
IDLE_BUDGETS = 2
"""So many budgets a transaction may wait for this process before the database ends it."""
STOP_S = 1.0
"""How long a task that was cancelled may take before it is cancelled again."""


@dataclass(frozen=True)
class App:
    """A running control plane."""

    settings: Settings
    services: Services
    projector: Projector
    history: History
    """Replaced, the process starts over: positions and versions may mean other events then."""
    issuer: "Issuer | None" = None
    """Whose signed tokens are let in beside ours, if any."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and the projector's watchers called, when the process stops: long polls answer then."""

    @property
    def epoch(self) -> int:
        """The epoch of the history that this process follows."""
        return self.services.epoch

    @cached_property
    def bearers(self) -> Bearers:
        """Who was let in last by a token of ours."""
        return Bearers(self.services.store)

    @cached_property
    def mirrors(self) -> Mirrors:
        """The configurations of gateways in memory, made when they are first asked for."""
        return Mirrors(self)

    @cached_property
    def logins(self) -> Throttle:
        """Refused tokens, by address."""
        return self._throttle(self.settings.login_failures, MINUTE_S)

    @cached_property
    def registrations(self) -> Throttle:
        """What visitors asked for who register by themselves, granted or not, by address."""
        return self._throttle(self.settings.registrations, HOUR_S)

    def _throttle(self, limit: int, window_s: float) -> Throttle:
        salt = self.services.entropy(SALT_BYTES)
        return Throttle(limit, self.settings.trusted_proxies, salt, window_s)

    def is_at_hand(self, token: str) -> bool:
        """Tell whether a bearer token can be refused without asking the database."""
        if self.issuer is not None and self.issuer.signs(token):
            return True
        token_id = secret.parse(secret.TOKEN_PREFIX, token)
        return token_id is not None and self.services.store.is_at_hand(token_id)

    async def authenticated(self, token: str | None) -> Caller:
        """Return who shows a bearer token, ours or the issuer's; ANONYMOUS without one.

        Raises NotAuthenticatedError, IssuerAwayError, UnavailableError.
        """
        if token is not None and self.issuer is not None and self.issuer.signs(token):
            return await self.issuer.caller(token)
        store = self.services.store
        if self.projector.unheard_s() > self.settings.token_trust_s:
            token_id = secret.parse(secret.TOKEN_PREFIX, token or "")
            if token_id is not None:
                store.suspect_all([token_id])  # it may have been revoked, and nobody told us
        return await self.bearers.caller(token, self.services.now())

    def known(self, token: str) -> Caller | None:
        """Return who shows a token that can be let in without a question to anyone, or None."""
        if self.projector.unheard_s() > self.settings.token_trust_s:
            return None
        return self.bearers.known(token, self.services.now())

    def context(self, caller: Caller, correlation: str = "") -> Context:
        """Return what one request of the caller may reach."""
        return Context(self.services, caller, correlation or str(self.services.new_id()))


def search_path() -> str:
    """Return where queries find tables: the store's own, then this code's read models."""
    return ", ".join(["public", *map(views, PROJECTIONS)])


async def _as_it_is(_: "Connection[Record]") -> None:
    """Give a connection back without a word to the server, which would cost as much as a query.

    Nothing is left on it: asyncpg still ends a transaction, and whoever takes a lock beyond one,
    or listens, does so on a connection of its own or ends it in any case.
    """


@asynccontextmanager
async def running(
    dsn: str,
    settings: Settings | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    new_id: Callable[[], UUID] = random_id,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
    follow: bool = True,
) -> AsyncIterator[App]:
    """Run a control plane on a PostgreSQL database until the block ends.

    Raises MigrationError, and what asyncpg raises when the database cannot be reached. Without
    `follow` the read models stay as they are.
    """
    settings = settings or Settings()
    budget_s = settings.database_budget_s
    session = {
        "search_path": search_path(),
        "application_name": "controlplane",
        # A process that is frozen in a transaction would keep its locks from all others for ever.
        "idle_in_transaction_session_timeout": f"{IDLE_BUDGETS * budget_s * 1_000:.0f}ms",
    }

    async def connect() -> "Connection[Record]":
        return await asyncpg.connect(dsn, timeout=CONNECT_S, server_settings=session)

    async def connect_checked() -> "Connection[Record]":
        link = await connect()
        try:
            async with asyncio.timeout(budget_s):
                await history.check(link)
        except BaseException:
            link.terminate()
            raise
        return link

    async with AsyncExitStack() as stack:
        first = await connect()
        try:
            await migrate(first)
            history = History(await first.fetchval("SELECT current_epoch()"))
        finally:
            await first.close()
        pool = asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=settings.pool_size,
            timeout=CONNECT_S,
            command_timeout=budget_s,
            server_settings=session,
            init=history.check,
            reset=_as_it_is,
        )
        await pool
        stack.push_async_callback(_close, pool)
        writer = Writer(connect_checked, budget_s)
        store = EventStore(pool, writer, budget_s)
        vault = Vault(pool, entropy, budget_s)
        judge = Judge(pool, budget_s)
        stack.push_async_callback(judge.close)
        services = Services(
            store=store,
            vault=vault,
            pool=pool,
            now=now,
            new_id=new_id,
            entropy=entropy,
            epoch=history.epoch,
            judge=judge,
            budget_s=budget_s,
            log_commands=settings.log_commands,
        )
        projector = Projector(pool, PROJECTIONS, budget_s, store.recent)
        await projector.prepare()
        await stack.enter_async_context(writer.running())
        if follow:
            for task in (
                asyncio.create_task(projector.follow(connect_checked, store), name="projector"),
                asyncio.create_task(
                    keep_tidy(pool, settings.observations_kept_d), name="retention"
                ),
                asyncio.create_task(history.follow(pool), name="history"),
                asyncio.create_task(keep_time(services, settings.gateway_stale_s), name="timer"),
            ):
                stack.push_async_callback(_stop, task)
        issuer = None
        if settings.oidc_issuer:
            issuer = await stack.enter_async_context(_issuer(settings, services))
        yield App(settings, services, projector, history, issuer)


async def _stop(task: "asyncio.Task[None]") -> None:
    while not task.done():  # the driver may turn a cancellation into an error of its own
        task.cancel()
        await asyncio.wait([task], timeout=STOP_S)


async def _close(pool: Pool) -> None:
    with suppress(*UNREACHABLE):  # those that do not answer within the budget are cut off
        await pool.close()


@asynccontextmanager
async def _issuer(settings: Settings, services: Services) -> "AsyncIterator[Issuer]":
    from controlplane.jwks import Pace, following  # noqa: PLC0415  # it costs who has no issuer
    from controlplane.oidc import Issuer  # noqa: PLC0415

    async with following(settings.oidc_issuer, Pace()) as keys:
        yield Issuer(settings, keys, services)
