"""The unit of work: what one command reads and changes, committed together or not at all."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from controlplane.store.eventstore import EventStore
from domain.aggregate import Aggregate, DomainError, Why
from domain.reservation import NOBODY, AlreadyTakenError, Reservation

AnAggregate = TypeVar("AnAggregate", bound=Aggregate)


class NotFoundError(DomainError):
    """There is no such thing in this organization."""


class VersionChangedError(DomainError):
    """It is not at the expected version any more."""


class UnitOfWork:
    """What one command reads and changes, and when and why; its events collect here."""

    def __init__(self, store: EventStore, at: datetime, why: Why, *, across: bool = False) -> None:
        self.at = at
        self.why = why
        self._across = across
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
        return await self._get(
            kind, aggregate_id, about, self.why["organization"], expected_version
        )

    async def find(self, kind: type[AnAggregate], aggregate_id: UUID) -> AnAggregate | None:
        """Return the aggregate to read or change, None if the organization has none such."""
        try:
            return await self.get(kind, aggregate_id, "")
        except NotFoundError:
            return None

    async def get_across(
        self,
        kind: type[AnAggregate],
        aggregate_id: UUID,
        about: str,
        *,
        expected_version: int | None = None,
    ) -> tuple[AnAggregate, Why]:
        """Return an aggregate of whichever organization, and the envelope to change it with.

        The envelope is of that organization, so that its auditors see what the operator did. For
        a command that is not `across`, or not of the installation, it is as `get`.
        Raises NotFoundError, VersionChangedError.
        """
        own = None if self._across else self.why["organization"]
        found = await self._get(kind, aggregate_id, about, own, expected_version)
        return found, Why(**{**self.why, "organization": found.organization})

    async def _get(
        self,
        kind: type[AnAggregate],
        aggregate_id: UUID,
        about: str,
        organization: str | None,
        expected_version: int | None,
    ) -> AnAggregate:
        """Return the aggregate if it is of the organization; None is of any."""
        found = self.aggregates.get(aggregate_id)
        if found is None:
            shared = await self._store.load(aggregate_id)
            if shared is None or organization not in {None, shared.organization}:
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
        held = await self._reservation(organization, kind, value)
        if held is None:
            stream = Reservation.stream(organization, kind, value)
            self.add(
                Reservation.take(stream, kind=kind, holder_id=holder_id, at=self.at, why=self.why)
            )
        elif held.holder_id != NOBODY:
            raise AlreadyTakenError(about)
        else:
            held.reuse(holder_id, at=self.at, why=self.why)

    async def release(self, kind: str, value: str, holder_id: UUID) -> None:
        """Leave a value of the organization to others, if it is this one who holds it."""
        held = await self._reservation(self.why["organization"], kind, value)
        if held is not None and held.holder_id == holder_id:
            held.release(at=self.at, why=self.why)

    async def _reservation(self, organization: str, kind: str, value: str) -> Reservation | None:
        stream = Reservation.stream(organization, kind, value)
        if stream not in self.aggregates and await self._store.load(stream) is None:
            return None
        return await self._get(Reservation, stream, kind, organization, None)

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
            event for aggregate in self.aggregates.values() for event in aggregate.happened
        )
