"""An API version: a semantic version of a product, with the contract it keeps."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, First, Value, Why
from domain.contract.gate import GateResult
from domain.contract.operation import Operation
from domain.contract.read import Contract
from domain.contract_test import ContractTest
from domain.sunset import promised, require_reached
from domain.version_life import (
    ApiReservedError,
    ChangesCommentMissingError,
    ContractUnchangedError,
    FourEyesError,
    GateFailedError,
    GateOpenError,
    OverrideReasonMissingError,
    ReviewOutdatedError,
    RevisionBreaksError,
    SuccessorInvalidError,
    TooManyUpstreamsError,
    VersionBlockedError,
    VersionNotApprovedError,
    VersionNotBlockedError,
    VersionNotDeprecatedError,
    VersionNotDraftError,
    VersionNotInReviewError,
    VersionNotPublishedError,
    VersionNotRetiredError,
    VersionNotRevisableError,
    VersionNumberInvalidError,
    VersionState,
)

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
        self.product_id = UUID(int=0)
        self.api = DEFAULT_API
        self.number = ""
        self.contract_sha256 = ""
        self.revision = 0
        self.sunset_at: datetime | None = None
        self.blocked = False
        self.submitted_by = ""
        self.reviewed: GateResult | None = None
        self.approved = False
        self.overridden: GateResult | None = None

    @property
    def in_service(self) -> bool:
        """Whether there may be subscribers who call it."""
        return self.state in {VersionState.PUBLISHED, VersionState.DEPRECATED}

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

    def submit(self, gate: GateResult | None, comment: str, *, at: datetime, why: Why) -> None:
        """Have it reviewed, with what the gate says; None when it follows no version.

        Raises VersionNotDraftError, ProseInvalidError.
        """
        if self.state is not VersionState.DRAFT:
            raise VersionNotDraftError
        self.emit(self.Submitted, at, why, gate=gate, comment=text.prose(comment, "comment"))

    def approve(self, comment: str, *, four_eyes: bool, at: datetime, why: Why) -> None:
        """Let it be published. Raises VersionNotInReviewError, FourEyesError, ProseInvalidError."""
        if self.state is not VersionState.IN_REVIEW or self.approved:
            raise VersionNotInReviewError
        if four_eyes and why["actor"] == self.submitted_by:
            raise FourEyesError
        self.emit(self.Approved, at, why, comment=text.prose(comment, "comment"))

    def request_changes(self, comment: str, *, at: datetime, why: Why) -> None:
        """Make it a draft again, and say what to change.

        Raises VersionNotInReviewError, ChangesCommentMissingError, ProseInvalidError.
        """
        if self.state is not VersionState.IN_REVIEW:
            raise VersionNotInReviewError
        if not text.prose(comment, "comment").strip():
            raise ChangesCommentMissingError("comment")
        self.emit(self.ChangesRequested, at, why, comment=comment)

    def override_gate(self, gate: GateResult | None, *, at: datetime, why: Why) -> None:
        """Let it pass in spite of what the gate says now.

        Raises VersionNotDraftError, GateOpenError, OverrideReasonMissingError.
        """
        if self.state not in {VersionState.DRAFT, VersionState.IN_REVIEW}:
            raise VersionNotDraftError
        if gate is None or not gate.refused:
            raise GateOpenError
        if not why["reason"].strip():
            raise OverrideReasonMissingError("reason")
        self.emit(self.GateOverridden, at, why, gate=gate)

    def publish(
        self,
        gate: GateResult | None = None,
        *,
        must_be_reviewed: bool = False,
        at: datetime,
        why: Why,
    ) -> None:
        """Let gateways route to it; `gate` is what the gate says now, None if it follows nothing.

        A draft that follows another version is submitted by this too. Raises VersionNotDraftError,
        VersionNotApprovedError, ReviewOutdatedError, GateFailedError.
        """
        if self.state not in {VersionState.DRAFT, VersionState.IN_REVIEW}:
            raise VersionNotDraftError
        if not self.approved and (must_be_reviewed or self.state is VersionState.IN_REVIEW):
            raise VersionNotApprovedError
        if self.approved and _follows(gate) != _follows(self.reviewed):
            raise ReviewOutdatedError
        if gate is not None:
            if gate.refused and not self._overrides(gate):
                raise GateFailedError("version_id", gate.remedy)
            if self.state is VersionState.DRAFT:
                self.submit(gate, "", at=at, why=why)
        self.emit(self.Published, at, why)

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

    def _overrides(self, gate: GateResult) -> bool:
        """Whether the gate was overridden for this, and there are no more breaks than then."""
        known = self.overridden
        return (
            known is not None and _follows(known) == _follows(gate) and known.errors >= gate.errors
        )

    def withdraw_publication(self, *, at: datetime, why: Why) -> None:
        """Make it a draft again, published by mistake. Raises VersionNotPublishedError."""
        self._require_published()
        self.emit(self.PublicationWithdrawn, at, why)

    def deprecate(
        self,
        *,
        sunset_at: datetime | None,
        successor: "ApiVersion | None",
        link: str,
        at: datetime,
        why: Why,
    ) -> None:
        """Advise against it; `link` is a page that says why, "" for none.

        Raises VersionNotPublishedError, SunsetPastError, SuccessorInvalidError, UrlInvalidError.
        """
        self._require_published()
        if successor and (successor.id == self.id or successor.product_id != self.product_id):
            raise SuccessorInvalidError("successor_id")
        self.emit(
            self.Deprecated,
            at,
            why,
            sunset_at=promised(sunset_at, at),
            successor_id=successor.id if successor else None,
            link=link and text.url(link, "link"),
        )

    def schedule_sunset(self, sunset_at: datetime | None, *, at: datetime, why: Why) -> None:
        """Say until when it lasts, in place of what was said before; None leaves it open.

        Raises VersionNotDeprecatedError, SunsetPastError.
        """
        self._require_deprecated()
        self.emit(self.SunsetScheduled, at, why, sunset_at=promised(sunset_at, at))

    def withdraw_deprecation(self, *, at: datetime, why: Why) -> None:
        """Recommend it again. Raises VersionNotDeprecatedError."""
        self._require_deprecated()
        self.emit(self.DeprecationWithdrawn, at, why)

    def retire(self, *, at: datetime, why: Why) -> None:
        """Have no gateway route to it. Raises VersionNotDeprecatedError, SunsetNotReachedError."""
        self._require_deprecated()
        require_reached(self.sunset_at, at)
        self.emit(self.Retired, at, why)

    def reinstate(self, *, at: datetime, why: Why) -> None:
        """Route to it again, deprecated and without a sunset. Raises VersionNotRetiredError."""
        if self.state is not VersionState.RETIRED:
            raise VersionNotRetiredError
        self.emit(self.Reinstated, at, why)

    def block(self, *, at: datetime, why: Why) -> None:
        """Have no gateway route to it, whatever its provider does. Raises VersionBlockedError."""
        if self.blocked:
            raise VersionBlockedError
        self.emit(self.Blocked, at, why)

    def unblock(self, *, at: datetime, why: Why) -> None:
        """Leave it to its provider again. Raises VersionNotBlockedError."""
        if not self.blocked:
            raise VersionNotBlockedError
        self.emit(self.Unblocked, at, why)

    def record_test(self, test: ContractTest, *, at: datetime, why: Why) -> None:
        """Remember a contract test. Raises ContractTestInvalidError, UrlInvalidError."""
        test.require_valid(self.contract_sha256)
        self.emit(self.ContractTested, at, why, test=test)

    def _require_published(self) -> None:
        if self.state is not VersionState.PUBLISHED:
            raise VersionNotPublishedError

    def _require_deprecated(self) -> None:
        if self.state is not VersionState.DEPRECATED:
            raise VersionNotDeprecatedError

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

    @dataclass(frozen=True)
    class Submitted(Aggregate.Event):
        """The version is to be reviewed, with what the gate says; None if it follows nothing."""

        TOPIC = "api_version.submitted"
        gate: GateResult | None
        comment: str

        def apply(self, aggregate: "ApiVersion") -> None:
            """Be in review."""
            aggregate.state = VersionState.IN_REVIEW
            aggregate.submitted_by = self.why["actor"]
            aggregate.reviewed = self.gate
            aggregate.approved = False

    @dataclass(frozen=True)
    class Approved(Aggregate.Event):
        """A reviewer lets the version be published."""

        TOPIC = "api_version.approved"
        comment: str

        def apply(self, aggregate: "ApiVersion") -> None:
            """Be approved."""
            aggregate.approved = True

    @dataclass(frozen=True)
    class ChangesRequested(Aggregate.Event):
        """A reviewer wants the version changed before it is published."""

        TOPIC = "api_version.changes_requested"
        comment: str

        def apply(self, aggregate: "ApiVersion") -> None:
            """Be a draft again."""
            aggregate.state = VersionState.DRAFT
            aggregate.approved = False

    @dataclass(frozen=True)
    class GateOverridden(Aggregate.Event):
        """Somebody lets the version pass in spite of what the gate says; the envelope says why."""

        TOPIC = "api_version.gate_overridden"
        gate: GateResult

        def apply(self, aggregate: "ApiVersion") -> None:
            """Keep what was overridden."""
            aggregate.overridden = self.gate

    @dataclass(frozen=True)
    class Published(Aggregate.Event):
        """Subscribers can call the version."""

        TOPIC = "api_version.published"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Become published."""
            aggregate.state = VersionState.PUBLISHED

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
    class PublicationWithdrawn(Aggregate.Event):
        """The version had been published by mistake."""

        TOPIC = "api_version.publication_withdrawn"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Be a draft again."""
            aggregate.state = VersionState.DRAFT
            aggregate.approved = False

    @dataclass(frozen=True)
    class Deprecated(Aggregate.Event):
        """The version is advised against, and may end at its sunset."""

        TOPIC = "api_version.deprecated"
        sunset_at: datetime | None
        successor_id: UUID | None
        link: str

        def apply(self, aggregate: "ApiVersion") -> None:
            """Become deprecated."""
            aggregate.state = VersionState.DEPRECATED
            aggregate.sunset_at = self.sunset_at

    @dataclass(frozen=True)
    class SunsetScheduled(Aggregate.Event):
        """The sunset of the deprecated version was set, moved or lifted."""

        TOPIC = "api_version.sunset_scheduled"
        sunset_at: datetime | None

        def apply(self, aggregate: "ApiVersion") -> None:
            """Know the sunset."""
            aggregate.sunset_at = self.sunset_at

    @dataclass(frozen=True)
    class DeprecationWithdrawn(Aggregate.Event):
        """The version is recommended again."""

        TOPIC = "api_version.deprecation_withdrawn"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Be published, without a sunset."""
            aggregate.state = VersionState.PUBLISHED
            aggregate.sunset_at = None

    @dataclass(frozen=True)
    class Retired(Aggregate.Event):
        """No gateway routes to the version any more."""

        TOPIC = "api_version.retired"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Become retired."""
            aggregate.state = VersionState.RETIRED

    @dataclass(frozen=True)
    class Reinstated(Aggregate.Event):
        """The version had been retired by mistake, or too early."""

        TOPIC = "api_version.reinstated"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Be deprecated again, without a sunset."""
            aggregate.state = VersionState.DEPRECATED
            aggregate.sunset_at = None

    @dataclass(frozen=True)
    class Blocked(Aggregate.Event):
        """The operator of the installation took the version off all gateways."""

        TOPIC = "api_version.blocked"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Become blocked."""
            aggregate.blocked = True

    @dataclass(frozen=True)
    class Unblocked(Aggregate.Event):
        """The operator of the installation left the version to its provider again."""

        TOPIC = "api_version.unblocked"

        def apply(self, aggregate: "ApiVersion") -> None:
            """Be blocked no more."""
            aggregate.blocked = False

    @dataclass(frozen=True)
    class ContractTested(Aggregate.Event):
        """A server was held to the contract; rules go by nothing of it."""

        TOPIC = "api_version.contract_tested"
        test: ContractTest


def _follows(gate: GateResult | None) -> str:
    """Return the contract that a version was compared with, "" for none."""
    return "" if gate is None else gate.follows_sha256
