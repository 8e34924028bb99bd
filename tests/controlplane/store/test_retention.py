from datetime import timedelta

from controlplane.app import App
from controlplane.commands import execute
from controlplane.commands.team import FormTeam
from controlplane.store.retention import (
    RETRIES_KEPT_H,
    drop_old_commands,
    drop_old_observations,
)
from tests.given import OWNER


async def test_a_retry_is_recognised_for_a_day_and_its_row_is_then_dropped(app: App) -> None:
    pool = app.services.pool
    for name in ("old", "old too", "new"):
        await execute(FormTeam(name=name), app.context(OWNER))
    assert await drop_old_commands(pool) == 0
    await pool.execute(
        "UPDATE commits SET committed_at = committed_at - $1::interval WHERE position < 3",
        timedelta(hours=RETRIES_KEPT_H),
    )
    assert await drop_old_commands(pool) == 2
    assert await pool.fetchval("SELECT array_agg(position) FROM commands") == [3]
    assert await pool.fetchval("SELECT count(*) FROM stored_events") == 3


async def test_what_gateways_ran_is_kept_for_a_while_and_what_they_run_for_ever(app: App) -> None:
    pool, ids = app.services.pool, (OWNER.organization_id, OWNER.organization_id)
    acknowledge = (
        "INSERT INTO gateway_acknowledgements VALUES ($1, $2, 1, $3, repeat('a', 64),"
        " now() - interval '100 days', now() - interval '100 days')"
    )
    await pool.execute(acknowledge, *ids, 7)
    for position, days in ((8, 40), (9, 20)):
        await pool.execute(
            "UPDATE gateway_acknowledgements SET position = $1,"
            " running_since = now() - $2::interval, acknowledged_at = now() - $2::interval",
            position,
            timedelta(days=days),
        )
    rejections = "INSERT INTO gateway_rejections VALUES ($1, $2, 1, $3, 'no', now(), $4, 1)"
    now = await pool.fetchval("SELECT now()")
    await pool.execute(rejections, *ids, 7, now - timedelta(days=31))
    await pool.execute(rejections, *ids, 8, now)

    assert await drop_old_observations(pool, 30) == 2

    kept = "SELECT array_agg(position ORDER BY position) FROM "
    assert await pool.fetchval(f"{kept} gateway_run") == [8, 9]
    assert await pool.fetchval(f"{kept} gateway_rejections") == [8]
