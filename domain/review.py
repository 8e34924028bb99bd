"""The review of a version: its way from a draft to publication, past reviewers and the gate."""

from dataclasses import dataclass
from datetime import datetime

from domain import text
from domain.aggregate import Aggregate, DomainError, Why
from domain.contract.gate import GateResult
from domain.version_life import VersionLife, VersionState


class VersionNotDraftError(DomainError):
    """Only a draft version can be submitted or published."""


class VersionNotInReviewError(DomainError):
    """Only a submitted version is approved, or has changes requested of it, and once."""


class VersionNotApprovedError(DomainError):
    """A version is published once its review approved it."""


class ReviewOutdatedError(DomainError):
    """The approval was about another predecessor; request changes, and submit the version again."""


class FourEyesError(DomainError):
    """Whoever submitted a version may not approve it."""


class GateFailedError(DomainError):
    """The contract gate lets no version break its subscribers unannounced."""


class GateOpenError(DomainError):
    """The contract gate refuses nothing here that could be overridden."""


class OverrideReasonMissingError(DomainError):
    """Whoever overrides the contract gate says why."""


class ChangesCommentMissingError(DomainError):
    """Whoever requests changes says which."""


class VersionReview(VersionLife):
    """A version of a product, as far as it is judged before it is published."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted_by = ""
        self.reviewed: GateResult | None = None
        self.approved = False
        self.overridden: GateResult | None = None

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

    def withdraw_publication(self, *, at: datetime, why: Why) -> None:
        """Make it a draft again, published by mistake. Raises VersionNotPublishedError."""
        self._require_published()
        self.emit(self.PublicationWithdrawn, at, why)

    def _overrides(self, gate: GateResult) -> bool:
        """Whether the gate was overridden for this, and there are no more breaks than then."""
        known = self.overridden
        return (
            known is not None and _follows(known) == _follows(gate) and known.errors >= gate.errors
        )

    @dataclass(frozen=True)
    class Submitted(Aggregate.Event):
        """The version is to be reviewed, with what the gate says; None if it follows nothing."""

        TOPIC = "api_version.submitted"
        gate: GateResult | None
        comment: str

        def apply(self, aggregate: "VersionReview") -> None:
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

        def apply(self, aggregate: "VersionReview") -> None:
            """Be approved."""
            aggregate.approved = True

    @dataclass(frozen=True)
    class ChangesRequested(Aggregate.Event):
        """A reviewer wants the version changed before it is published."""

        TOPIC = "api_version.changes_requested"
        comment: str

        def apply(self, aggregate: "VersionReview") -> None:
            """Be a draft again."""
            aggregate.state = VersionState.DRAFT
            aggregate.approved = False

    @dataclass(frozen=True)
    class GateOverridden(Aggregate.Event):
        """Somebody lets the version pass in spite of what the gate says; the envelope says why."""

        TOPIC = "api_version.gate_overridden"
        gate: GateResult

        def apply(self, aggregate: "VersionReview") -> None:
            """Keep what was overridden."""
            aggregate.overridden = self.gate

    @dataclass(frozen=True)
    class Published(Aggregate.Event):
        """Subscribers can call the version."""

        TOPIC = "api_version.published"

        def apply(self, aggregate: "VersionReview") -> None:
            """Become published."""
            aggregate.state = VersionState.PUBLISHED

    @dataclass(frozen=True)
    class PublicationWithdrawn(Aggregate.Event):
        """The version had been published by mistake."""

        TOPIC = "api_version.publication_withdrawn"

        def apply(self, aggregate: "VersionReview") -> None:
            """Be a draft again."""
            aggregate.state = VersionState.DRAFT
            aggregate.approved = False


def _follows(gate: GateResult | None) -> str:
    """Return the contract that a version was compared with, "" for none."""
    return "" if gate is None else gate.follows_sha256
