"""An application: the program of a team that calls APIs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, First, Why


class Application(Aggregate):
    """What subscribes to plans and holds credentials."""

    TOPIC = "application"

    def __init__(self) -> None:
        self.team_id = UUID(int=0)

    @classmethod
    def register(
        cls, application_id: UUID, *, team_id: UUID, name: str, at: datetime, why: Why
    ) -> Self:
        """Begin an application of a team. Raises LabelInvalidError."""
        return cls.begin(
            cls.Registered, application_id, at, why, team_id=team_id, name=text.label(name, "name")
        )

    def rename(self, name: str, *, at: datetime, why: Why) -> None:
        """Give it another name. Raises LabelInvalidError."""
        self.emit(self.Renamed, at, why, name=text.label(name, "name"))

    @dataclass(frozen=True)
    class Registered(First):
        """A team made an application known."""

        TOPIC = "application.registered"
        team_id: UUID
        name: str

        def apply(self, aggregate: "Application") -> None:
            """Belong to the team."""
            aggregate.team_id = self.team_id

    @dataclass(frozen=True)
    class Renamed(Aggregate.Event):
        """An application got another name."""

        TOPIC = "application.renamed"
        name: str
