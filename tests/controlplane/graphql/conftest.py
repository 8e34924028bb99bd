from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane.app import App
from controlplane.commands.access_token import IssueToken
from controlplane.graphql.node import named
from domain.access_token import Role
from tests.controlplane.graphql.portal import Portal, opened
from tests.given import PETSTORE, caller


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


@pytest.fixture
async def everything(shop: Portal) -> Portal:
    """Return a shop that also has drafts, a group of named products and a gateway's token."""
    ids = shop.ids
    more: dict[str, tuple[str, dict[str, Any]]] = {
        "draft": ("defineProduct", {"slug": "draft", "name": "draft"}),
        "draft_version": (
            "defineVersion",
            {"productId": ids["product"], "number": "2.0.0", "document": PETSTORE.decode()},
        ),
        "drafted": (
            "definePlan",
            {"slug": "drafted", "name": "drafted", "productIds": [ids["inner"]]},
        ),
        "page": (
            "writePage",
            {"productId": ids["inner"], "slug": "start", "title": "Start", "source": "Pageful"},
        ),
        "named_group": (
            "openGatewayGroup",
            {"slug": "named", "environment": "test", "productIds": [ids["product"]]},
        ),
        "token": ("issueToken", {"name": "ci", "role": "AUDITOR"}),
    }
    for name, (verb, said) in more.items():
        ids[name] = (await shop.done("owner", verb, **said))["id"]
    await shop.done("manager", "draftPlanVersion", planId=ids["drafted"], terms={})
    issue = IssueToken(
        name="edge", role=Role.GATEWAY, gateway_id=named(ids["gateway"], "Gateway", "id")
    )
    issued = await shop.execute(issue, caller(Role.OWNER, shop.organization_id))
    shop.tokens["gateway"] = issued.secret
    await shop.seen()
    return shop
