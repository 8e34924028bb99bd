"""Whose documents an agent takes."""

from typing import Any

from domain.aggregate import DomainError


class DocumentUntrustedError(DomainError):
    """The document is not signed by a key that is trusted."""


class Trust:
    """The keys by which documents must be signed; without any, whoever answers is believed."""

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        """Begin with the keys of a JWK set."""
        self._keys = keys

    def check(self, document: dict[str, Any]) -> None:
        """Raise DocumentUntrustedError unless the document is signed as it must be."""
        if self._keys and "signature" not in document:
            raise DocumentUntrustedError
