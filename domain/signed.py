"""Signed documents: whether a configuration is the control plane's, whichever way it came.

The signature is over the state that a document leads to: its members, but not the rows, not how
it says them (`full`, `since`, `removed`), and not the signature itself, in the form of RFC 8785.
The content hash is one of them and commits to the rows. So a document is trusted when `verify`
passes and the content hash of what one then holds is the one it names; and what `apply` makes of a
delta is a snapshot that is signed.

Keys are Ed25519 and written as JWKs (RFC 8037); a key's id is its thumbprint (RFC 7638). A signed
head lists all keys that are to be trusted from then on: a rotation is known before it happens.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.config_document import canonical, content_hash
from domain.routing import LISTS, Document

ALGORITHM = "Ed25519"
SIGNATURE = "signature"
SKEW_S = 60
"""How far a verifier's clock may be from that of the control plane."""
Jwk: TypeAlias = Mapping[str, str]
_UNSIGNED = {*LISTS.values(), "full", "since", "removed", SIGNATURE}


class UntrustedError(ValueError):
    """A document must not be used; subclasses say why."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class SignatureMissingError(UntrustedError):
    """The document is not signed, or not in a way that is known."""


class SignerUnknownError(UntrustedError):
    """The document is signed by a key that is not trusted here."""


class SignatureInvalidError(UntrustedError):
    """The signature does not fit the head of the document."""


class ContentMismatchError(UntrustedError):
    """The rows are not those that the document's content hash stands for."""


class DocumentStaleError(UntrustedError):
    """The document was issued longer ago than it may be used."""


class DocumentAheadError(UntrustedError):
    """The document was issued in the future, by this clock."""


def statement(document: Document) -> bytes:
    """Return what is signed of a document, in the form of RFC 8785."""
    return canonical({name: said for name, said in document.items() if name not in _UNSIGNED})


def sign(document: Document, private_key: bytes) -> Mapping[str, str]:
    """Return the signature of a document by the 32 bytes of an Ed25519 key."""
    key = Ed25519PrivateKey.from_private_bytes(private_key)
    return {
        "algorithm": ALGORITHM,
        "key_id": jwk(private_key)["kid"],
        "value": _text(key.sign(statement(document))),
    }


def jwk(private_key: bytes) -> Jwk:
    """Return the public part of an Ed25519 key, named by its thumbprint."""
    public = Ed25519PrivateKey.from_private_bytes(private_key).public_key()
    required = {"crv": ALGORITHM, "kty": "OKP", "x": _text(public.public_bytes_raw())}
    thumbprint = _text(sha256(canonical(required)).digest())
    return {**required, "alg": "EdDSA", "kid": thumbprint, "use": "sig"}


def verify(document: Document, keys: Iterable[Jwk]) -> None:
    """Check that one of the keys signed the state that a snapshot or delta leads to.

    Raises SignatureMissingError, SignerUnknownError, SignatureInvalidError. What it does not
    check are the rows (`verify_snapshot`, or the content hash after `apply`) and the age.
    """
    signature = document.get(SIGNATURE)
    if not isinstance(signature, Mapping) or signature.get("algorithm") != ALGORITHM:
        raise SignatureMissingError
    key_id = signature.get("key_id")
    known: Jwk | None = next((key for key in keys if key.get("kid") == key_id), None)
    if known is None:
        raise SignerUnknownError
    try:
        public = Ed25519PublicKey.from_public_bytes(_bytes(known["x"]))
        public.verify(_bytes(signature["value"]), statement(document))
    except (InvalidSignature, ValueError, LookupError, TypeError):
        raise SignatureInvalidError from None


def verify_snapshot(document: Document, keys: Iterable[Jwk], at: datetime) -> None:
    """Check everything about a snapshot that came by another way than from the control plane.

    Raises UntrustedError.
    """
    verify(document, keys)
    check_age(document, at)
    try:
        right = document["full"] and content_hash(document) == document["content_hash"]
    except (LookupError, TypeError, ValueError):  # the rows are nobody's yet
        right = False
    if not right:
        raise ContentMismatchError


def check_age(document: Document, at: datetime) -> None:
    """Check that a document that was verified may be used at an instant.

    Raises DocumentStaleError from `max_staleness_s` after it was issued, DocumentAheadError
    before; SKEW_S is allowed for either.
    """
    issued_at, skew = datetime.fromisoformat(document["issued_at"]), timedelta(seconds=SKEW_S)
    if at < issued_at - skew:
        raise DocumentAheadError
    if at >= issued_at + timedelta(seconds=document["max_staleness_s"]) + skew:
        raise DocumentStaleError


def trusted(document: Document) -> list[Jwk]:
    """Return the keys to trust after a document that was verified, in place of those before."""
    keys: list[dict[str, Any]] = document["signing_keys"]
    return list(keys)


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
