"""The service from its start to its end, in one process or several."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module

from controlplane.address import bind, url_of
from controlplane.app import App, running
from controlplane.database import database
from controlplane.settings import Settings


@dataclass(frozen=True)
class Announcement:
    """Where the service is, and in a demo with which tokens, by role."""

    url: str
    tokens: dict[str, str] | None

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
    from controlplane import server

    async with running(dsn, service.settings) as app:
        url = url_of(bound)
        tokens = await _demo(app, url) if service.demo else None
        async with server.listening(app, bound):
            await server.caught_up(app, stop)
            server.settle()
            service.announce(Announcement(url, tokens))
            await stop.wait()


async def _with_workers(
    service: Service, dsn: str, bound: socket.socket, stop: asyncio.Event
) -> None:
    from controlplane.workers import working

    url = url_of(bound)
    async with running(dsn, service.settings) as app:  # it migrates before the workers come
        tokens = await _demo(app, url) if service.demo else None
    async with working(service.settings, dsn, bound):
        service.announce(Announcement(url, tokens))
        await stop.wait()
        bound.close()  # the workers close theirs when they stop


async def _demo(app: App, url: str) -> dict[str, str]:
    from controlplane import demo, openapi
    from controlplane.graphql.schema import sdl

    return await demo.fill(app, demo.Own(url, sdl(), openapi.document()))
