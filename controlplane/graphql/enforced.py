"""What a gateway enforced for a key at an instant, as far as it said so, and what was decided."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from controlplane.commands import NotFoundError
from controlplane.global_id import named_key
from controlplane.graphql.as_of import AsOf, instant_of, position_of
from controlplane.graphql.credential import CREDENTIAL, Credential
from controlplane.graphql.enums import described
from controlplane.graphql.errors import invalid, not_permitted
from controlplane.graphql.gateway import GATEWAY, Gateway
from controlplane.graphql.gateway_run import GatewayRun, run_of
from controlplane.graphql.loaders import Info, one_anywhere
from controlplane.graphql.verdict import Question, Verdict, verdict

_RUN = (
    "SELECT * FROM gateway_run WHERE organization_id = $1 AND gateway_id = $2"
    " AND running_since <= $3 ORDER BY running_since DESC LIMIT 1"
)
_KEPT = "SELECT clock_timestamp() - $1::interval <= $2 AS kept"
_CAUGHT_UP = (
    "SELECT running_since FROM gateway_run WHERE organization_id = $1 AND gateway_id = $2"
    " AND epoch = $3 AND position >= $4 AND running_since >= $5 ORDER BY running_since LIMIT 1"
)


class Certainty(Enum):
    """How well it is known what a gateway ran at an instant."""

    CONFIRMED = "CONFIRMED"
    LAST_WORD = "LAST_WORD"
    DIVERGED = "DIVERGED"
    ANOTHER_EPOCH = "ANOTHER_EPOCH"
    NOT_ACKNOWLEDGED = "NOT_ACKNOWLEDGED"
    NOT_KEPT = "NOT_KEPT"


described(
    Certainty,
    {
        "CONFIRMED": "It said the same before and after the instant.",
        "LAST_WORD": "It is what it said last before the instant; it said nothing, or something"
        " else, after it.",
        "DIVERGED": "It named a cursor and gave a hash that is not that of it: unknown.",
        "ANOTHER_EPOCH": "It ran a configuration of a history that was replaced: unknown.",
        "NOT_ACKNOWLEDGED": "It had not said yet what it runs: unknown.",
        "NOT_KEPT": "It is too long ago: what it said then is not kept any more.",
    },
)
_KNOWN = {Certainty.CONFIRMED, Certainty.LAST_WORD}


@strawberry.type
class Enforced:
    """What a gateway enforced for a key at an instant, and what the control plane had decided."""

    asked: strawberry.Private[Question]
    gateway: Gateway = strawberry.field(description="The gateway, as it is now.")
    credential: Credential = strawberry.field(description="The key, as it is now.")
    at: datetime = strawberry.field(description="The instant, by the clock of the database.")
    certainty: Certainty = strawberry.field(description="How well it is known what it ran.")
    run: GatewayRun | None = strawberry.field(
        description="What it ran, and by which acknowledgement it is known."
    )
    enforced: Verdict | None = strawberry.field(
        description="What that says of the key; null when it is unknown."
    )
    decided: Verdict = strawberry.field(
        description="What the control plane had decided by then, whether or not it knew."
    )

    @strawberry.field
    def agrees(self) -> bool | None:
        """Return whether the two let the key through alike; null when it is unknown."""
        return None if self.enforced is None else self.enforced.allowed is self.decided.allowed

    @strawberry.field
    async def decided_at(self, info: Info) -> datetime | None:
        """Return when the event that decided it was committed, by the clock of the database."""
        cause = self.decided.cause
        return None if cause is None else await instant_of(info, cause.number)

    @strawberry.field
    async def caught_up_at(self, info: Info) -> datetime | None:
        """Return when the gateway first said that it runs a configuration with that event.

        Null if it has not yet.
        """
        cause = self.decided.cause
        decided_at = None if cause is None else await instant_of(info, cause.number)
        if cause is None or decided_at is None:
            return None
        epoch, number = info.context.position(cause.number)
        rows = await info.context.fetch(
            _CAUGHT_UP,
            self.asked.organization_id,
            self.asked.gateway_id,
            epoch,
            number,
            decided_at,
        )
        found: datetime | None = rows[0]["running_since"] if rows else None
        return found

    @strawberry.field
    async def verified(self, info: Info) -> bool | None:
        """Return whether the hash that the gateway gave is that of its cursor, computed anew.

        The cost is that of the whole configuration; null when it is unknown what it ran.
        """
        if self.run is None or self.certainty not in _KNOWN:
            return None
        organization_id, group_id = self.asked.organization_id, str(self.asked.group_id)
        try:
            view = await info.context.app.mirrors.as_of(
                organization_id, group_id, self.run.cursor.position
            )
        except NotFoundError:
            return False
        return view.content_hash == self.run.content_hash


@strawberry.type
class EnforcedQueries:
    """What can be proved of gateways."""

    @strawberry.field
    async def enforced_at(
        self,
        info: Info,
        *,
        gateway_id: Annotated[
            strawberry.ID, strawberry.argument(description="The id of the gateway.")
        ],
        credential_id: Annotated[
            strawberry.ID, strawberry.argument(description="The id of the credential.")
        ],
        at: Annotated[
            datetime, strawberry.argument(description="By the clock of the database; not to come.")
        ],
    ) -> Enforced | None:
        """Tell what a gateway enforced for a key at an instant, and which event made it so.

        Beside it stands what was decided by then. Null if the caller does not see one of them;
        needs gateway:read and subscription:read.
        """
        for kind in (GATEWAY, CREDENTIAL):
            if kind.visible(info.context.caller) is None:
                raise not_permitted(kind.needs)
        decided = await position_of(info, AsOf(at=at))
        of_gateway = named_key(gateway_id, "Gateway", ("uuid",))
        of_credential = named_key(credential_id, "Credential", ("uuid", "text"))
        if of_gateway is None:
            raise invalid("gatewayId: that is not the id of a Gateway.")
        if of_credential is None:
            raise invalid("credentialId: that is not the id of a Credential.")
        gateway = await one_anywhere(info, GATEWAY, of_gateway)
        credential = await one_anywhere(info, CREDENTIAL, of_credential)
        if gateway is None or credential is None:
            return None
        asked = _question(gateway, credential)
        certainty, run = await _ran(info, asked, at)
        known = run is not None and certainty in _KNOWN
        return Enforced(
            asked=asked,
            gateway=gateway,
            credential=credential,
            at=at,
            certainty=certainty,
            run=run,
            enforced=await verdict(info, asked, run.cursor.position, at)
            if run is not None and known
            else None,
            decided=await verdict(info, asked, decided, at),
        )


def _question(gateway: Gateway, credential: Credential) -> Question:
    (organization_id, gateway_id), (_, group_id) = gateway.key, gateway.group_key
    _, subscription_id, name = credential.key
    assert isinstance(organization_id, UUID)
    assert isinstance(gateway_id, UUID)
    assert isinstance(group_id, UUID)
    assert isinstance(subscription_id, UUID)
    return Question(organization_id, gateway_id, group_id, subscription_id, str(name))


async def _ran(info: Info, asked: Question, at: datetime) -> tuple[Certainty, GatewayRun | None]:
    """Return what a gateway ran at an instant as it said, and how well that is known."""
    rows = await info.context.fetch(_RUN, asked.organization_id, asked.gateway_id, at)
    run = run_of(rows[0]) if rows else None
    if run is None or (run.until is not None and run.until <= at):
        kept = timedelta(days=info.context.app.settings.observations_kept_d)
        (row,) = await info.context.fetch(_KEPT, kept, at)
        return (Certainty.NOT_ACKNOWLEDGED if row["kept"] else Certainty.NOT_KEPT), None
    if run.cursor.epoch != info.context.app.epoch:
        return Certainty.ANOTHER_EPOCH, run
    if run.diverged:
        return Certainty.DIVERGED, run
    return (Certainty.CONFIRMED if at <= run.acknowledged_at else Certainty.LAST_WORD), run
