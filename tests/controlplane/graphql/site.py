"""All routes of a control plane over real HTTP, with some settings changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from controlplane.app import App
from controlplane.server import Site
from tests.controlplane.graphql.portal import Portal, opened

Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def serving(app: App, **settings: object) -> AsyncIterator[Portal]:
    """Yield a portal with its organizations and tokens."""
    changed = replace(app, settings=app.settings.model_copy(update=settings))
    async with opened(changed, Site(changed).application()) as portal:
        yield portal


@asynccontextmanager
async def visited(app: App, **settings: object) -> AsyncIterator[Client]:
    """Yield a client without any token."""
    changed = replace(app, settings=app.settings.model_copy(update=settings))
    async with TestClient(TestServer(Site(changed).application())) as client:
        yield client
