"""Envoy's own way to ask: xDS v3 over REST, each poll held until what it asks for changes.

Envoy says which version it runs of what it asks for. That it asks again under the version it had
before is all it says of a configuration that it refused.
"""

import asyncio
import itertools
import re
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import structlog
from aiohttp import web
from prometheus_client import Counter

from controlplane.app import App
from controlplane.auth import NotAuthenticatedError, bearer
from controlplane.commands import NotFoundError, NotPermittedError
from controlplane.context import Caller
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.document import Cursor
from controlplane.gateway.envoy_parts import EnvoyRuns
from controlplane.gateway.key_sets import key_sets
from controlplane.gateway.mirror import Served
from controlplane.gateway.offered import Offered, Part
from controlplane.gateway.places import Places
from controlplane.gateway.recent import Recent
from controlplane.gateway.renderers import Site, envoy
from controlplane.gateway.renderers.envoy_resource import (
    FILTERS,
    HELD_S,
    KINDS,
    LISTENERS,
    ROUTES,
    Resources,
)
from controlplane.http import CONTEXT
from controlplane.store import UnavailableError
from controlplane.store.projector import ReadModelsBehindError

log = structlog.get_logger()
PATH = "/v3/discovery:{kind}"
HOLD_S = HELD_S - 5
WAITERS, WAITERS_EACH = 50_000, 1_000
"""Polls that are held at once, and of each token; an Envoy has about twenty."""
GATEWAYS = 10_000
ADDRESSES = 256
"""At which Envoys listen: a listener of 30 KB is kept for each."""
PAUSE_S = 1.0
SITE = Site("", token_file="token")  # noqa: S106  # no secret: it polls, and knows where its token is
HEAD_BYTES, TAIL_BYTES = 1_000, 16 * 2**10
"""Where in a poll of 77 KB the versions and names are; between them Envoy lists its extensions."""
PORTS = range(1, 65_536)
_VERSION = re.compile(
    rb'\{"version_info":"(([0-9a-f]{1,64})[^"]{0,50}?([0-9]{1,18}[.][0-9]{1,18})?)"'
)
_LISTEN = re.compile(rb'"metadata":\{"listen":"([0-9a-fA-F:.]{1,45}) ([0-9]{1,5})"\}')
_NAMES = re.compile(rb'"resource_names":\["([a-z0-9-]{1,50})"\]')

ANSWERS = Counter(
    "controlplane_xds_polls_total", "Polls of Envoys by what they were answered.", ["answer"]
)
_NOT_MODIFIED, _RESOURCES, _REFUSED = map(ANSWERS.labels, ("not_modified", "resources", "refused"))


@dataclass(frozen=True)
class Poll:
    """What one poll asks."""

    part: Part
    version: str
    """The one it runs; "" for none."""
    said: str
    """That with the process that sent it, and the position it was at."""
    held: tuple[Cursor, ...]
    """The configuration it was sent that of: whoever answers must have come as far."""
    host: str
    port: int

    @property
    def what(self) -> str:
        """The part in one text."""
        return " ".join(filter(None, self.part))

    @classmethod
    def of(cls, word: str, body: bytes) -> "Poll":
        """Read the beginning and the end of a request. Raises HTTPBadRequest, HTTPNotFound."""
        if word not in KINDS:
            raise web.HTTPNotFound(text="No resources of this kind are served.")
        head, name = body[:HEAD_BYTES], ""
        version, listen = _VERSION.match(head), _LISTEN.search(head)
        if word in {FILTERS.word, ROUTES.word}:
            named = _NAMES.search(body, max(0, len(body) - TAIL_BYTES))
            if named is None:
                raise web.HTTPBadRequest(text="resource_names names one of them.")
            name = named[1].decode()
        host, port = (listen[1].decode(), int(listen[2])) if listen else ("127.0.0.1", 8000)
        with suppress(ValueError):
            host = str(ip_address(host))
            if port in PORTS:
                said, runs, at = (
                    (each or b"").decode() for each in (version.groups() if version else (b"",) * 3)
                )
                held = (Cursor.parse(at, "version_info"),) if at else ()
                return cls((word, name), runs, said, held, host, port)
        raise web.HTTPBadRequest(text="listen in the metadata of the node is an address and port.")


class Sent(NamedTuple):
    """Resources that were sent, in place of what the gateway said to run then."""

    version: str
    transport: asyncio.Transport | None
    before: str

    @property
    def lost(self) -> bool:
        """Whether it may not have arrived."""
        return self.transport is None or self.transport.is_closing()


