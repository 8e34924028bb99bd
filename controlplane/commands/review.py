"""Commands on a version's way from the draft to its publication, past the contract gate."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from controlplane.commands import NotPermittedError, UnitOfWork
from controlplane.commands.api_version import VersionCommand
from controlplane.context import Context
from controlplane.contracts.codec import decoded, encoded
from domain.api_product import ApiProduct
from domain.api_version import ApiVersion
from domain.contract.gate import GateResult, judged, weighed
from domain.contract.read import read_contract
from domain.contract_policy import ContractPolicy, combined
from domain.organization import Organization
from domain.release_line import Release, ReleaseLine

RELEASES = 10_000


@dataclass(frozen=True, kw_only=True)
class SubmitVersion(VersionCommand):
    """Have a draft version reviewed."""

    permission = "version:define"
    comment: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Submit it with what the gate says of it."""
        version = await self.get(work)
        gate, _ = await judged_by_gate(version, work, context)
        version.submit(gate, self.comment, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class ApproveVersion(VersionCommand):
    """Let a submitted version be published."""

    permission = "version:review"
    comment: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Approve it; whether its submitter may, is for the policy to say."""
        version = await self.get(work)
        policy = await policy_for(version.product_id, work, context)
        version.approve(self.comment, four_eyes=policy.four_eyes, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class RequestChanges(VersionCommand):
    """Have a submitted version changed before it is published."""

    permission = "version:review"
    comment: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make it a draft again."""
        (await self.get(work)).request_changes(self.comment, at=work.at, why=work.why)


class OverrideGate(VersionCommand):
    """Let a version be published in spite of what the gate says; the reason says why."""

    permission = "version:override"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Override it, if the policy lets the caller's role. Raises NotPermittedError."""
        version = await self.get(work)
        gate, policy = await judged_by_gate(version, work, context)
        role = context.caller.role
        if role is None or role.value not in policy.overriders:
            named = ", ".join(policy.overriders) or "nobody"
            detail = f"It needs {self.permission}, and the contract policy gives it to {named}."
            raise NotPermittedError(None, detail)
        version.override_gate(gate, at=work.at, why=work.why)


class PublishVersion(VersionCommand):
    """Let subscribers call a version."""

    permission = "version:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Publish a version that the gate lets pass, and its review if there has to be one."""
        version = await self.get(work)
        gate, policy = await judged_by_gate(version, work, context)
        reviewed = policy.review_required
        version.publish(gate, must_be_reviewed=reviewed, at=work.at, why=work.why)
        line = await _line(version, work, context)
        line.release(version.id, version.number, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class ReviseVersion(VersionCommand):
    """Correct the contract of a version."""

    permission = "version:define"
    document: bytes

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Replace the contract of a draft, or of a version in service if that breaks nobody."""
        version = await self.get(work)
        contract = await asyncio.to_thread(read_contract, self.document)
        digest, gate = work.attach(self.document), None
        if version.in_service and digest != version.contract_sha256:
            policy = await policy_for(version.product_id, work, context)
            today = work.at.date()
            found = await context.services.judge.differences(
                version.contract_sha256, digest, policy.terms(today), new=self.document
            )
            gate, kept = await asyncio.to_thread(
                _weighed, found, policy, version, version.number, work.at
            )
            work.attach(kept)
        version.revise(
            contract,
            gate,
            contract_sha256=digest,
            contract_bytes=len(self.document),
            at=work.at,
            why=work.why,
        )


async def policy_for(product_id: UUID, work: UnitOfWork, context: Context) -> ContractPolicy:
    """Return what the contracts of a product have to keep to."""
    product = await work.get(ApiProduct, product_id, "version_id")
    organization = await work.find(Organization, context.caller.organization_id)
    general = organization.contract_policy if organization else None
    return combined(general, product.contract_policy)


async def judged_by_gate(
    version: ApiVersion, work: UnitOfWork, context: Context
) -> tuple[GateResult | None, ContractPolicy]:
    """Return what the gate says of a version now, None if it follows no other, and its policy.

    Its findings are committed with the command. Raises JudgeBusyError, UnavailableError.
    """
    policy = await policy_for(version.product_id, work, context)
    before = await followed(version, work, context)
    if before is None:
        return None, policy
    found = await context.services.judge.differences(
        before.contract_sha256, version.contract_sha256, policy.terms(work.at.date())
    )
    # In a thread, so that others are served while thousands are weighed.
    gate, kept = await asyncio.to_thread(_weighed, found, policy, before, version.number, work.at)
    work.attach(kept)
    return gate, policy


def _weighed(
    found: bytes, policy: ContractPolicy, before: ApiVersion, number: str, at: datetime
) -> tuple[GateResult, bytes]:
    """Return what the gate says, and the findings that count, as they are kept."""
    findings = decoded(found)
    counted = weighed(findings, policy, at)
    kept = encoded(counted)
    result = judged(
        counted,
        policy,
        number,
        follows_id=before.id,
        follows_number=before.number,
        follows_sha256=before.contract_sha256,
        findings_sha256=sha256(kept).hexdigest(),
        ignored=len(findings) - len(counted),
    )
    return result, kept


async def followed(version: ApiVersion, work: UnitOfWork, context: Context) -> ApiVersion | None:
    """Return the version in service that a version follows, None if there is none."""
    line = await _line(version, work, context)
    for version_id in line.followed_by(version.number):
        before = await work.get(ApiVersion, version_id, "version_id")
        if before.in_service:
            return before
    return None


async def _line(version: ApiVersion, work: UnitOfWork, context: Context) -> ReleaseLine:
    """Return the line that a version is released in.

    One that is missing begins with what was published before there were lines: that was long ago,
    so the read models have it. Whatever is published from here on is in the line at once.
    """
    line_id = ReleaseLine.stream(version.product_id, version.api)
    line = await work.find(ReleaseLine, line_id)
    if line is not None:
        return line
    async with context.services.lend() as connection:
        rows = await connection.fetch(
            "SELECT id, number FROM api_version WHERE organization_id = $1 AND product_id = $2"
            " AND api = $3 AND state IN ('PUBLISHED', 'DEPRECATED', 'RETIRED')"
            " ORDER BY created_at, id LIMIT $4",
            UUID(version.organization),
            version.product_id,
            version.api,
            RELEASES,
        )
    known = [Release(row["id"], row["number"]) for row in rows if row["id"] != version.id]
    line = ReleaseLine.open(
        line_id,
        product_id=version.product_id,
        api=version.api,
        known=known,
        at=work.at,
        why=work.why,
    )
    work.add(line)
    return line
