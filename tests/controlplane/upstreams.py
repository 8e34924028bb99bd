"""Servers behind gateways: one that keeps the contract of the pet store, and ones that do not."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

from aiohttp import web
from graphql import build_schema, graphql_sync

PETS = json.dumps(
    {
        "openapi": "3.0.3",
        "info": {"title": "Pets", "version": "1.0.0"},
        "servers": [{"url": "http://elsewhere.invalid"}],
        "paths": {
            "/pets": {
                "servers": [{"url": "http://elsewhere.invalid"}],
                "get": {
                    "operationId": "listPets",
                    "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                    "responses": {
                        "200": {
                            "description": "ok",
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "type": "array",
                                        "items": {"$ref": "#/components/schemas/Pet"},
                                    }
                                }
                            },
                        },
                        "401": {"description": "who are you"},
                    },
                },
                "post": {"operationId": "addPet", "responses": {"201": {"description": "ok"}}},
            },
            "/pets/{id}": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "get": {
                    "operationId": "getPet",
                    "responses": {"404": {"description": "none"}, "401": {"description": "who"}},
                },
                "delete": {"operationId": "dropPet", "responses": {"404": {"description": "none"}}},
            },
        },
        "components": {
            "schemas": {
                "Pet": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}},
                }
            }
        },
    }
).encode()
PETS_GRAPHQL = b"""
type Query { pets(limit: Int): [Pet!]! }
type Mutation { addPet(name: String!): Pet }
type Pet { name: String! }
"""
SECRET = "Bearer s3cr3t-of-the-upstream"


@dataclass
class Upstream:
    """A server: what it is asked, and how it fails."""

    pet: dict[str, object] = field(default_factory=lambda: {"name": "Rex"})
    wants: str = ""
    slow_s: float = 0.0
    url: str = ""
    methods: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.slow_s)
        self.methods.append(request.method)
        self.tokens.add(request.headers.get("Authorization", ""))
        if self.wants and request.headers.get("Authorization") != self.wants:
            return web.Response(status=401)
        if request.path == "/graphql":
            return self._answer_query((await request.json())["query"])
        if request.path == "/pets" and request.method == "GET":
            return web.json_response([self.pet])
        if request.method == "POST":
            return web.Response(status=201)
        return web.Response(status=404)

    def _answer_query(self, query: str) -> web.Response:
        self.asked.append(query)
        schema = build_schema(PETS_GRAPHQL.decode())
        found = graphql_sync(schema, query, {"pets": lambda *_, **__: [self.pet], "addPet": None})
        return web.json_response(found.formatted)


@contextmanager
def answering(upstream: Upstream) -> Iterator[Upstream]:
    """Have the server answer in a thread of its own until the block ends."""
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", upstream.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    thread = Thread(target=loop.run_forever)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    host, port = runner.addresses[0][:2]
    upstream.url = f"http://{host}:{port}"
    try:
        yield upstream
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
