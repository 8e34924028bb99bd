"""Organizations: the operator lets them in, and their members see their own."""

from datetime import datetime

import strawberry
from asyncpg import Record

from controlplane.commands.organization import (
    CloseRegistration,
    EstablishOrganization,
    OpenRegistration,
)
from controlplane.graphql import visibility
from controlplane.graphql.changes import Asked, Changed, Issued, change, mutation
from controlplane.graphql.errors import Rejected, not_permitted
from controlplane.graphql.loaders import Info, Kind, same_noun
from controlplane.graphql.node import Node
from controlplane.graphql.paging import (
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    Window,
    page,
)


@strawberry.type
class Organization(Node):
    """A provider of APIs: the tenant to which everything else belongs."""

    slug: str = strawberry.field(description="Its name in addresses, unique in the installation.")
    name: str = strawberry.field(description="Its name for people.")
    registration_open: bool = strawberry.field(
        description="Whether visitors may register by themselves."
    )
    version: int = strawberry.field(description="How often it changed.")
    created_at: datetime = strawberry.field(description="When it was let in.")


def _node(row: Record) -> Organization:
    return Organization(
        key=(row["organization_id"], row["id"]),
        slug=row["slug"],
        name=row["name"],
        registration_open=row["registration_open"],
        version=row["version"],
        created_at=row["created_at"],
    )


@strawberry.type
class OrganizationConnection(Connection[Organization]):
    """Organizations, oldest first."""


ORGANIZATION = Kind(
    "Organization",
    "organization",
    visibility.organizations,
    "organization:read",
    _node,
    same_noun("organization"),
)
ALL: Listing[Organization] = Listing(ORGANIZATION, OrganizationConnection)


@strawberry.type
class OrganizationQueries:
    """What can be read about organizations."""

    @strawberry.field
    async def organizations(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> OrganizationConnection:
        """List the organizations of the installation, oldest first; needs organization:read."""
        if ORGANIZATION.needs not in info.context.caller.permissions:
            raise not_permitted(ORGANIZATION.needs)
        found: OrganizationConnection = await page(info, ALL, Window(first, after, last, before))
        return found


@strawberry.input
class EstablishOrganizationInput(Asked):
    """The provider to let in."""

    slug: str = strawberry.field(
        description="Unique in the installation; 1 to 63 lower-case letters, digits and hyphens."
    )
    name: str = strawberry.field(description="For people; 1 to 200 characters.")


@strawberry.input
class OpenRegistrationInput(Asked):
    """That visitors may register with the caller's own organization."""


@strawberry.input
class CloseRegistrationInput(Asked):
    """That visitors may no longer register with the caller's own organization."""


@strawberry.type
class OrganizationEstablished(Issued):
    """The organization, with the token of its first owner as the secret."""

    kinds = (ORGANIZATION,)

    @strawberry.field
    async def organization(self, info: Info) -> Organization | None:
        """Return the organization; null after a dry run."""
        return await self.node(info, ORGANIZATION)


@strawberry.type
class OrganizationChanged(Changed):
    """The organization, and what happened to it."""

    kinds = (ORGANIZATION,)

    @strawberry.field
    async def organization(self, info: Info) -> Organization | None:
        """Return the organization; null after a dry run."""
        return await self.node(info, ORGANIZATION)


@strawberry.type
class OrganizationMutations:
    """What can be done about organizations."""

    @mutation
    async def establish_organization(
        self, info: Info, input: EstablishOrganizationInput
    ) -> OrganizationEstablished | Rejected:
        """Let a provider of APIs in; needs organization:establish."""
        return await change(
            info,
            OrganizationEstablished,
            input,
            lambda: EstablishOrganization(slug=input.slug, name=input.name, **input.said()),
        )

    @mutation
    async def open_registration(
        self, info: Info, input: OpenRegistrationInput
    ) -> OrganizationChanged | Rejected:
        """Let visitors register by themselves; needs organization:configure."""
        return await change(
            info, OrganizationChanged, input, lambda: OpenRegistration(**input.said())
        )

    @mutation
    async def close_registration(
        self, info: Info, input: CloseRegistrationInput
    ) -> OrganizationChanged | Rejected:
        """Let no more visitors register by themselves; needs organization:configure."""
        return await change(
            info, OrganizationChanged, input, lambda: CloseRegistration(**input.said())
        )
