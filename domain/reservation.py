"""A reservation: a stream whose id is computed from a value, so that the value is taken once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID, uuid5

from domain.aggregate import Aggregate, DomainError, First, Why

NOBODY = UUID(int=0)
NAMESPACE = UUID("7f3f0f7e-52b1-5d0c-9a3e-0a7c4e6f1d2b")


class AlreadyTakenError(DomainError):
    """The value is already in use and must be unique; choose another."""


class Reservation(Aggregate):
    """A value of one kind that an organization uses once, such as the slug of a product."""

    TOPIC = "reservation"

    def __init__(self) -> None:
        self.holder_id = NOBODY

    @staticmethod
    def stream(organization: str, kind: str, value: str) -> UUID:
        """Return the id under which this value of this organization is reserved."""
        return uuid5(NAMESPACE, f"{organization}/{kind}/{value}")

    @classmethod
    def take(
        cls, reservation_id: UUID, *, kind: str, holder_id: UUID, at: datetime, why: Why
    ) -> Self:
        """Begin the reservation; a second one of the same value conflicts in the store.

        The value itself is not kept: it may be a mail address.
        """
        return cls.begin(cls.Taken, reservation_id, at, why, kind=kind, holder_id=holder_id)

    def reuse(self, holder_id: UUID, *, at: datetime, why: Why) -> None:
        """Take a value that was released. Raises AlreadyTakenError."""
        if self.holder_id != NOBODY:
            raise AlreadyTakenError
        self.emit(self.Reused, at, why, holder_id=holder_id)

    def release(self, *, at: datetime, why: Why) -> None:
        """Leave the value to whoever takes it next; again does nothing."""
        if self.holder_id != NOBODY:
            self.emit(self.Released, at, why)

    @dataclass(frozen=True)
    class Taken(First):
        """A value came into use."""

        TOPIC = "reservation.taken"
        kind: str
        holder_id: UUID

        def apply(self, aggregate: "Reservation") -> None:
            """Know who holds it."""
            aggregate.holder_id = self.holder_id

    @dataclass(frozen=True)
    class Released(Aggregate.Event):
        """A value went out of use."""

        TOPIC = "reservation.released"

        def apply(self, aggregate: "Reservation") -> None:
            """Know that nobody holds it."""
            aggregate.holder_id = NOBODY

    @dataclass(frozen=True)
    class Reused(Aggregate.Event):
        """A value that was released came into use again."""

        TOPIC = "reservation.reused"
        holder_id: UUID

        def apply(self, aggregate: "Reservation") -> None:
            """Know who holds it."""
            aggregate.holder_id = self.holder_id
