"""From a key being revoked to a real Envoy refusing it, with 10,000 keys in that Envoy.

A key is called with every millisecond while it is revoked through GraphQL; measured is from when
that request is sent to when the first call with the key was refused: commit, read models, the poll
that Envoy holds, what is rendered for it, and Envoy's taking it over are in it. Meanwhile another
key works all the time. The limit beside it is the same change, rendered before and put into the
file that another Envoy watches: what Envoy alone needs.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from aiohttp import ClientSession

from benchmarks.database import database, server
from benchmarks.load import Served, leave_the_core_to_servers, ours, required
from benchmarks.sold import PATH, Sold, revoke, sell
from controlplane.app import running
from controlplane.gateway.renderers import KEY_HEADER, Memo, Site, envoy
from controlplane.loop import run
from domain.config_document import apply
from domain.routing import Body, Document
from tests.gateways.real_envoy import Gateway, gateway, upstream

KEYS = 10_000
CHANGES = 60
PAUSE_S = 0.001
BETWEEN_S = 0.2
PATIENCE_S = 20.0
READY_S = 60.0
REFUSED, SERVED = 401, 200


async def until_refused(
    edge: Gateway, session: ClientSession, key: str, change: Callable[[], Awaitable[None]]
) -> float:
    """Return how many ms after a change was begun a call with the key was refused."""
    began_s = time.perf_counter()
    changing = asyncio.ensure_future(change())
    while await _status(edge, session, key) != REFUSED:
        assert time.perf_counter() < began_s + PATIENCE_S
        await asyncio.sleep(PAUSE_S)
    took_ms = (time.perf_counter() - began_s) * 1e3
    await changing
    return took_ms


async def _status(edge: Gateway, session: ClientSession, key: str) -> int:
    url = f"http://127.0.0.1:{edge.port}{PATH}"
    async with session.get(url, headers={KEY_HEADER: key}) as response:
        await response.read()
        return response.status


async def until_ready(edge: Gateway, session: ClientSession, key: str) -> None:
    deadline_s = time.perf_counter() + READY_S
    while await _status(edge, session, key) != SERVED:
        assert time.perf_counter() < deadline_s, edge.log.read_text()
        await asyncio.sleep(0.1)


async def of_ours(control: Served, sold: Sold, folder: Path) -> list[float]:
    """Return how many ms each revocation took to the Envoy that asks the control plane."""
    token = folder / "token"
    token.write_text(sold.gateways[0])
    took = []
    with gateway(folder) as edge:
        site = Site(
            str(folder),
            listen_port=edge.port,
            admin_port=edge.admin_port,
            control_plane=control.base,
            token_file=str(token),
        )
        edge.put(envoy.bootstrap(site))
        edge.start()
        async with ClientSession() as session, ClientSession() as owner:
            await until_ready(edge, session, sold.keys[-1])
            for nth in range(CHANGES):
                assert await _status(edge, session, sold.keys[nth]) == SERVED
                change = _revoking(owner, control, sold, nth)
                took.append(await until_refused(edge, session, sold.keys[nth], change))
                assert await _status(edge, session, sold.keys[-1]) == SERVED
                await asyncio.sleep(BETWEEN_S)
    return took


def _revoking(
    owner: ClientSession, control: Served, sold: Sold, nth: int
) -> Callable[[], Awaitable[None]]:
    return lambda: revoke(owner, control.base, sold, nth)


async def of_files(snapshot: Document, sold: Sold, folder: Path) -> list[float]:
    """Return how many ms a file that is there needs to the Envoy that watches it."""
    took = []
    rows = {row["id"]: row for row in snapshot["subscriptions"]}
    with gateway(folder) as edge:
        site = Site(str(folder), listen_port=edge.port, admin_port=edge.admin_port)
        memo, held = Memo(), snapshot
        written = envoy.render(held, site, memo).files
        (folder / "ca.pem").touch()
        edge.put(written)
        edge.put(envoy.bootstrap(site))
        edge.start()
        async with ClientSession() as session:
            await until_ready(edge, session, sold.keys[-1])
            for nth in range(CHANGES, 2 * CHANGES):
                row = {**rows[str(sold.subscriptions[nth])], "keys": []}
                held = apply(held, _delta(held, row))
                files = envoy.render(held, site, memo).files
                changed = {name: files[name] for name in files if files[name] != written.get(name)}
                written = files

                async def put(changed: dict[str, bytes] = changed) -> None:
                    edge.put(changed)

                took.append(await until_refused(edge, session, sold.keys[nth], put))
                await asyncio.sleep(BETWEEN_S)
    return took


def _delta(held: Document, row: Body) -> Document:
    nothing: dict[str, Any] = {"products": [], "versions": [], "plans": [], "removed": []}
    head = {name: held[name] for name in ("format", "group", "cursor", "content_hash")}
    return {**head, **nothing, "full": False, "since": held["cursor"], "subscriptions": [row]}


async def _snapshot(control: Served, sold: Sold) -> dict[str, Any]:
    bearer = {"Authorization": f"Bearer {sold.gateways[0]}"}
    async with (
        ClientSession(headers=bearer) as session,
        session.get(f"{control.base}/gateway/v1/config") as response,
    ):
        found: dict[str, Any] = json.loads(await response.read())
        return found


async def main() -> None:
    required("taskset")
    leave_the_core_to_servers()
    with server() as base, upstream() as url, tempfile.TemporaryDirectory() as directory:
        first, second = Path(directory) / "ours", Path(directory) / "files"
        first.mkdir()
        second.mkdir()
        async with database(base, "propagation") as dsn:
            async with running(dsn) as app:
                sold = await sell(app, KEYS, upstream=url)
            with ours(dsn) as control:
                took = await of_ours(control, sold, first)
                snapshot = await _snapshot(control, sold)
        limit = await of_files(snapshot, sold, second)
    print(json.dumps(summary(took, limit)))


def summary(took: Sequence[float], limit: Sequence[float]) -> dict[str, object]:
    return {
        "bench": "propagation",
        "unit": "ms from revoking a key to its refusal",
        "keys": KEYS,
        "changes": CHANGES,
        "p50_ms": round(median(took), 1),
        "p99_ms": round(quantiles(took, n=100, method="inclusive")[98], 1),
        "max_ms": round(max(took), 1),
        "limit_p50_ms": round(median(limit), 1),
        "limit_p99_ms": round(quantiles(limit, n=100, method="inclusive")[98], 1),
        "ratio": round(median(limit) / median(took), 2),
    }


if __name__ == "__main__":
    run(main())
