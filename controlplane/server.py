"""Serving: the routes of every surface in one application, and a life from ready to drained."""

import asyncio
import gc
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from prometheus_client import Histogram

from controlplane import audit, health, http, metrics, openapi, revocations
from controlplane.app import App
from controlplane.gateway import routes as gateway
from controlplane.gateway.delivery import Delivery
from controlplane.graphql import cors
from controlplane.graphql import view as graphql
from controlplane.logs import AccessLogger, EveryAccessLogger
from controlplane.portal import graphiql
from controlplane.settings import Settings

BACKLOG = 1_024
POLL_S = 0.02
CANCEL_S = 1.0
"""What is left for a request that did not end in time; 0 would mean without end."""
YOUNG_OBJECTS = 50_000
"""So many come before the collector looks at them: some 10 MB, at most a hundred requests."""
LEAVE_S = 10.0
"""What closing the database may take after the requests; then the process leaves as it is."""
PAUSE_S = 0.5
FIRST_REQUEST_S = 0.5
"""What a connection that was accepted last may take to bring its request."""
STARTING_OVER = "The database is another one since this process began; it starts over."

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """The routes of a running control plane, and how many requests are being answered."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.delivery = Delivery(app)
        self._answering = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def application(self) -> web.Application:
        """Return all routes with what holds for each of them."""
        settings = self._app.settings
        application = web.Application(
            middlewares=[
                self._outermost(),
                *([cors.middleware(settings.origins)] if settings.origins else ()),
                http.middleware(self._app),
            ],
            client_max_size=settings.body_limit_bytes,
        )
        for surface in (health, openapi, audit, graphql, graphiql):
            application.add_routes(surface.routes(self._app))
        application.add_routes(gateway.routes(self._app, self.delivery))
        return application

    def _outermost(self) -> Middleware:
        """Return the middleware that counts requests and measures how long each takes.

        What is no route of ours is measured as one.
        """
        now_s = asyncio.get_running_loop().time

        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            began_s, status = now_s(), 0
            self._answering += 1
            self._idle.clear()
            try:
                response = await handler(request)
                status = response.status
            except web.HTTPException as answer:
                status = answer.status
                raise
            else:
                if self._app.stopping.is_set() and not response.prepared:
                    response.force_close()  # the client's next request finds another process
                return response
            finally:
                self._answering -= 1
                if not self._answering:
                    self._idle.set()
                resource = request.match_info.route.resource
                route = "unmatched" if resource is None else resource.canonical
                method = request.method if request.method in hdrs.METH_ALL else "other"
                _took(route, method, status).observe(now_s() - began_s)

        return answer

    async def drained(self, patience_s: float) -> None:
        """Have long polls end, and wait until every request is answered or patience is over."""
        self._app.stopping.set()
        for watcher in self._app.projector.watchers:  # whoever waits looks again, and sees it
            watcher()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._idle.wait()


@cache  # as many as there are labels, and many times as fast as to look them up there
def _took(route: str, method: str, status: int) -> Histogram:
    return metrics.REQUEST_S.labels(route, method, str(status) if status else "cancelled")


@asynccontextmanager
async def listening(app: App, bound: socket.socket) -> AsyncIterator[None]:
    """Serve until the block ends; then accept no more and finish what was accepted."""
    settings, routes = app.settings, Site(app)
    runner = web.AppRunner(
        routes.application(),
        access_log_class=EveryAccessLogger if settings.log_requests else AccessLogger,
        keepalive_timeout=settings.keepalive_s,
        shutdown_timeout=CANCEL_S,
        handler_cancellation=True,
    )
    await runner.setup()
    if runner.server is not None:
        gateway.before_routing(routes.delivery, runner.server)
    pulse = asyncio.create_task(metrics.pulse(lambda: app.projector.position), name="pulse")
    site = web.SockSite(runner, bound, backlog=BACKLOG)
    # Code and schemas stay: looking through them for garbage took 65 to 130 ms each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    try:
        await site.start()
        async with revocations.kept(app):
            yield
        await accept_no_more(runner, site)
        # Not left to aiohttp, which drops the rest of a body when it begins to stop.
        await routes.drained(settings.shutdown_s)
    finally:
        pulse.cancel()
        await runner.cleanup()


@asynccontextmanager
async def unready(bound: socket.socket) -> AsyncIterator[None]:
    """Answer that the process lives but cannot serve, until the block ends."""

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def away(request: web.Request) -> web.Response:
        if request.path == "/readyz":
            return web.json_response(
                {"ready": False, "reasons": [STARTING_OVER], "position": -1}, status=503
            )
        answer = http.problem(503, STARTING_OVER, "")
        answer.force_close()  # the next request is for who comes after us
        return answer

    application = web.Application()
    application.add_routes([web.get("/healthz", alive), web.route("*", "/{path:.*}", away)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=CANCEL_S)
    await runner.setup()
    site = web.SockSite(runner, bound, backlog=BACKLOG)
    try:
        await site.start()
        yield
        await accept_no_more(runner, site)
    finally:
        await runner.cleanup()


async def accept_no_more(runner: web.AppRunner, site: web.SockSite) -> None:
    """Leave further connections to others; those that we have may still bring a request."""
    await site.stop()
    if runner.server is not None and runner.server.connections:
        await asyncio.sleep(FIRST_REQUEST_S)


async def caught_up(app: App, stop: asyncio.Event) -> None:
    """Wait until the read models have caught up, or it is over."""
    while not (app.projector.caught_up or over(app, stop)):  # noqa: ASYNC110  # it has no event
        await asyncio.sleep(POLL_S)


def over(app: App, stop: asyncio.Event) -> bool:
    """Tell whether the process is told to stop, or the database is another one."""
    return stop.is_set() or app.history.replaced.is_set()


async def until_over(app: App, stop: asyncio.Event) -> None:
    """Wait until the process is told to stop, or the database is another one."""
    waits = [asyncio.create_task(each.wait()) for each in (stop, app.history.replaced)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def stop_signal(settings: Settings) -> asyncio.Event:
    """Return what the first SIGTERM or SIGINT sets; the second one ends the process at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def told(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("server.stopping", signal=signal.Signals(number).name)
        stop.set()
        loop.call_later(settings.shutdown_s + LEAVE_S, os._exit, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    return stop


def allow_many_connections() -> None:
    """Raise the number of open files to what the system allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
