"""An API version: a semantic version of a product, with the contract it keeps."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, First, Value, Why
from domain.contract.operation import Operation
from domain.contract.read import Contract

UPSTREAMS = 20
_PART = r"(0|[1-9]\d{0,8})"
_BEFORE = r"(?!0\d+(?![0-9A-Za-z-]))[0-9A-Za-z-]{1,40}"  # a number has no leading zero
_BUILD = "[0-9A-Za-z-]{1,40}"
_NUMBER = re.compile(
    rf"{_PART}\.{_PART}\.{_PART}(-{_BEFORE}(\.{_BEFORE}){{0,8}})?(\+{_BUILD}(\.{_BUILD}){{0,8}})?",
    re.ASCII,
)


class VersionState(Enum):
    """Where a version is in its life."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"


class VersionNumberInvalidError(DomainError):
    """A version number is semantic: MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1."""


class VersionNotDraftError(DomainError):
    """Only a draft version can be published."""


class TooManyUpstreamsError(DomainError):
    """A version has at most 20 upstreams, one for each environment."""


@dataclass(frozen=True)
class Upstream(Value):
    """Where the calls of one environment are forwarded to."""

    NAME = "upstream"
    environment: str
    url: str


class ApiVersion(Aggregate):
    """One contract of a product; what it says never changes once it is published."""

    TOPIC = "api_version"

    def __init__(self) -> None:
        self.state = VersionState.DRAFT

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
    ) -> Self:
        """Begin a draft that keeps `contract`, the document with the hash `contract_sha256` (hex).

        Raises VersionNumberInvalidError, TooManyUpstreamsError, SlugInvalidError, UrlInvalidError.
        """
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
        )

    def publish(self, *, at: datetime, why: Why) -> None:
        """Let gateways route to it. Raises VersionNotDraftError."""
        if self.state is not VersionState.DRAFT:
            raise VersionNotDraftError
        self.emit(self.Published, at, why)

    @dataclass(frozen=True)
    class Defined(First):
        """A contract was submitted as a version of a product."""

        TOPIC = "api_version.defined"
        product_id: UUID
        number: str
        contract_kind: str
        contract_sha256: str
        contract_bytes: int
        title: str
        description: str
        upstreams: list[Upstream]
        operations: list[Operation]

    @dataclass(frozen=True)
    class Published(Aggregate.Event):
        """Subscribers can call the version."""

        TOPIC = "api_version.published"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Become published."""
            aggregate.state = VersionState.PUBLISHED
