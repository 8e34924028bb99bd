"""A client of graphql-transport-ws, over a real WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient

from controlplane.graphql.connection import PROTOCOL

PATIENCE_S = 10.0
Client = TestClient[web.Request, web.Application]


class Socket:
    """A connection that speaks the protocol, or breaks it."""

    def __init__(self, socket: "ClientWebSocketResponse") -> None:
        self.socket = socket

    async def send(self, type_: str, **members: object) -> None:
        await self.socket.send_json({"type": type_, **members})

    async def initialise(self, token: str | None = None) -> None:
        payload = {"authorization": f"Bearer {token}"} if token else {}
        await self.send("connection_init", payload=payload)
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, id_: str, query: str, **variables: object) -> None:
        await self.send("subscribe", id=id_, payload={"query": query, "variables": variables})

    async def receive(self, patience_s: float = PATIENCE_S) -> Any:
        async with asyncio.timeout(patience_s):
            message = await self.socket.receive()
        assert message.type is WSMsgType.TEXT, (message, self.socket.close_code)
        return message.json()

    async def next(self, id_: str = "1") -> Any:
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", id_), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def error(self, id_: str = "1") -> Any:
        message = await self.receive()
        assert (message["type"], message["id"]) == ("error", id_), message
        return message["payload"][0]

    async def silent(self, for_s: float = 0.3) -> None:
        try:
            message = await self.receive(for_s)
        except TimeoutError:
            return
        raise AssertionError(message)

    async def closed(self, patience_s: float = PATIENCE_S) -> tuple[int | None, str]:
        """Wait until the other side closes; return the code and the reason."""
        async with asyncio.timeout(patience_s):
            while True:
                message = await self.socket.receive()
                if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}:
                    return self.socket.close_code, str(message.extra or "")


@asynccontextmanager
async def connected(
    client: Client, token: str | None = None, **headers: str
) -> AsyncIterator[Socket]:
    """Yield a connection that was acknowledged."""
    async with raw(client, PROTOCOL, True, **headers) as socket:  # noqa: FBT003
        await socket.initialise(token)
        yield socket


@asynccontextmanager
async def raw(
    client: Client,
    protocol: str = PROTOCOL,
    autoping: bool = True,  # noqa: FBT001, FBT002  # headers are named
    **headers: str,
) -> AsyncIterator[Socket]:
    """Yield a connection on which nothing was said yet."""
    async with client.ws_connect(
        "/graphql", protocols=[protocol], headers=headers, autoping=autoping, max_msg_size=0
    ) as socket:
        yield Socket(socket)
