"""Applications: the programs of teams that call APIs."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from asyncpg import Record

from controlplane.commands.application import RegisterApplication, RenameApplication
from controlplane.graphql import subscription, team, visibility
from controlplane.graphql.changes import Asked, AskedAtVersion, Changed, change, mutation
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one, same_noun
from controlplane.graphql.node import Node, named
from controlplane.graphql.paging import (
    NAMED,
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Order,
    OrderBy,
    Window,
    nested,
    page,
)
from projections.paging import Column

if TYPE_CHECKING:
    from controlplane.graphql.subscription import SubscriptionConnection
    from controlplane.graphql.team import Team


@strawberry.type
class Application(Node):
    """The program of a team that calls APIs."""

    team_key: strawberry.Private[Key]
    name: str = strawberry.field(description="Its name for people.")
    version: int = strawberry.field(description="How often it changed.")
    created_at: datetime = strawberry.field(description="When it was registered.")
    subscriptions: Annotated[
        "SubscriptionConnection", strawberry.lazy("controlplane.graphql.subscription")
    ] = strawberry.field(
        resolver=nested(lambda: subscription.OF_APPLICATION),
        description="What it may call, and asked for, oldest first.",
    )

    @strawberry.field
    async def team(
        self, info: Info
    ) -> Annotated["Team", strawberry.lazy("controlplane.graphql.team")] | None:
        """Return the team it belongs to."""
        return await one(info, team.TEAM, self.team_key)


@strawberry.type
class ApplicationConnection(Connection[Application]):
    """Applications, in the order that was asked for."""


def _node(row: Record) -> Application:
    return Application(
        key=(row["organization_id"], row["id"]),
        team_key=(row["organization_id"], row["team_id"]),
        name=row["name"],
        version=row["version"],
        created_at=row["created_at"],
    )


APPLICATION = Kind(
    "Application",
    "application",
    visibility.members,
    "team:read",
    _node,
    same_noun("application"),
)
ALL: Listing[Application] = Listing(APPLICATION, ApplicationConnection, orders=NAMED)
OF_TEAM: Listing[Application] = Listing(
    APPLICATION, ApplicationConnection, parents=(ORGANIZATION, Column("n.team_id", "uuid"))
)


@strawberry.type
class ApplicationQueries:
    """What can be read about applications."""

    @strawberry.field
    async def applications(
        self,
        info: Info,
        *,
        order_by: OrderBy = Order.NAME_ASC,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> ApplicationConnection:
        """List the applications, for a developer those of their team; needs team:read."""
        window = Window(first, after, last, before)
        found: ApplicationConnection = await page(info, ALL, window, order=order_by.value)
        return found


@strawberry.input
class RegisterApplicationInput(Asked):
    """The program to make known."""

    team_id: strawberry.ID = strawberry.field(description="The id of the team it belongs to.")
    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.input
class RenameApplicationInput(AskedAtVersion):
    """The program that gets another name."""

    application_id: strawberry.ID = strawberry.field(description="The id of the application.")
    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.type
class ApplicationChanged(Changed):
    """The application, and what happened to it."""

    kinds = (APPLICATION,)

    @strawberry.field
    async def application(self, info: Info) -> Application | None:
        """Return the application; null after a dry run."""
        return await self.node(info, APPLICATION)


@strawberry.type
class ApplicationMutations:
    """What can be done about applications."""

    @mutation
    async def register_application(
        self, info: Info, input: RegisterApplicationInput
    ) -> ApplicationChanged | Rejected:
        """Make a program of a team known; needs application:register."""
        return await change(
            info,
            ApplicationChanged,
            input,
            lambda: RegisterApplication(
                team_id=named(input.team_id, "Team", "team_id"), name=input.name, **input.said()
            ),
        )

    @mutation
    async def rename_application(
        self, info: Info, input: RenameApplicationInput
    ) -> ApplicationChanged | Rejected:
        """Give an application another name; needs application:register."""
        return await change(
            info,
            ApplicationChanged,
            input,
            lambda: RenameApplication(
                application_id=named(input.application_id, "Application", "application_id"),
                name=input.name,
                **input.said(),
            ),
        )
