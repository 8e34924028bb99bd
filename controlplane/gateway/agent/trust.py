"""Whose documents an agent takes."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import orjson

from controlplane.gateway.agent import files
from controlplane.gateway.agent.kept import read
from domain.aggregate import DomainError
from domain.routing import Document
from domain.signed import DocumentStaleError, Jwk, UntrustedError, check_age, trusted, verify


class DocumentUntrustedError(DomainError):
    """The document must not be used."""


class Trust:
    """The keys by which documents must be signed; without any, whoever answers is believed."""

    def __init__(self, given: Sequence[Jwk], kept: Path | None = None) -> None:
        """Begin with keys that were given; those of a document that was taken replace them.

        They are kept, for what is on disk may be signed by a later key than the ones given; other
        keys that are given make that void.
        """
        self._given, self._kept = list(given), kept
        found = read(kept) if kept and given else None
        same = found is not None and found.get("given") == self._given
        self._followed: list[Jwk] = found["followed"] if found and same else []
        self._keys = [*self._followed, *self._given]

    def check(self, document: Document, at: datetime) -> None:
        """Raise DocumentUntrustedError unless a document is signed as it must be.

        One that is older than it may be used is taken: valid keys go on working while the control
        plane is away, and that it is stale is told. One of the future is refused.
        """
        if not self._keys:
            return
        try:
            verify(document, self._keys)
            check_age(document, at)
        except DocumentStaleError:
            return
        except UntrustedError as error:
            raise DocumentUntrustedError(detail=str(error)) from None
        except (LookupError, TypeError, ValueError) as error:
            raise DocumentUntrustedError(detail=type(error).__name__) from None

    def took(self, document: Document) -> bool:
        """Trust the keys that a document names which was checked, and whose rows were too.

        Return whether they are others than before: what is kept must be signed by one of these.
        """
        if not self._keys or self._followed == (now := trusted(document)):
            return False
        self._keys = self._followed = now
        if self._kept:
            files.write(self._kept, orjson.dumps({"given": self._given, "followed": now}))
        return True
