"""The documents that an operator listed, by the SHA-256 of their text."""

from hashlib import sha256
from pathlib import Path

import orjson

DOCUMENTS = 10_000


class PersistedDocumentsError(Exception):
    """The documents of CONTROLPLANE_PERSISTED_DOCUMENTS cannot be read."""


def allowed(named: str) -> dict[str, str]:
    """Return documents by their hashes: `*.graphql` of a directory, or a JSON object of a file.

    In the file a member is a document under its hash. Raises PersistedDocumentsError.
    """
    if not named:
        raise PersistedDocumentsError("CONTROLPLANE_PERSISTED_DOCUMENTS names no documents.")
    where = Path(named)
    try:
        if where.is_dir():
            files = sorted(where.glob("**/*.graphql"))[: DOCUMENTS + 1]
            texts = [file.read_text() for file in files]
        else:
            listed = orjson.loads(where.read_bytes())
            texts = list(listed.values())
            if any(digest(text) != key.removeprefix("sha256:") for key, text in listed.items()):
                raise PersistedDocumentsError(f"In {where} a name is not the SHA-256 of its text.")
    except (OSError, ValueError, AttributeError) as error:
        raise PersistedDocumentsError(f"The documents of {where} cannot be read: {error}") from None
    if not 0 < len(texts) <= DOCUMENTS:
        raise PersistedDocumentsError(
            f"{where} holds {len(texts):,} documents, not 1 to {DOCUMENTS:,}"
        )
    return {digest(text): text for text in texts}


def digest(text: str) -> str:
    """Return the hash of a text in hexadecimal digits."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
