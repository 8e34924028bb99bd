"""What is asked too often: counted by the address it came from, and by the token it shows.

Refused tokens are, and the registrations of visitors.

Counts are of one process: with several workers each grants the limit for itself. Addresses are
kept as keyed hashes that end with the process, and are never logged.
"""

import asyncio
import math
from collections import OrderedDict, deque
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import hdrs, web

from controlplane import secret
from controlplane.settings import words

MINUTE_S = 60.0
HOUR_S = 3_600.0
NAMES = 20_000
"""Addresses and tokens that are counted at once; the longest quiet are forgotten first."""
HOPS = 10
"""Proxies that are looked through, counted from the last."""
SALT_BYTES = 32
IPV6_SITE = 64
"""Bits of an IPv6 address that its holder cannot choose at will."""

Address = IPv4Address | IPv6Address


class TooManyAttemptsError(Exception):
    """Too many refused tokens came from here; wait, and check what is sent."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(type(self).__doc__)
        self.retry_after_s = retry_after_s


class Throttle:
    """Sliding windows over the attempts of each address and at each token id."""

    def __init__(
        self, limit: int, trusted_proxies: str, salt: bytes, window_s: float = MINUTE_S
    ) -> None:
        self._limit = limit
        self._window_s = window_s
        self._trusted = [ip_network(network) for network in words(trusted_proxies)]
        self._salt = salt
        self._quiet_from = -math.inf
        self._attempts: OrderedDict[bytes, deque[float]] = OrderedDict()

    @property
    def is_quiet(self) -> bool:
        """Whether nobody has used up their attempts."""
        return asyncio.get_running_loop().time() >= self._quiet_from

    def names(self, request: web.Request, token: str = "") -> list[bytes]:
        """Return under which names a request is counted, and the token that it shows."""
        token_id = secret.parse(secret.TOKEN_PREFIX, token)
        found = [] if token_id is None else [self._hashed(token_id.bytes)]
        address = self.client(request)
        if address is not None:
            found.append(self._hashed(_site(address)))
        return found

    def closed_s(self, names: list[bytes]) -> int:
        """Return for how many seconds one of the names has used up its attempts, else 0."""
        opens = asyncio.get_running_loop().time() - self._window_s
        waits = [0.0]
        for name in names:
            attempts = self._attempts.get(name)
            if attempts is not None and len(attempts) == self._limit:
                waits.append(attempts[0] - opens)
        return math.ceil(max(waits))

    def count(self, names: list[bytes]) -> None:
        """Count an attempt under each name."""
        now = asyncio.get_running_loop().time()
        for name in names:
            attempts = self._attempts.setdefault(name, deque(maxlen=self._limit))
            attempts.append(now)
            if len(attempts) == self._limit:
                self._quiet_from = now + self._window_s
            self._attempts.move_to_end(name)
        while len(self._attempts) > NAMES:
            self._attempts.popitem(last=False)

    def client(self, request: web.Request) -> Address | None:
        """Return who asks: the last address that is not a trusted proxy's.

        None on a socket without addresses.
        """
        found = _read(request.remote or "")
        if not self._trusted:
            return found
        said = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, [])).split(",")
        for hop in reversed(said[-HOPS:]):
            if found is None or not self._is_trusted(found):
                break
            before = _read(hop)
            if before is None:  # whoever wrote that is as far as we can see
                break
            found = before
        return found

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _hashed(self, name: bytes) -> bytes:
        return blake2b(name, key=self._salt, digest_size=16).digest()


def _read(text: str) -> Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _site(address: Address) -> bytes:
    packed = address.packed
    return packed[: IPV6_SITE // 8] if isinstance(address, IPv6Address) else packed
