"""By whose keys tokens are verified: a JSON file that has the JWK set of each issuer."""

from pathlib import Path

import orjson

from controlplane.gateway.agent import files
from controlplane.gateway.agent.files import FileUnusableError


def key_sets(path: Path) -> dict[str, str]:
    """Return the JWK sets of a file by issuer, as text. Raises FileUnusableError."""
    found = files.read(path)
    for issuer, key_set in found.items():
        if not isinstance(key_set, dict) or not isinstance(key_set.get("keys"), list):
            raise FileUnusableError(detail=f"{path} has no JWK set of {issuer}.")
    return {issuer: orjson.dumps(key_set).decode() for issuer, key_set in found.items()}
