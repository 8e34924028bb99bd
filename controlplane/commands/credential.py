"""Commands about the credentials of a subscription."""

from dataclasses import dataclass
from datetime import datetime

from controlplane.commands import UnitOfWork
from controlplane.commands.subscription import SubscriptionCommand
from controlplane.context import Context
from controlplane.secret import KEY_PREFIX, SECRET_BYTES, Minted, mint, name_of
from domain.credential import HashAlgorithm, compared


@dataclass(frozen=True, kw_only=True)
class IssueCredential(SubscriptionCommand):
    """Hand a key out; the answer's secret is the only time it is seen."""

    permission = "credential:issue"
    not_after: datetime | None = None
    label: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Mint a key and keep its hashes."""
        subscription = await self.get(work, context)
        key = _minted(context)
        subscription.issue_credential(
            key.id,
            sha256=key.sha256,
            sha1=key.sha1,
            not_after=self.not_after,
            label=self.label,
            at=work.at,
            why=work.why,
        )
        work.secret = key.text


@dataclass(frozen=True, kw_only=True)
class RotateCredential(SubscriptionCommand):
    """Replace a key: both work for a while, then only the successor, which is the secret."""

    permission = "credential:issue"
    credential_id: str
    overlap_s: int
    not_after: datetime | None = None
    label: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Mint the successor and set the end of the key it replaces."""
        subscription = await self.get(work, context)
        key = _minted(context)
        subscription.rotate_credential(
            self.credential_id,
            successor_id=key.id,
            sha256=key.sha256,
            sha1=key.sha1,
            overlap_s=self.overlap_s,
            not_after=self.not_after,
            label=self.label,
            at=work.at,
            why=work.why,
        )
        work.secret = key.text


@dataclass(frozen=True, kw_only=True)
class ImportCredential(SubscriptionCommand):
    """Let a key go on that was issued elsewhere, known by a hash of it."""

    permission = "credential:import"
    algorithm: HashAlgorithm
    digest: str
    not_after: datetime | None = None
    label: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Keep the hash; the same one is imported once in an organization."""
        subscription = await self.get(work, context)
        subscription.import_credential(
            name_of(context.services.new_id()),
            algorithm=self.algorithm,
            digest=self.digest,
            not_after=self.not_after,
            label=self.label,
            at=work.at,
            why=work.why,
        )
        known = compared(self.algorithm, self.digest)
        await work.reserve("key", f"{self.algorithm.value}/{known}", subscription.id, "digest")


@dataclass(frozen=True, kw_only=True)
class RevokeCredential(SubscriptionCommand):
    """Refuse a key from now on."""

    permission = "credential:revoke"
    credential_id: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Revoke one credential for ever."""
        subscription = await self.get(work, context)
        subscription.revoke_credential(self.credential_id, at=work.at, why=work.why)


def _minted(context: Context) -> Minted:
    services = context.services
    return mint(KEY_PREFIX, services.new_id(), services.entropy(SECRET_BYTES))
