"""Bodies are compressed for whoever accepts it."""

import gzip

import pytest
import zstandard
from aiohttp import ClientSession

from controlplane.app import App
from controlplane.gateway.coding import GZIP, IDENTITY, ZSTD, preferred
from tests.controlplane.gateway.edge import POLL, Client, Provider


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", IDENTITY),
        ("gzip", GZIP),
        ("GZIP, Zstd", ZSTD),
        ("gzip, deflate, br, zstd", ZSTD),
        ("gzip;q=1.0, zstd;q=0.5", GZIP),
        ("gzip; q=0.8, zstd; q=0.8", ZSTD),
        ("gzip;q=0", IDENTITY),
        ("gzip;q=0.000, *", ZSTD),
        ("*;q=0.1", ZSTD),
        ("zstd;q=0, *;q=0.1", GZIP),
        ("identity, gzip;q=0.5", IDENTITY),
        ("identity;q=0.5, gzip;q=0.5", GZIP),
        ("br", IDENTITY),
        ("*;q=0", IDENTITY),
        ("identity;q=0", IDENTITY),
        ("gzip;q=2, zstd;q=x", IDENTITY),
        (";;,,=", IDENTITY),
    ],
)
def test_the_coding_is_what_the_client_likes_best(accepted: str, coding: str) -> None:
    assert preferred(accepted) == coding


async def test_a_large_document_is_compressed_for_who_accepts_it(client: Client, app: App) -> None:
    provider = Provider(app)
    await provider.product("pets")
    token = await provider.gateway("edge")
    await provider.settled()
    headers = {"Authorization": f"Bearer {token}"}
    async with ClientSession(client.server.make_url("/"), auto_decompress=False) as session:
        answers = [
            await session.get(POLL, headers={**headers, "Accept-Encoding": coding})
            for coding in ("gzip;q=0, identity", "br, gzip", "gzip, zstd;q=0.9", "gzip, zstd")
        ]
        plain, gzipped, preferred, zipped = [await answer.read() for answer in answers]

    codings = [answer.headers.get("Content-Encoding") for answer in answers]
    assert codings == [None, "gzip", "gzip", "zstd"]
    assert gzip.decompress(gzipped) == zstandard.decompress(zipped) == plain
    assert preferred == gzipped
    assert len({answer.headers["ETag"] for answer in answers}) == 3
    assert {answer.headers["Vary"] for answer in answers} == {"Accept-Encoding"}
    for answer in answers:
        again = await client.get(token, answer.headers["ETag"])
        assert (again.status, again.headers["Vary"]) == (304, "Accept-Encoding")
