"""The connection that hears of new events dies, openly or silently; read models go on."""

import asyncio
import re
import time

import asyncpg

from controlplane.app import App, running
from controlplane.commands.team import FormTeam
from controlplane.settings import Settings
from tests.controlplane.commands.world import do
from tests.faults.proxy import Link, Proxy, proxied

SETTINGS = Settings(database_budget_s=1)
# It is the one that asks for revocations from time to time.
TERMINATE_LISTENER = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%topic = $3%'"""


def listeners(proxy: Proxy) -> list[Link]:
    return [link for link in proxy.links if re.search(rb"(?<!UN)LISTEN", link.said)]


async def caught_up_after(app: App, limit_s: float = 10) -> float:
    """Form a team; return after how many seconds queries see it."""
    position = (await do(app, FormTeam(name="Payments"))).outcome.position or 0
    started = time.monotonic()
    async with asyncio.timeout(limit_s):
        while app.projector.position < position:
            await asyncio.sleep(0.01)
    found = await app.services.pool.fetchval("SELECT count(*) FROM team")
    assert found == position
    return time.monotonic() - started


async def test_a_listener_whose_backend_is_terminated_is_replaced(dsn: str) -> None:
    admin = await asyncpg.connect(dsn)
    async with running(dsn, SETTINGS) as app:
        await caught_up_after(app)
        async with asyncio.timeout(5):
            while not await admin.fetchval(TERMINATE_LISTENER):
                await asyncio.sleep(0.01)
        assert await caught_up_after(app) < 4
        assert min([await caught_up_after(app) for _ in range(4)]) < 0.5  # it hears again
    await admin.close()


async def test_every_connection_can_be_terminated_at_once(dsn: str) -> None:
    admin = await asyncpg.connect(dsn)
    async with running(dsn, SETTINGS) as app:
        await caught_up_after(app)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert await caught_up_after(app) < 4
    await admin.close()


async def test_a_half_open_listener_is_noticed_and_replaced(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, SETTINGS) as app:
        await caught_up_after(app)
        (listener,) = listeners(proxy)
        listener.hole()
        assert await caught_up_after(app) < 4
        async with asyncio.timeout(5):
            while len(listeners(proxy)) == 1:
                await asyncio.sleep(0.01)
        assert min([await caught_up_after(app) for _ in range(4)]) < 0.5


async def test_a_listener_that_cannot_be_replaced_yet_holds_nothing_up_for_ever(dsn: str) -> None:
    """The new connection is half-open too, from its first word on."""
    async with proxied(dsn) as proxy, running(proxy.dsn, SETTINGS) as app:
        await caught_up_after(app)

        def mute(link: Link, _: bytes) -> bool:
            if link in listeners(proxy):
                link.hole()
            return True

        proxy.on_answer = mute
        listeners(proxy)[0].drop()
        await asyncio.sleep(2)
        proxy.on_answer = lambda *_: True
        assert await caught_up_after(app) < 6
