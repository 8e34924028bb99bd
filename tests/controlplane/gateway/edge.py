"""A provider with a product, its consumers and its gateways, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from controlplane import http
from controlplane.app import App
from controlplane.commands import Answer, Command, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.api_version import DefineVersion
from controlplane.commands.application import RegisterApplication
from controlplane.commands.credential import IssueCredential
from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.commands.review import PublishVersion
from controlplane.commands.subscription import RequestSubscription
from controlplane.commands.team import FormTeam
from controlplane.context import Caller
from controlplane.gateway.delivery import Delivery
from controlplane.gateway.routes import before_routing, routes
from domain.access_token import Role
from domain.api_version import Upstream
from domain.plan_terms import Approval, PlanTerms, RateLimit
from domain.reservation import Reservation
from tests.given import OWNER, PETSTORE

TERMS = PlanTerms(RateLimit(10, 60, 5, "TOKEN_BUCKET"), None, None, Approval.AUTOMATIC.value)
POLL = "/gateway/v1/config"


@dataclass
class Provider:
    """What an organization has; each method is a command and returns an id or a secret."""

    app: App
    owner: Caller = OWNER
    position: int = 0
    ids: dict[str, UUID] = field(default_factory=dict)

    async def do(self, command: Command) -> Answer:
        answer = await execute(command, self.app.context(self.owner))
        self.position = answer.outcome.position or 0
        return answer

    async def make(self, command: Command) -> UUID:
        events = (await self.do(command)).outcome.events
        made = next(each for each in events if not isinstance(each, Reservation.Event))
        return made.originator_id

    async def settled(self) -> None:
        await self.app.projector.wait_until(self.position)

    async def product(self, slug: str, upstream: str = "https://pets.example") -> UUID:
        """Publish a product with one version, a plan for it, and its plan version."""
        product = self.ids[slug] = await self.make(DefineProduct(slug=slug, name=slug))
        version = await self.version(slug, upstream, "1.0.0")
        await self.do(PublishProduct(product_id=product))
        plan = await self.make(DefinePlan(slug=f"{slug}-free", name="Free", product_ids=(product,)))
        await self.do(DraftPlanVersion(plan_id=plan, terms=TERMS))
        await self.do(PublishPlanVersion(plan_id=plan))
        self.ids |= {f"{slug}-version": version, f"{slug}-free": plan}
        return product

    async def version(
        self, slug: str, url: str, number: str, document: bytes = PETSTORE, api: str = "default"
    ) -> UUID:
        """Publish a version of a product."""
        version = self.ids[f"{slug}-{number}"] = await self.make(
            DefineVersion(
                product_id=self.ids[slug],
                number=number,
                document=document,
                upstreams=(Upstream("live", url),),
                api=api,
            )
        )
        await self.do(PublishVersion(version_id=version))
        return version

    async def subscription(self, slug: str) -> UUID:
        if "application" not in self.ids:
            self.ids["team"] = await self.make(FormTeam(name="Team"))
            self.ids["application"] = await self.make(
                RegisterApplication(team_id=self.ids["team"], name="App")
            )
        return await self.make(
            RequestSubscription(
                application_id=self.ids["application"], plan_id=self.ids[f"{slug}-free"]
            )
        )

    async def key(self, subscription_id: UUID) -> str:
        """Issue a key; return its id."""
        answer = await self.do(IssueCredential(subscription_id=subscription_id))
        return str(vars(answer.outcome.events[0])["credential_id"])

    async def gateway(self, slug: str, *products: UUID) -> str:
        """Open a group and register a gateway of it; return the gateway's token."""
        group = await self.make(
            OpenGatewayGroup(slug=slug, environment="live", product_ids=products)
        )
        self.ids[f"{slug}-group"] = group
        return await self.gateway_of(slug, slug)

    async def gateway_of(self, group: str, name: str) -> str:
        """Register a gateway of a group; return its token."""
        command = RegisterGateway(group_id=self.ids[f"{group}-group"], name=name)
        gateway = self.ids[f"{name}-gateway"] = await self.make(command)
        return await self.token(Role.GATEWAY, gateway_id=gateway)

    async def token(
        self, role: Role, *, team_id: UUID | None = None, gateway_id: UUID | None = None
    ) -> str:
        command = IssueToken(name="token", role=role, team_id=team_id, gateway_id=gateway_id)
        answer = await self.do(command)
        self.ids["token"] = answer.outcome.events[0].originator_id
        assert answer.secret is not None
        return answer.secret


@dataclass
class Client:
    """Calls the gateway surface of one process."""

    session: ClientSession
    delivery: Delivery
    server: TestServer

    async def get(
        self, token: str | None, etag: str = "", path: str = POLL, **query: str
    ) -> ClientResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if etag:
            headers["If-None-Match"] = etag
        response = await self.session.get(path, params=query, headers=headers)
        await response.read()
        return response

    async def config(self, token: str, **query: str) -> dict[str, Any]:
        response = await self.get(token, **query)
        assert response.status == 200, await response.text()
        document: dict[str, Any] = await response.json()
        return document

    async def ask(
        self, token: str | None, query: str, variables: object = None, **headers: str
    ) -> dict[str, Any]:
        response = await self.session.post(
            "/gateway/graphql",
            json={"query": query, "variables": variables},
            headers={**({"Authorization": f"Bearer {token}"} if token else {}), **headers},
        )
        answer: dict[str, Any] = await response.json()
        return {"status": response.status, **answer}

    async def held(self, count: int) -> None:
        """Wait until so many polls are held."""
        async with asyncio.timeout(5):
            while self.delivery.waiting != count:  # the server has no event
                await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(app: App, waiters: int = 5_000) -> AsyncIterator[Client]:
    """Serve the gateway surface as the server does."""
    site = web.Application(middlewares=[http.middleware(app)])
    delivery = Delivery(app, waiters)
    site.add_routes(routes(app, delivery))

    async def stop(_: web.Application) -> None:
        app.stopping.set()
        for watcher in app.projector.watchers:
            watcher()

    site.on_shutdown.append(stop)
    server = TestServer(site)
    await server.start_server(shutdown_timeout=5)
    assert server.runner is not None
    assert server.runner.server is not None
    before_routing(delivery, server.runner.server)
    try:
        async with ClientSession(server.make_url("/"), auto_decompress=True) as session:
            yield Client(session, delivery, server)
    finally:
        await server.close()
