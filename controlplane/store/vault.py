"""The keys under which personal data is sealed: one for each person and organization."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controlplane.store import Pool, lent
from domain.sealed import Sealed

KEY_BYTES = 32
NONCE_BYTES = 12


class Vault:
    """Seals and opens texts about persons. Keys are never kept in memory beyond a call.

    Every method raises UnavailableError when the database does not answer within `budget_s`.
    """

    def __init__(self, pool: Pool, entropy: Callable[[int], bytes], budget_s: float) -> None:
        self._pool = pool
        self._budget_s = budget_s
        self._entropy = entropy

    async def seal(self, organization: UUID, person: UUID, *texts: str) -> tuple[Sealed, ...]:
        """Return the texts sealed under the person's key, which is made at the first use."""
        key = AESGCM(await self._key(organization, person))
        bound = _bound(organization, str(person))
        return tuple(self._box(key, person, text, bound) for text in texts)

    async def open(self, organization: UUID, sealed: Iterable[Sealed]) -> list[str | None]:
        """Return the texts, None for those whose person was forgotten; one SQL statement."""
        boxes = list(sealed)
        async with lent(self._pool, self._budget_s) as connection:
            rows = await connection.fetch(
                "SELECT person, key FROM person_keys WHERE organization = $1 AND person = ANY($2)",
                organization,
                [UUID(box.person) for box in boxes],
            )
        keys = {str(row["person"]): AESGCM(row["key"]) for row in rows}
        return [_open(keys.get(box.person), organization, box) for box in boxes]

    async def blind(self, organization: UUID, text: str) -> str:
        """Return a name for a text that only this organization can compute, to find it again.

        It is computed with a salt of that text, a row among the keys: once `unname` destroyed it,
        nobody computes the name again, and the text gets another one.
        """
        salt = await self._key(organization, await self._salt_of(organization, text))
        return hmac.new(salt, text.encode(), sha256).hexdigest()

    async def blind_if_named(self, organization: UUID, text: str) -> str | None:
        """Return the name of a text, None if it has none; it gets none by this."""
        row = await self._salt_of(organization, text)
        async with lent(self._pool, self._budget_s) as connection:
            salt = await connection.fetchval(
                "SELECT key FROM person_keys WHERE organization = $1 AND person = $2",
                organization,
                row,
            )
        return hmac.new(salt, text.encode(), sha256).hexdigest() if salt else None

    async def destroy(self, organization: UUID, *persons: UUID, unname: str | None = None) -> None:
        """Make all that was sealed for the persons unreadable, and forget the name of a text.

        One statement: both happen, or neither. Doing it again does nothing.
        """
        rows = list(persons)
        if unname is not None:
            rows.append(await self._salt_of(organization, unname))
        async with lent(self._pool, self._budget_s) as connection:
            await connection.execute(
                "DELETE FROM person_keys WHERE organization = $1 AND person = ANY($2)"
                " AND person <> $1",
                organization,
                rows,
            )

    async def _salt_of(self, organization: UUID, text: str) -> UUID:
        key = await self._key(organization, organization)
        return UUID(bytes=hmac.new(key, text.encode(), sha256).digest()[:16])

    def _box(self, key: AESGCM, person: UUID, text: str, bound: bytes) -> Sealed:
        nonce = self._entropy(NONCE_BYTES)
        box = nonce + key.encrypt(nonce, text.encode(), bound)
        return Sealed(str(person), b64encode(box).decode())

    async def _key(self, organization: UUID, person: UUID) -> bytes:
        # The update changes nothing; without it the row of an earlier call would not come back.
        async with lent(self._pool, self._budget_s) as connection:
            key = await connection.fetchval(
                "INSERT INTO person_keys VALUES ($1, $2, $3) ON CONFLICT (organization, person)"
                " DO UPDATE SET key = person_keys.key RETURNING key",
                organization,
                person,
                self._entropy(KEY_BYTES),
            )
        assert isinstance(key, bytes)
        return key


def _bound(organization: UUID, person: str) -> bytes:
    """Return what a box is tied to: moved to another person or organization it stays shut."""
    return f"{organization}/{person}".encode()


def _open(key: AESGCM | None, organization: UUID, sealed: Sealed) -> str | None:
    if key is None:
        return None
    box = b64decode(sealed.box)
    try:
        bound = _bound(organization, sealed.person)
        return key.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], bound).decode()
    except InvalidTag:
        return None
