"""A provider, its upstream, and gateways before it: everything is real."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.credential import IssueCredential
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.gateway.agent import files
from controlplane.gateway.agent.agent import Agent
from controlplane.gateway.agent.haproxy import HAProxy
from controlplane.gateway.agent.kept import Kept
from controlplane.gateway.agent.source import Source
from controlplane.gateway.agent.status import Status
from controlplane.gateway.agent.trust import Trust
from controlplane.gateway.renderers import Site, renderer
from domain.plan_terms import PlanTerms
from tests.controlplane.gateway.edge import TERMS, Provider
from tests.processes import eventually


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """Serve what tells what it was asked; yield its address."""

    async def echo(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response(
            {"method": request.method, "path": request.raw_path, "headers": headers}
        )

    site = web.Application()
    site.router.add_route("*", "/{path:.*}", echo)
    server = TestServer(site)
    await server.start_server()
    try:
        yield str(server.make_url("/")).rstrip("/")
    finally:
        await server.close()


@dataclass
class Seller(Provider):
    """A provider whose products have the upstream of the test."""

    keys: dict[str, str] = field(default_factory=dict)
    """The ids of the keys by their secrets."""

    async def sell(
        self, slug: str, url: str, terms: PlanTerms = TERMS, number: str = "1.0.0"
    ) -> None:
        product = await self.make(DefineProduct(slug=slug, name=slug))
        self.ids[slug] = product
        await self.version(slug, url, number)
        await self.do(PublishProduct(product_id=product))
        await self.plan(slug, terms)

    async def plan(self, slug: str, terms: PlanTerms, name: str = "free") -> None:
        products = (self.ids[slug],)
        plan = await self.make(DefinePlan(slug=f"{slug}-{name}", name=name, product_ids=products))
        await self.do(DraftPlanVersion(plan_id=plan, terms=terms))
        await self.do(PublishPlanVersion(plan_id=plan))
        self.ids[f"{slug}-{name}"] = plan

    async def secret(self, slug: str) -> str:
        """Subscribe to the plan of a product; return a key."""
        subscription = await self.subscription(slug)
        answer = await self.do(IssueCredential(subscription_id=subscription))
        assert answer.secret is not None
        self.ids[answer.secret] = subscription
        self.keys[answer.secret] = str(vars(answer.outcome.events[0])["credential_id"])
        return answer.secret


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def haproxy(site: Site) -> Iterator["subprocess.Popen[bytes]"]:
    """Run HAProxy on the files of a site."""
    folder = Path(site.directory)
    (folder / "haproxy.sock").unlink(missing_ok=True)  # of an earlier one
    with (folder / "haproxy.log").open("ab") as log:
        process = subprocess.Popen(
            ["haproxy", "-W", "-S", f"{folder}/master.sock", "-f", f"{folder}/haproxy.cfg"],
            stdout=log,
            stderr=log,
        )
    try:
        assert eventually((folder / "haproxy.sock").exists)
        yield process
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Edge:
    """A gateway that runs, its agent, and a client of it."""

    site: Site
    agent: Agent
    client: ClientSession
    task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.agent.run())

    async def stop(self) -> None:
        if self.task:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def call(
        self, path: str, key: str | None = None, method: str = "GET", **headers: str
    ) -> ClientResponse:
        if key:
            headers["x-api-key"] = key
        url = f"http://127.0.0.1:{self.site.listen_port}{path}"
        async with self.client.request(method, url, headers=headers) as response:
            await response.read()
            return response

    async def status_of(self, path: str, key: str | None = None, method: str = "GET") -> int:
        return (await self.call(path, key, method)).status

    async def until(self, look: Callable[[], Any], patience_s: float = 20) -> None:
        async with asyncio.timeout(patience_s):
            while not look():
                await asyncio.sleep(0.01)

    async def until_status(self, status: int, path: str, key: str, patience_s: float) -> None:
        async with asyncio.timeout(patience_s):
            while await self.status_of(path, key) != status:
                await asyncio.sleep(0.01)

    def forget(self) -> None:
        """Have it say something anew."""
        self.agent.status.path.unlink(missing_ok=True)

    def said(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.agent.status.path.read_text())
        except FileNotFoundError:
            return {"at": "", "cursor": None, "enforced": False, "error": None}
        return found


def agent_of(site: Site, url: str, token: str, session: ClientSession, wait_s: float = 5) -> Agent:
    state = Path(site.directory) / "state"
    return Agent(
        Source(session, url, token),
        HAProxy(site),
        Kept(state),
        Trust([]),
        Status(state / "status.json"),
        lambda: datetime.now(UTC),
        wait_s,
    )


@asynccontextmanager
async def edge(
    folder: Path, url: str, token: str, trust: Trust | None = None, *, started: bool = True
) -> AsyncIterator[Edge]:
    """Run HAProxy and its agent."""
    site = Site(str(folder), listen_port=free_port(), control_plane=url)
    files.write_all(folder, renderer("haproxy").bootstrap(site))
    with haproxy(site):
        async with ClientSession() as session:
            made = Edge(site, agent_of(site, url, token, session), session)
            made.forget()
            if trust:
                made.agent.trust = trust
            if started:
                made.agent.resume()
                made.start()
            try:
                yield made
            finally:
                await made.stop()
