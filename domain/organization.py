"""An organization: the provider of APIs, to which everything else belongs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Why
from domain.contract_policy import ContractPolicy


class RegistrationOpenError(DomainError):
    """Everybody can register with the organization already."""


class RegistrationClosedError(DomainError):
    """The organization does not let everybody register; ask it for an invitation."""


class Organization(Aggregate):
    """The tenant. Its slug is unique in the installation."""

    TOPIC = "organization"

    def __init__(self) -> None:
        self.registration_open = False
        self.contract_policy: ContractPolicy | None = None

    @classmethod
    def establish(
        cls, organization_id: UUID, *, slug: str, name: str, at: datetime, why: Why
    ) -> Self:
        """Begin an organization; `why` is already its own.

        Raises SlugInvalidError, LabelInvalidError.
        """
        return cls.begin(
            cls.Established,
            organization_id,
            at,
            why,
            slug=text.slug(slug, "slug"),
            name=text.label(name, "name"),
        )

    def open_registration(self, *, at: datetime, why: Why) -> None:
        """Let visitors register, and form teams, by themselves. Raises RegistrationOpenError."""
        if self.registration_open:
            raise RegistrationOpenError
        self.emit(self.RegistrationOpened, at, why)

    def close_registration(self, *, at: datetime, why: Why) -> None:
        """Let no more visitors register. Raises RegistrationClosedError."""
        self.require_registration()
        self.emit(self.RegistrationClosed, at, why)

    def require_registration(self, about: str | None = None) -> None:
        """Raise RegistrationClosedError unless visitors may register."""
        if not self.registration_open:
            raise RegistrationClosedError(about)

    def adopt_contract_policy(
        self, policy: ContractPolicy, rules: frozenset[str], *, at: datetime, why: Why
    ) -> None:
        """Have contracts keep to this from now on; `rules` are the ids of all rules there are.

        Raises ContractPolicyInvalidError, LabelInvalidError, ProseInvalidError.
        """
        policy.require_valid(rules, at)
        self.emit(self.ContractPolicyAdopted, at, why, policy=policy)

    @dataclass(frozen=True)
    class Established(First):
        """An operator of the installation let an organization in."""

        TOPIC = "organization.established"
        slug: str
        name: str

    @dataclass(frozen=True)
    class RegistrationOpened(Aggregate.Event):
        """From here on visitors register by themselves."""

        TOPIC = "organization.registration_opened"

        def apply(self, aggregate: "Organization") -> None:
            """Be open."""
            aggregate.registration_open = True

    @dataclass(frozen=True)
    class RegistrationClosed(Aggregate.Event):
        """From here on nobody registers by themselves."""

        TOPIC = "organization.registration_closed"

        def apply(self, aggregate: "Organization") -> None:
            """Be closed."""
            aggregate.registration_open = False

    @dataclass(frozen=True)
    class ContractPolicyAdopted(Aggregate.Event):
        """It was decided what contracts have to keep to, in place of what was decided before."""

        TOPIC = "organization.contract_policy_adopted"
        policy: ContractPolicy

        def apply(self, aggregate: "Organization") -> None:
            """Keep the policy."""
            aggregate.contract_policy = self.policy
