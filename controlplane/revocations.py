"""What was taken away, kept outside of the database, so that no restore gives it back.

The journal has a line for each event that took something away, in the form of the audit trail.
It is written from the history, not by commands: what was committed and is not in it yet is found
again by the next start, from the position of its last line on. One process writes at a time.

A restored database is of another epoch. Whatever lines of other epochs took away is taken away
again, by ordinary commands, before anything is served.
"""

import asyncio
import fcntl
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import structlog

from controlplane.app import App
from controlplane.audit import entry
from controlplane.auth import process
from controlplane.commands import Command, NotFoundError, execute
from controlplane.commands.access_token import RevokeToken
from controlplane.commands.credential import RevokeCredential
from controlplane.commands.invitation import RevokeInvitation
from controlplane.commands.subscription import CancelSubscription
from controlplane.commands.team import ForgetPerson, RemoveDeveloper
from controlplane.settings import Settings
from controlplane.store import UNREACHABLE, Connection, history
from controlplane.store.eventstore import head, read
from controlplane.store.migrate import migrate
from controlplane.store.projector import ReadModelsBehindError
from domain.access_token import AccessToken, TokenRevokedError
from domain.credential import CredentialRevokedError, CredentialUnknownError
from domain.cursor import read_cursor
from domain.developer import Developer, DeveloperForgottenError, DeveloperNotActiveError
from domain.invitation import Invitation, InvitationNotOpenError
from domain.subscription import Subscription
from domain.subscription_life import SubscriptionOverError

PAGE_EVENTS = 10_000
POLL_S = 1.0
LINE_BYTES = 256 * 2**10
"""More than any line has: a reason of 20,000 characters, each written as an escape."""
CONNECT_S = 5.0
Again: TypeAlias = Callable[[UUID, Mapping[str, Any], str], Command]

TAKEN_AWAY: dict[str, Again] = {
    AccessToken.Revoked.TOPIC: lambda id_, _, why: RevokeToken(token_id=id_, reason=why),
    Subscription.Cancelled.TOPIC: lambda id_, _, why: CancelSubscription(
        subscription_id=id_, reason=why
    ),
    Subscription.CredentialRevoked.TOPIC: lambda id_, data, why: RevokeCredential(
        subscription_id=id_, credential_id=data["credential_id"], reason=why
    ),
    Invitation.Revoked.TOPIC: lambda id_, _, why: RevokeInvitation(invitation_id=id_, reason=why),
    # Only the person leaves; for them, whoever restores removes them.
    Developer.Left.TOPIC: lambda id_, _, why: RemoveDeveloper(developer_id=id_, reason=why),
    Developer.Removed.TOPIC: lambda id_, _, why: RemoveDeveloper(developer_id=id_, reason=why),
    Developer.Forgotten.TOPIC: lambda id_, _, why: ForgetPerson(developer_id=id_, reason=why),
}
"""Events after which somebody may no longer do something for good, and how to repeat each."""
ALREADY = (
    CredentialRevokedError,
    DeveloperForgottenError,
    DeveloperNotActiveError,
    InvitationNotOpenError,
    SubscriptionOverError,
    TokenRevokedError,
)
UNKNOWN = (CredentialUnknownError, NotFoundError)
"""It began after the backup: nothing of it came back, its hash neither."""

log = structlog.get_logger()


class JournalBrokenError(Exception):
    """The journal of revocations cannot be used."""


class Line(NamedTuple):
    """One event that took something away."""

    epoch: int
    position: int
    event: str
    id: UUID
    organization_id: UUID
    data: Mapping[str, Any]
    text: bytes


def journal_of(settings: Settings) -> Path | None:
    """Return the journal that the settings name, None if they name none."""
    return Path(settings.revocations_file) if settings.revocations_file else None


def require_writable(journal: Path) -> None:
    """Raise JournalBrokenError for a journal that cannot be written."""
    try:
        os.close(_opened(journal))
    except OSError as error:
        raise JournalBrokenError(f"{journal} cannot be written: {error.strerror}.") from None


def lines(file: Iterable[bytes]) -> Iterator[Line]:
    """Yield what NDJSON of the audit trail, a journal or an export, says was taken away.

    The end of a line that was being written when the machine stopped is passed over. Raises
    JournalBrokenError.
    """
    for number, text in enumerate(file, 1):
        if not text.endswith(b"\n"):
            return
        try:
            told = orjson.loads(text)
            if told["event"] not in TAKEN_AWAY:
                continue
            cursor = read_cursor(told["cursor"])
            if cursor is None:
                raise ValueError  # noqa: TRY301  # one message for whatever it is
            organization = UUID(told["why"]["organization"])
            id_, data = UUID(told["id"]), dict(told["data"])
            yield Line(*cursor, told["event"], id_, organization, data, text)
        except (ValueError, TypeError, LookupError):
            raise JournalBrokenError(f"Line {number} is none of the audit trail.") from None


async def raise_epoch(dsn: str, above: int = 0) -> int:
    """Have what was given out before be of another epoch, above this one too; return the new one.

    For a restore by which neither server nor database became another. What runs starts over.
    """
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        await migrate(connection)
        return await history.raise_epoch(connection, above)
    finally:
        await connection.close()


