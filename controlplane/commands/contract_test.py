"""Commands about the contract tests of versions."""

from dataclasses import dataclass

from controlplane.commands import UnitOfWork
from controlplane.commands.api_version import VersionCommand
from controlplane.context import Context
from domain.contract_test import ContractTest


@dataclass(frozen=True, kw_only=True)
class RecordContractTest(VersionCommand):
    """Remember what a server answered when it was held to the contract of a version."""

    permission = "version:define"
    test: ContractTest

    async def handle(self, work: UnitOfWork, context: Context) -> None:  # noqa: ARG002
        """Record the verdict; it changes nothing else about the version."""
        (await self.get(work)).record_test(self.test, at=work.at, why=work.why)
