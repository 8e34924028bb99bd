"""A developer: a person of a team."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Self
from uuid import UUID

from domain.aggregate import Aggregate, DomainError, First, Why
from domain.sealed import Sealed


class TeamRole(Enum):
    """What a person is to their team."""

    ADMIN = "ADMIN"
    MEMBER = "MEMBER"


class Origin(Enum):
    """How a person came to their team."""

    PROVIDER = "PROVIDER"
    SELF = "SELF"
    INVITATION = "INVITATION"


class DeveloperState(Enum):
    """Where a person is in their life with a team."""

    ACTIVE = "ACTIVE"
    LEFT = "LEFT"
    REMOVED = "REMOVED"
    FORGOTTEN = "FORGOTTEN"


class DeveloperNotActiveError(DomainError):
    """The person left the team, was removed or was forgotten."""


class DeveloperForgottenError(DomainError):
    """The person was forgotten already, for ever."""


class TeamRoleUnchangedError(DomainError):
    """The person has that role in the team already."""


class Developer(Aggregate):
    """A person who subscribes applications on behalf of a team."""

    TOPIC = "developer"

    def __init__(self) -> None:
        self.team_id = UUID(int=0)
        self.mail: Sealed | None = None
        self.role = TeamRole.MEMBER.value
        self.state = DeveloperState.ACTIVE
        self.token_ids: list[UUID] = []

    @classmethod
    def register(
        cls,
        developer_id: UUID,
        *,
        team_id: UUID,
        name: Sealed,
        mail: Sealed,
        role: TeamRole = TeamRole.MEMBER,
        origin: Origin = Origin.PROVIDER,
        at: datetime,
        why: Why,
    ) -> Self:
        """Begin a developer, whose name and mail were checked before they were sealed."""
        return cls.begin(
            cls.Registered,
            developer_id,
            at,
            why,
            team_id=team_id,
            name=name,
            mail=mail,
            role=role.value,
            origin=origin.value,
            onboarding_began_at=at,
        )

    def change_role(self, role: TeamRole, *, at: datetime, why: Why) -> None:
        """Give the person another role. Raises DeveloperNotActiveError, TeamRoleUnchangedError."""
        self.require_active()
        if role.value == self.role:
            raise TeamRoleUnchangedError("role")
        self.emit(self.RoleChanged, at, why, role=role.value)

    def grant_tokens(self, token_ids: list[UUID], *, at: datetime, why: Why) -> None:
        """Remember the tokens that are the person's by now. Raises DeveloperNotActiveError."""
        self.require_active()
        self.emit(self.TokensGranted, at, why, token_ids=token_ids)

    def leave(self, *, at: datetime, why: Why) -> None:
        """Leave the team by one's own will. Raises DeveloperNotActiveError."""
        self.require_active()
        self.emit(self.Left, at, why)

    def remove(self, *, at: datetime, why: Why) -> None:
        """Have the person leave the team. Raises DeveloperNotActiveError."""
        self.require_active()
        self.emit(self.Removed, at, why)

    def forget(self, *, at: datetime, why: Why) -> None:
        """Decide that name and mail become unreadable. Raises DeveloperForgottenError."""
        if self.state is DeveloperState.FORGOTTEN:
            raise DeveloperForgottenError("developer_id")
        self.emit(self.Forgotten, at, why)

    def require_active(self) -> None:
        """Raise DeveloperNotActiveError for a person who is not in the team any more."""
        if self.state is not DeveloperState.ACTIVE:
            raise DeveloperNotActiveError("developer_id")

    @dataclass(frozen=True)
    class Registered(First):
        """A person joined a team; from `onboarding_began_at` their onboarding is timed."""

        TOPIC = "developer.registered"
        class_version = 2
        team_id: UUID
        name: Sealed
        mail: Sealed
        role: str
        origin: str
        onboarding_began_at: datetime

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Say what was before: the provider registered members."""
            state |= {"role": TeamRole.MEMBER.value, "origin": Origin.PROVIDER.value}
            state["onboarding_began_at"] = state["timestamp"]

        def apply(self, aggregate: "Developer") -> None:
            """Belong to the team; the mail is kept, sealed, to give the address free one day."""
            aggregate.team_id = self.team_id
            aggregate.mail = self.mail
            aggregate.role = self.role

    @dataclass(frozen=True)
    class RoleChanged(Aggregate.Event):
        """A person got another role in their team."""

        TOPIC = "developer.role_changed"
        role: str

        def apply(self, aggregate: "Developer") -> None:
            """Have the role."""
            aggregate.role = self.role

    @dataclass(frozen=True)
    class TokensGranted(Aggregate.Event):
        """A person got a token; these are all that are theirs and not known to be over."""

        TOPIC = "developer.tokens_granted"
        token_ids: list[UUID]

        def apply(self, aggregate: "Developer") -> None:
            """Know them, so that they can be revoked together."""
            aggregate.token_ids = self.token_ids

    @dataclass(frozen=True)
    class Left(Aggregate.Event):
        """A person left their team."""

        TOPIC = "developer.left"

        def apply(self, aggregate: "Developer") -> None:
            """Be gone."""
            aggregate.state = DeveloperState.LEFT

    @dataclass(frozen=True)
    class Removed(Aggregate.Event):
        """Somebody removed a person from their team."""

        TOPIC = "developer.removed"

        def apply(self, aggregate: "Developer") -> None:
            """Be gone."""
            aggregate.state = DeveloperState.REMOVED

    @dataclass(frozen=True)
    class Forgotten(Aggregate.Event):
        """A person is to be forgotten: from here on nobody reads name or mail."""

        TOPIC = "developer.forgotten"

        def apply(self, aggregate: "Developer") -> None:
            """Be gone, for ever."""
            aggregate.state = DeveloperState.FORGOTTEN