async def recognise(dsn: str, journal: Path) -> None:
    """Raise the epoch if the journal is ahead of the database, which then was restored in place.

    Raises JournalBrokenError.
    """
    told = await asyncio.to_thread(_last, journal)
    if told is None:
        return
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
    try:
        await migrate(connection)
        here = await connection.fetchval("SELECT current_epoch()"), await head(connection)
    finally:
        await connection.close()
    if told > here:
        await raise_epoch(dsn, told[0])


def _last(journal: Path) -> tuple[int, int] | None:
    """Return the latest epoch and position of a journal, None of one that is empty."""
    try:
        with journal.open("rb") as file:
            return max(((line.epoch, line.position) for line in lines(file)), default=None)
    except FileNotFoundError:
        return None


async def take_away_again(app: App, file: Iterable[bytes]) -> Counter[str]:
    """Repeat what lines of other epochs took away.

    Return how many were repeated (`again`), were in force (`already`), and are not of this
    history (`unknown`). Raises JournalBrokenError, DomainError, UnavailableError.
    """
    done: Counter[str] = Counter()
    for line in lines(file):
        if line.epoch == app.epoch:
            continue
        why = f"Taken away before a restore, at {line.epoch}.{line.position}."
        command = TAKEN_AWAY[line.event](line.id, line.data, why)
        caller = process(line.organization_id, "restore", "cli")
        try:
            await execute(command, app.context(caller))
            done["again"] += 1
        except ALREADY:
            done["already"] += 1
        except UNKNOWN:
            done["unknown"] += 1
    return done


async def after_restore(app: App, journal: Path) -> None:
    """Repeat what the journal says was taken away in another epoch, if it ends in one.

    Raises what take_away_again raises.
    """
    told = await asyncio.to_thread(_last, journal)
    if told is None or told[0] == app.epoch:
        return
    with journal.open("rb") as file:
        done = await take_away_again(app, file)
    async with app.services.pool.acquire() as connection:
        last = await head(connection)
    while app.projector.position < last:  # nothing may be served of before
        with suppress(ReadModelsBehindError):
            await app.projector.wait_until(last)
    log.warning("revocations.repeated", journal=str(journal), **done)


@asynccontextmanager
async def kept(app: App) -> AsyncIterator[None]:
    """Keep the journal of the settings, if they name one, until the block ends."""
    journal = journal_of(app.settings)
    if journal is None:
        yield
        return
    keeper = asyncio.create_task(_keep(app, journal), name="revocations")
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])


async def _keep(app: App, journal: Path) -> None:
    woken = asyncio.Event()
    app.projector.watchers.append(woken.set)
    while True:
        try:
            file = _opened(journal)
            try:
                # Another process writes as long as it lives; then it is our turn.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                await _follow(app, journal, file, woken)
            finally:
                os.close(file)
        except BlockingIOError:
            await asyncio.sleep(POLL_S)
        except (*UNREACHABLE, JournalBrokenError) as error:
            log.warning("revocations.not_written", error=str(error) or type(error).__name__)
            await asyncio.sleep(POLL_S)
        except Exception:
            log.exception("revocations.failed")
            await asyncio.sleep(POLL_S)


def _opened(journal: Path) -> int:
    return os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


async def _follow(app: App, journal: Path, file: int, woken: asyncio.Event) -> None:
    """Write what the history has and the journal has not, for ever."""
    whole = await asyncio.to_thread(_whole, journal)
    os.ftruncate(file, whole)
    found = await asyncio.to_thread(_last, journal)
    # After lines of another history this one's own follow, from its beginning.
    after = found[1] if found is not None and found[0] == app.epoch else 0
    while True:
        woken.clear()
        async with app.services.pool.acquire() as connection:
            after = await _write(connection, app.epoch, after, file)
        try:
            async with asyncio.timeout(POLL_S):
                await woken.wait()
        except TimeoutError:  # the projector wakes, the poll guarantees
            pass


def _whole(journal: Path) -> int:
    """Return how many bytes the whole lines have: the machine may have stopped in the last one."""
    size = journal.stat().st_size
    with journal.open("rb") as file:
        file.seek(max(0, size - LINE_BYTES))
        tail = file.read()
    return size - len(tail) + tail.rfind(b"\n") + 1


async def _write(connection: Connection, epoch: int, after: int, file: int) -> int:
    """Write what was taken away after a position; return the one up to which all is written."""
    last = await head(connection)
    while after < last:  # each page moves `after` on
        upto = min(after + PAGE_EVENTS, last)
        taken = await read(connection, after=after, upto=upto, topics=list(TAKEN_AWAY))
        text = b"".join(
            orjson.dumps(
                {
                    "cursor": f"{epoch}.{each.position}",
                    **entry(each.event, each.event.TOPIC.partition(".")[0]),
                },
                str,
                orjson.OPT_APPEND_NEWLINE,
            )
            for each in taken
        )
        if text:
            await asyncio.to_thread(_append, file, text)
        after = upto
    return after


def _append(file: int, text: bytes) -> None:
    written = 0
    while written < len(text):  # ends: each write takes some, or raises
        written += os.write(file, text[written:])
    os.fsync(file)
