"""Sunset: the instant after which a deprecated product or version may be gone (RFC 8594)."""

from datetime import datetime

from domain.aggregate import LATEST, DomainError


class SunsetPastError(DomainError):
    """A sunset lies in the future, and before the year 9999."""


class SunsetNotReachedError(DomainError):
    """Subscribers were promised service until the sunset; schedule another one, or wait."""


def promised(sunset_at: datetime | None, at: datetime) -> datetime | None:
    """Return the sunset, None when none is set yet. Raises SunsetPastError."""
    if sunset_at is not None and not at < sunset_at < LATEST:
        raise SunsetPastError("sunset_at")
    return sunset_at


def require_reached(sunset_at: datetime | None, at: datetime) -> None:
    """Raise SunsetNotReachedError before the sunset; without one nothing was promised."""
    if sunset_at is not None and at < sunset_at:
        raise SunsetNotReachedError
