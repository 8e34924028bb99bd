"""The service from its start to its end, in one process or several."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import asyncpg
import structlog

from controlplane.address import bind, url_of
from controlplane.app import App, running
from controlplane.database import database
from controlplane.settings import Settings
from controlplane.store import UNREACHABLE

if TYPE_CHECKING:
    from controlplane.demo.envoy import Edge

log = structlog.get_logger()


@dataclass(frozen=True)
class Announcement:
    """Where the service is, and in a demo with which tokens, by role."""

    url: str
    tokens: dict[str, str] | None
    edge: "Edge | None" = None
    """The Envoy beside a demo, unless none is wanted."""

    @property
    def graphql(self) -> str:
        """The GraphQL of portals and administrators."""
        return f"{self.url}/graphql"

    @property
    def gateway_graphql(self) -> str:
        """The GraphQL of gateways."""
        return f"{self.url}/gateway/graphql"


@dataclass(frozen=True)
class Service:
    """What is to be served: `announce` is called once requests are answered."""

    settings: Settings
    demo: bool
    announce: Callable[[Announcement], None]
    progress: Callable[[str], None]
    """Told what takes a while."""


async def serve(service: Service) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises CannotListenError, EmbeddedPostgresError, WorkerFailedError, and what `running` raises.
    """
    settings = service.settings
    async with AsyncExitStack() as stack:
        bound = stack.enter_context(bind(settings.host, settings.port))
        # The surfaces take a second to import, and so does a new database: both at once.
        surfaces = asyncio.create_task(asyncio.to_thread(import_module, "controlplane.server"))
        stack.push_async_callback(asyncio.wait, [surfaces])
        dsn = await stack.enter_async_context(database(settings, service.progress))
        await surfaces
        from controlplane import server  # imported by the thread above

        server.allow_many_connections()
        stop = server.stop_signal(settings)
        if settings.workers == 1:
            await _alone(service, dsn, bound, stop)
        else:
            await _with_workers(service, dsn, bound, stop)


async def _alone(service: Service, dsn: str, bound: socket.socket, stop: asyncio.Event) -> None:
    settings, url = service.settings, url_of(bound)
    async with _life(dsn, settings) as app, AsyncExitStack() as stack:
        announcement = Announcement(url, None)
        if service.demo:
            announcement = await _demo(app, url)
            await stack.enter_async_context(_routing(announcement, settings))
        ready = partial(service.announce, announcement)
        await _serve_until_over(app, bound, stop, ready)
    while not stop.is_set():
        async with AsyncExitStack() as stack:
            again = await _begun_again(stack, dsn, settings, bound, stop)
            if again is not None:
                ready = partial(log.info, "server.started_over", epoch=again.epoch)
                await _serve_until_over(again, bound, stop, ready)


@asynccontextmanager
async def _life(dsn: str, settings: Settings) -> AsyncIterator[App]:
    """Yield a control plane; the process ends if closing the database takes longer than LEAVE_S."""
    from controlplane.server import LEAVE_S

    with ExitStack() as late:
        async with _restored(dsn, settings) as app:
            try:
                yield app
            finally:
                loop = asyncio.get_running_loop()
                late.callback(loop.call_later(LEAVE_S, os._exit, 1).cancel)


async def _begun_again(
    stack: AsyncExitStack, dsn: str, settings: Settings, bound: socket.socket, stop: asyncio.Event
) -> App | None:
    """Return a new control plane as soon as there is one, None when told to stop before that.

    Until then requests are answered 503.
    """
    from controlplane.server import PAUSE_S, unready

    async with unready(bound.dup()):
        while not stop.is_set():
            try:
                return await stack.enter_async_context(_life(dsn, settings))
            except (*UNREACHABLE, asyncpg.PostgresError) as error:  # it may be in mid-restore
                log.warning("server.not_started_over", error=str(error) or type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S):
                    await stop.wait()
    return None


async def _serve_until_over(
    app: App, bound: socket.socket, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve until told to stop, or the database turns out to be another one."""
    from controlplane import server

    # On a copy of the socket: it is closed with the site, and there may be another site.
    async with server.listening(app, bound.dup()):
        await server.caught_up(app, stop)
        if not server.over(app, stop):
            ready()
        await server.until_over(app, stop)
        if stop.is_set():
            bound.close()


async def _with_workers(
    service: Service, dsn: str, bound: socket.socket, stop: asyncio.Event
) -> None:
    from controlplane.workers import working

    url = url_of(bound)
    async with _restored(dsn, service.settings) as app:  # it migrates before the workers come
        announcement = await _demo(app, url) if service.demo else Announcement(url, None)
    async with working(service.settings, dsn, bound), _routing(announcement, service.settings):
        service.announce(announcement)
        await stop.wait()
        bound.close()  # the workers close theirs when they stop


@asynccontextmanager
async def _restored(dsn: str, settings: Settings) -> AsyncIterator[App]:
    """Run a control plane in which a restore gave nothing back that the journal knows of."""
    from controlplane import revocations

    journal = revocations.journal_of(settings)
    if journal is not None:
        revocations.require_writable(journal)
        await revocations.recognise(dsn, journal)
    async with running(dsn, settings) as app:
        if journal is not None:
            await revocations.after_restore(app, journal)
        yield app


async def _demo(app: App, url: str) -> Announcement:
    from controlplane import openapi
    from controlplane.demo import envoy, shown
    from controlplane.demo.filling import fill
    from controlplane.demo.sold import Own
    from controlplane.graphql.schema import sdl

    tokens = await fill(app, Own(url, sdl(), openapi.document()))
    port = app.settings.gateway_port
    if not port:
        return Announcement(url, tokens)
    if missing := envoy.missing(port):
        return Announcement(url, tokens, envoy.Edge("", "", missing))
    edge = envoy.Edge(f"http://{envoy.HOST}:{port}", await shown.key(app))
    return Announcement(url, tokens, edge)


@asynccontextmanager
async def _routing(announcement: Announcement, settings: Settings) -> AsyncIterator[None]:
    """Run the Envoy that is announced, if one is."""
    from controlplane.demo import envoy

    if announcement.edge is None or not announcement.edge.url or announcement.tokens is None:
        yield
        return
    token = announcement.tokens["gateway"]
    async with envoy.running(announcement.url, token, settings.gateway_port):
        yield
