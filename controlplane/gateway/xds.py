"""Envoy's own way to ask: xDS v3 over REST, each poll held until what it asks for changes."""

import asyncio
import itertools
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from uuid import UUID

import structlog
from aiohttp import web

from controlplane.app import App
from controlplane.auth import NotAuthenticatedError, bearer
from controlplane.commands import NotFoundError, NotPermittedError
from controlplane.context import Caller
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.envoy_poll import Poll
from controlplane.gateway.envoys import ANSWERS, Envoys, Sent
from controlplane.gateway.key_sets import key_sets
from controlplane.gateway.mirror import Served
from controlplane.gateway.offered import Offered
from controlplane.gateway.places import Places
from controlplane.gateway.recent import Recent
from controlplane.gateway.renderers import Site, envoy
from controlplane.gateway.renderers.envoy_resource import HELD_S, LISTENERS, Resources
from controlplane.http import CONTEXT
from controlplane.store import UnavailableError
from controlplane.store.projector import ReadModelsBehindError

log = structlog.get_logger()
PATH = "/v3/discovery:{kind}"
HOLD_S = HELD_S - 5
WAITERS, WAITERS_EACH = 50_000, 1_000
"""Polls that are held at once, and of each token; an Envoy has about twenty."""
ADDRESSES = 256
"""At which Envoys listen: a listener of 30 KB is kept for each."""
PAUSE_S = 1.0
SITE = Site("", token_file="token")  # noqa: S106  # no secret: it polls, and knows where its token is
_NOT_MODIFIED, _RESOURCES = map(ANSWERS.labels, ("not_modified", "resources"))


class Discovery:
    """Answers the polls of Envoys; one of it serves a process."""

    def __init__(self, app: App, delivery: Delivery, waiters: int = WAITERS) -> None:
        """Hold at most so many polls at once."""
        self._app = app
        self._delivery = delivery
        self._places = Places(waiters, WAITERS_EACH)
        self._boot = app.services.new_id().hex[-8:]
        file = app.settings.gateway_key_sets
        self._site = replace(SITE, key_sets=key_sets(Path(file)) if file else {})
        self._offered: Recent[str, Offered] = Recent("groups")
        self._envoys = Envoys(delivery.observations)
        self._nonces = itertools.count()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer POST /v3/discovery:<kind>: the resources, or 304 when they are the same."""
        caller = request[CONTEXT].caller
        asked = Poll.of(request.match_info["kind"], await request.read())
        # aiohttp keeps it as long as the request, of which an Envoy has twenty held.
        request._read_bytes = b""  # noqa: SLF001
        served = await self._served(caller, asked)
        offered = await self._current(caller, served)
        known = self._envoys.known(caller)
        found = self._find(offered, asked)  # of what is not there nothing is remembered
        heard = self._envoys.hear(caller, served, offered, asked)
        if not known.is_due(asked, found.version) and not self._app.stopping.is_set():
            await self._wait(caller, offered, asked)
            # The token may be what was revoked.
            caller = await self._app.authenticated(bearer(request.headers.get("Authorization")))
            offered = await self._current(caller, await self._served(caller, asked))
            found = self._find(offered, asked)
        if asked.version == found.version:
            _NOT_MODIFIED.inc()
            return web.Response(status=web.HTTPNotModified.status_code)
        if heard is not None:  # or what it says next, elsewhere, could be written down before
            await asyncio.wait([heard])
        _RESOURCES.inc()
        known.sent[asked.part] = Sent(found.version, request.transport, asked.said)
        nonce = f"{self._boot}-{next(self._nonces)}"
        body = found.sent(f"{found.version}.{self._boot}.{offered.at}", nonce)
        return web.Response(body=body, content_type="application/json")

    async def _served(self, caller: Caller, asked: Poll) -> Served:
        if caller.role is None:
            raise NotAuthenticatedError
        if caller.gateway_id is None:
            raise NotPermittedError(None, "It needs the token of a gateway.")
        return await self._delivery.served(caller, None, asked.held)

    async def _current(self, caller: Caller, served: Served) -> Offered:
        """Return what the gateway's group is offered, no older than the view."""
        group_id = served.view.group.id
        offered = self._offered.get(group_id)
        if offered is None:
            offered = Offered(self._app.epoch, self._site)
            self._offered.put(group_id, offered)
        changes = partial(self._delivery.mirrors.changes, caller.organization_id)
        with self._offered.asking(group_id):
            await offered.refresh(served, changes)
        if offered.following is None or offered.following.done():
            following = self._follow(caller.organization_id, group_id, offered)
            offered.following = asyncio.create_task(following, name="xds")
        if not offered.parts:
            raise web.HTTPServiceUnavailable(text="There is nothing that could be offered.")
        return offered

    async def _follow(self, organization_id: UUID, group_id: str, offered: Offered) -> None:
        """Render whenever the group changes, until nobody polls for it."""
        changes = partial(self._delivery.mirrors.changes, organization_id)
        while self._offered.holds(group_id, offered) and not self._app.stopping.is_set():
            try:
                served = await self._delivery.mirrors.served(organization_id, group_id, None)
                woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                served.waiters.add(woken)
                try:
                    await offered.refresh(served, changes)
                    if not woken.done():
                        async with asyncio.timeout(HELD_S):
                            await woken
                finally:
                    served.waiters.discard(woken)
            except TimeoutError:
                if not offered.in_use:
                    break
            except (UnavailableError, ReadModelsBehindError, NotFoundError) as error:
                log.warning("xds.not_followed", group=group_id, error=str(error))
                await asyncio.sleep(PAUSE_S)
        offered.wake_all()

    def _find(self, offered: Offered, asked: Poll) -> Resources:
        if asked.part[0] == LISTENERS.word:
            return _listeners(asked.host, asked.port)
        found = offered.parts.get(asked.part)
        if found is None:
            raise web.HTTPNotFound(text="There is no such resource.")
        return found

    async def _wait(self, caller: Caller, offered: Offered, asked: Poll) -> None:
        with self._places.one(caller.actor):
            await offered.changed(asked.part, HOLD_S)


@lru_cache(maxsize=ADDRESSES)
def _listeners(host: str, port: int) -> Resources:
    return envoy.listeners(replace(SITE, listen_host=host, listen_port=port))
