"""What the Envoys of one gateway group are offered: rendered when something changed, then checked.

A part that is rendered wrong is never offered: what was offered before stays, with an alarm.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import orjson
import structlog
from prometheus_client import Counter

from controlplane.gateway.group import Changes
from controlplane.gateway.mirror import Served
from controlplane.gateway.renderers import Memo, RenderedInvalidError, Site, envoy
from controlplane.gateway.renderers.envoy_keys import SHARDS
from controlplane.gateway.renderers.envoy_resource import LISTENERS, Resources
from domain.cursor import Cursor
from domain.routing import LISTS, SUBSCRIPTION, Body
from domain.unserved import Unserved

log = structlog.get_logger()
INLINE_ROWS = 2_000
"""So many rows are rendered at once, in about 10 ms; more of them in a thread."""
UNSERVED = 20
"""So many of what Envoy will not serve are logged when that changes."""
RENDERINGS = 500
"""Renderings that are remembered: what a gateway says it runs is one of them."""

WRONG = Counter(
    "controlplane_gateway_rendered_wrong_total",
    "What was rendered wrong and not offered; what was before stays.",
    ["vendor"],
)
_WRONG = WRONG.labels(envoy.VENDOR)
Find: TypeAlias = Callable[[Served, int], Awaitable[Changes | None]]
"""How a view differs from what it was at a position; None if that is a long story."""
Part: TypeAlias = tuple[str, str]
"""The word and the name of what is polled for itself."""


class Rendering(NamedTuple):
    """Which version each part had in what was rendered of a configuration."""

    cursor: Cursor
    content_hash: str
    versions: Mapping[Part, str]


class Offered:
    """The resources of a group, and who waits for one of them to change."""

    def __init__(self, epoch: int, site: Site) -> None:
        self._epoch = epoch
        self._site = site
        self._memo = Memo()
        self._rows: dict[str, dict[str, Body]] = {name: {} for name in LISTS.values()}
        self._lock = asyncio.Lock()
        self._seen = (0, "")
        """Cursor and hash of the view that was rendered last, also if that went wrong."""
        self._cursor: Cursor | None = None
        self._unserved: tuple[Unserved, ...] = ()
        self.at = Cursor(epoch, 0)
        """The state that the parts are of."""
        self.parts: Mapping[Part, Resources] = {}
        self.renderings: deque[Rendering] = deque(maxlen=RENDERINGS)
        self._waiters: dict[Part, set[asyncio.Future[None]]] = {}
        self.following: asyncio.Task[None] | None = None
        """What refreshes it whenever the group changes."""

    async def refresh(self, served: Served, changes: Find) -> None:
        """Offer what a view says, if that is something else; `changes` finds what is.

        Raises UnavailableError.
        """
        if (served.view.cursor, served.view.content_hash) != self._seen:
            # Whoever asked may be gone before it is made; the others wait for it.
            await asyncio.shield(self._refresh(served, changes))

    async def _refresh(self, served: Served, changes: Find) -> None:
        async with self._lock:
            changed = None
            if self._cursor is not None:
                changed = await changes(served, self._cursor.position)
            # Nothing is awaited before the view is read: it and the changes are of one moment.
            view = served.view
            if changed is None:
                self._rows = {name: {} for name in LISTS.values()}
                changed, self._memo.changed = dict(view.rows), None
            else:
                self._memo.changed = {}
            self._seen = (view.cursor, view.content_hash)
            cursor = self._cursor = Cursor(self._epoch, view.cursor)
            content_hash, head = view.content_hash, view.group.head
            try:
                if _encoded_anew(changed, len(view.rows)) <= INLINE_ROWS:
                    parts = self._rendered(head, changed)
                else:
                    parts = await asyncio.to_thread(self._rendered, head, changed)
            except Exception as error:  # noqa: BLE001  # what was offered stays, whatever went wrong
                why = error.reason if isinstance(error, RenderedInvalidError) else "it failed"
                self._refuse("everything", why, exc_info=error)
                self._cursor = None  # next time everything is rendered anew
            else:
                self._offer(parts, cursor, content_hash)

    def _rendered(self, head: Body, changed: Changes) -> dict[Part, Resources | None]:
        """Return the parts, None for those that are wrong. Raises RenderedInvalidError."""
        subscriptions: dict[str, Body | None] = {}
        for (kind, id_), row in changed.items():
            rows = self._rows[LISTS[kind]]
            if row is None:
                rows.pop(id_, None)
            else:
                rows[id_] = orjson.loads(row.body)
            if kind == SUBSCRIPTION:
                subscriptions[id_] = rows.get(id_)
        if self._memo.changed is not None:
            self._memo.changed = subscriptions
        lists = {name: rows.values() for name, rows in self._rows.items()}
        snapshot = {"group": head, "intentionally_empty": not any(lists.values()), **lists}
        rendered = envoy.render(snapshot, self._site, self._memo)
        if rendered.unserved != self._unserved:
            self._unserved = rendered.unserved
            for each in rendered.unserved[:UNSERVED]:
                log.warning("gateway.unserved", vendor=envoy.VENDOR, **vars(each))
            if not rendered.unserved:
                log.info("gateway.all_served", vendor=envoy.VENDOR)
        return {part: self._checked(part, each) for part, each in rendered.resources.items()}

    def _checked(self, part: Part, each: Resources) -> Resources | None:
        """Return resources that Envoy can read; what was offered before, it could."""
        if self.parts.get(part) is not each:
            try:
                envoy.check(each.file, orjson.loads(each.content))
            except RenderedInvalidError as error:
                self._refuse(each.file, error.reason)
                return None
        return each

    def _offer(
        self, rendered: Mapping[Part, Resources | None], cursor: Cursor, content_hash: str
    ) -> None:
        """Offer what is right. A key that was revoked is, whatever is wrong with a route."""
        parts = {part: each or self.parts.get(part) for part, each in rendered.items()}
        if None in parts.values():  # nothing right was there before: a gateway would be without
            return
        self.at = cursor
        earlier, self.parts = self.parts, {part: each for part, each in parts.items() if each}
        if None not in rendered.values():
            versions = {part: each.version for part, each in self.parts.items()}
            self.renderings.append(Rendering(cursor, content_hash, versions))
        changed = [
            part
            for part, each in self.parts.items()
            if part not in earlier or earlier[part].version != each.version
        ]
        # If nothing did, they are made to ask for something: by that they say that they run this.
        for part in changed or list(self.parts)[:1]:
            self.wake(part)

    def _refuse(self, what: str, why: str, exc_info: Exception | None = None) -> None:
        _WRONG.inc()
        log.error(
            "gateway.rendered_wrong", vendor=envoy.VENDOR, what=what, why=why, exc_info=exc_info
        )

    @property
    def newest(self) -> Cursor | None:
        """The configuration that was rendered last."""
        return self.renderings[-1].cursor if self.renderings else None

    def is_behind(self, cursor: Cursor) -> bool:
        """Whether another process has rendered what this one has not come to."""
        newest = self.newest
        return newest is None or (
            newest.epoch == cursor.epoch and newest.position < cursor.position
        )

    def rendering(self, runs: Mapping[Part, str]) -> Rendering | None:
        """Return the newest of which these are the parts; the listener is that of a site."""
        for rendering in reversed(self.renderings):
            if all(
                runs.get(part) == version
                for part, version in rendering.versions.items()
                if part[0] != LISTENERS.word
            ):
                return rendering
        return None

    async def changed(self, part: Part, limit_s: float) -> None:
        """Wait until a part has changed, or the time is over."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(part, set())
        waiters.add(woken)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await woken
        finally:
            waiters.discard(woken)

    def wake(self, part: Part) -> None:
        """Have everyone who waits for a part look again."""
        for waiter in self._waiters.get(part, ()):
            if not waiter.done():
                waiter.set_result(None)

    def wake_all(self) -> None:
        """Have everyone look again."""
        for part in self._waiters:
            self.wake(part)

    @property
    def in_use(self) -> bool:
        """Whether somebody waits."""
        return any(self._waiters.values())


def _encoded_anew(changed: Changes, rows: int) -> int:
    """Return how many rows are in what a change has made anew: a script has a share of the keys."""
    only_keys = all(kind == SUBSCRIPTION for kind, _ in changed)
    scripts = min(len(changed), len(SHARDS)) if only_keys else len(SHARDS)
    return rows * scripts // len(SHARDS)
