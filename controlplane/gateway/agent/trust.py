"""Whose documents an agent takes."""

from collections.abc import Sequence
from datetime import datetime

from domain.aggregate import DomainError
from domain.routing import Document
from domain.signed import DocumentStaleError, Jwk, UntrustedError, check_age, trusted, verify


class DocumentUntrustedError(DomainError):
    """The document must not be used."""


class Trust:
    """The keys by which documents must be signed; without any, whoever answers is believed."""

    def __init__(self, keys: Sequence[Jwk]) -> None:
        """Begin with keys that were given; those of a document that was taken replace them."""
        self._keys = list(keys)

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

    def took(self, document: Document) -> None:
        """Trust the keys that a document names which was checked, and whose rows were too."""
        if self._keys:
            self._keys = trusted(document)
