"""Credentials: the keys of subscriptions, shown once, rotated, and revoked for ever."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from asyncpg import Record

from controlplane.commands import NotFoundError
from controlplane.commands.credential import (
    ImportCredential,
    IssueCredential,
    RevokeCredential,
    RotateCredential,
)
from controlplane.global_id import named_key
from controlplane.graphql import subscription, visibility
from controlplane.graphql.changes import AskedAtVersion, Changed, Issued, change, mutation
from controlplane.graphql.enums import CredentialState, HashAlgorithm
from controlplane.graphql.errors import Rejected, not_permitted
from controlplane.graphql.loaders import ORGANIZATION, Info, Key, Kind, first_where, one, told_at
from controlplane.graphql.node import Node, named
from controlplane.graphql.paging import Connection, Listing
from domain.aggregate import Aggregate
from domain.credential import SERVABLE
from domain.subscription import Subscription as SubscriptionEvents
from projections.paging import Column, Condition

if TYPE_CHECKING:
    from controlplane.graphql.subscription import Subscription


@strawberry.type
class Credential(Node):
    """A key with which an application calls; only its hashes are kept."""

    recorded: strawberry.Private[CredentialState]
    ends_at: strawberry.Private[datetime | None]
    successor_key: strawberry.Private[Key | None]
    name: str = strawberry.field(description="What follows the prefix in the key; no secret.")
    label: str = strawberry.field(description="What it is called, for people; may be empty.")
    algorithm: HashAlgorithm = strawberry.field(
        description="The hash by which it is known; keys that were issued here have others too."
    )
    not_after: datetime | None = strawberry.field(
        description="Until when it was issued; null: for ever."
    )
    overlap_ends_at: datetime | None = strawberry.field(
        description="Until when it works beside its successor; null without one."
    )
    created_at: datetime = strawberry.field(description="When it was issued.")
    changed_at: datetime = strawberry.field(description="When it changed last.")

    @strawberry.field
    def state(self, info: Info) -> CredentialState:
        """Return where it is in its life now; it lets in only while its subscription is ACTIVE."""
        ended = self.ends_at is not None and self.ends_at <= told_at(info)
        if ended and self.recorded is not CredentialState.REVOKED:
            return CredentialState.EXPIRED
        return self.recorded

    @strawberry.field
    def servable(self) -> bool:
        """Return whether gateways find it by its hash; if not, calls with it are refused."""
        return self.algorithm in SERVABLE

    @strawberry.field
    async def successor(self, info: Info) -> "Credential | None":
        """Return the key that replaces it; null without one."""
        if self.successor_key is None:
            return None
        return await one(info, CREDENTIAL, self.successor_key)

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
    successor = row["successor_id"]
    return Credential(
        key=(row["organization_id"], row["subscription_id"], row["id"]),
        name=row["id"],
        recorded=CredentialState(row["state"]),
        ends_at=row["ends_at"],
        successor_key=successor and (row["organization_id"], row["subscription_id"], successor),
        label=row["label"],
        algorithm=HashAlgorithm(row["algorithm"]),
        not_after=row["not_after"],
        overlap_ends_at=row["overlap_ends_at"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


def _key(event: Aggregate.Event) -> Key | None:
    match event:
        case (
            SubscriptionEvents.CredentialIssued()
            | SubscriptionEvents.CredentialImported()
            | SubscriptionEvents.CredentialRevoked()
        ):
            return event.originator_id, event.credential_id
        case SubscriptionEvents.CredentialRotated():
            return event.originator_id, event.successor_id
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


@strawberry.type
class CredentialQueries:
    """How a key is found by what people have of it."""

    @strawberry.field
    async def credential(
        self,
        info: Info,
        *,
        name: Annotated[
            str, strawberry.argument(description="What is between `_` and `.` in the key.")
        ],
    ) -> Credential | None:
        """Return one credential by its name, null if the caller sees none such.

        Needs subscription:read.
        """
        if CREDENTIAL.visible(info.context.caller) is None:
            raise not_permitted(CREDENTIAL.needs)
        return await first_where(info, CREDENTIAL, Condition("n.id = {}", (name,)))


@strawberry.input
class IssueCredentialInput(AskedAtVersion):
    """The subscription to issue a key for."""

    subscription_id: strawberry.ID = strawberry.field(
        description="The id of the active subscription."
    )
    not_after: datetime | None = strawberry.field(
        default=None, description="Until when the key is valid; null: for ever."
    )
    label: str = strawberry.field(
        default="", description="What it is called, for people; at most 200 characters."
    )


@strawberry.input
class RotateCredentialInput(AskedAtVersion):
    """The key to replace, and how long both work."""

    credential_id: strawberry.ID = strawberry.field(description="The id of the active credential.")
    overlap_s: int = strawberry.field(
        description="For how many seconds the key still works beside its successor:"
        " 0 to 7,776,000 (90 days)."
    )
    not_after: datetime | None = strawberry.field(
        default=None, description="Until when the successor is valid; null: for ever."
    )
    label: str = strawberry.field(
        default="", description="What the successor is called; at most 200 characters."
    )


@strawberry.input
class ImportCredentialInput(AskedAtVersion):
    """A key that was issued elsewhere, known by a hash of the whole key."""

    subscription_id: strawberry.ID = strawberry.field(
        description="The id of the active subscription."
    )
    algorithm: HashAlgorithm = strawberry.field(description="Which hash of the key it is.")
    digest: str = strawberry.field(
        description="The hash. A key that can be guessed can be found from it: import only"
        " keys that were made at random."
    )
    not_after: datetime | None = strawberry.field(
        default=None, description="Until when the key is valid; null: for ever."
    )
    label: str = strawberry.field(
        default="", description="What it is called, for people; at most 200 characters."
    )


@strawberry.input
class RevokeCredentialInput(AskedAtVersion):
    """The key to refuse from now on."""

    credential_id: strawberry.ID = strawberry.field(description="The id of the credential.")


@strawberry.type
class CredentialIssued(Issued):
    """The credential, with the key as the secret."""

    kinds = (CREDENTIAL,)

    @strawberry.field
    async def credential(self, info: Info) -> Credential | None:
        """Return the credential; null after a dry run."""
        return await self.node(info, CREDENTIAL)


@strawberry.type
class CredentialChanged(Changed):
    """The credential, and what happened to it."""

    kinds = (CREDENTIAL,)

    @strawberry.field
    async def credential(self, info: Info) -> Credential | None:
        """Return the credential; null after a dry run."""
        return await self.node(info, CREDENTIAL)


def _named(id_: str) -> dict[str, Any]:
    key = named_key(id_, "Credential", ("uuid", "text"))
    if key is None:
        raise NotFoundError("credential_id", "That is not the id of a Credential.")
    return {"subscription_id": key[0], "credential_id": key[1]}


@strawberry.type
class CredentialMutations:
    """What can be done about credentials."""

    @mutation
    async def issue_credential(
        self, info: Info, input: IssueCredentialInput
    ) -> CredentialIssued | Rejected:
        """Hand a key out for an active subscription; needs credential:issue."""
        return await change(
            info,
            CredentialIssued,
            input,
            lambda: IssueCredential(
                subscription_id=named(input.subscription_id, "Subscription", "subscription_id"),
                not_after=input.not_after,
                label=input.label,
                **input.said(),
            ),
        )

    @mutation
    async def rotate_credential(
        self, info: Info, input: RotateCredentialInput
    ) -> CredentialIssued | Rejected:
        """Replace a key by a new one, with an overlap; the answer is about the successor.

        Needs credential:issue.
        """
        return await change(
            info,
            CredentialIssued,
            input,
            lambda: RotateCredential(
                **_named(input.credential_id),
                overlap_s=input.overlap_s,
                not_after=input.not_after,
                label=input.label,
                **input.said(),
            ),
            renamed={"subscription_id": "credential_id"},
        )

    @mutation
    async def import_credential(
        self, info: Info, input: ImportCredentialInput
    ) -> CredentialChanged | Rejected:
        """Let a key go on that was issued elsewhere; needs credential:import."""
        return await change(
            info,
            CredentialChanged,
            input,
            lambda: ImportCredential(
                subscription_id=named(input.subscription_id, "Subscription", "subscription_id"),
                algorithm=input.algorithm,
                digest=input.digest,
                not_after=input.not_after,
                label=input.label,
                **input.said(),
            ),
        )

    @mutation
    async def revoke_credential(
        self, info: Info, input: RevokeCredentialInput
    ) -> CredentialChanged | Rejected:
        """Refuse a key from now on, for ever; needs credential:revoke."""
        return await change(
            info,
            CredentialChanged,
            input,
            lambda: RevokeCredential(**_named(input.credential_id), **input.said()),
            renamed={"subscription_id": "credential_id"},
        )
