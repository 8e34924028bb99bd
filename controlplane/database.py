"""The database of this process: the one that was named, else an embedded one that is kept alive."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog

from controlplane.settings import Settings
from controlplane.store import UNREACHABLE
from controlplane.store.embedded import EmbeddedPostgresError, Lease, ensure

CONNECT_S = 5.0
PAUSE_S = 0.5

log = structlog.get_logger()


@asynccontextmanager
async def database(settings: Settings, progress: Callable[[str], None]) -> AsyncIterator[str]:
    """Yield the DSN of the database; an embedded one runs, and is restarted, until the block ends.

    `progress` is told what takes a while. Raises EmbeddedPostgresError.
    """
    if settings.database_url:
        yield settings.database_url
        return
    progress(f"Starting or joining PostgreSQL in {settings.data_dir} ...")
    kept = _Kept(settings, await asyncio.to_thread(ensure, settings.data_dir))
    keeping = asyncio.create_task(kept.keep(), name="postgres")
    try:
        yield kept.lease.dsn
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        kept.lease.close()


class _Kept:
    """A lease that is taken again when the server dies."""

    def __init__(self, settings: Settings, lease: Lease) -> None:
        self._data_dir = settings.data_dir
        self.lease = lease

    async def keep(self) -> None:
        """Bring the server back whenever it is gone, until cancelled."""
        while True:
            with suppress(*UNREACHABLE):
                await _until_gone(self.lease.dsn)
            log.warning("postgres.gone", data_dir=str(self._data_dir))
            try:
                lease = await asyncio.to_thread(ensure, self._data_dir)
            except EmbeddedPostgresError as error:
                log.error("postgres.not_restarted", error=str(error))  # noqa: TRY400  # says it all
            else:
                self.lease.close()
                self.lease = lease
            await asyncio.sleep(PAUSE_S)


async def _until_gone(dsn: str) -> None:
    """Wait until a connection that asks nothing breaks: on a socket of this machine it does."""
    gone = asyncio.Event()
    link = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        link.add_termination_listener(lambda _: gone.set())
        if not link.is_closed():
            await gone.wait()
    finally:
        link.terminate()
