"""The history that a process follows: a database that is another one by now is not used."""

import asyncio

import structlog

from controlplane.store import Connection

log = structlog.get_logger()


class HistoryReplacedError(ConnectionError):
    """The database is another one since this process began; it starts over in a moment."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


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

        A connection cannot go on to another server, so that this is enough.
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
