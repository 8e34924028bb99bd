"""Refused tokens, counted by the address they came from and by the token they pretend to be.

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

WINDOW_S = 60.0
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
    """Sliding windows of WINDOW_S over the refusals of each address and each token id."""

    def __init__(self, failures: int, trusted_proxies: str, salt: bytes) -> None:
        self._failures = failures
        self._trusted = [ip_network(network) for network in words(trusted_proxies)]
        self._salt = salt
        self._quiet_from = -math.inf
        self._refused: OrderedDict[bytes, deque[float]] = OrderedDict()

    @property
    def is_quiet(self) -> bool:
        """Whether nobody has used up their refusals."""
        return asyncio.get_running_loop().time() >= self._quiet_from

    def names(self, request: web.Request, token: str) -> list[bytes]:
        """Return under which names a token of a request is counted."""
        token_id = secret.parse(secret.TOKEN_PREFIX, token)
        found = [] if token_id is None else [self._hashed(token_id.bytes)]
        address = self.client(request)
        if address is not None:
            found.append(self._hashed(_site(address)))
        return found

    def closed_s(self, names: list[bytes]) -> int:
        """Return for how many seconds one of the names has used up its refusals, else 0."""
        opens = asyncio.get_running_loop().time() - WINDOW_S
        waits = [0.0]
        for name in names:
            refused = self._refused.get(name)
            if refused is not None and len(refused) == self._failures:
                waits.append(refused[0] - opens)
        return math.ceil(max(waits))

    def refused(self, names: list[bytes]) -> None:
        """Count a refusal under each name."""
        now = asyncio.get_running_loop().time()
        for name in names:
            refused = self._refused.setdefault(name, deque(maxlen=self._failures))
            refused.append(now)
            if len(refused) == self._failures:
                self._quiet_from = now + WINDOW_S
            self._refused.move_to_end(name)
        while len(self._refused) > NAMES:
            self._refused.popitem(last=False)

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
