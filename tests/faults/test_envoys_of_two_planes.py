"""Two services on one database share the polls of one Envoy: what it runs is known all the same."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
from aiohttp import ClientSession

from controlplane.gateway.renderers.envoy_keys import SHARDS
from tests.faults.gateways import OK, UNAUTHORIZED, calls, sold
from tests.faults.test_gateways_of_two_planes import poll, started
from tests.gateways.real_envoy import gateway
from tests.gateways.world import upstream

ROUNDS = 6
FILTERS = ("tokens", "plans", "limits", *(f"keys-{digit}" for digit in SHARDS))
PARTS = (("clusters", ""), ("routes", "routes"), *(("extension_configs", each) for each in FILTERS))
AGAIN_S = 0.05
PATIENCE_S = 0.5
"""An Envoy is held for longer: here both services are asked under each version."""


class Polls:
    """Asks as an Envoy does, each part for itself: now one service and now the other."""

    def __init__(self, http: ClientSession, planes: list[str], token: str) -> None:
        self._http, self._planes, self._token = http, planes, token
        self._turn = itertools.count()

    async def follow(self, kind: str, name: str) -> None:
        said = ""
        while True:
            url = f"{self._planes[next(self._turn) % 2]}/v3/discovery:{kind}"
            asked: dict[str, Any] = {"version_info": said} if said else {}
            asked |= {"resource_names": [name]} if name else {}
            with suppress(TimeoutError):
                async with (
                    asyncio.timeout(PATIENCE_S),
                    self._http.post(
                        url,
                        data=json.dumps(asked, separators=(",", ":")),
                        headers={"Authorization": f"Bearer {self._token}"},
                    ) as response,
                ):
                    if response.status == OK:
                        said = (await response.json())["version_info"]
            await asyncio.sleep(AGAIN_S)

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self.follow(*part)) for part in PARTS]
            yield
            for each in running:
                each.cancel()


async def ran(database: "asyncpg.Connection[Any]") -> tuple[str, str] | None:
    """Return cursor and hash of what the gateway is known to run."""
    row = await database.fetchrow("SELECT * FROM gateway_acknowledgements")
    return row and (f"{row['epoch']}.{row['position']}", row["content_hash"])


async def acknowledged(database: "asyncpg.Connection[Any]", config: Any) -> None:
    """Wait until it is known that the gateway runs that."""
    async with asyncio.timeout(5):
        while await ran(database) != (config["cursor"], config["content_hash"]):
            await asyncio.sleep(0.02)


async def newest(http: ClientSession, planes: list[str], token: str) -> tuple[str, str]:
    """Return cursor and hash of what both services hand out, once they do the same."""
    while True:
        told = [(await poll(http, url, token))[1] for url in planes]
        first, second = ((each["cursor"], each["content_hash"]) for each in told)
        if first == second:
            return first


async def test_what_an_envoy_runs_is_known_although_no_service_hears_all_of_it(
    dsn: str, tmp_path: Path
) -> None:
    async with upstream() as to, calls() as callers:
        shop = await sold(dsn, to, gateways=1)
        database = await asyncpg.connect(dsn)
        with ExitStack() as stack:
            planes = await started(stack, dsn, tmp_path, 1, 1)
            token = shop.gateways[0]
            async with Polls(callers.http, planes, token).polling():
                _, config = await poll(callers.http, planes[0], token)
                for nth in range(ROUNDS):
                    http, url = callers.http, planes[nth % 2]
                    key = await shop.portal(http, url).issue()
                    _, config = await poll(http, url, token, since=config["cursor"], wait="5")
                    await acknowledged(database, config)
                    await shop.portal(http, url).revoke(key)  # by which all is as it was before
                    _, config = await poll(http, url, token, since=config["cursor"], wait="5")
                    await acknowledged(database, config)

                written = "SELECT part, version, xmin::text FROM envoy_parts ORDER BY part"
                before = await database.fetch(written)
                assert [row["part"] for row in before] == sorted(" ".join(p).strip() for p in PARTS)
                await asyncio.sleep(PATIENCE_S * 4)
                assert await database.fetch(written) == before
        await database.close()


async def test_a_real_envoy_with_two_services_behind_one_name_says_what_it_runs(
    dsn: str, tmp_path: Path
) -> None:
    async with upstream() as to, calls() as callers:
        shop = await sold(dsn, to, gateways=1)
        database = await asyncpg.connect(dsn)
        with ExitStack() as stack:
            planes = await started(stack, dsn, tmp_path, 1, 1)
            (tmp_path / "envoy").mkdir()
            running = stack.enter_context(gateway(tmp_path / "envoy"))
            running.put({"token": shop.gateways[0].encode(), **running.asking(planes)})
            await asyncio.to_thread(running.start)
            callers.ports = [running.port]
            for nth in range(ROUNDS):
                portal = shop.portal(callers.http, planes[nth % 2])
                key = await portal.issue()
                await callers.until(OK, key.secret)
                await portal.revoke(key)
                await callers.until(UNAUTHORIZED, key.secret)
            async with asyncio.timeout(5):
                while await ran(database) != await newest(callers.http, planes, shop.gateways[0]):
                    await asyncio.sleep(0.02)
        assert await database.fetchval("SELECT count(*) FROM gateway_rejections") == 0
        await database.close()
