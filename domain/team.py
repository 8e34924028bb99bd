"""A team: the consumers who share applications."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, First, Why


class Team(Aggregate):
    """Developers of one organization who share their applications and subscriptions."""

    TOPIC = "team"

    @classmethod
    def form(cls, team_id: UUID, *, name: str, at: datetime, why: Why) -> Self:
        """Begin a team. Raises LabelInvalidError."""
        return cls.begin(cls.Formed, team_id, at, why, name=text.label(name, "name"))

    def rename(self, name: str, *, at: datetime, why: Why) -> None:
        """Give it another name. Raises LabelInvalidError."""
        self.emit(self.Renamed, at, why, name=text.label(name, "name"))

    @dataclass(frozen=True)
    class Formed(First):
        """A team came together."""

        TOPIC = "team.formed"
        name: str

    @dataclass(frozen=True)
    class Renamed(Aggregate.Event):
        """A team got another name."""

        TOPIC = "team.renamed"
        name: str
