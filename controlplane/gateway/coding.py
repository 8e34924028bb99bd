"""How bodies are compressed for those who accept it: zstd, gzip, or not at all."""

import asyncio
import gzip
import re

import zstandard

ZSTD, GZIP, IDENTITY = "zstd", "gzip", "identity"
LEVEL = 1
FROM_BYTES = 1_400
"""What fits a packet is sent as it is."""
INLINE_BYTES = 64 * 2**10
"""Up to this size a body is compressed at once, which takes less than a thread's round trip."""
_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def preferred(accept_encoding: str) -> str:
    """Return the coding that a client likes best, by its quality values; of equals the smaller.

    Whoever says nothing of a coding does not accept it, and gets identity rather than an error.
    """
    qualities: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        found = _QUALITY.fullmatch(weight.strip())
        if not weight.strip() or found:
            qualities[name.strip()] = float(found[1]) if found else 1.0
    rest = qualities.get("*", 0.0)
    # identity, unless it is named, is what remains and liked less than whatever is named.
    liked = {ZSTD: qualities.get(ZSTD, rest), GZIP: qualities.get(GZIP, rest)}
    best = max(liked, key=lambda name: liked[name])
    return best if liked[best] > 0 and liked[best] >= qualities.get(IDENTITY, 0.0) else IDENTITY


async def encoded(body: bytes, coding: str) -> tuple[bytes, str]:
    """Return a body in a coding, and that coding: small ones stay as they are."""
    if coding == IDENTITY or len(body) < FROM_BYTES:
        return body, IDENTITY
    if len(body) <= INLINE_BYTES:
        return _compressed(body, coding), coding
    return await asyncio.to_thread(_compressed, body, coding), coding


def _compressed(body: bytes, coding: str) -> bytes:
    if coding == GZIP:
        return gzip.compress(body, LEVEL, mtime=0)
    return zstandard.ZstdCompressor(level=LEVEL).compress(body)
