"""What contracts have to keep to, by the word of their provider."""

from datetime import datetime
from typing import Annotated, Any

import orjson
import strawberry

from controlplane.commands.contract_policy import SetContractPolicy
from controlplane.global_id import named_key
from controlplane.graphql import visibility
from controlplane.graphql.changes import AskedAtVersion, Changed, change, mutation
from controlplane.graphql.enums import Role
from controlplane.graphql.errors import Rejected, invalid
from controlplane.graphql.findings import FindingLevel
from controlplane.graphql.loaders import Info
from controlplane.graphql.node import named_or_none
from controlplane.graphql.organization import ORGANIZATION
from controlplane.graphql.product import PRODUCT
from domain import contract_policy
from domain.contract_policy import IgnoredRule, NoticeDays, RuleLevel, combined

_POLICIES = (
    "SELECT (SELECT contract_policy FROM organization WHERE organization_id = $1 AND id = $1),"
    " (SELECT contract_policy FROM product WHERE organization_id = $1 AND id = $2) AS own,"
    " $2::uuid IS NULL OR EXISTS (SELECT FROM product WHERE organization_id = $1 AND id = $2)"
    " AS found"
)


@strawberry.type
class RuleLevelSetting:
    """How grave the findings of one rule are here."""

    rule: str = strawberry.field(description="The id of the rule.")
    level: FindingLevel = strawberry.field(description="How grave its findings are.")


@strawberry.type
class IgnoredRuleSetting:
    """A rule whose findings do not count for a while."""

    rule: str = strawberry.field(description="The id of the rule.")
    operation: str = strawberry.field(description="Only at this operation; empty for everywhere.")
    reason: str = strawberry.field(description="Why.")
    owner: str = strawberry.field(description="Who answers for that.")
    expires_at: datetime = strawberry.field(description="From when on they count again.")


@strawberry.type
class NoticeSetting:
    """How long something is deprecated before it may go."""

    stability: str = strawberry.field(description="The x-stability-level: alpha, beta, stable.")
    days: int = strawberry.field(description="Days between the deprecation and the sunset.")


@strawberry.type
class ContractPolicy:
    """What the contract gate goes by."""

    levels: list[RuleLevelSetting] = strawberry.field(description="Rules that are graver or not.")
    ignored: list[IgnoredRuleSetting] = strawberry.field(description="What does not count.")
    notice: list[NoticeSetting] = strawberry.field(description="The least notice of an end.")
    review_required: bool = strawberry.field(description="Whether each version is approved first.")
    four_eyes: bool = strawberry.field(
        description="Whether whoever submitted a version may not approve it."
    )
    major_may_break: bool = strawberry.field(
        description="Whether a major number lets a version break its subscribers."
    )
    overriders: list[Role] = strawberry.field(description="Who may override the gate.")


@strawberry.input
class RuleLevelInput:
    """How grave the findings of one rule are."""

    rule: str = strawberry.field(description="The id of a rule about changes.")
    level: FindingLevel = strawberry.field(description="How grave its findings are.")


@strawberry.input
class IgnoredRuleInput:
    """A rule whose findings are not to count for a while."""

    rule: str = strawberry.field(description="The id of a rule about changes.")
    operation: str = strawberry.field(
        default="", description="Only at this operation; empty for everywhere."
    )
    reason: str = strawberry.field(description="Why; 1 to 200 characters.")
    owner: str = strawberry.field(description="Who answers for that; 1 to 200 characters.")
    expires_at: datetime = strawberry.field(description="From when on they count again.")


@strawberry.input
class NoticeInput:
    """How long something is to be deprecated before it may go."""

    stability: str = strawberry.field(description="draft, alpha, beta or stable.")
    days: int = strawberry.field(description="0 to 3,650.")


