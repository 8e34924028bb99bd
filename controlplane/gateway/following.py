"""How the mirrors of a process follow the read model: woken by the projector, or by a poll."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from controlplane.gateway import rows, withholding
from controlplane.gateway.mirror import Mirror
from controlplane.gateway.recent import Recent
from controlplane.store import UnavailableError

if TYPE_CHECKING:
    from controlplane.app import App

log = structlog.get_logger()
POLL_S = 1.0
CHECK_S = 0.5


class Following:
    """Brings the mirrors of one process up to date, until it stops."""

    def __init__(self, app: "App", mirrors: Recent[UUID, Mirror]) -> None:
        self._app = app
        self._mirrors = mirrors
        self._woken = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._refreshing: dict[UUID, asyncio.Task[None]] = {}
        self._checked = asyncio.Event()

    def begin(self) -> None:
        """See to it that the mirrors follow."""
        if self._running is None or self._running.done():
            if self._woken.set not in self._app.projector.watchers:
                self._app.projector.watchers.append(self._woken.set)
            self._running = asyncio.create_task(self._run(), name="mirrors")

    async def until_checked(self, mirror: Mirror) -> None:
        """Wait a moment, if queries see what this process has yet to look for: all wait for one.

        When the database does not answer, what there is has to do.
        """
        position = self._app.projector.position
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_S):
                while mirror.checked_to < position:
                    await self._checked.wait()

    async def refresh(self, mirror: Mirror) -> None:
        """Take in what the read model has by now. Raises UnavailableError."""
        async with mirror.lock:
            async with self._app.services.lend() as connection, rows.one_moment(connection):
                position = await rows.position_of(connection, mirror.organization_id)
                if position <= mirror.position:
                    return
                intervals = await rows.changed_since(
                    connection, mirror.organization_id, mirror.position
                )
            if intervals is not None:
                mirror.advance(intervals, position)
                return
        self._drop(mirror)

    async def _run(self) -> None:
        """Refresh whatever moved, until the process stops; a failure is tried again."""
        while not self._app.stopping.is_set():
            try:
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
            except TimeoutError:  # the projector wakes, the poll guarantees
                pass
            self._woken.clear()
            try:
                await self._refresh_moved()
            except UnavailableError as error:
                log.warning("mirrors.database_away", error=str(error))
            except Exception:
                log.exception("mirrors.failed")
        for mirror in self._mirrors.values():
            mirror.wake()

    async def _refresh_moved(self) -> None:
        projected = self._app.projector.position
        known = {each.organization_id: each.position for each in self._mirrors.values()}
        if not known:
            return
        async with self._app.services.lend() as connection:
            moved = await connection.fetch(
                "SELECT organization_id FROM config_cursor"
                " JOIN unnest($1::uuid[], $2::bigint[]) AS known (organization_id, position)"
                " USING (organization_id) WHERE config_cursor.position > known.position",
                list(known),
                list(known.values()),
            )
        behind = {row["organization_id"] for row in moved}
        for mirror in self._mirrors.values():
            id_ = mirror.organization_id
            if id_ not in behind:
                if id_ in known:
                    mirror.checked_to = max(projected, mirror.checked_to)
            elif id_ not in self._refreshing:
                # Each for itself: a large organization holds up no other.
                self._refreshing[id_] = asyncio.create_task(
                    self._refresh_quietly(mirror, projected)
                )
        self._tell_checked()
        served = [each for mirror in self._mirrors.values() for each in mirror.served.values()]
        withholding.HELD_BACK.set(sum(len(each.view.group.withheld) for each in served))

    async def _refresh_quietly(self, mirror: Mirror, projected: int) -> None:
        try:
            await self.refresh(mirror)
            mirror.checked_to = projected
        except UnavailableError as error:
            log.warning("mirrors.database_away", error=str(error))
        except Exception:
            log.exception("mirrors.failed", organization=str(mirror.organization_id))
            self._drop(mirror)
        else:
            self._woken.set()  # it may have moved on meanwhile
        finally:
            self._refreshing.pop(mirror.organization_id, None)
            self._tell_checked()

    def _tell_checked(self) -> None:
        self._checked.set()
        self._checked = asyncio.Event()

    def _drop(self, mirror: Mirror) -> None:
        """Have whoever asks next, as all who wait then do, get a new one."""
        self._mirrors.drop(mirror.organization_id, mirror)
        mirror.wake()
