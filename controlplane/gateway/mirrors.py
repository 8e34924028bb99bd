"""What gateways are answered from: a mirror of each organization, made when first asked for."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID
from weakref import WeakValueDictionary

from controlplane.commands import NotFoundError
from controlplane.gateway import rows, withholding
from controlplane.gateway.fitting import fits
from controlplane.gateway.following import Following
from controlplane.gateway.group import (
    Changes,
    Group,
    Live,
    View,
    before,
    changes_of,
    difference_within,
    interval,
    look_through,
)
from controlplane.gateway.holds import Holds
from controlplane.gateway.mirror import Mirror, Served
from controlplane.gateway.recent import Recent
from controlplane.store.eventstore import head
from controlplane.store.projector import ReadModelsBehindError
from domain.routing import GROUP

if TYPE_CHECKING:
    from controlplane.app import App

CHANGES = 10_000
"""Of so many rows it is worked out how and when they changed for a group, in about 50 ms."""
TRIES = 5
"""How often a mirror is made anew that is dropped while it is made."""


class Mirrors:
    """The mirrors of one process."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._mirrors: Recent[UUID, Mirror] = Recent("organizations")
        self._loading: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._following = Following(app, self._mirrors)
        self._holds = Holds(app)

    async def mirror(self, organization_id: UUID) -> Mirror:
        """Return the rows of an organization, loaded if need be. Raises what `served` raises."""
        self._following.begin()
        found = self._mirrors.get(organization_id)
        if found is None:
            async with self._loading.setdefault(organization_id, asyncio.Lock()):
                found = self._mirrors.get(organization_id)
                if found is None:
                    self._mirrors.make_room()
                    found = await self._load(organization_id)
                    self._mirrors.put(organization_id, found)
        return found

    async def served(self, organization_id: UUID, id_: str | None, slug: str | None) -> Served:
        """Return the view of a group by its id or slug, or by its id if the slug is its own.

        Who then waits for it must begin to before awaiting anything else. Raises NotFoundError,
        ReadModelsBehindError, UnavailableError, of which NoRoomError is one.
        """
        with self._mirrors.asking(organization_id):
            for _ in range(TRIES):
                mirror = await self.mirror(organization_id)
                if mirror.checked_to < self._app.projector.position:
                    await self._following.until_checked(mirror)
                found = await self._served(mirror, await self._group(mirror, id_, slug))
                # Neither may have been dropped meanwhile: nobody would wake who waits for it.
                if self._serves(organization_id, found):
                    return found
        raise ReadModelsBehindError

    async def _group(self, mirror: Mirror, id_: str | None, slug: str | None) -> Group:
        try:
            return mirror.group(id_, slug)
        except NotFoundError:  # it may be newer than the mirror, or than the read model
            async with self._app.services.lend() as connection:
                last = await head(connection)
            await self._app.projector.wait_until(last)
            await self._following.refresh(mirror)
            return mirror.group(id_, slug)

    async def _served(self, mirror: Mirror, group: Group) -> Served:
        found = mirror.served.get(group.id)
        if found is None:
            async with mirror.lock:
                found = mirror.served.get(group.id)
                if found is None:
                    mirror.served.make_room()
                    found = Served(await self._view(mirror, group))
                    mirror.served.put(group.id, found)
        return found

    async def catch_up(self, organization_id: UUID, position: int) -> None:
        """Take in what there is, if a gateway knows of a position that we do not.

        Another process told it. Raises UnavailableError.
        """
        mirror = await self.mirror(organization_id)
        if position > mirror.position:
            await self._following.refresh(mirror)

    async def changes(self, organization_id: UUID, served: Served, since: int) -> Changes | None:
        """Return how a view differs from that at a position; None if that is a long story.

        Raises UnavailableError.
        """
        mirror, view = await self.mirror(organization_id), served.view
        if not view.group.from_position <= since <= mirror.position:
            return None
        intervals = mirror.since(since)
        if intervals is None:
            async with self._app.services.lend() as connection:
                intervals = await rows.changed_since(connection, organization_id, since)
        if intervals is None or not self._serves(organization_id, served):
            return None
        # Nothing is awaited from here on: the view and the rows are of one moment.
        return difference_within(CHANGES, view.group, mirror.live, before(intervals, since))

    async def changed_at(
        self, organization_id: UUID, group_id: str, since: int
    ) -> list[int] | None:
        """Return the positions at which a group changed after one, first to last.

        None if more than CHANGES rows of the organization did. Raises NotFoundError,
        ReadModelsBehindError, UnavailableError.
        """
        served = await self.served(organization_id, group_id, None)
        mirror = await self.mirror(organization_id)
        found = mirror.since(since)
        if found is None:
            async with self._app.services.lend() as connection:
                found = await rows.changed_since(connection, organization_id, since, CHANGES)
        if found is None or len(found) > CHANGES or not self._serves(organization_id, served):
            return None
        # A row that began and has ended is remembered twice: once without its end.
        found.sort(key=lambda each: each.until_position is not None)
        intervals = list({(each.key, each.from_position): each for each in found}.values())
        look_at = look_through(intervals, mirror.live)
        return sorted(changes_of(served.view.group, intervals, look_at, since))

    def is_current(self, organization_id: UUID, served: Served) -> bool:
        """Tell whether a view is handed out as it is, complete up to what queries see."""
        mirror = self._mirrors.get(organization_id)
        return (
            mirror is not None
            and mirror.served.holds(served.view.group.id, served)
            and mirror.checked_to >= self._app.projector.position
        )

    def _serves(self, organization_id: UUID, served: Served) -> bool:
        mirror = self._mirrors.get(organization_id)
        return mirror is not None and mirror.served.holds(served.view.group.id, served)

    async def as_of(self, organization_id: UUID, group_id: str, position: int) -> View:
        """Return the view of a group as it was at a position.

        Raises NotFoundError when there was no such group then; UnavailableError.
        """
        async with self._app.services.lend() as connection:
            held = await rows.held_at(connection, organization_id, position)
            live = await asyncio.to_thread(_live, held)
            row = live.rows.get((GROUP, group_id))
            if row is None:
                raise NotFoundError("group")
            group = Group(row)
            found = await withholding.withheld(connection, organization_id, group, live, position)
            group.withhold([each.row for each in found])
            view = await asyncio.to_thread(View, group, live)
            view.cursor = await rows.cursor_of(connection, organization_id, view, live, position)
        return view

    async def _load(self, organization_id: UUID) -> Mirror:
        async with self._app.services.lend() as connection:
            last = await head(connection)
        await self._app.projector.wait_until(last)  # half of a history would be handed out as all
        projected = self._app.projector.position
        async with self._app.services.lend() as connection, rows.one_moment(connection):
            position = await rows.position_of(connection, organization_id)
            held = await rows.held_at(connection, organization_id, position)
        # In a thread: others are served while a hundred thousand rows are hashed.
        mirror = Mirror(organization_id, position, await asyncio.to_thread(_live, held))
        mirror.checked_to = projected
        return mirror

    async def _view(self, mirror: Mirror, group: Group) -> View:
        async with self._app.services.lend() as connection:
            await self._holds.decide(
                connection, mirror.organization_id, group, mirror.live, mirror.position
            )
        view = await asyncio.to_thread(View, group, mirror.live)
        async with self._app.services.lend() as connection:
            view.cursor = await rows.cursor_of(
                connection, mirror.organization_id, view, mirror.live, mirror.position
            )
        return view


def _live(held: Iterable[tuple[str, str, int, int | None, str]]) -> Live:
    # As if nothing had ended yet: what ends later is news when it does.
    return Live(
        interval(*row)._replace(until_position=None) for row in held if fits(row[0], row[1], row[4])
    )
