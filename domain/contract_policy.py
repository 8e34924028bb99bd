"""A contract policy: what a provider demands of the contracts that it publishes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from domain import text
from domain.aggregate import DomainError, Value
from domain.contract.diff.terms import STABILITIES, Terms
from domain.contract.document import shown
from domain.contract.finding import Level

ENTRIES = 200
NOTICE_DAYS = 3_650
OVERRIDERS = ("OWNER", "PRODUCT_MANAGER")
"""Roles that may be let override the gate."""


class ContractPolicyInvalidError(DomainError):
    """A contract policy names known rules, levels and roles; what it ignores has a reason."""


@dataclass(frozen=True)
class RuleLevel(Value):
    """How grave the findings of one rule are here."""

    NAME = "rule_level"
    rule: str
    level: str


@dataclass(frozen=True)
class IgnoredRule(Value):
    """A rule whose findings do not count until `expires_at`, at one operation or, "", at all."""

    NAME = "ignored_rule"
    rule: str
    where: str
    reason: str
    owner: str
    expires_at: datetime

    def covers(self, rule: str, where: str, at: datetime) -> bool:
        """Tell whether a finding is ignored."""
        return self.rule == rule and self.where in {"", where} and at < self.expires_at


@dataclass(frozen=True)
class NoticeDays(Value):
    """How long before its sunset something of a stability level is deprecated, at least."""

    NAME = "notice_days"
    stability: str
    days: int


@dataclass(frozen=True)
class ContractPolicy(Value):
    """What the gate goes by; the policy of a product adds to that of its organization."""

    NAME = "contract_policy"
    levels: list[RuleLevel] = field(default_factory=list)
    ignored: list[IgnoredRule] = field(default_factory=list)
    notice: list[NoticeDays] = field(default_factory=list)
    review_required: bool = False
    four_eyes: bool = False
    major_may_break: bool = True
    overriders: list[str] = field(default_factory=lambda: ["OWNER"])

    def require_valid(self, rules: frozenset[str], at: datetime) -> None:
        """Raise ContractPolicyInvalidError unless every entry can be meant."""
        if max(len(self.levels), len(self.ignored), len(self.notice)) > ENTRIES:
            raise ContractPolicyInvalidError("policy", f"It has at most {ENTRIES} entries of each.")
        _require_once("levels", [each.rule for each in self.levels])
        _require_once("notice", [each.stability for each in self.notice])
        _require_known("levels", [each.level for each in self.levels], tuple(Level))
        for about, named in (("levels", self.levels), ("ignored", self.ignored)):
            _require_known(about, [each.rule for each in named], rules)
        _require_known("notice", [each.stability for each in self.notice], STABILITIES)
        _require_known("overriders", self.overriders, OVERRIDERS)
        if not all(0 <= each.days <= NOTICE_DAYS for each in self.notice):
            raise ContractPolicyInvalidError("notice", f"Notice is 0 to {NOTICE_DAYS:,} days.")
        for each in self.ignored:
            text.label(each.reason, "ignored")
            text.label(each.owner, "ignored")
            text.prose(each.where, "ignored")
            if each.expires_at <= at:
                raise ContractPolicyInvalidError("ignored", "It expires later than now.")

    def terms(self, today: date) -> Terms:
        """Return what a comparison goes by on a day."""
        return Terms(today, {each.stability: each.days for each in self.notice})


def combined(organization: ContractPolicy | None, product: ContractPolicy | None) -> ContractPolicy:
    """Return what holds for a product: for a rule and a stability its own word counts.

    A review, four eyes and announced breaks that either demands or forbids are so; who overrides
    is for the product to say, if it has a policy.
    """
    general = organization or ContractPolicy()
    if product is None:
        return general
    return ContractPolicy(
        levels=[*({each.rule: each for each in (*general.levels, *product.levels)}).values()],
        ignored=[*product.ignored, *general.ignored],
        notice=[*({each.stability: each for each in (*general.notice, *product.notice)}).values()],
        review_required=general.review_required or product.review_required,
        four_eyes=general.four_eyes or product.four_eyes,
        major_may_break=general.major_may_break and product.major_may_break,
        overriders=product.overriders,
    )


def _require_once(about: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ContractPolicyInvalidError(about, "Each is named once.")


def _require_known(about: str, names: list[str], known: Sequence[str] | frozenset[str]) -> None:
    for name in names:
        if name not in known:
            raise ContractPolicyInvalidError(about, f'"{shown(name)}" is not known.')
