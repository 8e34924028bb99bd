"""The timer: does what is due because time has passed, by commands and in small batches.

Nothing waits for it: subscriptions and keys end by their instants, wherever they are enforced or
read. It records what has ended, and makes good what a process that was killed left undone. It
runs in every process; what two of them ask for at once is one command with one idempotency key.
"""

import asyncio
from datetime import datetime, timedelta

import structlog
from asyncpg import Record
from prometheus_client import Gauge

from controlplane.auth import process
from controlplane.commands import Command, execute
from controlplane.commands.gateway import NoteGateway
from controlplane.commands.invitation import ExpireInvitation
from controlplane.commands.subscription import ExpireSubscription
from controlplane.context import Context, Services
from controlplane.persons import erase
from controlplane.store import UNREACHABLE, UnavailableError
from domain.aggregate import DomainError
from domain.developer import Developer
from domain.invitation import Invitation

PAUSE_S = 5.0
BATCH = 100
ACTOR = "timer"
_DUE = """
SELECT organization_id, id, expires_at FROM subscription
WHERE state IN ('ACTIVE', 'SUSPENDED') AND expires_at <= $1
ORDER BY expires_at, id LIMIT $2
"""
_UNUSED = """
SELECT organization_id, id FROM invitation WHERE state = 'OPEN' AND expires_at <= $1
ORDER BY expires_at, id LIMIT $2
"""
_GATEWAYS = """
WITH seen AS (
    SELECT g.organization_id, g.id, g.stale_since, g.diverged_since, a.content_hash,
        CASE WHEN c.heard_at < clock_timestamp() - $1::interval
            AND ($2 OR g.stale_since IS NOT NULL) THEN c.heard_at END AS silent_since,
        CASE WHEN a.diverged THEN a.epoch || '.' || a.position END AS cursor
    FROM gateway AS g
    LEFT JOIN gateway_contacts AS c
        ON c.organization_id = g.organization_id AND c.gateway_id = g.id
    LEFT JOIN gateway_acknowledgements AS a
        ON a.organization_id = g.organization_id AND a.gateway_id = g.id
    WHERE g.drained_at IS NULL
)
SELECT * FROM seen WHERE (silent_since IS NULL) <> (stale_since IS NULL)
    OR (cursor IS NULL) <> (diverged_since IS NULL)
LIMIT $3
"""
_UNWELL = """
SELECT count(*) FILTER (WHERE stale_since IS NOT NULL) AS stale,
    count(*) FILTER (WHERE diverged_since IS NOT NULL) AS diverged
FROM gateway WHERE drained_at IS NULL
"""
_UNREADABLE = """
SELECT organization_id, id, developer_id FROM (
    SELECT organization_id, id, id AS developer_id FROM developer WHERE state = 'FORGOTTEN'
    UNION ALL
    SELECT organization_id, id, developer_id FROM invitation
    WHERE state IN ('REVOKED', 'EXPIRED')
) AS gone
WHERE EXISTS (SELECT FROM person_keys AS k
    WHERE k.organization = gone.organization_id AND k.person = gone.developer_id)
LIMIT $1
"""

log = structlog.get_logger()
GATEWAYS = Gauge(
    "controlplane_gateways",
    "Gateways in service that are not well, of all organizations.",
    ["condition"],
    multiprocess_mode="livemostrecent",
)


async def expire_subscriptions(services: Services) -> int:
    """Record the end of subscriptions that are due, at most BATCH; return how many were.

    Raises UnavailableError.
    """
    rows = await _rows(services, _DUE, services.now())
    for row in rows:
        at: datetime = row["expires_at"]
        command = ExpireSubscription(
            subscription_id=row["id"],
            reason="Its time was over.",
            idempotency_key=f"expire {row['id']} {at.isoformat()}",
        )
        await _ask(services, row, command)
    return len(rows)


async def expire_invitations(services: Services) -> int:
    """Record which invitations nobody used in time, at most BATCH; return how many were due.

    Only then is the person's key destroyed: whoever is faster here, or there, is a matter of the
    stream and not of clocks. Raises UnavailableError.
    """
    rows = await _rows(services, _UNUSED, services.now())
    for row in rows:
        command = ExpireInvitation(
            invitation_id=row["id"],
            reason="Nobody came in time.",
            idempotency_key=f"expire {row['id']}",
        )
        await _ask(services, row, command)
    return len(rows)


async def note_gateways(services: Services, stale_s: float, *, listened: bool) -> int:
    """Record which gateways went stale, diverged or are well again, at most BATCH; count them.

    Silence counts only if this process `listened` as long: after an outage of ours they are not
    to blame. Raises UnavailableError.
    """
    rows = await _rows(services, _GATEWAYS, timedelta(seconds=stale_s), listened)
    for row in rows:
        command = NoteGateway(
            gateway_id=row["id"],
            silent_since=row["silent_since"],
            cursor=row["cursor"],
            content_hash=row["content_hash"] or "",
        )
        await _ask(services, row, command)
    async with services.lend() as connection:
        unwell = await connection.fetchrow(_UNWELL)
    for condition, count in (unwell or {}).items():
        GATEWAYS.labels(condition).set(count)
    return len(rows)


async def erase_persons(services: Services) -> int:
    """Destroy the keys of those who were forgotten or did not come, at most BATCH; count them.

    It makes good what was cut short after the event. Raises UnavailableError.
    """
    rows = await _rows(services, _UNREADABLE)
    for row in rows:
        found = await services.store.load(row["id"])
        assert isinstance(found, Developer | Invitation)
        assert found.mail is not None
        await erase(services, row["organization_id"], row["developer_id"], found.mail)
    return len(rows)


async def keep_time(services: Services, stale_s: float) -> None:
    """Do what is due for ever, every PAUSE_S: at most BATCH of each kind."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while True:
        await asyncio.sleep(PAUSE_S)
        try:
            await expire_subscriptions(services)
            await expire_invitations(services)
            await erase_persons(services)
            await note_gateways(services, stale_s, listened=loop.time() > began_s + stale_s)
        except (UnavailableError, *UNREACHABLE) as error:
            log.warning("timer.database_away", error=str(error) or type(error).__name__)
        except Exception:
            log.exception("timer.failed")


async def _rows(services: Services, sql: str, *values: object) -> list[Record]:
    async with services.lend() as connection:
        return list(await connection.fetch(sql, *values, BATCH))


async def _ask(services: Services, row: Record, command: Command) -> None:
    """Give a command about a row, which may be behind: another was faster, or it has changed."""
    caller = process(row["organization_id"], ACTOR, "timer")
    try:
        await execute(command, Context(services, caller, str(services.new_id())))
    except DomainError as refusal:
        log.info(
            "timer.refused", command=type(command).__name__, id=str(row["id"]), why=str(refusal)
        )
