from collections.abc import AsyncIterator

import pytest

from controlplane.app import App
from tests.controlplane.gateway.edge import Client, Provider, serving


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    async with serving(app) as client:
        yield client


@pytest.fixture
async def provider(app: App) -> Provider:
    """Return one that sells one product."""
    provider = Provider(app)
    await provider.product("pets")
    return provider
