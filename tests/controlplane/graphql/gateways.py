"""A shop whose two gateways fetch, acknowledge and lag behind, all over real HTTP."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controlplane.commands.access_token import IssueToken
from controlplane.graphql.node import named
from domain.access_token import Role
from tests.controlplane.graphql.portal import Portal
from tests.given import caller

ACKNOWLEDGE = """mutation ($cursor: String!, $hash: String!) {
  acknowledgeConfig(input: {cursor: $cursor, contentHash: $hash}) { acknowledgedAt current } }"""
REPORT = """mutation ($cursor: String!, $reason: String!) {
  reportConfigError(input: {cursor: $cursor, reason: $reason}) { reportedAt } }"""


@dataclass
class Gateways:
    """The gateways `one` and `two` of the shop's group."""

    portal: Portal
    ids: dict[str, str] = field(default_factory=dict)

    async def register(self) -> None:
        shop = self.portal
        made = await shop.done("owner", "registerGateway", groupId=shop.ids["group"], name="two")
        self.ids = {"one": shop.ids["gateway"], "two": made["id"]}
        for name, id_ in self.ids.items():
            issue = IssueToken(
                name=name, role=Role.GATEWAY, gateway_id=named(id_, "Gateway", "gateway_id")
            )
            issued = await shop.execute(issue, caller(Role.OWNER, shop.organization_id))
            shop.tokens[name] = issued.secret
        await shop.seen()

    async def fetched(self, name: str) -> dict[str, Any]:
        """Return the configuration that a gateway is given now."""
        await self.portal.seen()
        response = await self.portal.client.get(
            "/gateway/v1/config", headers={"Authorization": f"Bearer {self.portal.tokens[name]}"}
        )
        document: dict[str, Any] = await response.json()
        return document

    async def runs(self, name: str, hash_: str | None = None) -> str:
        """Have a gateway run what it is given now, and say so; return the cursor."""
        document = await self.fetched(name)
        said = {"cursor": document["cursor"], "hash": hash_ or document["content_hash"]}
        assert (await self._say(name, ACKNOWLEDGE, said))["acknowledgeConfig"]["current"]
        return str(document["cursor"])

    async def rejects(self, name: str, cursor: str, reason: str) -> None:
        await self._say(name, REPORT, {"cursor": cursor, "reason": reason})

    async def now(self) -> str:
        """Return the instant of the database."""
        at: datetime = await self.portal.app.services.pool.fetchval("SELECT clock_timestamp()")
        return at.isoformat()

    async def _say(self, name: str, query: str, variables: dict[str, str]) -> Any:
        response = await self.portal.client.post(
            "/gateway/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {self.portal.tokens[name]}"},
        )
        answer = await response.json()
        assert "errors" not in answer, answer
        return answer["data"]
