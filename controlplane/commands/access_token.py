"""Commands about the tokens with which the control plane itself is used."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controlplane.commands import Command, NotFoundError, NotPermittedError, UnitOfWork
from controlplane.commands.person import grant
from controlplane.context import INSTALLATION, Context
from controlplane.secret import SECRET_BYTES, TOKEN_PREFIX, mint
from domain.access_token import AccessToken, Role
from domain.developer import Developer
from domain.gateway import Gateway
from domain.team import Team


@dataclass(frozen=True, kw_only=True)
class IssueToken(Command):
    """Let a bearer act in a role; the answer's secret is the only time the token is seen."""

    permission = "token:issue"
    name: str
    role: Role
    team_id: UUID | None = None
    gateway_id: UUID | None = None
    expires_at: datetime | None = None
    developer_id: UUID | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Mint a token and keep its hash.

        An operator's token belongs to the installation, every other one to an organization.
        """
        if (self.role is Role.OPERATOR) is not (context.caller.organization_id == INSTALLATION):
            raise NotPermittedError("role", "Operators are of the installation, others are not.")
        if self.team_id is not None:
            await work.get(Team, self.team_id, "team_id")
        if self.gateway_id is not None:
            await work.get(Gateway, self.gateway_id, "gateway_id")
        services = context.services
        token_id = services.new_id()
        if self.developer_id is not None:
            developer = await work.get(Developer, self.developer_id, "developer_id")
            if developer.team_id != self.team_id:
                raise NotFoundError("developer_id", "They are not of that team.")
            await grant(work, developer, token_id)
        token = mint(TOKEN_PREFIX, token_id, services.entropy(SECRET_BYTES))
        work.add(
            AccessToken.issue(
                token_id,
                name=self.name,
                role=self.role,
                sha256=token.sha256,
                team_id=self.team_id,
                gateway_id=self.gateway_id,
                expires_at=self.expires_at,
                developer_id=self.developer_id,
                at=work.at,
                why=work.why,
            )
        )
        work.secret = token.text


@dataclass(frozen=True, kw_only=True)
class RevokeToken(Command):
    """Shut a bearer out."""

    permission = "token:revoke"
    token_id: UUID

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Revoke one token for ever."""
        token = await work.get(AccessToken, self.token_id, "token_id")
        token.revoke(at=work.at, why=work.why)
