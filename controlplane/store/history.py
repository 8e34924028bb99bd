"""The history that a process follows: a database that is another one by now is not used."""

import asyncio

import structlog

from controlplane.store import UNREACHABLE, Connection, Pool

log = structlog.get_logger()
POLL_S = 1.0


class HistoryReplacedError(ConnectionError):
    """The database is another one since this process began; it starts over in a moment."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


async def raise_epoch(connection: Connection, above: int = 0) -> int:
    """Have all that was given out be of an earlier epoch; return the new one, which is above."""
    current: int = await connection.fetchval("SELECT current_epoch()")
    raised: int = await connection.fetchval(
        "UPDATE epochs SET raised_at = clock_timestamp(),"
        " epoch = greatest((SELECT max(epoch) FROM epochs), $2) + 1"
        " WHERE epoch = $1 RETURNING epoch",
        current,
        above,
    )
    log.warning("epoch.raised", before=current, epoch=raised)
    return raised


class History:
    """The epoch in which a process began, and whether the database has left it.

    After a failover or a restore the newest events may be gone, and others at their positions:
    whatever this process knows may be of a history that no longer is.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.replaced = asyncio.Event()
        """Set once; the process then starts over."""

    async def check(self, connection: Connection) -> None:
        """Ask a new connection, before it is used. Raises HistoryReplacedError.

        A connection cannot go on to another server; what is raised on this one, `follow` sees.
        """
        epoch = await connection.fetchval("SELECT current_epoch()")
        if epoch != self.epoch:
            if not self.replaced.is_set():
                log.error("history.replaced", epoch=self.epoch, now=epoch)
            self.replaced.set()
        self.require()

    def require(self) -> None:
        """Raise HistoryReplacedError if this history is known to be replaced."""
        if self.replaced.is_set():
            raise HistoryReplacedError

    async def follow(self, pool: Pool) -> None:
        """Look every POLL_S whether the epoch was raised on this very server, until it was."""
        while not self.replaced.is_set():
            await asyncio.sleep(POLL_S)
            try:
                async with pool.acquire() as connection:
                    await self.check(connection)
            except UNREACHABLE as error:  # of which HistoryReplacedError is one
                log.debug("history.unknown", error=str(error) or type(error).__name__)
            except Exception:
                log.exception("history.failed")
