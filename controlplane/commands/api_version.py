"""Commands about the versions of API products."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.api_version import DEFAULT_API, ApiVersion, Upstream
from domain.contract.read import read_contract


@dataclass(frozen=True, kw_only=True)
class DefineVersion(Command):
    """Submit a contract as the next version of a product."""

    permission = "version:define"
    product_id: UUID
    number: str
    document: bytes
    upstreams: tuple[Upstream, ...] = ()
    api: str = DEFAULT_API

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
            api=self.api,
            at=work.at,
            why=work.why,
        )
        # Without the API for the default one, as it was reserved before there could be others.
        api = "" if self.api == DEFAULT_API else f"{self.api}/"
        number = f"{self.product_id}/{api}{self.number}"
        await work.reserve("version", number, version.id, "number")
        work.add(version)


@dataclass(frozen=True, kw_only=True)
class VersionCommand(Command):
    """Something asked of one version of a product, if need be at one version of that."""

    version_id: UUID
    expected_version: int | None = None

    async def get(self, work: UnitOfWork) -> ApiVersion:
        """Return the version this is about."""
        return await work.get(
            ApiVersion, self.version_id, "version_id", expected_version=self.expected_version
        )


@dataclass(frozen=True, kw_only=True)
class ChooseUpstream(VersionCommand):
    """Forward the calls of an environment to another server, or to a first one."""

    permission = "version:publish"
    environment: str
    url: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Choose it; gateways forward to it at once if the version is in service."""
        version = await self.get(work)
        version.choose_upstream(self.environment, self.url, at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class WithdrawUpstream(VersionCommand):
    """Forward the calls of an environment nowhere."""

    permission = "version:publish"
    environment: str

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Withdraw it; gateways of the environment serve the version no more."""
        (await self.get(work)).withdraw_upstream(self.environment, at=work.at, why=work.why)


class WithdrawVersion(VersionCommand):
    """Take a version that was published by mistake back from gateways."""

    permission = "version:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make a published version a draft again."""
        (await self.get(work)).withdraw_publication(at=work.at, why=work.why)


@dataclass(frozen=True, kw_only=True)
class DeprecateVersion(VersionCommand):
    """Advise against a version."""

    permission = "version:publish"
    sunset_at: datetime | None = None
    successor_id: UUID | None = None
    link: str = ""

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Deprecate a published version; gateways tell its callers by headers."""
        version, successor = await self.get(work), None
        if self.successor_id is not None:
            successor = await work.get(ApiVersion, self.successor_id, "successor_id")
        version.deprecate(
            sunset_at=self.sunset_at,
            successor=successor,
            link=self.link,
            at=work.at,
            why=work.why,
        )


@dataclass(frozen=True, kw_only=True)
class ScheduleVersionSunset(VersionCommand):
    """Say until when a deprecated version lasts."""

    permission = "version:publish"
    sunset_at: datetime | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Set, move or lift the sunset."""
        (await self.get(work)).schedule_sunset(self.sunset_at, at=work.at, why=work.why)


class WithdrawVersionDeprecation(VersionCommand):
    """Recommend a deprecated version again."""

    permission = "version:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make it published, without a sunset."""
        (await self.get(work)).withdraw_deprecation(at=work.at, why=work.why)


class RetireVersion(VersionCommand):
    """Have no gateway route to a version."""

    permission = "version:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Retire a deprecated version whose sunset, if it has one, has come."""
        (await self.get(work)).retire(at=work.at, why=work.why)


class ReinstateVersion(VersionCommand):
    """Route to a retired version again."""

    permission = "version:publish"

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Make it deprecated again."""
        (await self.get(work)).reinstate(at=work.at, why=work.why)


class BlockVersion(VersionCommand):
    """Take a version of any organization off all gateways: an abuse, a court, a leak."""

    permission = "version:block"
    across = True

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Block it; what its provider does meanwhile does not bring it back."""
        version, why = await work.get_across(
            ApiVersion, self.version_id, "version_id", expected_version=self.expected_version
        )
        version.block(at=work.at, why=why)


class UnblockVersion(VersionCommand):
    """Leave a blocked version to its provider again."""

    permission = "version:block"
    across = True

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Unblock it; gateways route to it if it is published."""
        version, why = await work.get_across(
            ApiVersion, self.version_id, "version_id", expected_version=self.expected_version
        )
        version.unblock(at=work.at, why=why)