@dataclass
class Known:
    """What a process sent a gateway, and heard of it: others may know more."""

    sent: dict[Part, Sent] = field(default_factory=dict)
    """What was sent of a part; gone once the gateway has asked for it again."""
    said: dict[Part, str] = field(default_factory=dict)
    refused: dict[Part, str] = field(default_factory=dict)
    """What it did not take: it is sent again only after a pause."""
    looked: Cursor | None = None
    """The newest configuration of which it was asked whether the gateway runs it."""


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
        self._known: OrderedDict[UUID, Known] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()
        self._nonces = itertools.count()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer POST /v3/discovery:<kind>: the resources, or 304 when they are the same."""
        caller = request[CONTEXT].caller
        asked = Poll.of(request.match_info["kind"], await request.read())
        # aiohttp keeps it as long as the request, of which an Envoy has twenty held.
        request._read_bytes = b""  # noqa: SLF001
        served = await self._served(caller, asked)
        offered = await self._current(caller, served)
        known = self._gateway(caller)
        found = self._find(offered, asked)  # of what is not there nothing is remembered
        heard = self._hear(caller, served, offered, known, asked)
        if not self._is_due(known, asked, found) and not self._app.stopping.is_set():
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

    def _gateway(self, caller: Caller) -> Known:
        assert caller.gateway_id is not None  # _served refuses others
        known = self._known.setdefault(caller.gateway_id, Known())
        self._known.move_to_end(caller.gateway_id)
        if len(self._known) > GATEWAYS:
            self._known.popitem(last=False)
        return known

    def _find(self, offered: Offered, asked: Poll) -> Resources:
        if asked.part[0] == LISTENERS.word:
            return _listeners(asked.host, asked.port)
        found = offered.parts.get(asked.part)
        if found is None:
            raise web.HTTPNotFound(text="There is no such resource.")
        return found

    def _is_due(self, known: Known, asked: Poll, found: Resources) -> bool:
        """Tell whether to send now: something else than it runs, and that it has not refused.

        What it refused it is sent again only after a pause, or it would ask ten times a second.
        """
        return found.version not in {asked.version, known.refused.get(asked.part)}

    async def _wait(self, caller: Caller, offered: Offered, asked: Poll) -> None:
        with self._places.one(caller.actor):
            await offered.changed(asked.part, HOLD_S)

    def _hear(
        self, caller: Caller, served: Served, offered: Offered, known: Known, asked: Poll
    ) -> "asyncio.Future[EnvoyRuns] | None":
        """Take in which version of a part a gateway runs; return what will be known by that."""
        part = asked.part
        sent = known.sent.pop(part, None)
        # Under yet another version it was told by another process of what came later.
        if sent and sent.version != asked.version and sent.before == asked.said and not sent.lost:
            known.refused[part] = sent.version
            self._tell_refused(caller, offered, asked)
        # What it runs comes back, under another position: only "" is said of different things.
        is_known = asked.said and known.said.get(part) == asked.said
        if is_known and known.looked == offered.newest:
            return None
        try:
            observations = self._delivery.observations
            runs = observations.runs_part(caller, asked.what, asked.version, *asked.held)
        except UnavailableError as error:  # the next poll says it again
            log.warning("xds.not_written_down", error=str(error))
            return None
        known.said[part], known.looked = asked.said, offered.newest
        self._tell(self._acknowledge(caller, served, offered, known, runs))
        return runs

    async def _acknowledge(
        self,
        caller: Caller,
        served: Served,
        offered: Offered,
        known: Known,
        said: "asyncio.Future[EnvoyRuns]",
    ) -> None:
        """Write down which configuration a gateway runs, once it says so of all parts."""
        try:
            runs = await said
        except UnavailableError:
            known.said, known.looked = {}, None
            raise
        former = runs.acknowledged
        if former is not None and offered.is_behind(former):
            return  # what is the same for an Envoy may have a newer name elsewhere
        versions = {
            (word, name): version
            for part, version in runs.versions.items()
            for word, _, name in (part.partition(" "),)
        }
        found = offered.rendering(versions)
        if found is not None and found.cursor != former:
            await self._delivery.observations.acknowledged(
                caller, served, found.cursor, found.content_hash
            )

    def _tell_refused(self, caller: Caller, offered: Offered, asked: Poll) -> None:
        _REFUSED.inc()
        what = asked.what
        log.error("xds.refused", gateway=str(caller.gateway_id), what=what, runs=asked.version)
        cursor = offered.renderings[-1].cursor
        reason = f"Envoy does not take {what} and keeps version {asked.version}; its log says why."
        self._tell(self._delivery.observations.rejected(caller, cursor, reason))

    def _tell(self, said: Coroutine[None, None, object]) -> None:
        """Have something written down; nobody waits for it."""

        async def tell() -> None:
            try:
                await said
            except UnavailableError as error:
                log.warning("xds.not_written_down", error=str(error))

        task = asyncio.create_task(tell(), name="xds")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


@lru_cache(maxsize=ADDRESSES)
def _listeners(host: str, port: int) -> Resources:
    return envoy.listeners(replace(SITE, listen_host=host, listen_port=port))
