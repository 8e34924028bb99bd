"""Polls that find nothing new, answered by one core, beside nginx and a file.

Ours is `GET /gateway/v1/config` with the token of a gateway and the ETag that it has; nginx's a
static file with its ETag: both answer 304. The database counts transactions meanwhile, for a poll
has none: what it counts are the timers of the service. The second figure is a question to
`/graphql` by GET, persisted where the service keeps documents, with the ETag of the last answer
where it gives one.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import asyncpg

from benchmarks.database import database, server
from benchmarks.load import (
    Asked,
    Rate,
    Served,
    answer,
    free_port,
    leave_the_core_to_servers,
    medians,
    ours,
    rate,
    required,
    serving,
    told,
)
from controlplane.app import App, running
from controlplane.auth import process
from controlplane.commands import Command, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.context import Context
from domain.access_token import Role
from domain.audience import Visibility

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 32
CONFIG = "/gateway/v1/config"
NOT_MODIFIED = 304
SQL_A_POLL = 0.01
"""More transactions a poll would be the polls' own."""
DOCUMENT = "{ products(first: 20) { nodes { id slug name description } } }"
NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; etag on; root {folder}/files;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; }}
}}
"""


async def fill(app: App) -> str:
    """Register a gateway, with some products to route; return its token."""
    context = app.context(process(UUID(int=1), "benchmark", "cli"))
    for nth in range(20):
        define = DefineProduct(slug=f"p{nth}", name=f"P{nth}", visibility=Visibility.PUBLIC)
        await execute(PublishProduct(product_id=await made(define, context)), context)
    group = await made(OpenGatewayGroup(slug="edge", environment="production"), context)
    gateway = await made(RegisterGateway(group_id=group, name="one"), context)
    issued = await execute(
        IssueToken(name="gateway", role=Role.GATEWAY, gateway_id=gateway), context
    )
    assert issued.secret is not None
    assert issued.outcome.position is not None
    await app.projector.wait_until(issued.outcome.position)
    return issued.secret


async def made(command: Command, context: Context) -> UUID:
    found = await execute(command, context)
    return found.outcome.events[-1].originator_id


def held(base: str, asked: Asked) -> Asked:
    """Return the question of one who holds the answer already, as its ETag says."""
    status, headers, _ = answer(base, asked)
    assert status == 200
    tag = headers.get("ETag")
    if tag is None:
        return asked
    asked = Asked(asked.path, headers={**dict(asked.headers), "If-None-Match": tag})
    assert answer(base, asked)[0] == NOT_MODIFIED
    return asked


def question(base: str) -> Asked:
    """Return a question to /graphql, by the hash of its document where that is enough."""
    digest = sha256(DOCUMENT.encode()).hexdigest()
    by_hash = {"extensions": json.dumps({"persistedQuery": {"version": 1, "sha256Hash": digest}})}
    answer(base, Asked(f"/graphql?{urlencode({'query': DOCUMENT, **by_hash})}"))
    persisted = Asked(f"/graphql?{urlencode(by_hash)}")
    status, _, body = answer(base, persisted)
    if status == 200 and "errors" not in json.loads(body):
        return persisted
    return Asked(f"/graphql?{urlencode({'query': DOCUMENT})}")


async def transactions(dsn: str) -> int:
    """Return how many transactions the database has seen; sessions tell it within a second."""
    await asyncio.sleep(1.2)
    connection = await asyncpg.connect(dsn)
    count = await connection.fetchval(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database"
        " WHERE datname = current_database()"
    )
    await connection.close()
    assert isinstance(count, int)
    return count


async def measured(
    dsn: str, control: Served, peer: Served, token: str
) -> tuple[dict[str, list[Rate]], float, bool]:
    """Return the rates of every round, the transactions a poll, and whether /graphql said 304."""
    bearer = {"Authorization": f"Bearer {token}"}
    polls = held(control.base, Asked(CONFIG, headers=bearer))
    asks = held(control.base, question(control.base))
    files = held(peer.base, Asked("/config.json"))
    assert {"If-None-Match"} < set(polls.headers)
    rates: dict[str, list[Rate]] = {"ours": [], "peer": [], "graphql": []}
    sql = 0.0
    for nth in range(ROUNDS):
        before = await transactions(dsn)
        found = await rate(control, [polls], connections=CONNECTIONS, seconds=SECONDS)
        sql = max(sql, (await transactions(dsn) - before) / (found.per_s * SECONDS))
        assert sql < SQL_A_POLL
        rates["ours"].append(found)
        for name, place, asked in (("peer", peer, files), ("graphql", control, asks)):
            rates[name].append(await rate(place, [asked], connections=CONNECTIONS, seconds=SECONDS))
        told(nth, rates)
    return rates, sql, "If-None-Match" in asks.headers


@contextmanager
def nginx() -> Iterator[Served]:
    """Serve a file by nginx until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    (folder / "files").mkdir()
    (folder / "files" / "config.json").write_text("{}")
    folder.chmod(0o755)  # its worker is nobody
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    try:
        with serving(command, f"http://127.0.0.1:{port}/config.json") as served:
            yield served
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def main() -> None:
    required("taskset", "wrk", "nginx")
    leave_the_core_to_servers()
    with server() as base:
        async with database(base, "poll") as dsn:
            async with running(dsn) as app:
                token = await fill(app)
            with ours(dsn) as control, nginx() as peer:
                rates, sql, graphql_304 = await measured(dsn, control, peer, token)
    print(json.dumps(summary(medians(rates), sql, graphql_304=graphql_304)))


def summary(found: dict[str, Rate], sql: float, *, graphql_304: bool) -> dict[str, object]:
    polls, peer, graphql = (found[name] for name in ("ours", "peer", "graphql"))
    return {
        "bench": "poll",
        "unit": "requests/s",
        "ours": round(polls.per_s),
        "peer": round(peer.per_s),
        "ratio": round(polls.per_s / peer.per_s, 3),
        "graphql_get": round(graphql.per_s),
        "ratio_graphql_get": round(graphql.per_s / peer.per_s, 3),
        "graphql_get_is_304": graphql_304,
        "sql_a_poll": round(sql, 5),
        "cpu_us": {name: round(each.cpu_us, 1) for name, each in found.items()},
        "connections": CONNECTIONS,
    }


if __name__ == "__main__":
    asyncio.run(main())
