"""Two hundred gateways at once, some of which never read what they are told."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, TCPConnector

from controlplane.gateway.agent.held import Held
from tests.faults.gateways import BOUND_S, OK, calls, sold
from tests.faults.proxy import proxied
from tests.gateways.world import free_port
from tests.processes import serving

GATEWAYS = 200
HALF_OPEN = 50
DEAF, POLLS = 20, 500
PATIENCE_S = 20
RACE_S = 2.0
"""How long a change may take to all of them, who have just connected again; 0.4 s were seen."""


@dataclass
class Waiting:
    """A gateway that holds a poll, and asks again at once when that is lost."""

    http: ClientSession
    url: str
    token: str
    held: Held | None = None
    polls: int = 0
    told: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        while True:
            try:
                await self._poll()
            except (ClientError, OSError, TimeoutError):
                await asyncio.sleep(0.05)  # it is not polite

    async def _poll(self) -> None:
        query = {"since": self.held.cursor, "wait": "30"} if self.held else {}
        headers = {"Authorization": f"Bearer {self.token}"}
        path = f"{self.url}/gateway/v1/config"
        async with self.http.get(path, params=query, headers=headers) as response:
            if response.status != OK:
                raise ClientError(response.status)
            document = await response.json()
        async with self.told:
            self.polls += 1
            if document["full"] or self.held is None:
                self.held = Held(document, self.held)
            else:
                self.held.apply(document)
            self.told.notify_all()

    def _keys(self) -> int:
        rows = self.held.rows["subscription"].values() if self.held else []
        return sum(len(row["keys"]) for row in rows)

    async def until(self, keys: int) -> float:
        """Wait until it has so many keys; return when."""
        async with asyncio.timeout(PATIENCE_S), self.told:
            await self.told.wait_for(lambda: self._keys() == keys)
            return time.monotonic()


@asynccontextmanager
async def waiting(url: str, tokens: list[str]) -> AsyncIterator[list[Waiting]]:
    """Have gateways hold polls until the block ends."""
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector) as http, asyncio.TaskGroup() as tasks:
        found = [Waiting(http, url, token) for token in tokens]
        running = [tasks.create_task(each.run()) for each in found]
        yield found
        for each in running:
            each.cancel()


def request(token: str, query: str = "") -> bytes:
    """Return a poll as it is sent."""
    head = f"GET /gateway/v1/config{query} HTTP/1.1\r\nHost: plane\r\n"
    return f"{head}Authorization: Bearer {token}\r\n\r\n".encode()


async def test_two_hundred_gateways_that_lose_the_control_plane_are_told_what_changed(
    dsn: str, tmp_path: Path
) -> None:
    shop = await sold(dsn, "http://127.0.0.1:9", GATEWAYS, keys=1)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    variables = {"CONTROLPLANE_DATABASE_URL": dsn, "CONTROLPLANE_PORT": str(port)}
    async with waiting(url, shop.gateways) as gateways, calls() as callers:
        portal = shop.portal(callers.http, url)
        with serving(tmp_path / "1", **variables) as served:
            await asyncio.gather(*(each.until(1) for each in gateways))
            served.process.kill()
        with serving(tmp_path / "2", **variables):  # and all of them are there at once
            await portal.revoke(shop.keys[0])
            revoked_s = time.monotonic()
            last_s = max(await asyncio.gather(*(each.until(0) for each in gateways)))
            assert last_s - revoked_s < RACE_S
    assert len({each.held.content_hash() for each in gateways if each.held}) == 1
    assert max(each.polls for each in gateways) <= 3  # a snapshot and a delta: nobody is told twice


async def test_gateways_that_read_nothing_hold_up_nobody(dsn: str, tmp_path: Path) -> None:
    shop = await sold(dsn, "http://127.0.0.1:9", 1 + HALF_OPEN + DEAF, keys=1)
    good, *others = shop.gateways
    with serving(tmp_path / "log", CONTROLPLANE_DATABASE_URL=dsn) as served:
        url = served.announced["url"]
        async with (
            proxied(url) as proxy,
            waiting(proxy.url, others[:HALF_OPEN]) as half_open,
            waiting(url, [good]) as (gateway,),
            calls() as callers,
        ):
            portal = shop.portal(callers.http, url)
            await asyncio.gather(*(each.until(1) for each in (gateway, *half_open)))
            await asyncio.sleep(0.2)  # they hold polls again
            proxy.blackhole()
            deaf = [
                await asyncio.open_connection("127.0.0.1", urlsplit(url).port) for _ in range(DEAF)
            ]
            for (_, writer), token in zip(deaf, others[HALF_OPEN:], strict=True):
                writer.write(request(token) * POLLS)
            for _ in range(3):
                key = await portal.issue()
                asked_s = time.monotonic()
                assert await gateway.until(2) - asked_s < BOUND_S
                await portal.revoke(key)
                asked_s = time.monotonic()
                assert await gateway.until(1) - asked_s < BOUND_S
            assert {each.polls for each in half_open} == {1}
            for _, writer in deaf:
                writer.transport.abort()
