from collections.abc import AsyncIterator

import pytest

from controlplane.app import App
from tests.controlplane.graphql.portal import Portal, opened


@pytest.fixture
async def portal(app: App) -> AsyncIterator[Portal]:
    """Return a portal of an organization that has sold nothing yet."""
    async with opened(app) as portal:
        yield portal


@pytest.fixture
async def shop(portal: Portal) -> Portal:
    """Return a portal of an organization that has one of everything."""
    await portal.sell()
    return portal
