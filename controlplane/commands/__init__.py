"""What can be asked of the control plane. Every edge asks through `execute`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import orjson
import structlog

from controlplane.context import Context
from controlplane.store.eventstore import ConflictError, EventStore, Outcome, Receipt
from domain.aggregate import Aggregate, DomainError, Why
from domain.reservation import AlreadyTakenError, Reservation

log = structlog.get_logger()
AnAggregate = TypeVar("AnAggregate", bound=Aggregate)

DECISIONS = 16
"""How often one command is decided while others change what it reads; each time one of them won."""
KEY_CHARS = 200


class NotPermittedError(DomainError):
    """The caller lacks the permission this command needs."""


class NotFoundError(DomainError):
    """There is no such thing in this organization."""


class VersionChangedError(DomainError):
    """It is not at the expected version any more."""


class IdempotencyKeyInvalidError(DomainError):
    """An idempotency key has 1 to 200 printable ASCII characters."""


class UnitOfWork:
    """What one command reads and changes, and when and why; its events collect here."""

    def __init__(self, store: EventStore, at: datetime, why: Why) -> None:
        self.at = at
        self.why = why
        self.secret: str | None = None
        """What was issued and is shown once; it never reaches the store."""
        self.documents: list[tuple[bytes, bytes]] = []
        self.aggregates: dict[UUID, Aggregate] = {}
        self._store = store
        self._seen: dict[UUID, int] = {}

    async def get(
        self,
        kind: type[AnAggregate],
        aggregate_id: UUID,
        about: str,
        *,
        expected_version: int | None = None,
    ) -> AnAggregate:
        """Return the aggregate to read or change; `about` is the argument that names it.

        Raises NotFoundError, also when it is another organization's; VersionChangedError.
        """
        found = self.aggregates.get(aggregate_id)
        if found is None:
            shared = await self._store.load(aggregate_id)
            if shared is None or shared.organization != self.why["organization"]:
                raise NotFoundError(about)
            found = self.aggregates[aggregate_id] = shared.copy()
            self._seen[aggregate_id] = found.version
        if not isinstance(found, kind):
            raise NotFoundError(about)
        if expected_version is not None and expected_version != found.version:
            raise VersionChangedError("expected_version", f"It is at {found.version}.")
        return found

    def add(self, aggregate: Aggregate) -> None:
        """Have a new aggregate committed with the others."""
        self.aggregates[aggregate.id] = aggregate

    async def reserve(self, kind: str, value: str, holder_id: UUID, about: str) -> None:
        """Take a value that is unique in the organization. Raises AlreadyTakenError."""
        await self.reserve_in(self.why["organization"], kind, value, holder_id, about)

    async def reserve_in(
        self, organization: str, kind: str, value: str, holder_id: UUID, about: str
    ) -> None:
        """Take a value that is unique in `organization`. Raises AlreadyTakenError."""
        stream = Reservation.stream(organization, kind, value)
        if stream in self.aggregates or await self._store.load(stream) is not None:
            raise AlreadyTakenError(about)
        self.add(Reservation.take(stream, kind=kind, holder_id=holder_id, at=self.at, why=self.why))

    def attach(self, document: bytes) -> str:
        """Have a document stored with the events; return its SHA-256 as hex."""
        digest = sha256(document)
        self.documents.append((digest.digest(), document))
        return digest.hexdigest()

    @property
    def changed(self) -> list[Aggregate]:
        """The aggregates with something to commit, in the order they came in."""
        return [each for each in self.aggregates.values() if each.pending_events]

    @property
    def versions(self) -> Mapping[UUID, int]:
        """Every stream that was read, at the version the decision rests on."""
        return self._seen

    @property
    def only_read(self) -> Mapping[UUID, int]:
        """The streams that were read and not changed."""
        return {
            stream: version
            for stream, version in self._seen.items()
            if not self.aggregates[stream].pending_events
        }

    @property
    def events(self) -> tuple[Aggregate.Event, ...]:
        """What happened so far, stream by stream."""
        return tuple(
            event
            for aggregate in self.aggregates.values()
            for event in aggregate.pending_events
            if isinstance(event, Aggregate.Event)
        )


def require_team(context: Context, team_id: UUID, about: str) -> None:
    """Raise NotFoundError for a thing of a team that the caller does not see."""
    if context.caller.team_id not in {None, team_id}:
        raise NotFoundError(about)


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """One thing that can be asked: its fields are the question, `handle` is the answer."""

    permission: ClassVar[str]
    reason: str = ""
    idempotency_key: str | None = None

    @abstractmethod
    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Change aggregates in `work`; never save. Raises DomainError.

        May run more than once, when others change what it read.
        """

    def request_hash(self) -> bytes:
        """Return the hash by which the same question is recognised, also after a deploy."""
        question = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "idempotency_key"
        }
        return sha256(
            orjson.dumps([type(self).__name__, question], _canonical, orjson.OPT_SORT_KEYS)
        ).digest()


def _canonical(value: Any) -> Any:  # noqa: ANN401  # what orjson does not know itself
    if isinstance(value, bytes):
        return sha256(value).hexdigest()
    return str(value)


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
        raise NotPermittedError(None, f"It needs {command.permission}.")
    services = context.services
    why = context.why(reason=command.reason)
    receipt = _receipt(command, why)
    for _ in range(DECISIONS):
        work = UnitOfWork(services.store, services.now(), why)
        try:
            await command.handle(work, context)
            if dry_run:
                if await services.store.is_current(work.versions):
                    return Answer(Outcome(None, work.events), None)
            else:
                outcome = await services.store.append(
                    work.changed, work.only_read, work.documents, receipt
                )
                if services.log_commands:
                    _log(command, context, outcome)
                return Answer(outcome, work.secret)
        except DomainError as refusal:
            # Looked up only now: whatever a retry runs into, it cannot commit a second time.
            earlier = None if dry_run else await services.store.recall(receipt)
            if earlier is not None:
                # Our own success whose acknowledgement was lost still owes its secret.
                return Answer(earlier, work.secret if earlier.events == work.events else None)
            # What was at hand may be stale: a refusal holds only if nothing has moved on.
            if not isinstance(refusal, ConflictError) and await services.store.is_current(
                work.versions
            ):
                raise
        services.store.forget(work.aggregates)
    raise ConflictError


def _receipt(command: Command, why: Why) -> Receipt:
    key = command.idempotency_key
    if key is None:
        # The id of the command serves: the writer may have to send it again.
        return Receipt(why["organization"], why["actor"], why["command"], b"")
    if not (0 < len(key) <= KEY_CHARS and key.isascii() and key.isprintable()):
        raise IdempotencyKeyInvalidError("idempotency_key")
    return Receipt(why["organization"], why["actor"], key, command.request_hash())


def _log(command: Command, context: Context, outcome: Outcome) -> None:
    log.info(
        "command.handled",
        command=type(command).__name__,
        actor=context.caller.actor,
        correlation=context.correlation,
        position=outcome.position,
    )
