"""The timer records which gateways are silent or enforce something else, once, and the way back."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from controlplane.app import App, running
from controlplane.commands.gateway import DrainGateway, RegisterGateway, ReinstateGateway
from controlplane.processes.timer import GATEWAYS, note_gateways
from tests.controlplane.commands.world import World, begun, do, world
from tests.given import OWNER

STALE_S = 60.0


@pytest.fixture
async def there(app: App) -> World:
    return await world(app)


async def heard(app: App, gateway_id: UUID, ago_s: float) -> None:
    await app.services.pool.execute(
        "INSERT INTO gateway_contacts VALUES ($1, $2, clock_timestamp() - $3::interval)"
        " ON CONFLICT (organization_id, gateway_id) DO UPDATE SET heard_at = EXCLUDED.heard_at",
        OWNER.organization_id,
        gateway_id,
        timedelta(seconds=ago_s),
    )


async def acknowledged(app: App, gateway_id: UUID, *, diverged: bool) -> None:
    await app.services.pool.execute(
        "INSERT INTO gateway_acknowledgements VALUES"
        " ($1, $2, 1, 7, repeat('a', 64), now(), now(), $3)"
        " ON CONFLICT (organization_id, gateway_id) DO UPDATE SET diverged = EXCLUDED.diverged",
        OWNER.organization_id,
        gateway_id,
        diverged,
    )


async def noted(app: App, *, listened: bool = True) -> list[tuple[str, UUID]]:
    """Return what the timer records now."""
    last = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
    before = await app.services.pool.fetchval(last)
    await app.projector.wait_until(before)
    await note_gateways(app.services, STALE_S, listened=listened)
    await app.projector.wait_until(await app.services.pool.fetchval(last))
    rows = await app.services.pool.fetch(
        "SELECT topic, originator_id FROM stored_events WHERE notification_id > $1"
        " ORDER BY notification_id",
        before,
    )
    return [(row["topic"], row["originator_id"]) for row in rows]


async def test_silence_is_recorded_once_and_so_is_its_end(app: App, there: World) -> None:
    edge = there.gateway
    assert await noted(app) == []  # it was never heard
    await heard(app, edge, 59)
    assert await noted(app) == []
    await heard(app, edge, 61)
    assert await noted(app, listened=False) == []  # we may have been away ourselves
    assert await noted(app) == [("gateway.staled", edge)]
    assert await noted(app) == []
    assert await noted(app, listened=False) == []
    await heard(app, edge, 0)
    assert await noted(app) == [("gateway.returned", edge)]
    assert await noted(app) == []


async def test_another_hash_is_recorded_once_and_so_is_its_end(app: App, there: World) -> None:
    await acknowledged(app, there.gateway, diverged=True)
    assert await noted(app) == [("gateway.diverged", there.gateway)]
    row = await app.services.pool.fetchrow(
        "SELECT actor FROM audit WHERE event = 'gateway.diverged'"
    )
    assert row is not None
    assert row["actor"] == "timer"
    assert await noted(app) == []
    assert GATEWAYS.labels("diverged")._value.get() == 1  # noqa: SLF001  # it has no reader
    await acknowledged(app, there.gateway, diverged=False)
    assert await noted(app) == [("gateway.converged", there.gateway)]


async def test_a_drained_gateway_is_not_missed(app: App, there: World) -> None:
    await heard(app, there.gateway, 1_000)
    await do(app, DrainGateway(gateway_id=there.gateway))
    assert await noted(app) == []
    await do(app, ReinstateGateway(gateway_id=there.gateway))
    assert await noted(app) == [("gateway.staled", there.gateway)]


async def test_several_processes_record_it_once(app: App, there: World, dsn: str) -> None:
    ids = [
        await begun(app, RegisterGateway(group_id=there.group, name=f"edge-{nth}"))
        for nth in range(2, 7)
    ]
    for id_ in ids:
        await heard(app, id_, 1_000)
    async with running(dsn) as other:
        await noted(app, listened=False)  # both have caught up
        await other.projector.wait_until(app.projector.position)
        await asyncio.gather(
            *(note_gateways(each.services, STALE_S, listened=True) for each in (app, other) * 2)
        )
    rows = await app.services.pool.fetch(
        "SELECT originator_id FROM stored_events WHERE topic = 'gateway.staled'"
    )
    assert sorted(row[0] for row in rows) == sorted(ids)