@strawberry.input
class SetContractPolicyInput(AskedAtVersion):
    """The whole policy, in place of the one before; at most 200 entries in each list."""

    product_id: strawberry.ID | None = strawberry.field(
        default=None, description="The product; without one it is the whole organization's."
    )
    levels: list[RuleLevelInput] = strawberry.field(
        default_factory=list, description="Rules that are graver here, or less; each once."
    )
    ignored: list[IgnoredRuleInput] = strawberry.field(
        default_factory=list, description="What does not count for a while."
    )
    notice: list[NoticeInput] = strawberry.field(
        default_factory=list, description="The least notice of an end; each stability once."
    )
    review_required: bool = strawberry.field(
        default=False, description="Whether each version is approved before it is published."
    )
    four_eyes: bool = strawberry.field(
        default=False, description="Whether whoever submitted a version may not approve it."
    )
    major_may_break: bool = strawberry.field(
        default=True, description="Whether a major number lets a version break its subscribers."
    )
    overriders: list[Role] = strawberry.field(
        default_factory=lambda: [Role.OWNER],
        description="Who may override the gate: OWNER, PRODUCT_MANAGER, both or none.",
    )

    def policy(self) -> contract_policy.ContractPolicy:
        """Return the policy that is asked for."""
        return contract_policy.ContractPolicy(
            levels=[RuleLevel(each.rule, each.level.value) for each in self.levels],
            ignored=[
                IgnoredRule(each.rule, each.operation, each.reason, each.owner, each.expires_at)
                for each in self.ignored
            ],
            notice=[NoticeDays(each.stability, each.days) for each in self.notice],
            review_required=self.review_required,
            four_eyes=self.four_eyes,
            major_may_break=self.major_may_break,
            overriders=[role.value for role in self.overriders],
        )


@strawberry.type
class ContractPolicyChanged(Changed):
    """What holds from now on."""

    kinds = (ORGANIZATION, PRODUCT)

    @strawberry.field
    async def policy(self, info: Info) -> ContractPolicy | None:
        """Return what is in force for the product, or the organization; null after a dry run."""
        if await self.node(info, self.kind) is None:
            return None
        return await in_force(info, self.key[1] if self.kind is PRODUCT else None)


async def in_force(info: Info, product_id: object) -> ContractPolicy | None:
    """Return what holds for a product, or without one for others; None if it is not there."""
    (row,) = await info.context.fetch(_POLICIES, info.context.caller.organization_id, product_id)
    if not row["found"]:
        return None
    policy = combined(_read(row["contract_policy"]), _read(row["own"]))
    return ContractPolicy(
        levels=[RuleLevelSetting(rule=e.rule, level=FindingLevel(e.level)) for e in policy.levels],
        ignored=[
            IgnoredRuleSetting(
                rule=each.rule,
                operation=each.where,
                reason=each.reason,
                owner=each.owner,
                expires_at=each.expires_at,
            )
            for each in policy.ignored
        ],
        notice=[NoticeSetting(stability=e.stability, days=e.days) for e in policy.notice],
        review_required=policy.review_required,
        four_eyes=policy.four_eyes,
        major_may_break=policy.major_may_break,
        overriders=[Role(role) for role in policy.overriders],
    )


def _read(text: str | None) -> contract_policy.ContractPolicy | None:
    if text is None:
        return None
    said: dict[str, Any] = orjson.loads(text)
    ignored = [
        IgnoredRule(**{**each, "expires_at": datetime.fromisoformat(each["expires_at"])})
        for each in said["ignored"]
    ]
    lists = {
        "levels": [RuleLevel(**each) for each in said["levels"]],
        "ignored": ignored,
        "notice": [NoticeDays(**each) for each in said["notice"]],
    }
    return contract_policy.ContractPolicy(**{**said, **lists})


@strawberry.type
class ContractPolicyQueries:
    """What contracts have to keep to."""

    @strawberry.field
    async def contract_policy(
        self,
        info: Info,
        *,
        product: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The id of a product; without one what holds for all."),
        ] = None,
    ) -> ContractPolicy | None:
        """Return what is in force: the policy of the organization, and of the product beyond it.

        Null for all but the provider.
        """
        if not visibility.is_provider(info.context.caller):
            return None
        key = named_key(product, "ApiProduct", ("uuid",)) if product else (None,)
        if key is None:
            raise invalid("That is not the id of an ApiProduct.")
        return await in_force(info, key[0])


@strawberry.type
class ContractPolicyMutations:
    """What can be decided about contracts."""

    @mutation
    async def set_contract_policy(
        self, info: Info, input: SetContractPolicyInput
    ) -> ContractPolicyChanged | Rejected:
        """Decide what contracts have to keep to from now on; needs contract:govern."""
        return await change(
            info,
            ContractPolicyChanged,
            input,
            lambda: SetContractPolicy(
                product_id=named_or_none(input.product_id, "ApiProduct", "product_id"),
                policy=input.policy(),
                **input.said(),
            ),
        )
