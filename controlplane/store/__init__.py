"""Events, commands and read models in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg raises when the server is killed in mid-answer
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,  # shutting down, starting up
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # the primary has moved
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,  # this process was frozen too long
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.ObjectNotInPrerequisiteStateError,  # closed to connections, in recovery
    asyncpg.exceptions.InvalidCatalogNameError,  # dropped, to be restored
)
"""What asyncpg raises when the database cannot serve now, though it may later."""


class UnavailableError(Exception):
    """The database cannot be reached; nothing was acknowledged. Try again, with the same key."""


@asynccontextmanager
async def lent(pool: Pool, budget_s: float) -> AsyncIterator[Connection]:
    """Lend a connection for one question. Raises UnavailableError when the budget is spent."""
    try:
        async with asyncio.timeout(budget_s), pool.acquire() as connection:
            try:
                yield connection
            except (asyncio.CancelledError, TimeoutError):
                # Given back as it is, it would wait for the server to confirm a cancellation.
                connection.terminate()
                raise
    except UNREACHABLE as error:
        raise UnavailableError(str(error) or type(error).__name__) from error
