"""Who may have which configuration, and the long poll that hands it out."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from weakref import ReferenceType, ref

import orjson
from aiohttp import hdrs, web
from multidict import CIMultiDict
from prometheus_client import Counter

from controlplane.app import App
from controlplane.auth import NotAuthenticatedError, bearer
from controlplane.commands import NotFoundError, NotPermittedError
from controlplane.context import Caller
from controlplane.gateway.coding import IDENTITY, encoded
from controlplane.gateway.crowd import WAITERS, Crowds, Held
from controlplane.gateway.document import Document, delta, size_bytes, snapshot
from controlplane.gateway.keyring import Keyring, Ring
from controlplane.gateway.mirror import Encoded, Served
from controlplane.gateway.observations import Observations
from controlplane.gateway.poll import Poll, Tag
from controlplane.gateway.unchanged import Unchanged, head_of, takes_it
from controlplane.http import CONTEXT, request_ids
from domain.aggregate import Aggregate, DomainError
from domain.cursor import Cursor
from domain.gateway import Gateway

TOLD_AT_ONCE = 50
"""Of a crowd so many are written to before others have their turn."""
TOLD_BYTES = 32 * 2**10
"""More than this may fill a connection: each of a crowd then waits for its own client only."""
ENCODED = 64
ISSUE_S = 60
"""How long bytes are used again: `issued_at` is at most so old when it is sent."""
PATH = "/gateway/v1/config"
POLLS_KEPT = 10_000
"""Polls that found nothing new: a gateway sends the same one until something is."""
POLL_CHARS = 500
"""A longer one is not kept."""
_304 = web.HTTPNotModified.status_code

POLLS = Counter(
    "controlplane_gateway_polls_total",
    "Configuration polls by what they were answered.",
    ["answer"],
)
_NOT_MODIFIED, _SNAPSHOT, _DELTA = map(POLLS.labels, ("not_modified", "snapshot", "delta"))


class GroupMissingError(DomainError):
    """Name the gateway group: only the token of a gateway belongs to one."""


class _Told(NamedTuple):
    """That a poll found nothing new, and what would have to change for it to find something."""

    caller: Caller
    gateway: Aggregate | None
    served: "ReferenceType[Served]"
    """A view that another took the place of would be kept as long as the poll."""
    cursor: int
    ring: Ring
    headers: CIMultiDict[str]
    head: bytes
    """The same, as it is sent."""


class Delivery:
    """Hands configurations out to gateways; one of it serves a process."""

    def __init__(self, app: App, waiters: int = WAITERS) -> None:
        """Hold at most so many polls at once."""
        self._app = app
        self._crowds = Crowds(waiters, self._tell)
        self._told: OrderedDict[tuple[str, str, str], _Told] = OrderedDict()
        self._new_id = request_ids(app)
        self.mirrors = app.mirrors
        self.keyring = Keyring(app.services)
        self.observations = Observations(app)

    @property
    def waiting(self) -> int:
        """How many polls are held."""
        return self._crowds.waiting

    async def poll(self, request: web.Request) -> web.Response:
        """Answer GET /gateway/v1/config: a snapshot, a delta, or 304 when nothing is new."""
        caller = request[CONTEXT].caller
        if caller.role is None:
            raise NotAuthenticatedError
        ring = await self.keyring.ring()
        asked = Poll.of(request)
        try:
            served = await self.served(caller, asked.group, asked.held)
        except GroupMissingError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        has = asked.has(self._tag(served, ring))
        if asked.wait_s and has and not self._app.stopping.is_set():
            held = Held(request, asked, caller, self._gateway(caller))
            await self._crowds.wait(held, served)
            if held.sent is not None:
                return held.sent
            # The token may be what was revoked, or the gateway was drained.
            again = await self._app.authenticated(bearer(request.headers.get("Authorization")))
            if again is not caller or not self._stands(again, held.gateway, served):
                served = await self.served(again, asked.group, asked.held)
            caller = again
        tag = self._tag(served, ring)
        if asked.has(tag):
            _NOT_MODIFIED.inc()
            headers = CIMultiDict(_headers(tag))
            if not asked.wait_s:
                self._remember(request, caller, served, ring, headers)
            return web.Response(status=_304, headers=headers)
        answer = await self._encoded(caller, served, asked, ring)
        (_SNAPSHOT if answer.full else _DELTA).inc()
        return web.Response(body=answer.body, headers=answer.headers)

    async def keys(self, _: web.Request) -> web.Response:
        """Answer GET /gateway/v1/keys: the keys to trust now and next, for whoever asks."""
        jwks = (await self.keyring.ring()).jwks
        return web.Response(
            body=orjson.dumps({"keys": jwks}),
            headers={
                "Content-Type": "application/jwk-set+json",
                "Cache-Control": f"public, max-age={ISSUE_S}",
            },
        )

    def again(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Return 304 if the same poll was answered so and nothing has changed since, else None.

        This is what nearly every poll comes to, so it is asked before a request is routed.
        """
        headers = request.headers
        tag, path = headers.get(hdrs.IF_NONE_MATCH), request.raw_path
        if tag is None or not path.startswith(PATH) or request.method != hdrs.METH_GET:
            return None
        scheme, _, token = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        unusual = scheme != "Bearer" or "X-Request-Id" in headers or hdrs.EXPECT in headers
        if unusual or request.body_exists or self._app.stopping.is_set():
            return None
        caller = self._app.known(token)
        if caller is None:
            return None
        told = self._told.get((caller.actor, path, tag))
        if (
            told is None
            or (served := told.served()) is None
            or told.caller is not caller  # it is another one once the token has changed
            or told.cursor != served.view.cursor
            or told.ring is not self.keyring.at_hand()
            or not self._stands(caller, told.gateway, served)
        ):
            return None
        self.observations.heard(caller)
        _NOT_MODIFIED.inc()
        if takes_it(request):
            return Unchanged(told.head, self._new_id())
        response = web.Response(status=_304, headers=told.headers)
        response.headers["X-Request-Id"] = self._new_id()
        return response

    def _gateway(self, caller: Caller) -> Aggregate | None:
        """Return the gateway that asks, as it is at hand."""
        id_ = caller.gateway_id
        return None if id_ is None else self._app.services.store.at_hand(id_)

    def _stands(self, caller: Caller, gateway: Aggregate | None, served: Served) -> bool:
        """Tell whether a caller who was served a view still is: nobody has to be asked for it."""
        return self._is_same(caller, gateway) and self.mirrors.is_current(
            caller.organization_id, served
        )

    def _is_same(self, caller: Caller, gateway: Aggregate | None) -> bool:
        """Tell whether the gateway that asked, if it was one, is as it was."""
        return (gateway is not None or caller.gateway_id is None) and self._gateway(
            caller
        ) is gateway

    def _remember(
        self,
        request: web.Request,
        caller: Caller,
        served: Served,
        ring: Ring,
        headers: CIMultiDict[str],
    ) -> None:
        tag = request.headers.get("If-None-Match", "")
        if len(tag) + len(request.raw_path) > POLL_CHARS:
            return
        self._told[caller.actor, request.raw_path, tag] = _Told(
            *(caller, self._gateway(caller), ref(served), served.view.cursor, ring),
            headers=headers.copy(),
            head=head_of(headers),
        )
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

        It is signed. Raises UnavailableError.
        """
        return self._signed(await self._unsigned(caller, served, since), await self.keyring.ring())

    def _signed(self, document: Document, ring: Ring) -> Document:
        return replace(document, head=ring.signed(document.head))

    async def _unsigned(self, caller: Caller, served: Served, since: Cursor | None) -> Document:
        app, now = self._app, self._app.services.now
        if since is not None and since.epoch == app.epoch:
            changes = await self.mirrors.changes(caller.organization_id, served, since.position)
            if changes is not None and size_bytes(changes) <= served.view.size_bytes:
                return delta(served.view, app.epoch, now(), since.position, changes)
        return snapshot(served.view, app.epoch, now())

    def is_current(self, served: Served, cursor: Cursor) -> bool:
        """Tell whether a cursor is that of the view as it is now."""
        return cursor == Cursor(self._app.epoch, served.view.cursor)

    def _tag(self, served: Served, ring: Ring) -> Tag:
        return Tag(Cursor(self._app.epoch, served.view.cursor), ring.id)

    async def _tell(self, served: Served, polls: Sequence[Held]) -> None:
        """Send those who waited for the same answer what has changed, if it is small."""
        ring = await self.keyring.ring()
        tag = self._tag(served, ring)
        due = [each for each in polls if not each.asked.has(tag)]
        if not due:  # the view is as it was: another one takes its place, or the process stops
            return
        answer = await self._encoded(due[0].caller, served, due[0].asked, ring)
        if len(answer.body) > TOLD_BYTES:
            return
        answered = _SNAPSHOT if answer.full else _DELTA
        for start in range(0, len(due), TOLD_AT_ONCE):
            for each in due[start : start + TOLD_AT_ONCE]:
                if self._may_be_told(each):
                    await each.send(answer)
                    answered.inc()
            await asyncio.sleep(0)

    def _may_be_told(self, held: Held) -> bool:
        """Tell whether who asked is let in still, and can be told at once: nobody is asked."""
        token = bearer(held.request.headers.get(hdrs.AUTHORIZATION)) or ""
        return (
            held.is_free
            and not self._app.stopping.is_set()  # which the answer would have to say
            and self._app.known(token) is held.caller
            and self._is_same(held.caller, held.gateway)
        )

    async def _encoded(self, caller: Caller, served: Served, asked: Poll, ring: Ring) -> Encoded:
        """Return the bytes of the answer; those who ask the same share them."""
        issued = int(self._app.services.now().timestamp()) // ISSUE_S
        same = (asked.since, asked.coding, ring.id, issued)
        task = served.encoded.get(same)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            if len(served.encoded) >= ENCODED:
                served.encoded = {}
            task = asyncio.create_task(self._encode(caller, served, asked, ring))
            served.encoded[same] = task
        return task.result() if task.done() else await asyncio.shield(task)

    async def _encode(self, caller: Caller, served: Served, asked: Poll, ring: Ring) -> Encoded:
        document = await self._unsigned(caller, served, asked.since)
        if document.head["full"] and asked.since is not None:  # there is one of it for everyone
            return await self._encoded(caller, served, replace(asked, since=None), ring)
        document = self._signed(document, ring)
        # Nothing was awaited since the rows were taken: the tag is theirs.
        tag, full = self._tag(served, ring), document.head["full"]
        written = await asyncio.to_thread(document.encode) if full else document.encode()
        body, coding = await encoded(written, asked.coding)
        coded = coding != IDENTITY
        headers = CIMultiDict(_headers(tag, f"-{coding}" if coded else ""))
        headers["Content-Type"] = "application/json"
        if coded:
            headers["Content-Encoding"] = coding
        return Encoded(tag, full, body, headers)


def _headers(tag: Tag, suffix: str = "") -> dict[str, str]:
    return {
        "ETag": f'"{tag}{suffix}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding",
    }
