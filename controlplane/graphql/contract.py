"""Contracts compared and linted, by the same rules as `controlplane contract`."""

from typing import Annotated
from uuid import UUID

import strawberry

from controlplane.contracts.judge import JudgeBusyError
from controlplane.global_id import named_key
from controlplane.graphql import visibility
from controlplane.graphql.errors import RefusedError, invalid, not_permitted
from controlplane.graphql.findings import ContractFindings, findings_of
from controlplane.graphql.loaders import Info, one
from controlplane.graphql.version import VERSION, ApiVersion
from domain.contract.bump import proposed_version
from domain.contract.diff.terms import Terms
from domain.release_line import below

RELEASES = 10_000
_IN_SERVICE = (
    "SELECT id, number FROM api_version WHERE organization_id = $1 AND product_id = $2 AND api = $3"
    " AND state IN ('PUBLISHED', 'DEPRECATED') AND id <> $4 ORDER BY created_at, id LIMIT $5"
)


@strawberry.type
class ContractDiff:
    """What changed from one version to another, by the rules alone: no policy is asked."""

    before: ApiVersion = strawberry.field(description="The version that it is compared with.")
    now: ApiVersion = strawberry.field(description="The version that is compared.")
    proposed_number: str = strawberry.field(
        description="The smallest number that may follow, given what changed."
    )
    changes: ContractFindings = strawberry.field(description="What changed.")


async def seen_version(info: Info, id_: str) -> ApiVersion | None:
    """Return the version of the caller's organization with this id, None if it is not seen."""
    key = named_key(id_, "ApiVersion", ("uuid",))
    if key is None:
        raise invalid("That is not the id of an ApiVersion.")
    return await one(info, VERSION, (info.context.caller.organization_id, *key))


async def followed_by(info: Info, version: ApiVersion) -> ApiVersion | None:
    """Return the version in service that this one follows, None when there is none."""
    organization_id, product_id = version.product_key
    rows = await info.context.fetch(
        _IN_SERVICE, organization_id, product_id, version.api, version.key[1], RELEASES
    )
    releases: dict[UUID, str] = {row["id"]: row["number"] for row in rows}
    for version_id in below(version.number, releases):
        return await one(info, VERSION, (organization_id, version_id))
    return None


async def compared(info: Info, before: ApiVersion, now: ApiVersion) -> ContractDiff:
    """Return what changed between two versions. Raises RefusedError, UnavailableError."""
    judge, today = info.context.app.services.judge, info.context.now.date()
    try:
        body = await judge.differences(before.contract_sha256, now.contract_sha256, Terms(today))
    except JudgeBusyError as busy:
        raise RefusedError("JUDGE_BUSY", str(busy)) from None
    changes = await findings_of(body)
    return ContractDiff(
        before=before,
        now=now,
        proposed_number=proposed_version(before.number, changes.found),
        changes=changes,
    )


@strawberry.type
class ContractQueries:
    """What can be read about contracts."""

    @strawberry.field
    async def contract_diff(
        self,
        info: Info,
        *,
        to: Annotated[strawberry.ID, strawberry.argument(description="The id of the version.")],
        from_: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                name="from",
                description="The id of another version of the product; by default the one in"
                " service that it follows.",
            ),
        ] = None,
    ) -> ContractDiff | None:
        """Say what changed between versions that the caller sees; null if there are no two such.

        Needs catalogue:read. The first time takes up to seconds for large documents.
        """
        if VERSION.needs not in info.context.caller.permissions:
            raise not_permitted(VERSION.needs)
        now = await seen_version(info, to)
        if now is None:
            return None
        before = await (seen_version(info, from_) if from_ else followed_by(info, now))
        if before is None:
            return None
        if before.product_key != now.product_key:
            raise invalid("The two are versions of one product.")
        return await compared(info, before, now)

    @strawberry.field
    async def lint(
        self,
        info: Info,
        *,
        version: Annotated[
            strawberry.ID, strawberry.argument(description="The id of the version.")
        ],
    ) -> ContractFindings | None:
        """Say what the rules of style find in a contract; null for all but the provider."""
        if not visibility.is_provider(info.context.caller):
            return None
        found = await seen_version(info, version)
        if found is None:
            return None
        try:
            body = await info.context.app.services.judge.lint(found.contract_sha256)
        except JudgeBusyError as busy:
            raise RefusedError("JUDGE_BUSY", str(busy)) from None
        return await findings_of(body)
