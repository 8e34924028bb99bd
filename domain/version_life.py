"""The life of a version once it is published: deprecated, retired, blocked; and the ways back."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

from domain import text
from domain.aggregate import Aggregate, DomainError, Why
from domain.sunset import promised, require_reached


class VersionState(Enum):
    """Where a version is in its life."""

    DRAFT = "DRAFT"
    IN_REVIEW = "IN_REVIEW"
    PUBLISHED = "PUBLISHED"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class VersionNotPublishedError(DomainError):
    """Only a published version can be deprecated, or taken back from gateways."""


class VersionNotDeprecatedError(DomainError):
    """Only a deprecated version has a sunset, can be retired, or relieved of its deprecation."""


class VersionNotRetiredError(DomainError):
    """Only a retired version can be reinstated."""


class VersionBlockedError(DomainError):
    """The version is blocked already."""


class VersionNotBlockedError(DomainError):
    """The version is not blocked."""


class SuccessorInvalidError(DomainError):
    """A version is succeeded by another one of the same product."""


class VersionLife(Aggregate):
    """A version of a product, as far as it is in service or out of it."""

    def __init__(self) -> None:
        self.state = VersionState.DRAFT
        self.product_id = UUID(int=0)
        self.sunset_at: datetime | None = None
        self.blocked = False

    @property
    def in_service(self) -> bool:
        """Whether there may be subscribers who call it."""
        return self.state in {VersionState.PUBLISHED, VersionState.DEPRECATED}

    def deprecate(
        self,
        *,
        sunset_at: datetime | None,
        successor: Self | None,
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

    def _require_published(self) -> None:
        if self.state is not VersionState.PUBLISHED:
            raise VersionNotPublishedError

    def _require_deprecated(self) -> None:
        if self.state is not VersionState.DEPRECATED:
            raise VersionNotDeprecatedError

    @dataclass(frozen=True)
    class Deprecated(Aggregate.Event):
        """The version is advised against, and may end at its sunset."""

        TOPIC = "api_version.deprecated"
        sunset_at: datetime | None
        successor_id: UUID | None
        link: str

        def apply(self, aggregate: "VersionLife") -> None:
            """Become deprecated."""
            aggregate.state = VersionState.DEPRECATED
            aggregate.sunset_at = self.sunset_at

    @dataclass(frozen=True)
    class SunsetScheduled(Aggregate.Event):
        """The sunset of the deprecated version was set, moved or lifted."""

        TOPIC = "api_version.sunset_scheduled"
        sunset_at: datetime | None

        def apply(self, aggregate: "VersionLife") -> None:
            """Know the sunset."""
            aggregate.sunset_at = self.sunset_at

    @dataclass(frozen=True)
    class DeprecationWithdrawn(Aggregate.Event):
        """The version is recommended again."""

        TOPIC = "api_version.deprecation_withdrawn"

        def apply(self, aggregate: "VersionLife") -> None:
            """Be published, without a sunset."""
            aggregate.state = VersionState.PUBLISHED
            aggregate.sunset_at = None

    @dataclass(frozen=True)
    class Retired(Aggregate.Event):
        """No gateway routes to the version any more."""

        TOPIC = "api_version.retired"

        def apply(self, aggregate: "VersionLife") -> None:
            """Become retired."""
            aggregate.state = VersionState.RETIRED

    @dataclass(frozen=True)
    class Reinstated(Aggregate.Event):
        """The version had been retired by mistake, or too early."""

        TOPIC = "api_version.reinstated"

        def apply(self, aggregate: "VersionLife") -> None:
            """Be deprecated again, without a sunset."""
            aggregate.state = VersionState.DEPRECATED
            aggregate.sunset_at = None

    @dataclass(frozen=True)
    class Blocked(Aggregate.Event):
        """The operator of the installation took the version off all gateways."""

        TOPIC = "api_version.blocked"

        def apply(self, aggregate: "VersionLife") -> None:
            """Become blocked."""
            aggregate.blocked = True

    @dataclass(frozen=True)
    class Unblocked(Aggregate.Event):
        """The operator of the installation left the version to its provider again."""

        TOPIC = "api_version.unblocked"

        def apply(self, aggregate: "VersionLife") -> None:
            """Be blocked no more."""
            aggregate.blocked = False
