"""A portal: asks the control plane by real HTTP, as callers of every role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from controlplane.app import App
from controlplane.commands import Command, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.team import FormTeam
from controlplane.context import INSTALLATION, Caller
from controlplane.graphql.schema import schema
from controlplane.graphql.view import routes
from controlplane.http import middleware
from domain.access_token import Role
from tests.given import OPERATOR, PETSTORE, caller

SHOWN = "... on Issued { secret { __typename ... on SecretShownOnce { value } } }"
ISSUANCES = {
    "acceptInvitation",
    "establishOrganization",
    "inviteDeveloper",
    "issueCredential",
    "issueToken",
    "registerSelf",
    "renewToken",
    "rotateCredential",
}
RESULT = """{ __typename
  ... on Changed { id position events }
  ... on Rejected { code message path } }"""
TERMS: dict[str, dict[str, Any]] = {
    "rateLimit": {"limitCalls": 10**11, "windowS": 60},
    "quota": {"amountCalls": 10**12, "period": "MONTH"},
    "price": {"currency": "EUR", "monthlyFee": "49.90"},
}


@dataclass
class Portal:
    """Two organizations, with a token for each role in the first, and an owner in the second."""

    app: App
    client: TestClient[web.Request, web.Application]
    tokens: dict[str, str] = field(default_factory=dict)
    organization_id: UUID = INSTALLATION
    team_id: UUID = INSTALLATION
    ids: dict[str, str] = field(default_factory=dict)

    async def send(self, who: str | None, body: object, **headers: str) -> ClientResponse:
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return await self.client.post("/graphql", json=body, headers=headers)

    async def answer(self, who: str | None, query: str, **variables: object) -> Any:
        response = await self.send(who, {"query": query, "variables": variables})
        return await response.json()

    async def ask(self, who: str | None, query: str, **variables: object) -> Any:
        answer = await self.answer(who, query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def error(self, who: str | None, query: str, **variables: object) -> Any:
        (error,) = (await self.answer(who, query, **variables))["errors"]
        return error

    async def do(self, who: str | None, verb: str, **input_: object) -> Any:
        assert schema.mutation_type is not None
        kind = schema.mutation_type.fields[verb].args["input"].type.of_type.name
        result = RESULT.replace("{", f"{{ {SHOWN}", 1) if verb in ISSUANCES else RESULT
        query = f"mutation ($input: {kind}!) {{ result: {verb}(input: $input) {result} }}"
        return (await self.ask(who, query, input=input_))["result"]

    async def done(self, who: str, verb: str, **input_: object) -> Any:
        result = await self.do(who, verb, **input_)
        assert result["__typename"] != "Rejected", result
        return result

    async def done_by_anybody(self, verb: str, **input_: object) -> Any:
        """Have done what needs no token."""
        result = await self.do(None, verb, **input_)
        assert result["__typename"] != "Rejected", result
        return result

    async def refused(self, who: str | None, verb: str, **input_: object) -> tuple[str, list[str]]:
        result = await self.do(who, verb, **input_)
        assert result["__typename"] == "Rejected", result
        return result["code"], result["path"][1:]

    async def execute(self, command: Command, by: Caller) -> Any:
        return await execute(command, self.app.context(by))

    async def token(self, name: str, role: Role, team_id: UUID | None = None) -> None:
        by = caller(Role.OWNER, self.organization_id)
        command = IssueToken(name=name, role=role, team_id=team_id)
        self.tokens[name] = (await self.execute(command, by)).secret

    async def seen(self) -> None:
        """Wait until queries see everything."""
        sql = "SELECT max(notification_id) FROM stored_events"
        await self.app.projector.wait_until(await self.app.services.pool.fetchval(sql))

    async def sell(self) -> dict[str, str]:
        """Make one of everything; return the ids."""
        ids: dict[str, str] = {}
        for name, slug, visibility in (
            ("product", "pets", "PUBLIC"),
            ("inner", "inner", "PRIVATE"),
        ):
            made = await self.done(
                "manager", "defineProduct", slug=slug, name=slug, visibility=visibility
            )
            ids[name] = made["id"]
            made = await self.done(
                "manager",
                "defineVersion",
                productId=ids[name],
                number="1.0.0",
                document=PETSTORE.decode(),
                upstreams=[{"environment": "production", "url": "https://pets.example"}],
            )
            ids[f"{name}_version"] = made["id"]
            await self.done("manager", "publishVersion", versionId=made["id"])
            await self.done("manager", "publishProduct", productId=ids[name])
        for slug, products in (("free", ["product", "inner"]), ("secret", ["inner"])):
            sold = [ids[product] for product in products]
            plan = await self.done("manager", "definePlan", slug=slug, name=slug, productIds=sold)
            ids[slug] = plan["id"]
            await self.done("manager", "draftPlanVersion", planId=ids[slug], terms=TERMS)
            await self.done("manager", "publishPlanVersion", planId=ids[slug])
        for name, who in (("team", "developer"), ("other_team", "rival")):
            ids[name] = (await self.ask(who, "{ viewer { team { id } } }"))["viewer"]["team"]["id"]
            made = await self.done(who, "registerApplication", teamId=ids[name], name=name)
            ids[f"{name}_application"] = made["id"]
            made = await self.done(
                who,
                "requestSubscription",
                applicationId=ids[f"{name}_application"],
                planId=ids["free"],
            )
            ids[f"{name}_subscription"] = made["id"]
        await self.done("manager", "acceptSubscription", subscriptionId=ids["team_subscription"])
        made = await self.done(
            "developer", "issueCredential", subscriptionId=ids["team_subscription"]
        )
        ids["credential"] = made["id"]
        made = await self.done(
            "manager", "registerDeveloper", teamId=ids["team"], name="Ada", mail="ada@example.com"
        )
        ids["person"] = made["id"]
        made = await self.done("owner", "openGatewayGroup", slug="edge", environment="production")
        ids["group"] = made["id"]
        made = await self.done("owner", "registerGateway", groupId=ids["group"], name="one")
        ids["gateway"] = made["id"]
        await self.seen()
        self.ids = ids
        return ids


@asynccontextmanager
async def opened(app: App, application: web.Application | None = None) -> AsyncIterator[Portal]:
    """Serve the control plane with tokens for all roles, until the block ends."""
    if application is None:
        application = web.Application(middlewares=[middleware(app)], client_max_size=2 * 2**20)
        application.add_routes(routes(app))
    async with TestClient(TestServer(application)) as client:
        portal = Portal(app, client)
        for slug, owner in (("bad", "stranger"), ("ace", "owner")):
            established = await portal.execute(
                EstablishOrganization(slug=slug, name=slug), OPERATOR
            )
            portal.tokens[owner] = established.secret
            portal.organization_id = UUID(established.outcome.events[-1].why["organization"])
        by = caller(Role.OWNER, portal.organization_id)
        teams = [await portal.execute(FormTeam(name=name), by) for name in ("shop", "rivals")]
        mine, theirs = (team.outcome.events[0].originator_id for team in teams)
        portal.team_id = mine
        await portal.token("manager", Role.PRODUCT_MANAGER)
        await portal.token("auditor", Role.AUDITOR)
        await portal.token("developer", Role.DEVELOPER, mine)
        await portal.token("rival", Role.DEVELOPER, theirs)
        operator = await portal.execute(IssueToken(name="operator", role=Role.OPERATOR), OPERATOR)
        portal.tokens["operator"] = operator.secret
        await portal.seen()
        yield portal
