"""Two services on one database, one of two processes: a gateway may be answered by either."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from controlplane.gateway.agent.held import Held
from tests.faults.gateways import (
    BOUND_S,
    OK,
    UNAUTHORIZED,
    calls,
    envoy_gateway,
    haproxy_gateway,
    sold,
)
from tests.faults.proxy import proxied
from tests.gateways.world import upstream
from tests.processes import Served, serving

ROUNDS = 8
SWITCH_S = 0.2


async def started(stack: ExitStack, dsn: str, folder: Path, *workers: int) -> list[str]:
    """Start services of so many processes; return their addresses."""

    def start(nth: int, workers: int) -> Served:
        return stack.enter_context(
            serving(
                folder / f"log-{nth}",
                CONTROLPLANE_DATABASE_URL=dsn,
                CONTROLPLANE_WORKERS=str(workers),
            )
        )

    starting = [asyncio.to_thread(start, nth, each) for nth, each in enumerate(workers)]
    return [each.announced["url"] for each in await asyncio.gather(*starting)]


async def poll(http: ClientSession, url: str, token: str, **query: str) -> tuple[str, Any]:
    """Return the ETag and the document; None for 304."""
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    async with http.get(f"{url}/gateway/v1/config", params=query, headers=headers) as response:
        assert response.status in {200, 304}, await response.text()
        return response.headers["ETag"], await response.json() if response.status == OK else None


async def test_a_gateway_that_asks_one_and_then_the_other_is_told_one_story(
    dsn: str, tmp_path: Path
) -> None:
    async with upstream() as to, calls() as callers:
        shop = await sold(dsn, to, gateways=1)
        with ExitStack() as stack:
            planes = await started(stack, dsn, tmp_path, 1, 2)
            http, token = callers.http, shop.gateways[0]
            told: dict[str, set[tuple[str, str]]] = {}
            _, snapshot = await poll(http, planes[0], token)
            held = Held(snapshot)
            for nth in range(ROUNDS):
                await shop.portal(http, planes[nth % 2]).issue()
                _, delta = await poll(http, planes[nth % 3 % 2], token, since=held.cursor, wait="5")
                held.apply(delta)  # which checks the hash
                for url in planes * 3:  # of the second service, each process as it happens
                    tag, document = await poll(http, url, token, since=held.cursor)
                    assert (tag.strip('"').partition("-")[0], document) == (held.cursor, None)
                    tag, document = await poll(http, url, token)
                    told.setdefault(document["cursor"], set()).add((tag, document["content_hash"]))
    assert len(told) == ROUNDS
    assert {len(each) for each in told.values()} == {1}


async def test_revocations_hold_while_gateways_are_sent_to_and_fro(
    dsn: str, tmp_path: Path
) -> None:
    async with upstream() as to, calls() as callers:
        shop = await sold(dsn, to, gateways=2)
        with ExitStack() as stack:
            planes = await started(stack, dsn, tmp_path, 2, 1)
            async with (
                proxied(planes[0]) as proxy,
                envoy_gateway(tmp_path / "envoy", proxy.url, shop.gateways[0]) as one,
                haproxy_gateway(tmp_path / "haproxy", proxy.url, shop.gateways[1]) as two,
            ):
                callers.ports = [one, two]
                portals = [shop.portal(callers.http, url) for url in planes]
                valid = await portals[0].issue()
                async with callers.calling(valid.secret):
                    for nth in range(ROUNDS):
                        key = await portals[nth % 2].issue()
                        await callers.until(OK, key.secret)
                        await portals[nth % 2].revoke(key)
                        callers.refuse(key)
                        if nth % 2:  # a service of two processes is an alternation by itself
                            proxy.to(planes[nth // 2 % 2])
                            proxy.drop()
                        await callers.until(UNAUTHORIZED, key.secret)
                        callers.refused_from_s[key.secret] = time.monotonic()  # once and for all
                        await asyncio.sleep(SWITCH_S)
                    await asyncio.sleep(BOUND_S)
    assert callers.wrong == []
