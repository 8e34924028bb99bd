"""A gateway: one process at the edge that enforces a group's configuration."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Why


class GatewayState(Enum):
    """Where a gateway is in its life."""

    REGISTERED = "REGISTERED"
    CONNECTED = "CONNECTED"
    STALE = "STALE"
    DRAINED = "DRAINED"


def effective(*, drained: bool, silent_s: float | None, stale_s: float) -> GatewayState:
    """Return what a gateway is that was heard `silent_s` ago, None for never."""
    if drained:
        return GatewayState.DRAINED
    if silent_s is None:
        return GatewayState.REGISTERED
    return GatewayState.STALE if silent_s > stale_s else GatewayState.CONNECTED


class GatewayDrainedError(DomainError):
    """A drained gateway has to be reinstated first."""


class GatewayNotDrainedError(DomainError):
    """Only a drained gateway can be reinstated."""


class GatewayAsKnownError(DomainError):
    """Nothing about the gateway is new."""


class Gateway(Aggregate):
    """A member of a gateway group, known by its own token."""

    TOPIC = "gateway"

    def __init__(self) -> None:
        self.group_id = UUID(int=0)
        self.drained = False
        self.stale = False
        self.diverged = False

    @classmethod
    def register(
        cls, gateway_id: UUID, *, group_id: UUID, name: str, at: datetime, why: Why
    ) -> Self:
        """Begin a gateway of a group. Raises LabelInvalidError."""
        return cls.begin(
            cls.Registered, gateway_id, at, why, group_id=group_id, name=text.label(name, "name")
        )

    def drain(self, *, at: datetime, why: Why) -> None:
        """Hand no more configuration out to it. Raises GatewayDrainedError."""
        if self.drained:
            raise GatewayDrainedError
        self.emit(self.Drained, at, why)

    def reinstate(self, *, at: datetime, why: Why) -> None:
        """Hand configuration out to it again. Raises GatewayNotDrainedError."""
        if not self.drained:
            raise GatewayNotDrainedError
        self.emit(self.Reinstated, at, why)

    def note(
        self,
        *,
        silent_since: datetime | None,
        diverged_at: str | None,
        content_hash: str,
        at: datetime,
        why: Why,
    ) -> None:
        """Remember since when nothing was heard of it, and at which cursor its hash is not ours.

        None for a gateway that is heard, and for one that agrees. Raises GatewayDrainedError,
        GatewayAsKnownError.
        """
        if self.drained:
            raise GatewayDrainedError
        stale, diverged = silent_since is not None, diverged_at is not None
        if (stale, diverged) == (self.stale, self.diverged):
            raise GatewayAsKnownError
        if silent_since is not None and not self.stale:
            self.emit(self.Staled, at, why, heard_at=silent_since)
        if self.stale and not stale:
            self.emit(self.Returned, at, why)
        if diverged_at is not None and not self.diverged:
            self.emit(self.Diverged, at, why, cursor=diverged_at, content_hash=content_hash)
        if self.diverged and not diverged:
            self.emit(self.Converged, at, why)

    @dataclass(frozen=True)
    class Registered(First):
        """A platform engineer announced a gateway."""

        TOPIC = "gateway.registered"
        group_id: UUID
        name: str

        def apply(self, aggregate: "Gateway") -> None:
            """Belong to the group."""
            aggregate.group_id = self.group_id

    @dataclass(frozen=True)
    class Drained(Aggregate.Event):
        """A platform engineer took it out of service; what it does is not watched any more."""

        TOPIC = "gateway.drained"

        def apply(self, aggregate: "Gateway") -> None:
            """Get nothing, and be missed by nobody."""
            aggregate.drained = True
            aggregate.stale = False
            aggregate.diverged = False

    @dataclass(frozen=True)
    class Reinstated(Aggregate.Event):
        """A platform engineer took it into service again."""

        TOPIC = "gateway.reinstated"

        def apply(self, aggregate: "Gateway") -> None:
            """Get configuration."""
            aggregate.drained = False

    @dataclass(frozen=True)
    class Staled(Aggregate.Event):
        """Nothing was heard of it for too long."""

        TOPIC = "gateway.staled"
        heard_at: datetime

        def apply(self, aggregate: "Gateway") -> None:
            """Be missed."""
            aggregate.stale = True

    @dataclass(frozen=True)
    class Returned(Aggregate.Event):
        """It was heard again."""

        TOPIC = "gateway.returned"

        def apply(self, aggregate: "Gateway") -> None:
            """Be missed no more."""
            aggregate.stale = False

    @dataclass(frozen=True)
    class Diverged(Aggregate.Event):
        """It ran what it called the configuration at a cursor, and its hash was not ours."""

        TOPIC = "gateway.diverged"
        cursor: str
        content_hash: str

        def apply(self, aggregate: "Gateway") -> None:
            """Be known to enforce something else."""
            aggregate.diverged = True

    @dataclass(frozen=True)
    class Converged(Aggregate.Event):
        """It went on to run something of which that is not known."""

        TOPIC = "gateway.converged"

        def apply(self, aggregate: "Gateway") -> None:
            """Be trusted again."""
            aggregate.diverged = False
