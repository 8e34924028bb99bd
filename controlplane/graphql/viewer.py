"""Who is asking, and what they may do."""

import strawberry

from controlplane.context import INSTALLATION
from controlplane.graphql.enums import Role
from controlplane.graphql.loaders import Info, one
from controlplane.graphql.organization import ORGANIZATION, Organization
from controlplane.graphql.scalars import Position
from controlplane.graphql.team import DEVELOPER, TEAM, Developer, Team


@strawberry.type
class Viewer:
    """The one who asks."""

    @strawberry.field
    def actor(self, info: Info) -> str | None:
        """Return the id under which the audit trail knows them; null without a token."""
        return info.context.caller.actor or None

    @strawberry.field
    def role(self, info: Info) -> Role | None:
        """Return what they are to the organization; null without a token."""
        return info.context.caller.role

    @strawberry.field
    def permissions(self, info: Info) -> list[str]:
        """Return what they may do, as product:publish; empty without a token."""
        return sorted(info.context.caller.permissions)

    @strawberry.field
    async def organization(self, info: Info) -> Organization | None:
        """Return the organization they act for; null without a token, and for an operator."""
        own = info.context.caller.organization_id
        if own == INSTALLATION:
            return None
        return await one(info, ORGANIZATION, (own, own))

    @strawberry.field
    async def team(self, info: Info) -> Team | None:
        """Return the one team whose things they see; null for all but developers."""
        caller = info.context.caller
        return await one(info, TEAM, (caller.organization_id, caller.team_id))

    @strawberry.field
    async def developer(self, info: Info) -> Developer | None:
        """Return the person who asks; null for all tokens that are not one person's."""
        caller = info.context.caller
        return await one(info, DEVELOPER, (caller.organization_id, caller.developer_id))

    @strawberry.field
    def position(self, info: Info) -> Position:
        """Return the position up to which this answer is complete, at least."""
        return info.context.position(max(info.context.app.projector.position, 0))


@strawberry.type
class ViewerQueries:
    """Who is asking."""

    @strawberry.field
    def viewer(self) -> Viewer:
        """Return who is asking."""
        return Viewer()
