"""No input of any shape gives a 500, an unforeseen error, or a blocked event loop.

What is sent is generated: operations from the schema (schemathesis), broken ones, bodies, frames.
FUZZ_S seconds in all, by default 12; the figures of the event loop are printed.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import asyncpg
import pytest
import schemathesis
from aiohttp import WSMsgType
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import Mode, from_schema, nodes

from controlplane.graphql.connection import PROTOCOL
from controlplane.graphql.schema import sdl

FUZZ_S = float(os.environ.get("FUZZ_S", "12"))
BUSY_MS = 250
"""Generous, for machines that are busy: 20 to 40 ms are seen."""
LINE_CHARS = 8_000
EXAMPLES = settings(
    max_examples=20,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ODD = st.sampled_from(["", "\0", "\ud7ff", "ß" * 300, "1.1", "-1", "1e400", "9" * 60, "x" * 5_000])
TEXTS = st.one_of(ODD, st.text(max_size=30))
SCALARS = {
    "Position": st.one_of(TEXTS, st.sampled_from(["1.0", "1.5", "2.1"])).map(nodes.String),
    "Count": st.integers(-(2**65), 2**65).map(nodes.Int),
    "Decimal": st.one_of(TEXTS, st.decimals().map(str)).map(nodes.String),
    "DateTime": st.one_of(TEXTS, st.datetimes().map(lambda at: f"{at.isoformat()}Z")).map(
        nodes.String
    ),
    "JSON": TEXTS.map(nodes.String),
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
MEMBERS = (
    "query",
    "variables",
    "operationName",
    "extensions",
    "documentId",
    "id",
    "type",
    "payload",
)
OBJECTS = st.dictionaries(
    st.sampled_from(MEMBERS),
    st.one_of(VALUES, st.just("{ viewer { role } }"), st.just({"persistedQuery": {"version": 1}})),
    max_size=5,
)


class Service:
    """A process that serves, and answers for how long it was busy."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log
        announced = self.line()
        self.url: str = announced["url"]
        self.tokens: dict[str, str] = announced["tokens"]
        self.http = HTTPConnection(urlsplit(self.url).netloc, timeout=30)

    def line(self) -> Any:
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, self.log.read_text()
        return json.loads(said)

    def send(self, who: str | None, body: bytes, **headers: str) -> tuple[int, bytes]:
        headers.setdefault("Content-Type", "application/json")
        return self._answer("POST", "/graphql", who, body, headers)

    def get(self, query: str) -> tuple[int, bytes]:
        query = query[:LINE_CHARS]  # a longer one is refused by aiohttp, in plain text
        return self._answer("GET", f"/graphql?{query}", None, None, {})

    def _answer(
        self, method: str, path: str, who: str | None, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        self.http.request(method, path, body, headers)
        response = self.http.getresponse()
        return response.status, response.read()

    def is_well(self, sent: int) -> None:
        """Have nothing unforeseen in the log, and the loop free; print the figures."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        figures = self.line()
        print(f"sent {sent}, event loop late {figures['late']} ms, busy {figures['busy']} ms")  # noqa: T201  # is read
        wrong = [
            line
            for line in self.log.read_text().splitlines()
            if '"level":"error"' in line.replace(" ", "") or "Traceback" in line
        ]
        assert wrong == []
        assert sent > 0
        assert figures["busy"] < BUSY_MS


@pytest.fixture(scope="module")
def service(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    name = f"fuzz_{os.getpid()}"

    async def administer(sql: str) -> None:
        admin = await asyncpg.connect(server)
        await admin.execute(sql)
        await admin.close()

    asyncio.run(administer(f"CREATE DATABASE {name}"))
    log = tmp_path_factory.mktemp("fuzz") / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.probed", server.replace("/postgres?", f"/{name}?")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        service = Service(process, log)
        yield service
        service.http.close()
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
        asyncio.run(administer(f"DROP DATABASE {name} WITH (FORCE)"))


def foreseen(status: int, body: bytes) -> None:
    assert status < 500, body[:500]
    answer = json.loads(body)
    codes = [error.get("extensions", {}).get("code") for error in answer.get("errors", ())]
    assert "INTERNAL" not in codes, body[:500]


def for_a_while(seconds: float, rounds: list[Callable[[], object]]) -> None:
    """Run them in turn until the time is over, and each at least once."""
    deadline, times = time.monotonic() + seconds, 0
    while time.monotonic() < deadline or times == 0:
        for each in rounds:
            if time.monotonic() > deadline and times > 0:
                return
            each()
        times += 1


def test_generated_operations_have_foreseen_answers(service: Service) -> None:
    for name, strategy in SCALARS.items():
        schemathesis.graphql.scalar(name, strategy)
    sent = 0

    def asking(strategy: Any) -> Callable[[], object]:
        @settings(EXAMPLES, max_examples=5)
        @given(case=strategy, who=st.sampled_from(["owner", "product_manager", "operator", None]))
        def ask(case: Any, who: str | None) -> None:
            nonlocal sent
            query = case if isinstance(case, str) else case.body
            sent += 1
            foreseen(*service.send(who, json.dumps({"query": query}).encode()))

        return ask

    schema = schemathesis.graphql.from_file(sdl())
    operations: Any = schema.get_all_operations()
    broken = from_schema(sdl(), custom_scalars=SCALARS, mode=Mode.NEGATIVE)
    rounds = [asking(each.ok().as_strategy()) for each in operations]
    try:
        for_a_while(FUZZ_S * 0.6, [asking(broken), *rounds])
    finally:
        service.is_well(sent)


def test_bodies_of_any_shape_have_foreseen_answers(service: Service) -> None:
    sent = 0
    kinds = st.sampled_from(["application/json", "application/json; charset=x", "text/plain", "x"])

    @EXAMPLES
    @given(body=st.binary(max_size=200) | OBJECTS.map(dumped) | VALUES.map(dumped), kind=kinds)
    def post(body: bytes, kind: str) -> None:
        nonlocal sent
        sent += 1
        foreseen(*service.send("owner", body, **{"Content-Type": kind}))

    @EXAMPLES
    @given(members=OBJECTS, raw=st.text(max_size=50))
    def get(members: dict[str, Any], raw: str) -> None:
        nonlocal sent
        sent += 1
        parts = [f"{name}={quote(str(value), errors='replace')}" for name, value in members.items()]
        foreseen(*service.get("&".join([*parts, quote(raw, errors="replace")])))

    try:
        for_a_while(FUZZ_S * 0.2, [post, get])
    finally:
        service.is_well(sent)


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def test_frames_of_any_shape_have_foreseen_answers(service: Service) -> None:
    sent = 0
    types = st.sampled_from(["subscribe", "complete", "ping", "pong", "connection_init", "x"])
    ids = st.sampled_from(["1", "2", ""])
    frames = st.one_of(
        st.builds(lambda **given: given, type=types, id=ids, payload=OBJECTS),
        OBJECTS,
        VALUES,
    ).map(lambda value: dumped(value).decode())

    async def talk(texts: list[str | bytes]) -> None:
        nonlocal sent
        async with (
            asyncio.timeout(20),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{service.url}/graphql", protocols=[PROTOCOL]) as socket,
        ):
            payload = {"authorization": f"Bearer {service.tokens['owner']}"}
            await socket.send_json({"type": "connection_init", "payload": payload})
            for text in texts:
                sent += 1
                kind = WSMsgType.TEXT if isinstance(text, str) else WSMsgType.BINARY
                await socket.send_frame(text.encode() if isinstance(text, str) else text, kind)
            await socket.send_str("the end")
            async for message in socket:
                assert "INTERNAL" not in message.data
            assert socket.close_code in {1007, 4400, 4401, 4403, 4409, 4429}

    with asyncio.Runner() as runner:

        @EXAMPLES
        @given(texts=st.lists(frames | st.binary(max_size=20), max_size=5))
        def send(texts: list[str | bytes]) -> None:
            with suppress(ConnectionError):  # it was closed while we went on
                runner.run(talk(texts))

        try:
            for_a_while(FUZZ_S * 0.2, [send])
        finally:
            service.is_well(sent)
