"""What a request may reach, and on whose behalf."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from controlplane.contracts.judge import Judge
from controlplane.store import Connection, Pool, lent
from controlplane.store.eventstore import EventStore
from controlplane.store.vault import Vault
from domain.access_token import Role
from domain.aggregate import Why

INSTALLATION = UUID(int=0)
"""The organization of the operator, to which nothing belongs but slugs of organizations."""


@dataclass(frozen=True)
class Caller:
    """Who asks, for which organization, and what they may do; anonymous when `role` is None."""

    organization_id: UUID
    actor: str
    actor_kind: str
    channel: str
    role: Role | None
    permissions: frozenset[str]
    team_id: UUID | None = None
    """The one team whose things a developer sees; None sees every team's."""
    gateway_id: UUID | None = None
    developer_id: UUID | None = None
    """The person, if the token is one person's."""

    @cached_property
    def organization(self) -> str:
        """The organization as events name it."""
        return str(self.organization_id)


@dataclass(frozen=True)
class Services:
    """What every request shares; `app.py` makes it."""

    store: EventStore
    vault: Vault
    pool: Pool
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    entropy: Callable[[int], bytes]
    epoch: int
    """Of the history that the process follows; in another one it starts over."""
    judge: Judge
    budget_s: float
    """How long one question waits for the database."""
    log_commands: bool = False

    def lend(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection for one question. Raises UnavailableError."""
        return lent(self.pool, self.budget_s)


@dataclass(frozen=True)
class Context:
    """The dependencies of one request; the only way to them is `info.context`."""

    services: Services
    caller: Caller
    correlation: str

    def why(self, *, reason: str) -> Why:
        """Return the envelope of a new command."""
        return Why(
            organization=self.caller.organization,
            actor=self.caller.actor,
            actor_kind=self.caller.actor_kind,
            channel=self.caller.channel,
            command=str(self.services.new_id()),
            correlation=self.correlation,
            causation="",
            reason=reason,
        )
