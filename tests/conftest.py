import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import hypothesis
import pytest

from controlplane.app import App, running
from controlplane.store import embedded
from controlplane.store.embedded import ensure
from tests.given import AT

# The machine is shared: an example may take as long as it takes, and there are a few dozen.
hypothesis.settings.register_profile("controlplane", deadline=None, max_examples=40)
hypothesis.settings.load_profile("controlplane")
DATABASES = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the DSN of a throw-away PostgreSQL, which does not wait for its disk.

    Tests that kill a server start one of their own, by `data_dir`.
    """
    folder = Path(tempfile.mkdtemp(prefix="controlplane-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(embedded.SETTINGS, "fsync", "off")
        lease = ensure(folder)
    yield lease.dsn
    lease.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return an empty directory for an embedded server, which also `nobody` reaches."""
    folder = Path(tempfile.mkdtemp(prefix="controlplane-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def database(server: str, *, of: str = "template1") -> AsyncIterator[str]:
    """Return the DSN of a database that is a copy of another one, until the block ends."""
    name = f"test_{os.getpid()}_{next(DATABASES)}"
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {of}")
    yield named(server, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


def named(server: str, name: str) -> str:
    """Return the DSN of a database."""
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def laid_out(server: str) -> str:
    """Return the name of a database with all tables and nothing in them, to be copied."""

    async def lay_out() -> None:
        admin = await asyncpg.connect(server)
        await admin.execute("CREATE DATABASE laid_out")
        async with running(named(server, "laid_out"), follow=False) as app:
            await app.services.pool.execute("TRUNCATE epochs")  # a copy begins its own
        await admin.close()

    asyncio.run(lay_out())
    return "laid_out"


@pytest.fixture
async def empty(server: str) -> AsyncIterator[str]:
    """Return the DSN of a database without tables."""
    async with database(server) as dsn:
        yield dsn


@pytest.fixture
async def dsn(server: str, laid_out: str) -> AsyncIterator[str]:
    """Return the DSN of a database in which nothing has happened."""
    async with database(server, of=laid_out) as dsn:
        yield dsn


@pytest.fixture
async def app(dsn: str) -> AsyncIterator[App]:
    """Return a control plane whose clock stands still and whose ids count."""
    ids = itertools.count(1)
    async with running(dsn, now=lambda: AT, new_id=lambda: UUID(int=next(ids))) as app:
        yield app
