"""A credential: one key of a subscription, kept as a hash; what a key may be, and until when."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Self

from domain import text
from domain.aggregate import LATEST, DomainError

OVERLAP_S_MAX = 90 * 24 * 3_600


class CredentialState(Enum):
    """Where a credential is in its life."""

    ACTIVE = "ACTIVE"
    EXPIRING = "EXPIRING"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class HashAlgorithm(Enum):
    """By which hash of itself a key is known."""

    SHA256_HEX = "SHA256_HEX"
    SHA1_BASE64 = "SHA1_BASE64"
    BCRYPT = "BCRYPT"


SERVABLE = frozenset({HashAlgorithm.SHA256_HEX, HashAlgorithm.SHA1_BASE64})
"""By which of them a gateway finds a key: a salted hash must be tried key by key, at each call."""
_FORMS = {
    HashAlgorithm.SHA256_HEX: re.compile("[0-9a-f]{64}", re.ASCII),
    HashAlgorithm.SHA1_BASE64: re.compile("[0-9A-Za-z+/]{27}=", re.ASCII),
    HashAlgorithm.BCRYPT: re.compile(r"\$2[aby]\$[0-3][0-9]\$[./0-9A-Za-z]{53}", re.ASCII),
}


class CredentialUnknownError(DomainError):
    """The subscription has no such credential."""


class CredentialRevokedError(DomainError):
    """The credential is revoked already; a revocation is final."""


class CredentialNotActiveError(DomainError):
    """Only an active credential can be rotated, and only once."""


class NotAfterPastError(DomainError):
    """A credential must end in the future, and before the year 9999."""


class OverlapInvalidError(DomainError):
    """Two keys overlap for 0 seconds to 90 days."""


class DigestInvalidError(DomainError):
    """SHA256_HEX has 64 hexadecimal digits, SHA1_BASE64 28 characters, BCRYPT begins with $2."""


@dataclass(frozen=True)
class Credential:
    """What rules need to know of a key: whether it was revoked or replaced, and when it ends."""

    ends_at: datetime | None
    replaced: bool = False
    revoked: bool = False

    def state(self, at: datetime) -> CredentialState:
        """Return where it is in its life at an instant."""
        if self.revoked:
            return CredentialState.REVOKED
        if self.ends_at is not None and self.ends_at <= at:
            return CredentialState.EXPIRED
        return CredentialState.EXPIRING if self.replaced else CredentialState.ACTIVE

    def replaced_at(self, ends_at: datetime) -> Self:
        """Return it as it is once it has a successor."""
        return replace(self, ends_at=ends_at, replaced=True)

    def as_revoked(self) -> Self:
        """Return it as it is once it was revoked."""
        return replace(self, revoked=True)


def earlier(one: datetime | None, two: datetime | None) -> datetime | None:
    """Return the earlier of two ends; None is no end."""
    return min(one, two) if one is not None and two is not None else one or two


def check_end(not_after: datetime | None, at: datetime) -> None:
    """Raise NotAfterPastError unless a key that begins now can end then."""
    if not_after is not None and not at < not_after < LATEST:
        raise NotAfterPastError("not_after")


def label(said: str) -> str:
    """Return what a key is called, which may be nothing. Raises LabelInvalidError."""
    return text.label(said, "label") if said else ""


def digest(algorithm: HashAlgorithm, said: str) -> str:
    """Return the hash as it is compared. Raises DigestInvalidError."""
    compared = said.lower() if algorithm is HashAlgorithm.SHA256_HEX else said
    if not _FORMS[algorithm].fullmatch(compared):
        raise DigestInvalidError("digest")
    return compared
