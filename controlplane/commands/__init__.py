"""What can be asked of the control plane. Every edge asks through `execute`."""

import json
from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, dataclass, fields
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

import structlog

from controlplane.auth import JOINING, needs
from controlplane.commands.unit_of_work import NotFoundError, UnitOfWork, VersionChangedError
from controlplane.context import INSTALLATION, Context
from controlplane.store.eventstore import Outcome
from controlplane.store.writer import ConflictError, Receipt
from domain import text
from domain.aggregate import DomainError, Value, Why

__all__ = [
    "Answer",
    "Command",
    "NotFoundError",
    "NotPermittedError",
    "UnitOfWork",
    "VersionChangedError",
    "execute",
    "require_team",
]

log = structlog.get_logger()

DECISIONS = 16
"""How often one command is decided while others change what it reads; each time one of them won."""
KEY_CHARS = 200


class NotPermittedError(DomainError):
    """The caller lacks the permission this command needs."""


class IdempotencyKeyInvalidError(DomainError):
    """An idempotency key has 1 to 200 printable ASCII characters."""


def require_team(context: Context, team_id: UUID, about: str) -> None:
    """Raise NotFoundError for a thing of a team that the caller does not see."""
    if context.caller.team_id not in {None, team_id}:
        raise NotFoundError(about)


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """One thing that can be asked: its fields are the question, `handle` is the answer."""

    permission: ClassVar[str]
    across: ClassVar[bool] = False
    """Whether the installation's operator changes with it what belongs to an organization."""
    reason: str = ""
    idempotency_key: str | None = None

    @abstractmethod
    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Change aggregates in `work`; never save. Raises DomainError.

        May run more than once, when others change what it read.
        """

    async def settle(self, outcome: Outcome, context: Context) -> None:  # noqa: B027  # most need none
        """Do outside of the history what the commit decided; by default nothing.

        Runs after the commit and again after each retry, so it does the same every time.
        """

    def request_hash(self) -> bytes:
        """Return the hash by which the same question is recognised, also after a deploy."""
        # What has its default is left out, so that a field that a later release adds changes no
        # hash. The standard encoder, unlike a faster one, takes every text and number.
        question = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "idempotency_key" and getattr(self, field.name) != _default(field)
        }
        canonical = json.dumps([type(self).__name__, question], default=_canonical, sort_keys=True)
        return sha256(canonical.encode()).digest()


def _canonical(value: Any) -> Any:  # noqa: ANN401  # what JSON does not know itself
    if isinstance(value, bytes):
        return sha256(value).hexdigest()
    if isinstance(value, Value):
        # Here too, what has its default is left out.
        held = [each for each in fields(value) if getattr(value, each.name) != _default(each)]
        return {each.name: getattr(value, each.name) for each in held}
    return str(value)


def _default(field: "Field[Any]") -> object:
    made = field.default_factory
    return field.default if made is MISSING else made()


@dataclass(frozen=True)
class Answer:
    """What a command did, and what is shown once: None too when it is shown again."""

    outcome: Outcome
    secret: str | None


async def execute(command: Command, context: Context, *, dry_run: bool = False) -> Answer:
    """Handle the command and commit what happened, or discard it after a dry run.

    A retry gets the first outcome again, without the secret. Raises DomainError,
    UnavailableError.
    """
    if command.permission not in context.caller.permissions:
        raise NotPermittedError(None, needs(command.permission))
    why = context.why(reason=text.prose(command.reason, "reason"))
    receipt = _receipt(command, why)
    across = command.across and context.caller.organization_id == INSTALLATION
    contended: frozenset[UUID] = frozenset()
    for _ in range(DECISIONS):
        store = context.services.store
        work = UnitOfWork(store, context.services.now(), why, across=across)
        wanted = None if dry_run else receipt
        if contended:
            async with store.turns.at(contended):
                answer = await _decide(command, context, work, wanted, contended)
        else:
            answer = await _decide(command, context, work, wanted, contended)
        if answer is not None:
            if not dry_run:
                await command.settle(answer.outcome, context)
            return answer
        # Only what is written: readers of a stream that moves on need not queue for it.
        contended |= {aggregate.id for aggregate in work.changed}
        store.suspect(work.versions)
    raise ConflictError


async def _decide(
    command: Command,
    context: Context,
    work: UnitOfWork,
    receipt: Receipt | None,
    turn: frozenset[UUID],
) -> Answer | None:
    """Return what was done, or None when something that was read has changed meanwhile.

    Without a receipt it is a dry run; `turn` are the streams at which it is this caller's turn.
    """
    store = context.services.store
    try:
        await command.handle(work, context)
        if receipt is None:
            current = await store.is_current(work.versions)
            return Answer(Outcome(None, work.events), None) if current else None
        if store.turns.taken(
            aggregate.id for aggregate in work.changed if aggregate.id not in turn
        ):
            return None
        outcome = await store.append(work.changed, work.only_read, work.documents, receipt)
    except DomainError as refusal:
        # Looked up only now: whatever a retry runs into, it cannot commit a second time.
        earlier = await store.recall(receipt) if receipt else None
        if earlier is not None:
            # Our own success whose acknowledgement was lost still owes its secret.
            return Answer(earlier, work.secret if earlier.events == work.events else None)
        # What was at hand may be stale: a refusal holds only if nothing has moved on.
        if isinstance(refusal, ConflictError) or not await store.is_current(work.versions):
            return None
        raise
    if context.services.log_commands:
        _log(command, context, outcome)
    return Answer(outcome, work.secret)


def _receipt(command: Command, why: Why) -> Receipt:
    key = command.idempotency_key
    if key is None:
        # The id of the command serves: the writer may have to send it again.
        return Receipt(why["organization"], why["actor"], why["command"], b"")
    if not (0 < len(key) <= KEY_CHARS and key.isascii() and key.isprintable()):
        raise IdempotencyKeyInvalidError("idempotency_key")
    asked = command.request_hash()
    if command.permission in JOINING:
        # Visitors are not told apart, and two of them may think of one key: it is that of what
        # they ask, so that nobody is refused because of another, or learns of their key.
        key = f"{key} {asked.hex()}"
    return Receipt(why["organization"], why["actor"], key, asked)


def _log(command: Command, context: Context, outcome: Outcome) -> None:
    log.info(
        "command.handled",
        command=type(command).__name__,
        actor=context.caller.actor,
        correlation=context.correlation,
        position=outcome.position,
    )
