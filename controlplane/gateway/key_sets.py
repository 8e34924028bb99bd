"""By whose keys tokens are verified: a JSON file that has the JWK set of each issuer."""

from pathlib import Path

import orjson

from domain.aggregate import DomainError


class KeySetsUnusableError(DomainError):
    """The key sets are no JSON object that has a JWK set for each issuer."""


def key_sets(path: Path) -> dict[str, str]:
    """Return the JWK sets of a file by issuer, as text. Raises KeySetsUnusableError."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise KeySetsUnusableError(detail=f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise KeySetsUnusableError(detail=str(path))
    for issuer, key_set in found.items():
        if not isinstance(key_set, dict) or not isinstance(key_set.get("keys"), list):
            raise KeySetsUnusableError(detail=f"{path}: {issuer}")
    return {issuer: orjson.dumps(key_set).decode() for issuer, key_set in found.items()}
