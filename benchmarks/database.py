"""A throw-away PostgreSQL for a benchmark: durable, and gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from controlplane.store.embedded import ensure


@contextmanager
def server() -> Iterator[str]:
    """Return the DSN of a PostgreSQL with fsync on, in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    lease = ensure(folder)
    try:
        yield lease.dsn
    finally:
        lease.close()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def database(dsn: str, name: str) -> AsyncIterator[str]:
    """Return the DSN of an empty database of the server."""
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        yield dsn.replace("/postgres?", f"/{name}?")
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


def package_environment(dsn: str) -> dict[str, str]:
    """Return the settings by which the eventsourcing package finds the same database."""
    url = urlsplit(dsn)
    query = parse_qs(url.query)
    return {
        **os.environ,
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.path[1:],
        "POSTGRES_HOST": query["host"][0],
        "POSTGRES_PORT": query.get("port", ["5432"])[0],
        "POSTGRES_USER": url.username or "postgres",
        "POSTGRES_PASSWORD": "",
    }
