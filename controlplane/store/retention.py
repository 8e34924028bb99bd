"""Drops what is kept only for a while: rows by which retries are recognised, and observations."""

import asyncio
from datetime import datetime, timedelta

import structlog

from controlplane.store import UNREACHABLE, Pool

log = structlog.get_logger()
RETRIES_KEPT_H = 24
PAUSE_S = 3_600
BATCH_ROWS = 50_000


async def drop_old_commands(pool: Pool) -> int:
    """Drop the rows of commands that are more than RETRIES_KEPT_H old; return how many."""
    upto = await pool.fetchval(
        "SELECT position FROM commits WHERE committed_at < clock_timestamp() - $1::interval"
        " ORDER BY committed_at DESC LIMIT 1",
        timedelta(hours=RETRIES_KEPT_H),
    )
    return 0 if upto is None else await _drop(pool, "commands", "position <= $1", upto)


async def drop_old_observations(pool: Pool, kept_d: int) -> int:
    """Drop what gateways ran or rejected last more than so many days ago; return how many rows.

    What a gateway runs now stays, however long it has.
    """
    before: datetime = await pool.fetchval(
        "SELECT clock_timestamp() - $1::interval", timedelta(days=kept_d)
    )
    return await _drop(
        pool, "gateway_acknowledgements_past", "running_until < $1", before
    ) + await _drop(pool, "gateway_rejections", "last_at < $1", before)


async def _drop(pool: Pool, table: str, condition: str, value: object) -> int:
    """Drop rows in batches of BATCH_ROWS, so that no lock is held for long."""
    dropped, rows = 0, BATCH_ROWS
    while rows == BATCH_ROWS:  # ends: each batch leaves fewer
        tag = await pool.execute(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608  # our own names
            f"SELECT ctid FROM {table} WHERE {condition} LIMIT $2))",
            value,
            BATCH_ROWS,
        )
        rows = int(tag.rpartition(" ")[2])
        dropped += rows
    return dropped


async def keep_tidy(pool: Pool, observations_kept_d: int) -> None:
    """Drop old rows for ever, every PAUSE_S."""
    while True:
        try:
            if dropped := await drop_old_commands(pool):
                log.info("retention.commands_dropped", rows=dropped)
            if dropped := await drop_old_observations(pool, observations_kept_d):
                log.info("retention.observations_dropped", rows=dropped)
        except UNREACHABLE as error:
            log.warning("retention.database_away", error=str(error) or type(error).__name__)
        except Exception:
            log.exception("retention.failed")
        await asyncio.sleep(PAUSE_S)
