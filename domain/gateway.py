"""A gateway: one process at the edge that enforces a group's configuration."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, First, Why


class Gateway(Aggregate):
    """A member of a gateway group, known by its own token."""

    TOPIC = "gateway"

    def __init__(self) -> None:
        self.group_id = UUID(int=0)

    @classmethod
    def register(
        cls, gateway_id: UUID, *, group_id: UUID, name: str, at: datetime, why: Why
    ) -> Self:
        """Begin a gateway of a group. Raises LabelInvalidError."""
        return cls.begin(
            cls.Registered, gateway_id, at, why, group_id=group_id, name=text.label(name, "name")
        )

    @dataclass(frozen=True)
    class Registered(First):
        """A platform engineer announced a gateway."""

        TOPIC = "gateway.registered"
        group_id: UUID
        name: str

        def apply(self, aggregate: "Gateway") -> None:
            """Belong to the group."""
            aggregate.group_id = self.group_id
