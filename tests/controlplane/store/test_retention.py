from datetime import timedelta

from controlplane.app import App
from controlplane.commands import execute
from controlplane.commands.team import FormTeam
from controlplane.store.retention import RETRIES_KEPT_H, drop_old_commands
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
