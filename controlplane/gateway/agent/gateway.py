"""What an agent needs of a gateway, and how each vendor's is driven."""

from typing import Protocol

from controlplane.gateway.agent.held import Change, Held
from domain.aggregate import DomainError
from domain.unserved import Unserved


class GatewayError(DomainError):
    """The gateway does not run what it should."""


class Gateway(Protocol):
    """One running gateway."""

    async def enforce(self, held: Held, changes: list[Change] | None) -> tuple[Unserved, ...]:
        """Return what is not served, once the gateway runs what is held.

        `changes` lead from what was asked for last, also if that failed; None after a start. It may
        be asked for the same again, without changes. Raises GatewayError, RenderedInvalidError.
        """
