"""A thousand gateways that wait are told of one revoked key, beside etcd's watches.

Each gateway has a token and a connection of its own and holds a poll. Measured is from when the
command is sent to when each gateway has read the change off its connection: the commit, the read
models and the answers are in it. etcd's is from the `put` to when each of a thousand watches, each
on a connection of its own, has read the event. The server has one core, the thousand have another,
and what they need to read is in both figures.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import cast

from aiohttp import ClientSession, TCPConnector

from benchmarks.database import database, server
from benchmarks.etcd import etcd, in_base64, put
from benchmarks.load import Served, leave_the_core_to_servers, ours, required
from benchmarks.sold import Sold, revoke, sell
from controlplane.app import running
from controlplane.loop import run

GATEWAYS = 1_000
ROUNDS = 5
UPSTREAM = "http://127.0.0.1:9"
HEADS = "\r\n\r\n"


class Watcher(asyncio.Protocol):
    """One connection on which something is awaited; it does as little as can be."""

    def __init__(self) -> None:
        self._received = b""
        self._came = asyncio.Event()
        self.woken_at_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be connected."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Keep what came, and when the first of it did."""
        if not self._received:
            self.woken_at_s = time.perf_counter()
        self._received += data
        self._came.set()

    def ask(self, text: str) -> None:
        """Send a request."""
        self._transport.write(text.encode())

    async def event(self) -> None:
        """Wait until something came; what comes next is another event."""
        await self._came.wait()
        self._came.clear()
        self._received = b""

    async def answered(self) -> bytes:
        """Return the body of an answer of known length."""
        while True:
            await self._came.wait()
            self._came.clear()
            head, _, body = self._received.partition(HEADS.encode())
            (length,) = (line for line in head.split(b"\r\n") if b"Content-Length" in line)
            if len(body) >= int(length.split(b":")[1]):
                self._received = b""
                return body


async def connected(port: int) -> list[Watcher]:
    """Return a thousand connections."""
    connect = asyncio.get_running_loop().create_connection
    return [(await connect(Watcher, "127.0.0.1", port))[1] for _ in range(GATEWAYS)]


def resident_bytes(served: Served) -> int:
    """Return the memory of a server."""
    status = Path(f"/proc/{served.pid}/status").read_text()
    (line,) = (each for each in status.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) * 1_024


async def of_ours(control: Served, sold: Sold) -> tuple[list[list[float]], float, float]:
    """Return the delays of each round in ms, and what one waiter takes: bytes, seconds of CPU."""
    port = int(control.base.rpartition(":")[2])
    before = resident_bytes(control)
    gateways = await connected(port)
    for each, token in zip(gateways, sold.gateways, strict=True):
        each.ask(_poll(token, ""))
    cursors = [json.loads(await each.answered())["cursor"] for each in gateways]
    rounds, cpu_s = [], 0.0
    async with ClientSession(connector=TCPConnector(limit=1)) as session:
        for nth in range(ROUNDS):
            for each, token, cursor in zip(gateways, sold.gateways, cursors, strict=True):
                each.ask(_poll(token, f"since={cursor}&wait=30"))
            await asyncio.sleep(1.5)  # all of them wait by now
            if nth == 0:
                per_waiter = (resident_bytes(control) - before) / len(gateways)
            cpu_s -= control.cpu_s()
            began_s = time.perf_counter()
            revoked = asyncio.create_task(revoke(session, control.base, sold, nth))
            bodies = await asyncio.gather(*(each.answered() for each in gateways))
            await revoked
            await asyncio.sleep(0.5)  # what it does once they have read counts too
            cpu_s += control.cpu_s()
            cursors = [json.loads(body)["cursor"] for body in bodies]
            assert len(set(cursors)) == 1
            rounds.append([(each.woken_at_s - began_s) * 1e3 for each in gateways])
    return rounds, per_waiter, cpu_s / ROUNDS / len(gateways)


def _poll(token: str, query: str) -> str:
    return (
        f"GET /gateway/v1/config?{query} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token}{HEADS}"
    )


async def of_etcd(peer: Served) -> list[list[float]]:
    """Return the delays of each round in ms."""
    port = int(peer.base.rpartition(":")[2])
    key = in_base64("revoked")
    body = json.dumps({"create_request": {"key": key}})
    watch = (
        "POST /v3/watch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}{HEADS}{body}"
    )
    watchers = await connected(port)
    for each in watchers:
        each.ask(watch)
        await each.event()  # it says that the watch is there
    await asyncio.sleep(1)
    rounds = []
    async with ClientSession() as session:
        for nth in range(ROUNDS):
            began_s = time.perf_counter()
            done = asyncio.create_task(put(session, peer, "revoked", str(nth)))
            await asyncio.gather(*(each.event() for each in watchers))
            await done
            rounds.append([(each.woken_at_s - began_s) * 1e3 for each in watchers])
            await asyncio.sleep(0.5)
    return rounds


async def main() -> None:
    required("taskset", "etcd")
    leave_the_core_to_servers()
    with server() as base:
        async with database(base, "wake") as dsn:
            async with running(dsn) as app:
                sold = await sell(app, 100, gateways=GATEWAYS, upstream=UPSTREAM)
            with ours(dsn) as control:
                rounds, per_waiter, cpu_s = await of_ours(control, sold)
            with etcd() as peer:
                peers = await of_etcd(peer)
    print(json.dumps(summary(rounds, peers, per_waiter, cpu_s)))


def summary(
    rounds: Sequence[Sequence[float]],
    peers: Sequence[Sequence[float]],
    per_waiter: float,
    cpu_s: float,
) -> dict[str, object]:
    ours_ms, peer_ms = (median(quantiles(each, n=100)[98] for each in of) for of in (rounds, peers))
    return {
        "bench": "wake",
        "unit": "ms from the command to the gateway",
        "gateways": GATEWAYS,
        "p99_ms": round(ours_ms, 1),
        "p50_ms": round(median(median(each) for each in rounds), 1),
        "first_ms": round(median(min(each) for each in rounds), 1),
        "peer_p99_ms": round(peer_ms, 1),
        "ratio": round(peer_ms / ours_ms, 2),
        "rounds_p99_ms": [round(quantiles(each, n=100)[98], 1) for each in rounds],
        "kb_a_waiter": round(per_waiter / 1_024, 1),
        "cpu_us_a_waiter": round(cpu_s * 1e6, 1),
    }


if __name__ == "__main__":
    run(main())
