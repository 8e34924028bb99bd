"""Access tokens: people and programs use the control plane with them."""

from datetime import datetime

import strawberry
from asyncpg import Record

from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.commands.invitation import RenewToken
from controlplane.graphql import visibility
from controlplane.graphql.changes import Asked, Changed, Issued, change, mutation
from controlplane.graphql.enums import Role
from controlplane.graphql.errors import Rejected
from controlplane.graphql.gateway import GATEWAY, Gateway
from controlplane.graphql.loaders import Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node, named, named_or_none
from controlplane.graphql.paging import Connection, Listing, listed
from controlplane.graphql.team import DEVELOPER, TEAM, Developer, Team


@strawberry.type
class AccessToken(Node):
    """A bearer token of the control plane; only its hash is kept."""

    team_key: strawberry.Private[Key]
    gateway_key: strawberry.Private[Key]
    developer_key: strawberry.Private[Key]
    name: str = strawberry.field(description="What it is for.")
    role: Role = strawberry.field(description="As what its bearer acts.")
    expires_at: datetime | None = strawberry.field(
        description="Until when it is valid; null: for ever."
    )
    revoked_at: datetime | None = strawberry.field(description="When it was revoked, if it was.")
    version: int = strawberry.field(description="How often it changed.")
    created_at: datetime = strawberry.field(description="When it was issued.")

    @strawberry.field
    async def team(self, info: Info) -> Team | None:
        """Return the team for which a developer's token acts."""
        return await one(info, TEAM, self.team_key)

    @strawberry.field
    async def gateway(self, info: Info) -> Gateway | None:
        """Return the gateway to which the token of one belongs."""
        return await one(info, GATEWAY, self.gateway_key)

    @strawberry.field
    async def developer(self, info: Info) -> Developer | None:
        """Return the person whose token it is, if it is one person's."""
        return await one(info, DEVELOPER, self.developer_key)


@strawberry.type
class AccessTokenConnection(Connection[AccessToken]):
    """Access tokens, oldest first."""


def _node(row: Record) -> AccessToken:
    return AccessToken(
        key=(row["organization_id"], row["id"]),
        team_key=(row["organization_id"], row["team_id"]),
        gateway_key=(row["organization_id"], row["gateway_id"]),
        developer_key=(row["organization_id"], row["developer_id"]),
        name=row["name"],
        role=Role(row["role"]),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        version=row["version"],
        created_at=row["created_at"],
    )


ACCESS_TOKEN = Kind(
    "AccessToken",
    "access_token",
    visibility.access_tokens,
    "token:issue",
    _node,
    same_noun("access_token"),
)
ALL: Listing[AccessToken] = Listing(ACCESS_TOKEN, AccessTokenConnection)


@strawberry.type
class AccessTokenQueries:
    """What can be read about access tokens."""

    access_tokens: AccessTokenConnection = strawberry.field(
        resolver=listed(ALL),
        description="List the tokens of the organization, oldest first; needs token:issue.",
    )


@strawberry.input
class IssueTokenInput(Asked):
    """The bearer to let act in a role."""

    name: str = strawberry.field(description="What it is for; 1 to 200 characters.")
    role: Role = strawberry.field(description="As what its bearer acts.")
    team_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the team; for a developer, and only then."
    )
    gateway_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the gateway; for a gateway, and only then."
    )
    developer_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the person of that team whose token it is to be."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="Until when it is valid; null: for ever."
    )


@strawberry.input
class RenewTokenInput(Asked):
    """That the person who asks gets another token."""


@strawberry.input
class RevokeTokenInput(Asked):
    """The bearer to shut out."""

    token_id: strawberry.ID = strawberry.field(description="The id of the token.")


@strawberry.type
class TokenIssued(Issued):
    """The token as it is kept, with itself as the secret."""

    kinds = (ACCESS_TOKEN,)

    @strawberry.field
    async def access_token(self, info: Info) -> AccessToken | None:
        """Return the token as it is kept; null after a dry run, and without token:issue."""
        return await self.node(info, ACCESS_TOKEN)


@strawberry.type
class TokenChanged(Changed):
    """The token as it is kept, and what happened to it."""

    kinds = (ACCESS_TOKEN,)

    @strawberry.field
    async def access_token(self, info: Info) -> AccessToken | None:
        """Return the token as it is kept; null after a dry run."""
        return await self.node(info, ACCESS_TOKEN)


@strawberry.type
class AccessTokenMutations:
    """What can be done about access tokens."""

    @mutation
    async def issue_token(self, info: Info, input: IssueTokenInput) -> TokenIssued | Rejected:
        """Let a bearer act in a role; needs token:issue."""
        return await change(
            info,
            TokenIssued,
            input,
            lambda: IssueToken(
                name=input.name,
                role=input.role,
                team_id=named_or_none(input.team_id, "Team", "team_id"),
                gateway_id=named_or_none(input.gateway_id, "Gateway", "gateway_id"),
                developer_id=named_or_none(input.developer_id, "Developer", "developer_id"),
                expires_at=input.expires_at,
                **input.said(),
            ),
        )

    @mutation
    async def renew_token(self, info: Info, input: RenewTokenInput) -> TokenIssued | Rejected:
        """Get another token of one's own, valid for 90 days; needs token:renew, and a person."""
        return await change(info, TokenIssued, input, lambda: RenewToken(**input.said()))

    @mutation
    async def revoke_token(self, info: Info, input: RevokeTokenInput) -> TokenChanged | Rejected:
        """Shut a bearer out for ever; needs token:revoke."""
        return await change(
            info,
            TokenChanged,
            input,
            lambda: RevokeToken(
                token_id=named(input.token_id, "AccessToken", "token_id"), **input.said()
            ),
        )
