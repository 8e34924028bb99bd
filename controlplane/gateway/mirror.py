"""The live configuration of one organization in memory, and who waits for it to change.

A mirror is loaded once and then follows the read model by range queries, so that what a gateway
asks again and again costs no SQL. It only ever moves forward to a state that the database had.
"""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable
from typing import NamedTuple
from uuid import UUID

from multidict import CIMultiDict

from controlplane.commands import NotFoundError
from controlplane.gateway.group import (
    Group,
    Interval,
    Key,
    Live,
    View,
    difference,
    last_change,
    look_through,
    moved,
)
from controlplane.gateway.poll import Tag
from controlplane.gateway.recent import Recent
from domain.routing import GROUP, PRODUCT

LOGGED = 20_000
"""Changes that a mirror remembers: deltas since then need no SQL."""

MOVED = 10_000
"""Of more rows than these a view is not changed, in about 100 ms, but made anew in a thread."""
WOKEN_AT_ONCE = 50


class Encoded(NamedTuple):
    """A document as it is sent, with what its ETag names."""

    tag: Tag
    full: bool
    body: bytes
    headers: CIMultiDict[str]


class Served:
    """A group's view with those who wait for it, and the bytes made of it since it changed."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.waiters: set[asyncio.Future[None]] = set()
        self.encoded: dict[Hashable, asyncio.Task[Encoded]] = {}

    @property
    def in_use(self) -> bool:
        """Whether somebody waits for it to change."""
        return bool(self.waiters)

    def wake(self) -> None:
        """Have everyone who waits look again."""
        self.encoded = {}
        wake(list(self.waiters))


def wake(waiters: list[asyncio.Future[None]]) -> None:
    """Wake some, and the others after these have had their turn."""
    for waiter in waiters[-WOKEN_AT_ONCE:]:
        if not waiter.done():
            waiter.set_result(None)
    del waiters[-WOKEN_AT_ONCE:]
    if waiters:
        asyncio.get_running_loop().call_soon(wake, waiters)


class Mirror:
    """The rows of one organization, complete up to a position."""

    def __init__(self, organization_id: UUID, position: int, live: Live) -> None:
        self.organization_id = organization_id
        self.position = position
        self.live = live
        self.checked_to = -1
        """The projector's position at which this was last known to be complete."""
        self.lock = asyncio.Lock()
        self.served: Recent[str, Served] = Recent("groups")
        self._log: deque[Interval] = deque()
        self._logged_from = position
        self._groups: dict[str, Group] = {}
        self._group_ids = {
            Group(row).slug: row.key[1] for row in live.rows.values() if row.key[0] == GROUP
        }

    @property
    def in_use(self) -> bool:
        """Whether somebody waits for one of its groups."""
        return any(served.in_use for served in self.served.values())

    def wake(self) -> None:
        """Have everyone who waits look again."""
        for served in self.served.values():
            served.wake()

    def group(self, id_: str | None, slug: str | None) -> Group:
        """Return the group by its id or its slug, or that of its id if the slug is its own.

        Raises NotFoundError.
        """
        if id_ is None:
            id_ = self._group_ids.get(slug or "")
        row = self.live.rows.get((GROUP, id_ or ""))
        if row is None:
            raise NotFoundError("group")
        group = self._groups.get(row.key[1])
        if group is None or group.row is not row:
            group = self._groups[row.key[1]] = Group(row)
        if slug not in {None, group.slug}:
            raise NotFoundError("group")
        return group

    def advance(self, intervals: Iterable[Interval], position: int) -> None:
        """Take in what began or ended since the last time, up to a position; wake who waits."""
        intervals = [each for each in intervals if self._is_news(each)]
        earlier = {each.key: self.live.rows.get(each.key) for each in intervals}
        # Before the rows change: look_through asks them only for what did not.
        look_at = look_through(intervals, self.live)
        for key in earlier:
            self.live.drop(key)
        for each in intervals:
            if each.until_position is None:
                self.live.put(each)
                if each.key[0] == GROUP:
                    self._group_ids[Group(each).slug] = each.key[1]
        is_long = moved(earlier, self.live) > MOVED
        for served in self.served.values():
            id_ = served.view.group.id
            if is_long or (GROUP, id_) in earlier or self._ends(earlier, served.view.group):
                # Another group now, one to decide about, or much: whoever asks next has it made.
                self.served.drop(id_, served)
                served.wake()
                continue
            view = served.view
            view.change(difference(view.group, self.live, earlier))
            cursor = last_change(view.group, intervals, look_at, self.position)
            if cursor > self.position:
                view.cursor = cursor
                served.wake()
        self.position = max(self.position, position)
        self._remember(intervals)

    def _ends(self, changed: Iterable[Key], group: Group) -> bool:
        """Tell whether a product of a group ended, or one moved whose end is held back."""
        return any(
            key[0] == PRODUCT
            and (key in group.withheld or (key not in self.live.rows and group.serves(key[1])))
            for key in changed
        )

    def since(self, position: int) -> list[Interval] | None:
        """Return what began or ended after a position, None if it is not remembered."""
        if position < self._logged_from:
            return None
        return [
            each
            for each in self._log
            if each.from_position > position or (each.until_position or 0) > position
        ]

    def _is_news(self, each: Interval) -> bool:
        return each.from_position > self.position or (each.until_position or 0) > self.position

    def _remember(self, intervals: Iterable[Interval]) -> None:
        self._log.extend(
            sorted(intervals, key=lambda each: each.until_position or each.from_position)
        )
        while len(self._log) > LOGGED:
            gone = self._log.popleft()
            self._logged_from = gone.until_position or gone.from_position
