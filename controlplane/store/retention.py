"""Drops what is kept only for a while: the rows by which retries are recognised."""

import asyncio
from datetime import timedelta

import structlog

from controlplane.store import UNREACHABLE, Pool

log = structlog.get_logger()
RETRIES_KEPT_H = 24
PAUSE_S = 3_600
BATCH_ROWS = 50_000


async def drop_old_commands(pool: Pool) -> int:
    """Drop the rows of commands that are more than RETRIES_KEPT_H old; return how many.

    In batches of BATCH_ROWS, so that no lock is held for long.
    """
    upto = await pool.fetchval(
        "SELECT position FROM commits WHERE committed_at < clock_timestamp() - $1::interval"
        " ORDER BY committed_at DESC LIMIT 1",
        timedelta(hours=RETRIES_KEPT_H),
    )
    dropped = 0
    while upto is not None:  # ends: each batch leaves fewer
        tag = await pool.execute(
            "DELETE FROM commands WHERE ctid = ANY(ARRAY("
            "SELECT ctid FROM commands WHERE position <= $1 LIMIT $2))",
            upto,
            BATCH_ROWS,
        )
        rows = int(tag.rpartition(" ")[2])
        dropped += rows
        if rows < BATCH_ROWS:
            break
    return dropped


async def keep_tidy(pool: Pool) -> None:
    """Drop old rows for ever, every PAUSE_S."""
    while True:
        try:
            if dropped := await drop_old_commands(pool):
                log.info("retention.commands_dropped", rows=dropped)
        except UNREACHABLE as error:
            log.warning("retention.database_away", error=str(error) or type(error).__name__)
        except Exception:
            log.exception("retention.failed")
        await asyncio.sleep(PAUSE_S)
