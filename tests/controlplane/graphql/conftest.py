from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controlplane.app import App
from controlplane.commands import execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.subscription import AcceptSubscription
from controlplane.graphql.node import named
from controlplane.server import Site
from domain.access_token import Role
from tests.controlplane.graphql.gateways import Gateways
from tests.controlplane.graphql.portal import Portal, opened
from tests.given import AT, PETSTORE, caller


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
async def gateways(app: App) -> AsyncIterator[Gateways]:
    """Return a shop with two gateways that have said nothing yet, on all routes."""
    async with opened(app, Site(app).application()) as portal:
        await portal.sell()
        gateways = Gateways(portal)
        await gateways.register()
        yield gateways


@pytest.fixture
async def everything(shop: Portal) -> Portal:
    """Return a shop that also has drafts, and what else an operation can be about.

    A group of named products, a gateway's token, an administrator of the team and one who is
    invited, subscriptions that are suspended and due, and doors that are open to visitors.
    """
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
        "automatic": (
            "definePlan",
            {"slug": "automatic", "name": "automatic", "productIds": [ids["product"]]},
        ),
        **{
            name: (
                "requestSubscription",
                {"applicationId": ids["team_application"], "planId": ids["free"]},
            )
            for name in ("suspended", "due")
        },
    }
    for name, (verb, said) in more.items():
        ids[name] = (await shop.done("owner", verb, **said))["id"]
    await shop.done("manager", "draftPlanVersion", planId=ids["drafted"], terms={})
    await shop.done(
        "manager",
        "draftPlanVersion",
        planId=ids["automatic"],
        terms={"approval": "AUTOMATIC"},
    )
    await shop.done("manager", "publishPlanVersion", planId=ids["automatic"])
    await people(shop)
    await submitted(shop)
    await ended(shop)
    issue = IssueToken(
        name="edge", role=Role.GATEWAY, gateway_id=named(ids["gateway"], "Gateway", "id")
    )
    issued = await shop.execute(issue, caller(Role.OWNER, shop.organization_id))
    shop.tokens["gateway"] = issued.secret
    await shop.seen()
    return shop


async def submitted(shop: Portal) -> None:
    """Have a version be in review."""
    contract = {"number": "2.1.0", "document": PETSTORE.decode()}
    made = await shop.done("manager", "defineVersion", productId=shop.ids["product"], **contract)
    shop.ids["submitted_version"] = made["id"]
    await shop.done("manager", "submitVersion", versionId=made["id"])


async def people(shop: Portal) -> None:
    """Have administrators in the team, one who may still join it, and doors that are open."""
    for name, role in (("administrator", "ADMIN"), ("invitation", "MEMBER")):
        invited = await shop.done(
            "manager",
            "inviteDeveloper",
            teamId=shop.ids["team"],
            mail=f"{name}@example.com",
            role=role,
        )
        shop.ids["invitation"], shop.ids["invited"] = invited["id"], invited["secret"]["value"]
        if role == "ADMIN":
            joined = await shop.done_by_anybody(
                "acceptInvitation", token=shop.ids["invited"], name=name
            )
            shop.ids[name], shop.tokens[name] = joined["id"], joined["secret"]["value"]
    deputy = {"name": "Deputy", "mail": "deputy@example.com", "role": "ADMIN"}
    await shop.done("manager", "registerDeveloper", teamId=shop.ids["team"], **deputy)
    for owner in ("owner", "stranger"):
        await shop.done(owner, "openRegistration")


async def ended(shop: Portal) -> None:
    """Have one subscription be suspended, and the time of another be over."""
    ids = shop.ids
    await shop.done("manager", "acceptSubscription", subscriptionId=ids["suspended"])
    await shop.done(
        "manager", "suspendSubscription", subscriptionId=ids["suspended"], reason="unpaid"
    )
    accept = AcceptSubscription(
        subscription_id=named(ids["due"], "Subscription", "id"), expires_at=AT - timedelta(days=1)
    )
    context = shop.app.context(caller(Role.OWNER, shop.organization_id))
    past = replace(context.services, now=lambda: AT - timedelta(days=2))
    await execute(accept, replace(context, services=past))
