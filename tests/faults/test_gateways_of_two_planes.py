"""Two services on one database, one of two processes: a gateway may be answered by either."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from controlplane.gateway.agent.held import Held
from tests.faults.gateways import (
    BOUND_S,
    OK,
    PAUSE_S,
    calls,
    envoy_gateway,
    haproxy_gateway,
    sold,
)
from tests.faults.proxy import proxied
from tests.gateways.world import upstream
from tests.processes import Served, serving

ROUNDS = 6
SWITCH_S = 0.4


async def started(stack: ExitStack, dsn: str, folder: Path) -> list[str]:
    """Start both services; return their addresses."""

    def start(workers: int) -> Served:
        return stack.enter_context(
            serving(
                folder / f"log-{workers}",
                CONTROLPLANE_DATABASE_URL=dsn,
                CONTROLPLANE_WORKERS=str(workers),
            )
        )

    both = await asyncio.gather(*(asyncio.to_thread(start, workers) for workers in (1, 2)))
    return [each.announced["url"] for each in both]


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
            planes = await started(stack, dsn, tmp_path)
            http, token = callers.http, shop.gateways[0]
            told: dict[str, set[tuple[str, str]]] = {}
            _, snapshot = await poll(http, planes[0], token)
            held = Held(snapshot)
            portals = [shop.portal(http, url) for url in planes]
            for nth in range(ROUNDS):
                key = await portals[nth % 2].issue()
                for url in planes * 3:  # of the second service, both processes as it happens
                    query = {"since": held.cursor, "wait": "0.2"}
                    tag, document = await poll(http, url, token, **query)
                    if document is not None:
                        assert not document["full"]
                        held.apply(document)  # which checks the hash
                    assert tag.strip('"').partition("-")[0] == held.cursor  # it never goes back
                    _, whole = await poll(http, url, token)
                    if whole["cursor"] == held.cursor:
                        told.setdefault(held.cursor, set()).add((tag, whole["content_hash"]))
                assert key.id
    assert len(told) > ROUNDS / 2
    assert {len(each) for each in told.values()} == {1}


async def test_revocations_hold_while_gateways_are_sent_to_and_fro(
    dsn: str, tmp_path: Path
) -> None:
    async with upstream() as to, calls() as callers:
        shop = await sold(dsn, to, gateways=2)
        with ExitStack() as stack:
            planes = await started(stack, dsn, tmp_path)
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
                        await portals[nth % 2].revoke(key)
                        callers.refuse(key)
                        proxy.to(planes[nth % 2])
                        proxy.drop()
                        await asyncio.sleep(SWITCH_S)
                    await asyncio.sleep(BOUND_S + PAUSE_S / 4)
    assert callers.wrong == []
