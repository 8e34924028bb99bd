"""Commands about the versions of API products."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.api_version import ApiVersion, Upstream
from domain.contract.read import read_contract


@dataclass(frozen=True, kw_only=True)
class DefineVersion(Command):
    """Submit a contract as the next version of a product."""

    permission = "version:define"
    product_id: UUID
    number: str
    document: bytes
    upstreams: tuple[Upstream, ...] = ()

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Begin a draft version with the operations that the document declares."""
        await work.get(ApiProduct, self.product_id, "product_id")
        # In a thread, so that others are served while a large document is read.
        contract = await asyncio.to_thread(read_contract, self.document)
        version = ApiVersion.define(
            context.services.new_id(),
            product_id=self.product_id,
            number=self.number,
            contract=contract,
            contract_sha256=work.attach(self.document),
            contract_bytes=len(self.document),
            upstreams=list(self.upstreams),
            at=work.at,
            why=work.why,
        )
        number = f"{self.product_id}/{self.number}"
        await work.reserve("version", number, version.id, "number")
        work.add(version)


@dataclass(frozen=True, kw_only=True)
class PublishVersion(Command):
    """Let subscribers call a version."""

    permission = "version:publish"
    version_id: UUID
    expected_version: int | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Publish a draft version."""
        version = await work.get(
            ApiVersion, self.version_id, "version_id", expected_version=self.expected_version
        )
        version.publish(at=work.at, why=work.why)
