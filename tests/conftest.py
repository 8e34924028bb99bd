import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import hypothesis
import pytest

from controlplane.app import App, running
from controlplane.processes import timer
from controlplane.store.embedded import SETTINGS, ensure
from tests.given import AT

# The machine is shared: an example may take as long as it takes, and there are a few dozen.
hypothesis.settings.register_profile("controlplane", deadline=None, max_examples=40)
hypothesis.settings.load_profile("controlplane")
# Some hundred processes are started: if none may keep its bytecode, each takes a second more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
DATABASES = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the DSN of a throw-away PostgreSQL, which need not outlive the machine."""
    folder = Path(tempfile.mkdtemp(prefix="controlplane-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SETTINGS, "fsync", "off")
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


@pytest.fixture(scope="session")
def laid_out(server: str) -> str:
    """Return the name of a database in which nothing happened yet; it is copied in no time."""
    name = f"laid_out_{os.getpid()}"

    async def lay_out() -> None:
        admin = await asyncpg.connect(server)
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()
        async with running(server.replace("/postgres?", f"/{name}?"), follow=False) as app:
            await app.services.pool.execute("DELETE FROM epochs")  # each copy has its first one

    with ThreadPoolExecutor(1) as beside:  # no loop of a test is disturbed
        beside.submit(asyncio.run, lay_out()).result()
    return name


@asynccontextmanager
async def database(server: str, template: str) -> AsyncIterator[str]:
    """Yield the DSN of a copy of the template."""
    name = f"test_{os.getpid()}_{next(DATABASES)}"
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.replace("/postgres?", f"/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def dsn(server: str, laid_out: str) -> AsyncIterator[str]:
    """Return the DSN of a database of this release in which nothing happened yet."""
    async with database(server, laid_out) as dsn:
        yield dsn


@pytest.fixture
async def empty_dsn(server: str) -> AsyncIterator[str]:
    """Return the DSN of a database without a table."""
    async with database(server, "template1") as dsn:
        yield dsn


@pytest.fixture
async def app(dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    """Return a control plane whose clock stands still, also for the timer; and whose ids count."""
    monkeypatch.setattr(timer, "PAUSE_S", 3_600)
    ids = itertools.count(1)
    async with running(dsn, now=lambda: AT, new_id=lambda: UUID(int=next(ids))) as app:
        yield app
