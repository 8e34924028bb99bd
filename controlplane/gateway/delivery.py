"""Who may have which configuration, and the long poll that hands it out."""

import asyncio
import gzip
import re
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import hdrs, web
from multidict import CIMultiDict
from prometheus_client import Counter, Gauge

from controlplane.app import App
from controlplane.auth import NotAuthenticatedError, bearer
from controlplane.commands import NotFoundError, NotPermittedError
from controlplane.context import Caller
from controlplane.gateway.document import (
    Cursor,
    CursorInvalidError,
    Document,
    delta,
    size_bytes,
    snapshot,
)
from controlplane.gateway.mirror import Encoded, Served
from controlplane.gateway.observations import Observations
from controlplane.http import CONTEXT, request_ids
from domain.aggregate import Aggregate, DomainError
from domain.gateway import Gateway

WAITERS = 5_000
WAIT_MAX_S = 60
GZIP_FROM_BYTES = 1_400
GZIP_LEVEL = 1
INLINE_BYTES = 64 * 2**10
"""Up to this size a body is compressed at once, which takes less than a thread's round trip."""
ENCODED = 64
ISSUE_S = 60
"""How long bytes are used again: `issued_at` is at most so old when it is sent."""
PATH = "/gateway/v1/config"
POLLS_KEPT = 10_000
"""Polls that found nothing new: a gateway sends the same one until something is."""
POLL_CHARS = 500
"""A longer one is not kept."""
_304 = web.HTTPNotModified.status_code
_WAIT = re.compile(r"\d{1,2}(\.\d{1,3})?", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')

POLLS = Counter(
    "controlplane_gateway_polls_total",
    "Configuration polls by what they were answered.",
    ["answer"],
)
_NOT_MODIFIED, _SNAPSHOT, _DELTA = map(POLLS.labels, ("not_modified", "snapshot", "delta"))
WAITING = Gauge(
    "controlplane_gateway_waiting",
    "Polls that are held until the configuration changes.",
    multiprocess_mode="livesum",
)


class GroupMissingError(DomainError):
    """Name the gateway group: only the token of a gateway belongs to one."""


@dataclass(frozen=True)
class Poll:
    """What one poll asks."""

    group: str | None
    since: Cursor | None
    held: tuple[Cursor, ...]
    """The configurations that the client has, by its cursor and its ETags."""
    wait_s: float
    gzip: bool

    @classmethod
    def of(cls, request: web.Request) -> "Poll":
        """Read a request. Raises HTTPBadRequest."""
        query, headers = request.query, request.headers
        wait = query.get("wait", "0")
        if not _WAIT.fullmatch(wait) or float(wait) > WAIT_MAX_S:
            raise web.HTTPBadRequest(text=f"wait is 0 to {WAIT_MAX_S} seconds.")
        try:
            since = Cursor.parse(query["since"], "since") if "since" in query else None
        except CursorInvalidError as error:
            raise web.HTTPBadRequest(text=f"since: {error}") from None
        held = [] if since is None else [since]
        for tag in _ETAG.findall(headers.get("If-None-Match", "")):
            with suppress(CursorInvalidError):  # not one of ours: it matches nothing
                held.append(Cursor.parse(tag.removesuffix("-gzip"), "If-None-Match"))
        accepted = [
            part.partition(";") for part in headers.get("Accept-Encoding", "").lower().split(",")
        ]
        zipped = any(
            name.strip() == "gzip" and not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)
            for name, _, weight in accepted
        )
        return cls(query.get("group"), since, tuple(held), float(wait), zipped)


class _Told(NamedTuple):
    """That a poll found nothing new, and what would have to change for it to find something."""

    caller: Caller
    gateway: Aggregate | None
    served: Served
    cursor: int
    headers: CIMultiDict[str]


