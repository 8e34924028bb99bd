"""The keys by which configurations are signed: one set for the installation, kept in the database.

All processes sign with the same key: the latest that has begun. A rotation announces the next one
in every head, for `overlap_s` before it signs; the former is trusted until nothing that it signed
may be used any more. The private part leaves the database for the memory of processes only.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

import structlog

from controlplane.context import Services
from controlplane.store import Connection, UnavailableError
from domain.config_document import canonical
from domain.routing import MAX_STALENESS_S
from domain.signed import SIGNATURE, SKEW_S, Jwk, jwk, sign

KEY_BYTES = 32
RELOAD_S = 10.0
"""So soon every process knows of a rotation."""
OVERLAP_S_MIN, OVERLAP_S_MAX = 3_600, 90 * 24 * 3_600
OUTLIVES = timedelta(seconds=MAX_STALENESS_S + SKEW_S)
"""How long what a key signed last may be used."""
ID_DIGITS = 8
_KEYS = "SELECT private_key, signs_from, trusted_until FROM signing_keys ORDER BY signs_from"
log = structlog.get_logger()


class RotationUnderWayError(Exception):
    """A key was announced already and does not sign yet; wait until it does."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True)
class Key:
    """One Ed25519 key, from when it signs, and until when it is trusted; None for now."""

    private: bytes = field(repr=False)
    signs_from: datetime
    trusted_until: datetime | None

    @cached_property
    def jwk(self) -> Jwk:
        """The public part."""
        return jwk(self.private)


@dataclass(frozen=True)
class Ring:
    """The keys that are trusted at one moment, and the one of them that signs."""

    signing: Key
    jwks: list[Jwk]

    @cached_property
    def id(self) -> str:
        """What changes when the trusted keys do; it is part of the ETag."""
        return sha256(canonical({"keys": self.jwks})).hexdigest()[:ID_DIGITS]

    def signed(self, head: dict[str, Any]) -> dict[str, Any]:
        """Return the head of a document with the trusted keys and its signature."""
        told = {**head, "signing_keys": self.jwks}
        return {**told, SIGNATURE: sign(told, self.signing.private)}


def ring(keys: Iterable[Key], at: datetime) -> Ring:
    """Return which keys are trusted at an instant, and which of them signs."""
    trusted = [key for key in keys if key.trusted_until is None or at < key.trusted_until]
    begun = [key for key in trusted if key.signs_from <= at]
    signing = max(begun or trusted[:1], key=lambda key: key.signs_from)
    return Ring(signing, [key.jwk for key in trusted])


class Keyring:
    """The keys as one process knows them, at most about RELOAD_S old while it is asked for them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._keys: list[Key] = []
        self._asked_s = -RELOAD_S
        self._loading: asyncio.Task[None] | None = None
        self._ring: Ring | None = None

    async def ring(self) -> Ring:
        """Return the keys now; the first are made by whoever asks first.

        Raises UnavailableError, before the first answer of the database only.
        """
        if self.at_hand() is None:
            if self._loading is None or self._loading.done():
                self._asked_s = asyncio.get_running_loop().time()
                self._loading = asyncio.create_task(self._load(), name="signing keys")
                self._loading.add_done_callback(_tell)
            if not self._keys:
                await asyncio.shield(self._loading)
        return self._now()

    def _now(self) -> Ring:
        now = ring(self._keys, self._services.now())
        if self._ring is None or (now.signing, now.jwks) != (self._ring.signing, self._ring.jwks):
            self._ring = now
        return self._ring

    def at_hand(self) -> Ring | None:
        """Return the keys if they were looked for just now."""
        age_s = asyncio.get_running_loop().time() - self._asked_s
        return self._ring if age_s < RELOAD_S else None

    async def _load(self) -> None:
        async with self._services.lend() as connection:
            keys = await _read(connection)
            if not keys:
                await _add_first(connection, self._services)
                keys = await _read(connection)
        self._keys = keys
        self._now()

    async def rotate(self, overlap_s: int, *, compromised: bool = False) -> Ring:
        """Announce the next key; a compromised one signs and is trusted no more from now on.

        Raises RotationUnderWayError, UnavailableError.
        """
        services, now = self._services, self._services.now()
        begins = now if compromised else now + timedelta(seconds=overlap_s)
        async with services.lend() as connection:
            async with connection.transaction():
                await connection.execute("LOCK TABLE signing_keys IN EXCLUSIVE MODE")
                if compromised:
                    await connection.execute("DELETE FROM signing_keys")
                elif any(key.signs_from > now for key in await _read(connection)):
                    raise RotationUnderWayError
                await connection.execute("DELETE FROM signing_keys WHERE trusted_until <= $1", now)
                await connection.execute(
                    "UPDATE signing_keys SET trusted_until = $1 WHERE trusted_until IS NULL",
                    begins + OUTLIVES,
                )
                await _add(connection, services.entropy(KEY_BYTES), begins)
            self._keys = await _read(connection)
        log.warning("signing_key.rotated", signs_from=begins.isoformat(), compromised=compromised)
        return await self.ring()


async def _read(connection: Connection) -> list[Key]:
    return [Key(*row) for row in await connection.fetch(_KEYS)]


async def _add_first(connection: Connection, services: Services) -> None:
    async with connection.transaction():
        await connection.execute("LOCK TABLE signing_keys IN EXCLUSIVE MODE")
        if not await connection.fetchval("SELECT count(*) FROM signing_keys"):
            await _add(connection, services.entropy(KEY_BYTES), services.now())


async def _add(connection: Connection, private: bytes, signs_from: datetime) -> None:
    await connection.execute(
        "INSERT INTO signing_keys (key_id, private_key, signs_from) VALUES ($1, $2, $3)",
        jwk(private)["kid"],
        private,
        signs_from,
    )


def _tell(loading: "asyncio.Task[None]") -> None:
    """Say that the keys at hand have to do."""
    if not loading.cancelled() and isinstance(error := loading.exception(), UnavailableError):
        log.warning("signing_keys.database_away", error=str(error))
