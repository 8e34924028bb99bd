"""One change in a group of 100,000 subscriptions: what a gateway is sent, and what that costs.

A key is revoked, and a gateway asks what has changed since: measured is that question, of which no
answer was made before. The same in a group of a hundredth of the size tells whether the cost is
that of the change. etcd is asked for those of 100,000 keys that have changed since a revision.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from aiohttp import ClientSession

from benchmarks.database import database, server
from benchmarks.etcd import asked, etcd, in_base64, put
from benchmarks.load import Served, leave_the_core_to_servers, ours, required
from benchmarks.sold import Sold, revoke, sell
from controlplane.app import running
from controlplane.loop import run

SUBSCRIPTIONS = 100_000
FEW = SUBSCRIPTIONS // 100
CHANGES = 40
ROUNDS = 5
UPSTREAM = "http://127.0.0.1:9"
AT_ONCE = 100


class Told(NamedTuple):
    """What telling one change took."""

    ms: float
    sent_bytes: int
    cpu_ms: float


async def of_ours(control: Served, sold: Sold, first: int) -> tuple[list[Told], int]:
    """Return what each change took, and the size of a snapshot."""
    bearer = {"Authorization": f"Bearer {sold.gateways[0]}", "Accept-Encoding": "identity"}
    url = f"{control.base}/gateway/v1/config"
    told = []
    async with ClientSession(headers=bearer, auto_decompress=False) as session:
        async with session.get(url) as response:
            snapshot = await response.read()
            cursor = json.loads(snapshot)["cursor"]
        for nth in range(first, first + CHANGES):
            cpu_s = control.cpu_s()
            await revoke(session, control.base, sold, nth)
            query = {"since": cursor, "wait": "10"}
            async with session.get(url, params=query) as response:
                body = await response.read()  # once it is known
            began_s = time.perf_counter()
            zipped = {"Accept-Encoding": "gzip"}
            async with session.get(url, params={"since": cursor}, headers=zipped) as response:
                await response.read()
                assert response.status == 200
            told.append(
                Told(
                    (time.perf_counter() - began_s) * 1e3,
                    len(body),
                    (control.cpu_s() - cpu_s) * 1e3,
                )
            )
            cursor = json.loads(body)["cursor"]
    return told, len(snapshot)


async def of_etcd(peer: Served) -> list[float]:
    """Return how many ms each question took."""
    took = []
    async with ClientSession() as session:
        for start in range(0, SUBSCRIPTIONS, AT_ONCE):
            keys = range(start, start + AT_ONCE)
            await asyncio.gather(*(put(session, peer, f"k{nth:06}", "x" * 100) for nth in keys))
        for nth in range(CHANGES):
            revision = await put(session, peer, f"k{nth:06}", "revoked")
            began_s = time.perf_counter()
            all_since = {
                "key": in_base64("k"),
                "range_end": in_base64("l"),
                "min_mod_revision": str(revision),
            }
            answer = await asked(session, peer, "range", all_since)
            took.append((time.perf_counter() - began_s) * 1e3)
            assert len(answer["kvs"]) == 1
    return took


async def measured(dsn: str, subscriptions: int) -> tuple[list[list[Told]], int]:
    """Return what each change of each round took, and the size of a snapshot."""
    async with running(dsn) as app:
        sold = await sell(app, subscriptions, upstream=UPSTREAM)
    with ours(dsn) as control:
        rounds = [await of_ours(control, sold, nth * CHANGES) for nth in range(ROUNDS)]
    return [told for told, _ in rounds], rounds[0][1]


async def main() -> None:
    required("taskset", "etcd")
    leave_the_core_to_servers()
    with server() as base:
        async with database(base, "few") as few, database(base, "many") as many:
            small, _ = await measured(few, FEW)
            large, snapshot_bytes = await measured(many, SUBSCRIPTIONS)
    with etcd() as peer:
        took = await of_etcd(peer)
    print(json.dumps(summary(small, large, snapshot_bytes, took)))


def summary(
    small: Sequence[Sequence[Told]],
    large: Sequence[Sequence[Told]],
    snapshot_bytes: int,
    took: Sequence[float],
) -> dict[str, object]:
    few, many = (median(median(told.ms for told in each) for each in of) for of in (small, large))
    cpu = [
        median(sum(told.cpu_ms for told in each) / len(each) for each in of)
        for of in (small, large)
    ]
    return {
        "bench": "delta",
        "unit": "ms to tell one change",
        "subscriptions": SUBSCRIPTIONS,
        "bytes": max(told.sent_bytes for each in large for told in each),
        "snapshot_bytes": snapshot_bytes,
        "ms": round(many, 2),
        "ms_of_a_hundredth": round(few, 2),
        "cpu_ms_a_change": round(cpu[1], 2),
        "cpu_ms_a_change_of_a_hundredth": round(cpu[0], 2),
        "peer_ms": round(median(took), 2),
        "ratio": round(median(took) / many, 1),
    }


if __name__ == "__main__":
    run(main())
