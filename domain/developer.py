"""A developer: a person of a team."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate, First, Why
from domain.sealed import Sealed


class Developer(Aggregate):
    """A person who subscribes applications on behalf of a team."""

    TOPIC = "developer"

    @classmethod
    def register(
        cls,
        developer_id: UUID,
        *,
        team_id: UUID,
        name: Sealed,
        mail: Sealed,
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin a developer, whose name and mail were checked before they were sealed."""
        return cls.begin(
            cls.Registered, developer_id, at, why, team_id=team_id, name=name, mail=mail
        )

    @dataclass(frozen=True)
    class Registered(First):
        """A person joined a team."""

        TOPIC = "developer.registered"
        team_id: UUID
        name: Sealed
        mail: Sealed
