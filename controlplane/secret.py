"""Keys and tokens: minted once, shown once, afterwards known only by their hashes.

The form is `<prefix>_<id>.<secret><checksum>`: secret scanners find it, a typing error is noticed
without a look-up, and `<id>` names the credential in logs without giving it away.
"""

import hmac
import re
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from uuid import UUID
from zlib import crc32

KEY_PREFIX = "cpk"
TOKEN_PREFIX = "cpt"  # noqa: S105  # no secret
INVITATION_PREFIX = "cpi"
SECRET_BYTES = 32
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_CHARS, _SECRET_CHARS, _CHECK_CHARS = 22, 43, 6
_FORM = re.compile(
    rf"([a-z]{{3}})_([0-9A-Za-z]{{{_ID_CHARS}}})\."
    rf"([0-9A-Za-z]{{{_SECRET_CHARS}}})([0-9A-Za-z]{{{_CHECK_CHARS}}})",
    re.ASCII,
)


@dataclass(frozen=True)
class Minted:
    """A new secret with what is kept of it: SHA-256 as hex, and SHA-1 as base64 for `{SHA}`."""

    id: str
    text: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash by which we and most gateways recognise it."""
        return fingerprint(self.text)

    @property
    def sha1(self) -> str:
        """The hash of Apache's `{SHA}` scheme; harmless for 256 random bits."""
        return b64encode(sha1(self.text.encode(), usedforsecurity=False).digest()).decode()


def mint(prefix: str, id_: UUID, entropy: bytes) -> Minted:
    """Return a secret made of SECRET_BYTES random bytes, named by `id_`."""
    assert len(entropy) == SECRET_BYTES
    name = name_of(id_)
    body = f"{prefix}_{name}.{_base62(int.from_bytes(entropy), _SECRET_CHARS)}"
    return Minted(name, body + _checksum(body))


def name_of(id_: UUID) -> str:
    """Return the 22 letters and digits by which a secret's id is written."""
    return _base62(id_.int, _ID_CHARS)


def parse(prefix: str, text: str) -> UUID | None:
    """Return the id in a secret, or None when it is none, or mistyped."""
    form = _FORM.fullmatch(text)
    if form is None or form[1] != prefix or _checksum(text[:-_CHECK_CHARS]) != form[4]:
        return None
    number = 0
    for digit in form[2]:
        number = number * 62 + _DIGITS.index(digit)
    return UUID(int=number) if number < 1 << 128 else None


def fingerprint(text: str) -> str:
    """Return the SHA-256 of a secret as hex."""
    return sha256(text.encode()).hexdigest()


def matches(text: str, sha256_hex: str) -> bool:
    """Tell whether the secret has this fingerprint, in constant time."""
    return hmac.compare_digest(fingerprint(text), sha256_hex)


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECK_CHARS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
