import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import hypothesis
import pytest

from controlplane.app import App, running
from controlplane.store.embedded import ensure
from tests.given import AT

# The machine is shared: an example may take as long as it takes, and there are a few dozen.
hypothesis.settings.register_profile("controlplane", deadline=None, max_examples=40)
hypothesis.settings.load_profile("controlplane")
DATABASES = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the DSN of a throw-away PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="controlplane-"))
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


@pytest.fixture
async def dsn(server: str) -> AsyncIterator[str]:
    """Return the DSN of an empty database."""
    name = f"test_{os.getpid()}_{next(DATABASES)}"
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def app(dsn: str) -> AsyncIterator[App]:
    """Return a control plane whose clock stands still and whose ids count."""
    ids = itertools.count(1)
    async with running(dsn, now=lambda: AT, new_id=lambda: UUID(int=next(ids))) as app:
        yield app
