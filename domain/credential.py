"""A credential: one key of a subscription, kept as a hash; what a key may be, and until when.

Keys are not aggregates: they live and die with their subscription, which holds them.
"""

import re
from abc import abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Self

from domain import text
from domain.aggregate import LATEST, Aggregate, DomainError, Why

CREDENTIALS, CREDENTIALS_EVER = 100, 10_000
OVERLAP_S_MAX = 90 * 24 * 3_600


class CredentialState(Enum):
    """Where a credential is in its life."""

    ACTIVE = "ACTIVE"
    EXPIRING = "EXPIRING"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


_LASTING = {CredentialState.ACTIVE, CredentialState.EXPIRING}


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


class TooManyCredentialsError(DomainError):
    """A subscription has at most 100 credentials that have not ended, and 10,000 ever."""


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


def compared(algorithm: HashAlgorithm, said: str) -> str:
    """Return the hash as it is compared. Raises DigestInvalidError."""
    known = said.lower() if algorithm is HashAlgorithm.SHA256_HEX else said
    if not _FORMS[algorithm].fullmatch(known):
        raise DigestInvalidError("digest")
    return known


class CredentialHolder(Aggregate):
    """A subscription, as far as keys are its."""

    def __init__(self) -> None:
        self.credentials: dict[str, Credential] = {}

    @abstractmethod
    def _require_active(self, at: datetime) -> None:
        """Raise the refusal of a holder that is given no keys at that instant."""

    def issue_credential(
        self,
        credential_id: str,
        *,
        sha256: str,
        sha1: str,
        not_after: datetime | None,
        label: str = "",
        at: datetime,
        why: Why,
    ) -> None:
        """Let the bearer of a key call; the hashes (hex, base64) are all that is kept of it.

        Raises SubscriptionNotActiveError, TooManyCredentialsError, NotAfterPastError,
        LabelInvalidError.
        """
        self._require_room(at)
        _check_end(not_after, at)
        self.emit(
            self.CredentialIssued,
            at,
            why,
            credential_id=credential_id,
            sha256=sha256,
            sha1=sha1,
            not_after=not_after,
            label=_label(label),
        )

    def import_credential(
        self,
        credential_id: str,
        *,
        algorithm: HashAlgorithm,
        digest: str,
        not_after: datetime | None,
        label: str = "",
        at: datetime,
        why: Why,
    ) -> None:
        """Let the bearer of a key call that was issued elsewhere and is known by its hash.

        Raises what issue_credential raises, and DigestInvalidError.
        """
        self._require_room(at)
        _check_end(not_after, at)
        self.emit(
            self.CredentialImported,
            at,
            why,
            credential_id=credential_id,
            algorithm=algorithm.value,
            digest=compared(algorithm, digest),
            not_after=not_after,
            label=_label(label),
        )

    def rotate_credential(
        self,
        credential_id: str,
        *,
        successor_id: str,
        sha256: str,
        sha1: str,
        overlap_s: int,
        not_after: datetime | None,
        label: str = "",
        at: datetime,
        why: Why,
    ) -> None:
        """Replace a key: both work for `overlap_s`, then only the successor does.

        Raises what issue_credential raises, and CredentialUnknownError,
        CredentialNotActiveError, OverlapInvalidError.
        """
        self._require_room(at)
        known = self._known(credential_id)
        if known.state(at) is not CredentialState.ACTIVE:
            raise CredentialNotActiveError("credential_id")
        if not 0 <= overlap_s <= OVERLAP_S_MAX:
            raise OverlapInvalidError("overlap_s")
        _check_end(not_after, at)
        overlap_ends_at = at + timedelta(seconds=overlap_s)
        self.emit(
            self.CredentialRotated,
            at,
            why,
            credential_id=credential_id,
            overlap_ends_at=min(known.ends_at or overlap_ends_at, overlap_ends_at),
            successor_id=successor_id,
            sha256=sha256,
            sha1=sha1,
            not_after=not_after,
            label=_label(label),
        )

    def revoke_credential(self, credential_id: str, *, at: datetime, why: Why) -> None:
        """Refuse a key from now on. Raises CredentialUnknownError, CredentialRevokedError."""
        if self._known(credential_id).revoked:
            raise CredentialRevokedError("credential_id")
        self.emit(self.CredentialRevoked, at, why, credential_id=credential_id)

    def _known(self, credential_id: str) -> Credential:
        known = self.credentials.get(credential_id)
        if known is None:
            raise CredentialUnknownError("credential_id")
        return known

    def _require_room(self, at: datetime) -> None:
        self._require_active(at)
        lasting = sum(each.state(at) in _LASTING for each in self.credentials.values())
        if lasting >= CREDENTIALS or len(self.credentials) >= CREDENTIALS_EVER:
            raise TooManyCredentialsError(None, "Revoke those that nobody needs.")

    @dataclass(frozen=True)
    class CredentialIssued(Aggregate.Event):
        """A key came into being; its bearer saw it once."""

        TOPIC = "subscription.credential_issued"
        class_version = 2
        credential_id: str
        sha256: str
        sha1: str
        not_after: datetime | None
        label: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Say what was before: no label."""
            state["label"] = ""

        def apply(self, aggregate: "CredentialHolder") -> None:
            """Know the credential."""
            known = Credential(self.not_after)
            aggregate.credentials = {**aggregate.credentials, self.credential_id: known}

    @dataclass(frozen=True)
    class CredentialImported(Aggregate.Event):
        """A key that was issued elsewhere was made known by a hash of it."""

        TOPIC = "subscription.credential_imported"
        credential_id: str
        algorithm: str
        digest: str
        not_after: datetime | None
        label: str

        def apply(self, aggregate: "CredentialHolder") -> None:
            """Know the credential."""
            known = Credential(self.not_after)
            aggregate.credentials = {**aggregate.credentials, self.credential_id: known}

    @dataclass(frozen=True)
    class CredentialRotated(Aggregate.Event):
        """A key got a successor, whose bearer saw it once, and ends when the overlap does."""

        TOPIC = "subscription.credential_rotated"
        credential_id: str
        overlap_ends_at: datetime
        successor_id: str
        sha256: str
        sha1: str
        not_after: datetime | None
        label: str

        def apply(self, aggregate: "CredentialHolder") -> None:
            """Know the successor, and when the key ends."""
            aggregate.credentials = {
                **aggregate.credentials,
                self.credential_id: (
                    aggregate.credentials.get(self.credential_id) or Credential(None)
                ).replaced_at(self.overlap_ends_at),
                self.successor_id: Credential(self.not_after),
            }

    @dataclass(frozen=True)
    class CredentialRevoked(Aggregate.Event):
        """A key lost its force for ever."""

        TOPIC = "subscription.credential_revoked"
        credential_id: str

        def apply(self, aggregate: "CredentialHolder") -> None:
            """Remember that it is revoked."""
            known = aggregate.credentials.get(self.credential_id) or Credential(None)
            aggregate.credentials = {
                **aggregate.credentials,
                self.credential_id: known.as_revoked(),
            }


def _check_end(not_after: datetime | None, at: datetime) -> None:
    if not_after is not None and not at < not_after < LATEST:
        raise NotAfterPastError("not_after")


def _label(said: str) -> str:
    return text.label(said, "label") if said else ""
