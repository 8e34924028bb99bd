"""The keys of an OpenID Connect issuer: fetched, kept, and fetched again when they are rotated."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog
from aiohttp.abc import ResolveResult
from joserfc.jwk import ECKey, RSAKey, import_key

from controlplane.auth import IssuerAwayError

ANSWER_BYTES = 256 * 2**10
KEYS = 100
KID_CHARS = 200
RSA_BITS = range(2_048, 8_193)
_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC"}

log = structlog.get_logger()
Key = RSAKey | ECKey


class _UnusableError(Exception):
    """What the issuer answered is no use; the message says why."""


@dataclass(frozen=True)
class Pace:
    """How often the issuer is asked, and for how long its last answer does."""

    refresh_s: float = 300.0
    refetch_s: float = 10.0
    """The least between two questions: unknown keys can be made up faster."""
    kept_s: float = 4 * 3_600.0
    """How old keys may be while the issuer is away: as long may a withdrawn one be believed."""
    fetch_s: float = 5.0


class Keys:
    """The public keys of one issuer."""

    def __init__(self, issuer: str, session: aiohttp.ClientSession, pace: Pace) -> None:
        self._issuer = issuer
        self._session = session
        self._pace = pace
        self._keys: list[Key] = []
        self._fetched_at = self._asked_at = -float("inf")
        self._fetching: asyncio.Task[bool] | None = None

    @property
    def asking(self) -> "list[asyncio.Task[bool]]":
        """The question that is under way, if one is."""
        return [] if self._fetching is None else [self._fetching]

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the key by its id, or the only one that fits when there is no id; None if none.

        One that is unknown is looked for again at the issuer, once for all who wait, and not
        again for `refetch_s`. Raises IssuerAwayError when there are no keys young enough.
        """
        if self._are_stale() and not (await self._fetch_again() or not self._are_stale()):
            raise IssuerAwayError
        found = self._matching(kid, algorithm)
        if found is None and await self._fetch_again():
            found = self._matching(kid, algorithm)
        return found

    async def follow(self) -> None:
        """Keep the keys fresh, until cancelled."""
        while True:
            fresh = await self._fetch()
            await asyncio.sleep(self._pace.refresh_s if fresh else self._pace.refetch_s)

    def _are_stale(self) -> bool:
        return asyncio.get_running_loop().time() - self._fetched_at > self._pace.kept_s

    def _matching(self, kid: str | None, algorithm: str) -> Key | None:
        fitting = [key for key in self._keys if key.key_type == _TYPES[algorithm[:2]]]
        if kid is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.kid == kid), None)

    async def _fetch_again(self) -> bool:
        """Tell whether the issuer was asked just now, and answered."""
        now = asyncio.get_running_loop().time()
        if self._fetching is None and now - self._asked_at < self._pace.refetch_s:
            return False
        return await self._fetch()

    async def _fetch(self) -> bool:
        if self._fetching is None:
            self._asked_at = asyncio.get_running_loop().time()
            self._fetching = asyncio.create_task(self._ask(), name="jwks")
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    def _fetched(self, _: "asyncio.Task[bool]") -> None:
        self._fetching = None

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(self._pace.fetch_s):
                self._keys = await self._ask_issuer()
        except (_UnusableError, aiohttp.ClientError, OSError, ValueError) as error:
            log.warning("oidc.keys_not_fetched", error=str(error) or type(error).__name__)
            return False
        self._fetched_at = asyncio.get_running_loop().time()
        return True

    async def _ask_issuer(self) -> list[Key]:
        about = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if about.get("issuer") != self._issuer:
            raise _UnusableError("The issuer calls itself otherwise.")
        where = about.get("jwks_uri")
        if not isinstance(where, str):
            raise _UnusableError("There is no jwks_uri.")
        return usable((await self._get(where)).get("keys"))

    async def _get(self, url: str) -> Mapping[str, Any]:
        """Return a JSON object; neither a redirect nor an address inside is followed to it."""
        _require_admissible(url, self._issuer)
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise _UnusableError(f"The answer has status {response.status}.")
            body = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > ANSWER_BYTES:
                    raise _UnusableError(f"The answer has more than {ANSWER_BYTES} bytes.")
        found = orjson.loads(body)
        if not isinstance(found, dict):
            raise _UnusableError("The answer is no object.")
        return found


def usable(listed: object) -> list[Key]:
    """Return the keys with which signatures can be checked; others are left out.

    Never a symmetric one: whoever can check its signatures can make them.
    """
    if not isinstance(listed, list) or len(listed) > KEYS:
        raise _UnusableError(f"There is no list of at most {KEYS} keys.")
    found = [key for key in map(_key, listed) if key is not None]
    if not found:
        raise _UnusableError("There is no key that can be used.")
    return found


def _key(said: object) -> Key | None:
    if not isinstance(said, dict) or said.get("use", "sig") != "sig" or "d" in said:
        return None
    if said.get("kty") not in _TYPES.values() or not isinstance(said.get("kid", ""), str):
        return None
    try:
        key = import_key(said)
        if isinstance(key, RSAKey) and key.public_key.key_size in RSA_BITS:
            return key
        return key if isinstance(key, ECKey) else None
    except Exception:  # noqa: BLE001  # one odd key must not hide the others
        return None


def _require_admissible(url: str, issuer: str) -> None:
    """Raise unless it is of the issuer itself, or of anybody public over TLS."""
    asked, own = urlsplit(url), urlsplit(issuer)
    if (asked.scheme, asked.netloc) == (own.scheme, own.netloc):
        return
    if asked.scheme != "https" or not asked.hostname or asked.username is not None:
        raise _UnusableError("The keys are not behind an https address.")
    if _is_address(asked.hostname):  # the resolver is not asked about these
        _require_public(asked.hostname)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _require_public(address: str) -> None:
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if not found.is_global or found.is_multicast:
        raise _UnusableError("The keys are behind an address that is not public.")


class _Resolver(aiohttp.ThreadedResolver):
    """Finds any address of the issuer, which the operator chose, and public ones of others."""

    def __init__(self, own: str) -> None:
        super().__init__()
        self._own = own

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if host != self._own:
            for each in found:
                _require_public(each["hostname"])
        return found


@asynccontextmanager
async def following(issuer: str, pace: Pace) -> AsyncIterator[Keys]:
    """Yield the keys of an issuer, fetched and kept fresh beside until the block ends."""
    resolver = _Resolver(urlsplit(issuer).hostname or "")
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver, limit=2, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "controlplane", "Accept-Encoding": "identity"},
        auto_decompress=False,  # a small answer must not become a large one
    ) as session:
        keys = Keys(issuer, session, pace)
        tasks = [asyncio.create_task(keys.follow(), name="oidc")]
        try:
            yield keys
        finally:
            await _end([*tasks, *keys.asking])


async def _end(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.wait(ending)
