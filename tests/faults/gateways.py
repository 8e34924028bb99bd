"""Gateways and a control plane as processes, and callers who call the gateways all the time."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from controlplane.app import running
from controlplane.gateway.agent import files
from controlplane.gateway.renderers import Site, envoy, renderer
from controlplane.global_id import global_id
from domain.access_token import Role
from domain.plan_terms import PlanTerms
from tests.gateways.real_envoy import gateway
from tests.gateways.world import Seller, free_port, haproxy
from tests.processes import environment

PATH = "/pets/v1/pets"
TERMS = PlanTerms(None, None, None, "AUTOMATIC")
BOUND_S = 1.5
"""While all are connected p99 is 0.25 s; here it is never more than this, on a shared machine."""
PAUSE_S = 2.0
"""The longest pause before an agent asks again a control plane that was away."""
BETWEEN_S = 0.01
PATIENCE_S = 30
OK, UNAUTHORIZED = 200, 401
NUMBERS = itertools.count(1)
ISSUE = """mutation ($input: IssueCredentialInput!) { result: issueCredential(input: $input) {
  __typename ... on CredentialIssued { credential { id } secret { ... on SecretShownOnce { value } }
  } ... on Rejected { message } } }"""
REVOKE = """mutation ($input: RevokeCredentialInput!) { result: revokeCredential(input: $input) {
  __typename ... on Rejected { message } } }"""


@dataclass(frozen=True)
class Sold:
    """The tokens of an owner, and of gateways of one group; keys of a subscriber."""

    owner: str
    gateways: list[str]
    group: str
    subscription: str
    keys: "list[Key]"

    def portal(self, http: ClientSession, url: str) -> "Portal":
        """Return the owner's."""
        return Portal(http, url, self.owner, self.subscription)


@dataclass(frozen=True)
class Key:
    id: str
    secret: str


async def sold(dsn: str, upstream: str, gateways: int, keys: int = 0) -> Sold:
    """Have somebody sell a product and somebody subscribe to it."""
    async with running(dsn) as app:
        seller = Seller(app)
        await seller.sell("pets", upstream, TERMS)
        subscription = await seller.subscription("pets")
        tokens = [await seller.gateway("edge")]
        tokens += [await seller.gateway_of("edge", f"edge-{nth}") for nth in range(1, gateways)]
        for _ in range(keys):
            await seller.secret("pets")
        return Sold(
            await seller.token(Role.OWNER),
            tokens,
            global_id("GatewayGroup", (seller.ids["edge-group"],)),
            global_id("Subscription", (subscription,)),
            [
                Key(global_id("Credential", (seller.ids[key], id_)), key)
                for key, id_ in seller.keys.items()
            ],
        )


@dataclass
class Portal:
    """Issues and revokes keys over GraphQL, again and again until it is answered."""

    http: ClientSession
    url: str
    token: str
    subscription: str

    async def issue(self) -> Key:
        issued = await self.asked(ISSUE, subscriptionId=self.subscription)
        return Key(issued["credential"]["id"], issued["secret"]["value"])

    async def revoke(self, key: Key) -> None:
        number = f"revoke {next(NUMBERS)}"
        await self.asked(REVOKE, credentialId=key.id, idempotencyKey=number)

    async def asked(self, query: str, **said: object) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while (answer := await self._ask(query, said)) is None:
                await asyncio.sleep(0.02)
        assert answer.get("__typename") != "Rejected", answer
        return answer

    async def _ask(self, query: str, said: dict[str, object]) -> Any:  # None: try again
        try:
            async with self.http.post(
                f"{self.url}/graphql",
                json={"query": query, "variables": {"input": said}},
                headers={"Authorization": f"Bearer {self.token}"},
            ) as response:
                answer = await response.json(content_type=None)
        except (ClientError, OSError, TimeoutError, ValueError):
            return None
        if answer.get("data") and "errors" not in answer:
            return answer["data"]["result"]
        codes = {each.get("extensions", {}).get("code") for each in answer.get("errors", [])}
        assert response.status == 503 or codes == {"UNAVAILABLE"}, answer
        return None


