"""An API version: a semantic version of a product, with the contract it keeps.

Its review and the rest of its life are in `domain.review` and `domain.version_life`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Value, Why
from domain.contract.gate import GateResult
from domain.contract.operation import Operation
from domain.contract.read import Contract
from domain.contract_test import ContractTest
from domain.review import VersionReview
from domain.version_life import VersionState

UPSTREAMS = 20
DEFAULT_API = "default"
"""The API of a product that has but one, and of every version of before there could be more."""
_PART = r"(0|[1-9]\d{0,8})"
_BEFORE = r"(?!0\d+(?![0-9A-Za-z-]))[0-9A-Za-z-]{1,40}"  # a number has no leading zero
_BUILD = "[0-9A-Za-z-]{1,40}"
_RESERVED_API = re.compile(r"v\d+", re.ASCII)
_NUMBER = re.compile(
    rf"{_PART}\.{_PART}\.{_PART}(-{_BEFORE}(\.{_BEFORE}){{0,8}})?(\+{_BUILD}(\.{_BUILD}){{0,8}})?",
    re.ASCII,
)


class VersionNumberInvalidError(DomainError):
    """A version number is semantic: MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1."""


class VersionNotRevisableError(DomainError):
    """Only a draft, or a version in service, is revised."""


class ContractUnchangedError(DomainError):
    """A revision has another contract than before."""


class RevisionBreaksError(DomainError):
    """A revision corrects what was published and breaks nobody; what breaks is a new version."""


class ApiReservedError(DomainError):
    """An API is not called v1 or the like: gateways would take it for a version of another."""


class TooManyUpstreamsError(DomainError):
    """A version has at most 20 upstreams, one for each environment."""


class UpstreamUnchangedError(DomainError):
    """The calls of this environment are forwarded there already."""


class UpstreamUnknownError(DomainError):
    """The version has no upstream for this environment."""


class VersionRetiredError(DomainError):
    """A retired version is forwarded nowhere; reinstate it first."""


@dataclass(frozen=True)
class Upstream(Value):
    """Where the calls of one environment are forwarded to."""

    NAME = "upstream"
    environment: str
    url: str


class ApiVersion(VersionReview):
    """One contract of a product; what it says never changes once it is published."""

    TOPIC = "api_version"

    def __init__(self) -> None:
        super().__init__()
        self.api = DEFAULT_API
        self.number = ""
        self.contract_sha256 = ""
        self.revision = 0
        self.upstreams: dict[str, str] = {}
        """Where the calls of each environment are forwarded to."""

    @classmethod
    def define(
        cls,
        version_id: UUID,
        *,
        product_id: UUID,
        number: str,
        contract: Contract,
        contract_sha256: str,
        contract_bytes: int,
        upstreams: list[Upstream],
        at: datetime,
        why: Why,
        api: str = DEFAULT_API,
    ) -> Self:
        """Begin a draft that keeps `contract`, the document with the hash `contract_sha256` (hex).

        `api` is the slug of one of the APIs of the product. Raises VersionNumberInvalidError,
        TooManyUpstreamsError, SlugInvalidError, UrlInvalidError, ApiReservedError.
        """
        if _RESERVED_API.fullmatch(text.slug(api, "api")):
            raise ApiReservedError("api")
        if not _NUMBER.fullmatch(number):
            raise VersionNumberInvalidError("number")
        environments = {
            text.slug(upstream.environment, "upstreams"): text.url(upstream.url, "upstreams")
            for upstream in upstreams
        }
        if len(upstreams) > UPSTREAMS or len(environments) < len(upstreams):
            raise TooManyUpstreamsError("upstreams")
        return cls.begin(
            cls.Defined,
            version_id,
            at,
            why,
            product_id=product_id,
            number=number,
            contract_kind=contract.kind,
            contract_sha256=contract_sha256,
            contract_bytes=contract_bytes,
            title=contract.title,
            description=contract.description,
            upstreams=upstreams,
            operations=list(contract.operations),
            api=api,
        )

    def revise(
        self,
        contract: Contract,
        gate: GateResult | None,
        *,
        contract_sha256: str,
        contract_bytes: int,
        at: datetime,
        why: Why,
    ) -> None:
        """Correct its contract; `gate` is what changes, None for a draft, which promised nothing.

        Raises VersionNotRevisableError, ContractUnchangedError, RevisionBreaksError.
        """
        if self.state is not VersionState.DRAFT and not self.in_service:
            raise VersionNotRevisableError
        if contract_sha256 == self.contract_sha256:
            raise ContractUnchangedError("document")
        if gate is not None and gate.errors:
            detail = f"This one has {gate.errors:,} break{'s' * (gate.errors != 1)}."
            raise RevisionBreaksError("document", detail)
        self.emit(
            self.Revised,
            at,
            why,
            revision=self.revision + 1,
            contract_kind=contract.kind,
            contract_sha256=contract_sha256,
            contract_bytes=contract_bytes,
            title=contract.title,
            description=contract.description,
            operations=list(contract.operations),
            gate=gate,
        )

    def choose_upstream(self, environment: str, url: str, *, at: datetime, why: Why) -> None:
        """Forward the calls of an environment to a server, in place of the one before.

        Raises VersionRetiredError, SlugInvalidError, UrlInvalidError, UpstreamUnchangedError,
        TooManyUpstreamsError.
        """
        self._require_not_retired()
        chosen = Upstream(text.slug(environment, "environment"), text.url(url, "url"))
        if self.upstreams.get(environment) == url:
            raise UpstreamUnchangedError("url")
        if len(self.upstreams | {environment: url}) > UPSTREAMS:
            raise TooManyUpstreamsError("environment")
        self.emit(self.UpstreamChosen, at, why, upstream=chosen)

    def withdraw_upstream(self, environment: str, *, at: datetime, why: Why) -> None:
        """Forward the calls of an environment nowhere, where no gateway serves it from then on.

        Raises VersionRetiredError, UpstreamUnknownError.
        """
        self._require_not_retired()
        if environment not in self.upstreams:
            raise UpstreamUnknownError("environment")
        self.emit(self.UpstreamWithdrawn, at, why, environment=environment)

    def _require_not_retired(self) -> None:
        if self.state is VersionState.RETIRED:
            raise VersionRetiredError

    def record_test(self, test: ContractTest, *, at: datetime, why: Why) -> None:
        """Remember a contract test. Raises ContractTestInvalidError, UrlInvalidError."""
        test.require_valid(self.contract_sha256)
        self.emit(self.ContractTested, at, why, test=test)

    @dataclass(frozen=True)
    class Defined(First):
        """A contract was submitted as a version of a product."""

        TOPIC = "api_version.defined"
        class_version = 2
        product_id: UUID
        number: str
        contract_kind: str
        contract_sha256: str
        contract_bytes: int
        title: str
        description: str
        upstreams: list[Upstream]
        operations: list[Operation]
        api: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Know which API it is of: a product had but one."""
            state["api"] = DEFAULT_API

        def apply(self, aggregate: "ApiVersion") -> None:
            """Belong to the product."""
            aggregate.product_id = self.product_id
            aggregate.api = self.api
            aggregate.number = self.number
            aggregate.contract_sha256 = self.contract_sha256
            aggregate.upstreams = {each.environment: each.url for each in self.upstreams}

    @dataclass(frozen=True)
    class Revised(Aggregate.Event):
        """The contract was corrected; `gate` says what changed, None for a draft."""

        TOPIC = "api_version.revised"
        revision: int
        contract_kind: str
        contract_sha256: str
        contract_bytes: int
        title: str
        description: str
        operations: list[Operation]
        gate: GateResult | None

        def apply(self, aggregate: "ApiVersion") -> None:
            """Keep this contract; what was overridden was another."""
            aggregate.contract_sha256 = self.contract_sha256
            aggregate.revision = self.revision
            aggregate.overridden = None

    @dataclass(frozen=True)
    class UpstreamChosen(Aggregate.Event):
        """The calls of an environment are forwarded to a server, or to another than before."""

        TOPIC = "api_version.upstream_chosen"
        upstream: Upstream

        def apply(self, aggregate: "ApiVersion") -> None:
            """Know where they go."""
            chosen = {self.upstream.environment: self.upstream.url}
            aggregate.upstreams = {**aggregate.upstreams, **chosen}

    @dataclass(frozen=True)
    class UpstreamWithdrawn(Aggregate.Event):
        """The calls of an environment are forwarded nowhere any more."""

        TOPIC = "api_version.upstream_withdrawn"
        environment: str

        def apply(self, aggregate: "ApiVersion") -> None:
            """Forget where they went."""
            aggregate.upstreams = {
                environment: url
                for environment, url in aggregate.upstreams.items()
                if environment != self.environment
            }

    @dataclass(frozen=True)
    class ContractTested(Aggregate.Event):
        """A server was held to the contract; rules go by nothing of it."""

        TOPIC = "api_version.contract_tested"
        test: ContractTest
