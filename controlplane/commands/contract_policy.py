"""Commands about what contracts have to keep to."""

from dataclasses import dataclass
from uuid import UUID

from controlplane.commands import Command, UnitOfWork
from controlplane.context import Context
from domain.api_product import ApiProduct
from domain.contract_policy import ContractPolicy
from domain.organization import Organization


@dataclass(frozen=True, kw_only=True)
class SetContractPolicy(Command):
    """Decide what the contracts of a product, or of all products, have to keep to."""

    permission = "contract:govern"
    policy: ContractPolicy
    product_id: UUID | None = None
    expected_version: int | None = None

    async def handle(self, work: UnitOfWork, context: Context) -> None:
        """Adopt it in place of the one before."""
        kind: type[ApiProduct | Organization] = ApiProduct if self.product_id else Organization
        holder = await work.get(
            kind,
            self.product_id or context.caller.organization_id,
            "product_id",
            expected_version=self.expected_version,
        )
        holder.adopt_contract_policy(self.policy, _rules(), at=work.at, why=work.why)


def _rules() -> frozenset[str]:
    # Imported when it is asked for: with the rules come libraries that take a while.
    from domain.contract.graphql_diff import RULES  # noqa: PLC0415
    from domain.contract.rules.rest import REST_RULES  # noqa: PLC0415

    return frozenset(rule.id for rule in (*REST_RULES, *RULES))