class Delivery:
    """Hands configurations out to gateways; one of it serves a process."""

    def __init__(self, app: App, waiters: int = WAITERS) -> None:
        """Hold at most so many polls at once."""
        self._app = app
        self._waiters = waiters
        self._waiting = 0
        self._told: OrderedDict[tuple[str, str, str], _Told] = OrderedDict()
        self._new_id = request_ids(app)
        self.mirrors = app.mirrors
        self.observations = Observations(app)

    @property
    def waiting(self) -> int:
        """How many polls are held."""
        return self._waiting

    async def poll(self, request: web.Request) -> web.Response:
        """Answer GET /gateway/v1/config: a snapshot, a delta, or 304 when nothing is new."""
        caller = request[CONTEXT].caller
        if caller.role is None:
            raise NotAuthenticatedError
        asked = Poll.of(request)
        try:
            served = await self.served(caller, asked.group, asked.held)
        except GroupMissingError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        if asked.wait_s and self._has(served, asked) and not self._app.stopping.is_set():
            await self._wait(served, asked.wait_s)
            # The token may be what was revoked.
            caller = await self._app.authenticated(bearer(request.headers.get("Authorization")))
            served = await self.served(caller, asked.group, asked.held)
        if self._has(served, asked):
            _NOT_MODIFIED.inc()
            headers = CIMultiDict(self._headers(served.view.cursor))
            if not asked.wait_s:
                self._remember(request, caller, served, headers)
            return web.Response(status=_304, headers=headers)
        encoded = await self._encoded(caller, served, asked)
        (_SNAPSHOT if encoded.full else _DELTA).inc()
        zipped = encoded.body[:2] == b"\x1f\x8b"
        return web.Response(
            body=encoded.body,
            headers={
                **self._headers(encoded.cursor, "-gzip" if zipped else ""),
                **({"Content-Encoding": "gzip"} if zipped else {}),
                "Content-Type": "application/json",
                "Vary": "Accept-Encoding",
            },
        )

    def again(self, request: web.BaseRequest) -> web.Response | None:
        """Return 304 if the same poll was answered so and nothing has changed since, else None.

        This is what nearly every poll comes to, so it is asked before a request is routed.
        """
        headers = request.headers
        tag, path = headers.get(hdrs.IF_NONE_MATCH), request.raw_path
        if tag is None or not path.startswith(PATH) or request.method != hdrs.METH_GET:
            return None
        token = headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")
        unusual = "X-Request-Id" in headers or hdrs.EXPECT in headers or request.body_exists
        caller = None if unusual or self._app.stopping.is_set() else self._app.known(token)
        if caller is None:
            return None
        told = self._told.get((caller.actor, path, tag))
        if (
            told is None
            or told.caller is not caller  # it is another one once the token has changed
            or told.cursor != told.served.view.cursor
            or not self.mirrors.is_current(caller.organization_id, told.served)
            or (
                caller.gateway_id is not None
                and self._app.services.store.at_hand(caller.gateway_id) is not told.gateway
            )
        ):
            return None
        self.observations.heard(caller)
        _NOT_MODIFIED.inc()
        response = web.Response(status=_304, headers=told.headers)
        response.headers["X-Request-Id"] = self._new_id()
        return response

    def _remember(
        self, request: web.Request, caller: Caller, served: Served, headers: CIMultiDict[str]
    ) -> None:
        tag = request.headers.get("If-None-Match", "")
        if len(tag) + len(request.raw_path) > POLL_CHARS:
            return
        at_hand = self._app.services.store.at_hand
        gateway = None if caller.gateway_id is None else at_hand(caller.gateway_id)
        told = _Told(caller, gateway, served, served.view.cursor, headers.copy())
        self._told[caller.actor, request.raw_path, tag] = told
        if len(self._told) > POLLS_KEPT:
            self._told.popitem(last=False)

    async def served(self, caller: Caller, slug: str | None, held: tuple[Cursor, ...]) -> Served:
        """Return the group's view that a caller may see, no older than what it holds.

        Raises NotPermittedError, NotFoundError, GroupMissingError, UnavailableError,
        ReadModelsBehindError.
        """
        if "config:read" not in caller.permissions:
            raise NotPermittedError(None, "It needs config:read.")
        organization_id, group_id = caller.organization_id, None
        if caller.gateway_id is not None:
            gateway = await self._app.services.store.load(caller.gateway_id)
            if not isinstance(gateway, Gateway) or gateway.organization != caller.organization:
                raise NotFoundError("group")
            if gateway.drained:
                raise NotPermittedError(None, "The gateway is drained.")
            group_id = str(gateway.group_id)
            self.observations.heard(caller)
        elif slug is None:
            raise GroupMissingError("group")
        known = [each.position for each in held if each.epoch == self._app.epoch]
        if known:
            await self.mirrors.catch_up(organization_id, max(known))
        return await self.mirrors.served(organization_id, group_id, slug)

    async def document(self, caller: Caller, served: Served, since: Cursor | None) -> Document:
        """Return what a gateway with a cursor needs: a delta if that is smaller, or a snapshot.

        Raises UnavailableError.
        """
        app, now = self._app, self._app.services.now
        if since is not None and since.epoch == app.epoch:
            changes = await self.mirrors.changes(caller.organization_id, served, since.position)
            if changes is not None and size_bytes(changes) <= served.view.size_bytes:
                return delta(served.view, app.epoch, now(), since.position, changes)
        return snapshot(served.view, app.epoch, now())

    def is_current(self, served: Served, cursor: Cursor) -> bool:
        """Tell whether a cursor is that of the view as it is now."""
        return cursor == Cursor(self._app.epoch, served.view.cursor)

    def _has(self, served: Served, asked: Poll) -> bool:
        return any(self.is_current(served, cursor) for cursor in asked.held)

    def _headers(self, position: int, suffix: str = "") -> dict[str, str]:
        etag = f'"{Cursor(self._app.epoch, position)}{suffix}"'
        return {"ETag": etag, "Cache-Control": "private, no-cache"}

    async def _wait(self, served: Served, wait_s: float) -> None:
        """Wait until the view changes, the process stops, or the time is over."""
        if self._waiting >= self._waiters:
            raise web.HTTPServiceUnavailable(text="Too many polls are held; poll without waiting.")
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        served.waiters.add(woken)
        self._waiting += 1
        WAITING.inc()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await woken
        finally:
            served.waiters.discard(woken)
            self._waiting -= 1
            WAITING.dec()

    async def _encoded(self, caller: Caller, served: Served, asked: Poll) -> Encoded:
        """Return the bytes of the answer; those who ask the same share them."""
        issued = int(self._app.services.now().timestamp()) // ISSUE_S
        same = (asked.since, asked.gzip, issued)
        task = served.encoded.get(same)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            if len(served.encoded) >= ENCODED:
                served.encoded = {}
            task = asyncio.create_task(self._encode(caller, served, asked))
            served.encoded[same] = task
        return await asyncio.shield(task)

    async def _encode(self, caller: Caller, served: Served, asked: Poll) -> Encoded:
        document = await self.document(caller, served, asked.since)
        cursor, full, body = served.view.cursor, document.head["full"], document.encode()
        if asked.gzip and len(body) >= GZIP_FROM_BYTES:
            if len(body) <= INLINE_BYTES:
                body = gzip.compress(body, GZIP_LEVEL, mtime=0)
            else:
                body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL, mtime=0)
        return Encoded(cursor, full, body)
