"""The service while its gate compares GitHub's whole REST API, 22.0.0 -> 23.0.0.

Whether the service answers others meanwhile: it and the process that compares, which has to leave
it to the service, have one core; /healthz is asked every 5 ms from another one while
`publishVersion` is on its way, and while nothing happens. The gate refuses the number 22.1.0, which
would have hidden the breaks.
"""

import asyncio
import json
import time
from collections.abc import Awaitable
from statistics import quantiles
from typing import Any, NamedTuple
from uuid import UUID

from aiohttp import ClientSession

from benchmarks.contract_diff import document
from benchmarks.database import database, server
from benchmarks.load import Served, leave_the_core_to_servers, ours
from controlplane.app import App, running
from controlplane.auth import process
from controlplane.commands import Answer, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_product import DefineProduct
from controlplane.commands.api_version import DefineVersion
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.review import PublishVersion
from controlplane.context import INSTALLATION
from controlplane.global_id import global_id
from controlplane.loop import run
from domain.access_token import Role

PAUSE_S = 0.005
IDLE_S = 5.0
PUBLISH = """mutation ($input: PublishVersionInput!) { result: publishVersion(input: $input) {
  __typename ... on Rejected { code message } } }"""


class Asked(NamedTuple):
    """What publishing answered, and how long it and each question beside it took."""

    code: str
    took_s: float
    beside_ms: list[float]


async def defined(app: App) -> tuple[str, UUID]:
    """Publish 22.0.0 and define what follows; return the token of an owner and that version."""
    operator = app.context(process(INSTALLATION, "benchmark", "cli"))
    established = await execute(EstablishOrganization(slug="ace", name="Ace"), operator)
    seller = UUID(established.outcome.events[-1].why["organization"])
    context = app.context(process(seller, "benchmark", "cli"))
    product = _last(await execute(DefineProduct(slug="github", name="GitHub"), context))
    versions = []
    for number, release in (("22.0.0", "22.0.0"), ("22.1.0", "23.0.0")):
        body = document(release).read_bytes()
        define = DefineVersion(product_id=product, number=number, document=body)
        versions.append(_last(await execute(define, context)))
    await execute(PublishVersion(version_id=versions[0]), context)
    owner = await execute(IssueToken(name="owner", role=Role.OWNER), context)
    assert owner.secret is not None
    return owner.secret, versions[1]


def _last(answer: Answer) -> UUID:
    return answer.outcome.events[-1].originator_id


async def beside(session: ClientSession, base: str, work: Awaitable[Any]) -> list[float]:
    """Return how long each /healthz took, in ms, while something else is on its way."""
    took, working = [], asyncio.ensure_future(work)
    while not working.done():
        begin = time.perf_counter()
        async with session.get(f"{base}/healthz") as response:
            await response.read()
        took.append((time.perf_counter() - begin) * 1_000)
        await asyncio.sleep(PAUSE_S)
    await working
    return took


async def published(session: ClientSession, served: Served, token: str, version: UUID) -> Asked:
    variables = {"input": {"versionId": global_id("ApiVersion", (version,))}}
    result: dict[str, str] = {}

    async def publish() -> None:
        async with session.post(
            f"{served.base}/graphql",
            json={"query": PUBLISH, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
        ) as response:
            result.update((await response.json())["data"]["result"])

    begin = time.perf_counter()
    took = await beside(session, served.base, publish())
    print(result["message"])
    return Asked(result["code"], time.perf_counter() - begin, took)


async def measured(dsn: str) -> None:
    async with database(dsn, "gate") as own:
        async with running(own) as app:
            token, version = await defined(app)
        with ours(own) as served:
            async with ClientSession() as session:
                idle = await beside(session, served.base, asyncio.sleep(IDLE_S))
                first = await published(session, served, token, version)
                again = await published(session, served, token, version)
    print(
        json.dumps(
            {
                "bench": "gate",
                "p99_ms": round(quantiles(first.beside_ms, n=100)[-1], 1),
                "max_ms": round(max(first.beside_ms), 1),
                "idle_p99_ms": round(quantiles(idle, n=100)[-1], 1),
                "asked": len(first.beside_ms),
                "seconds": round(first.took_s, 2),
                "again_seconds": round(again.took_s, 2),
                "refused": first.code == again.code == "GATE_FAILED",
            }
        )
    )


def main() -> None:
    leave_the_core_to_servers()
    with server() as dsn:
        run(measured(dsn))


if __name__ == "__main__":
    main()
