"""Credentials: the keys of subscriptions, shown once and revoked for ever."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from asyncpg import Record

from controlplane.commands import NotFoundError
from controlplane.commands.subscription import IssueCredential, RevokeCredential
from controlplane.graphql import subscription, visibility
from controlplane.graphql.changes import AskedAtVersion, Changed, Issued, change
from controlplane.graphql.enums import CredentialState
from controlplane.graphql.errors import Rejected
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, one
from controlplane.graphql.node import Node, named, named_key
from controlplane.graphql.paging import Connection, Listing
from domain.aggregate import Aggregate
from domain.subscription import Subscription as SubscriptionEvents
from projections.paging import Column

if TYPE_CHECKING:
    from controlplane.graphql.subscription import Subscription


@strawberry.type
class Credential(Node):
    """A key with which an application calls; only its hashes are kept."""

    name: str = strawberry.field(description="What follows the prefix in the key; no secret.")
    state: CredentialState = strawberry.field(description="Where it is in its life.")
    not_after: datetime | None = strawberry.field(
        description="Until when it is valid; null: for ever."
    )
    created_at: datetime = strawberry.field(description="When it was issued.")
    changed_at: datetime = strawberry.field(description="When it changed last.")

    @strawberry.field
    async def subscription(
        self, info: Info
    ) -> Annotated["Subscription", strawberry.lazy("controlplane.graphql.subscription")] | None:
        """Return the subscription it was issued for."""
        return await one(info, subscription.SUBSCRIPTION, self.key[:2])


@strawberry.type
class CredentialConnection(Connection[Credential]):
    """Credentials, oldest first."""


def _node(row: Record) -> Credential:
    return Credential(
        key=(row["organization_id"], row["subscription_id"], row["id"]),
        name=row["id"],
        state=CredentialState(row["state"]),
        not_after=row["not_after"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


def _key(event: Aggregate.Event) -> Key | None:
    if isinstance(
        event, SubscriptionEvents.CredentialIssued | SubscriptionEvents.CredentialRevoked
    ):
        return event.originator_id, event.credential_id
    return None


CREDENTIAL = Kind(
    "Credential",
    "credential",
    visibility.credentials,
    "subscription:read",
    _node,
    _key,
    (ORGANIZATION, Column("n.subscription_id", "uuid"), Column("n.id", "text")),
)
OF_SUBSCRIPTION: Listing[Credential] = Listing(
    CREDENTIAL,
    CredentialConnection,
    parents=(ORGANIZATION, Column("n.subscription_id", "uuid")),
    orders={"CREATED_AT": (Column("n.created_at", "timestamptz"), Column("n.id", "text"))},
)


@strawberry.input
class IssueCredentialInput(AskedAtVersion):
    """The subscription to issue a key for."""

    subscription_id: strawberry.ID = strawberry.field(
        description="The id of the active subscription."
    )
    not_after: datetime | None = strawberry.field(
        default=None, description="Until when the key is valid; null: for ever."
    )


@strawberry.input
class RevokeCredentialInput(AskedAtVersion):
    """The key to refuse from now on."""

    credential_id: strawberry.ID = strawberry.field(description="The id of the credential.")


@strawberry.type
class CredentialIssued(Issued):
    """The credential, with the key as the secret."""

    @strawberry.field
    async def credential(self, info: Info) -> Credential | None:
        """Return the credential; null after a dry run."""
        return await self.node(info, CREDENTIAL)


@strawberry.type
class CredentialChanged(Changed):
    """The credential, and what happened to it."""

    @strawberry.field
    async def credential(self, info: Info) -> Credential | None:
        """Return the credential; null after a dry run."""
        return await self.node(info, CREDENTIAL)


IssueCredentialResult = Annotated[
    CredentialIssued | Rejected,
    strawberry.union("IssueCredentialResult", description="What issueCredential did, or why not."),
]
RevokeCredentialResult = Annotated[
    CredentialChanged | Rejected,
    strawberry.union(
        "RevokeCredentialResult", description="What revokeCredential did, or why not."
    ),
]


def _named(id_: str) -> dict[str, Any]:
    key = named_key(id_, "Credential", ("uuid", "text"))
    if key is None:
        raise NotFoundError("credential_id", "That is not the id of a Credential.")
    return {"subscription_id": key[0], "credential_id": key[1]}


@strawberry.type
class CredentialMutations:
    """What can be done about credentials."""

    @strawberry.mutation
    async def issue_credential(
        self, info: Info, input: IssueCredentialInput
    ) -> IssueCredentialResult:
        """Hand a key out for an active subscription; needs credential:issue."""
        return await change(
            info,
            CredentialIssued,
            CREDENTIAL,
            input,
            lambda: IssueCredential(
                subscription_id=named(input.subscription_id, "Subscription", "subscription_id"),
                not_after=input.not_after,
                **input.said(),
            ),
        )

    @strawberry.mutation
    async def revoke_credential(
        self, info: Info, input: RevokeCredentialInput
    ) -> RevokeCredentialResult:
        """Refuse a key from now on, for ever; needs credential:revoke."""
        return await change(
            info,
            CredentialChanged,
            CREDENTIAL,
            input,
            lambda: RevokeCredential(**_named(input.credential_id), **input.said()),
            renamed={"subscription_id": "credential_id"},
        )
