"""A TCP proxy, before PostgreSQL or a control plane, that can be told to misbehave."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit

CHUNK_BYTES = 64 * 1024
HOST = "127.0.0.1"


class Link:
    """One connection through the proxy: what the client says goes up, the answers come down."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.said = b""
        """What the client said first, by which tests tell connections apart."""
        self.open = asyncio.Event()
        self.open.set()

    def hole(self) -> None:
        """Forward nothing any more, in either direction; both ends stay connected."""
        self.open.clear()

    def drop(self) -> None:
        """Cut the connection off at both ends, without a word."""
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """Forwards TCP connections to the unix socket of a DSN, or to the address of a URL.

    Each answer passes `on_answer`, which may return False to lose it: the client is cut off then.
    """

    def __init__(self, target: str) -> None:
        self.to(target)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.links: list[Link] = []
        self.on_answer: Callable[[Link, bytes], bool] = lambda *_: True

    def to(self, target: str) -> None:
        """Forward new connections to another target from now on."""
        self._target = urlsplit(target)

    @property
    def dsn(self) -> str:
        """How to connect to a database through the proxy."""
        return f"postgresql://postgres@{HOST}:{self._port}{self._target.path}?sslmode=disable"

    @property
    def url(self) -> str:
        """How to connect to a control plane through the proxy."""
        return f"http://{HOST}:{self._port}"

    @property
    def _port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        return self

    async def stop(self) -> None:
        """Cut every connection off and listen no more."""
        assert self._server is not None
        self._server.close()
        self.drop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes what was aborted

    def blackhole(self) -> None:
        """Forward nothing in either direction; connections stay open and new ones are accepted."""
        self._open.clear()

    def forward(self) -> None:
        """Forward again, also what was said meanwhile; `hole`s of single links stay."""
        self._open.set()

    def drop(self) -> None:
        """Cut every connection off, without a word."""
        for link in self.links:
            link.drop()
        self.links.clear()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._writers.add(client)
        task = asyncio.create_task(self._serve(reader, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._open.wait()
            answers, server = await self._connect()
            self._writers.add(server)
            link = Link(client, server)
            self.links.append(link)
            await asyncio.gather(
                self._pump(link, reader, server), self._pump(link, answers, client)
            )
            self._writers -= {client, server}

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target.scheme == "http":
            return await asyncio.open_connection(self._target.hostname, self._target.port)
        query = parse_qs(self._target.query)
        socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        return await asyncio.open_unix_connection(socket)

    async def _pump(
        self, link: Link, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                if target is link.server:
                    link.said += chunk[: max(0, CHUNK_BYTES - len(link.said))]
                await self._open.wait()
                await link.open.wait()
                if target is link.client and not self.on_answer(link, chunk):
                    return link.drop()
                target.write(chunk)
                await target.drain()
        target.close()
        return None


@asynccontextmanager
async def proxied(target: str) -> AsyncIterator[Proxy]:
    """Run a proxy before a database or a control plane until the block ends."""
    proxy = await Proxy(target).start()
    try:
        yield proxy
    finally:
        await proxy.stop()