@dataclass
class Callers:
    """Calls gateways without a pause: with a key that is valid, and with all that were revoked."""

    http: ClientSession
    ports: list[int]
    valid: str = ""
    refused_from_s: dict[str, float] = field(default_factory=dict)
    """From when on each key that was revoked must be refused."""
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    _away: bool = False

    def refuse(self, key: Key) -> None:
        """Have a key that was revoked be refused from soon on, or from soon after all is back."""
        self.refused_from_s[key.secret] = inf if self._away else time.monotonic() + BOUND_S

    def lose(self) -> None:
        """What was revoked a moment ago may not have been told any more."""
        self._away, now_s = True, time.monotonic()
        self.refused_from_s |= {key: inf for key, at in self.refused_from_s.items() if at > now_s}

    def regain(self) -> None:
        """What was not told is told now, once gateways have asked again."""
        self._away, told_s = False, time.monotonic() + PAUSE_S + BOUND_S
        self.refused_from_s |= {key: told_s for key, at in self.refused_from_s.items() if at == inf}

    async def status(self, port: int, key: str) -> int:
        """Return the status, 0 when nobody answers."""
        url, headers = f"http://127.0.0.1:{port}{PATH}", {"x-api-key": key}
        try:
            async with self.http.get(url, headers=headers) as response:
                await response.read()
                return response.status
        except (ClientError, OSError, TimeoutError):
            return 0

    async def until(self, status: int, key: str) -> None:
        """Wait until every gateway answers so."""
        async with asyncio.timeout(PATIENCE_S):
            for port in self.ports:
                while await self.status(port, key) != status:
                    await asyncio.sleep(BETWEEN_S)

    @asynccontextmanager
    async def calling(self, valid: str) -> AsyncIterator[None]:
        """Call until the block ends; `wrong` has what should not have been answered."""
        await self.until(OK, valid)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._call(port, valid)) for port in self.ports]
            try:
                yield
            finally:
                for each in running:
                    each.cancel()

    async def _call(self, port: int, valid: str) -> None:
        for nth in itertools.count():
            revoked = list(self.refused_from_s)
            key = revoked[nth // 2 % len(revoked)] if nth % 2 and revoked else valid
            began_s = time.monotonic()
            status = await self.status(port, key)
            self.calls += 1
            late_s = began_s - self.refused_from_s.get(key, began_s)
            if key == valid and status != OK:
                self.wrong.append(f"{port}: {status} for a key that is valid")
            elif key != valid and status != UNAUTHORIZED and late_s > 0:
                self.wrong.append(
                    f"{self.ports.index(port)}: {status} for a revoked key, {late_s:.2f} s too late"
                )
            await asyncio.sleep(BETWEEN_S)


@asynccontextmanager
async def envoy_gateway(folder: Path, url: str, token: str) -> AsyncIterator[int]:
    """Run an Envoy that asks the control plane itself; yield its port."""
    await asyncio.to_thread(folder.mkdir)
    with gateway(folder) as found:
        site = Site(
            str(folder),
            "127.0.0.1",
            found.port,
            control_plane=url,
            token_file=str(folder / "token"),
        )
        found.put({"token": token.encode(), **envoy.bootstrap(site)})
        await asyncio.to_thread(found.start)
        yield found.port


@asynccontextmanager
async def haproxy_gateway(folder: Path, url: str, token: str, *said: str) -> AsyncIterator[int]:
    """Run a HAProxy and its agent, as a process; yield its port."""
    await asyncio.to_thread(folder.mkdir)
    site = Site(str(folder), listen_port=free_port(), control_plane=url)
    files.write_all(folder, renderer("haproxy").bootstrap(site))
    files.write(folder / "token", token.encode())
    command = [sys.executable, "-m", "controlplane", "gateway", "agent", "--vendor", "haproxy"]
    command += ["--directory", str(folder), "--url", url, "--port", str(site.listen_port)]
    command += ["--token-file", str(folder / "token"), *said]
    with haproxy(site), (folder / "agent.log").open("ab") as log:
        agent = await asyncio.create_subprocess_exec(*command, stderr=log, env=environment())
        try:
            yield site.listen_port
        finally:
            with suppress(ProcessLookupError):
                agent.kill()
            await agent.wait()


@asynccontextmanager
async def calls(*ports: int) -> AsyncIterator[Callers]:
    """Yield callers of gateways, who connect anew for each call."""
    connector = TCPConnector(force_close=True, limit=0)
    timeout = ClientTimeout(total=10)
    async with ClientSession(connector=connector, timeout=timeout) as http:
        yield Callers(http, list(ports))
