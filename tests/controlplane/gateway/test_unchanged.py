"""What is sent without aiohttp's help is what aiohttp would send, and to whom it may be sent."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.controlplane.gateway.edge import POLL, Client, Provider

OF_EACH = {"date", "x-request-id"}


class Gateway:
    """One that has what there is, on connections of its own."""

    def __init__(self, client: Client, token: str, etag: str) -> None:
        self._client = client
        self._token = token
        self._etag = etag

    def asked(self, version: str = "1.1", head: str = "") -> bytes:
        return (
            f"GET {POLL} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n"
            f"If-None-Match: {self._etag}\r\n{head}\r\n"
        ).encode()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
        server = self._client.server
        reader, writer = await asyncio.open_connection(server.host, server.port)
        try:
            async with asyncio.timeout(60):
                yield reader, writer
        finally:
            writer.transport.abort()


async def answer(reader: StreamReader) -> tuple[str, dict[str, str]]:
    """Return the status line and the headers of an answer without a body."""
    line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    return line, {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}


@pytest.fixture
async def gateway(client: Client, provider: Provider) -> Gateway:
    """Return one whose poll is remembered."""
    token = await provider.gateway("edge")
    await provider.settled()
    etag = (await client.get(token)).headers["ETag"]
    gateway = Gateway(client, token, etag)
    async with gateway.connected() as (reader, writer):
        writer.write(gateway.asked())
        await answer(reader)
    return gateway


async def test_it_says_what_aiohttp_would(gateway: Gateway) -> None:
    async with gateway.connected() as (reader, writer):
        writer.write(gateway.asked(head="X-Request-Id: mine\r\n"))  # which is not remembered
        by_aiohttp = await answer(reader)
        writer.write(gateway.asked())
        ours = await answer(reader)
    assert ours[0] == by_aiohttp[0] == "HTTP/1.1 304 Not Modified"
    assert ours[1].keys() == by_aiohttp[1].keys() >= OF_EACH
    assert {ours[1][name] == by_aiohttp[1][name] for name in ours[1].keys() - OF_EACH} == {True}


async def test_polls_sent_at_once_are_answered_one_by_one(gateway: Gateway) -> None:
    async with gateway.connected() as (reader, writer):
        writer.write(gateway.asked() * 20)
        answers = [await answer(reader) for _ in range(20)]
    assert {line for line, _ in answers} == {"HTTP/1.1 304 Not Modified"}
    assert len({headers["x-request-id"] for _, headers in answers}) == 20


@pytest.mark.parametrize(
    ("version", "head", "line", "said"),
    [
        ("1.1", "Connection: close\r\n", "HTTP/1.1 304 Not Modified", "close"),
        ("1.0", "Connection: keep-alive\r\n", "HTTP/1.0 304 Not Modified", "keep-alive"),
        ("1.0", "", "HTTP/1.0 304 Not Modified", None),
    ],
)
async def test_a_connection_that_ends_or_is_older_is_told_by_aiohttp(
    gateway: Gateway, version: str, head: str, line: str, said: str | None
) -> None:
    async with gateway.connected() as (reader, writer):
        for _ in range(2):
            writer.write(gateway.asked(version, head))
            told = await answer(reader)
            assert (told[0], told[1].get("connection")) == (line, said)
            if said != "keep-alive":
                assert await reader.read() == b""  # it is closed
                break


async def test_who_reads_nothing_is_sent_no_more_than_the_connection_holds(
    gateway: Gateway,
) -> None:
    many = gateway.asked() * 3_000
    async with gateway.connected() as (_, writer):
        writer.transport.set_write_buffer_limits(0)
        for _ in range(60):  # some 60 MB, and no connection holds that much
            writer.write(many)
            try:
                async with asyncio.timeout(2):
                    await writer.drain()
            except TimeoutError:
                return
    pytest.fail("All of it was read, and the answers kept.")
