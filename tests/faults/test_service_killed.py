"""The service with two workers, while it and its PostgreSQL are killed under load."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.processes import Served, postmaster_of, serving

CLIENTS = 16
ROUNDS = 3
BETWEEN_KILLS_S = 1.0
PATIENCE_S = 40
FORM = """mutation ($input: FormTeamInput!) { result: formTeam(input: $input) {
  __typename ... on Rejected { code message } ... on Changed { id position } } }"""
TEAMS = """query ($after: String) { teams(first: 100, after: $after) {
  pageInfo { hasNextPage endCursor } edges { node { id name } } } }"""


class Client:
    """Forms teams, each asked for again and again with one key until it is acknowledged."""

    def __init__(self, http: aiohttp.ClientSession, served: Served, nth: int) -> None:
        self._http = http
        self._served = served
        self._nth = nth
        self.acknowledged: dict[str, str] = {}
        self.retried = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            name = f"{self._nth}-{len(self.acknowledged)}"
            self.acknowledged[name] = await self._form(name)

    async def _form(self, name: str) -> str:
        input_ = {"name": name, "idempotencyKey": name}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await ask(self._http, self._served, FORM, input=input_)
                if answer is not None:
                    result = answer["result"]
                    assert result["__typename"] != "Rejected", result
                    id_ = result["id"]
                    assert isinstance(id_, str)
                    return id_
                self.retried += 1
                await asyncio.sleep(0.05)


async def ask(
    http: aiohttp.ClientSession, served: Served, document: str, **variables: Any
) -> Any:  # None when there was no answer, or one that says to try again
    try:
        async with http.post(
            served.announced["graphql"],
            json={"query": document, "variables": variables},
            headers={"Authorization": f"Bearer {served.announced['tokens']['owner']}"},
        ) as response:
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    if answer.get("data") and "errors" not in answer:
        return answer["data"]
    codes = {error.get("extensions", {}).get("code") for error in answer.get("errors", [])}
    assert response.status == 503 or codes == {"UNAVAILABLE"}, answer
    return None


def workers_of(served: Served) -> list[int]:
    pid = served.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"controlplane.workers" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def kill_a_worker(served: Served, _data: Path) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (workers := workers_of(served)):  # both may be on their way back
            await asyncio.sleep(0.02)
    os.kill(workers[0], signal.SIGKILL)


async def kill_the_database(_served: Served, data: Path) -> None:
    os.kill(postmaster_of(data), signal.SIGKILL)


async def teams_by_name(http: aiohttp.ClientSession, served: Served) -> Counter[str]:
    names: Counter[str] = Counter()
    after = None
    while True:
        answer = await ask(http, served, TEAMS, after=after)
        assert answer is not None
        names.update(edge["node"]["name"] for edge in answer["teams"]["edges"])
        if not answer["teams"]["pageInfo"]["hasNextPage"]:
            return names
        after = answer["teams"]["pageInfo"]["endCursor"]


async def test_what_was_acknowledged_is_there_once_after_workers_and_postgresql_were_killed(
    tmp_path: Path, data_dir: Path
) -> None:
    faults: tuple[Callable[[Served, Path], Awaitable[None]], ...] = (
        kill_a_worker,
        kill_the_database,
    )
    arguments = ("--demo", "--workers", "2")
    with serving(tmp_path / "log", *arguments, CONTROLPLANE_DATA_DIR=str(data_dir)) as served:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            stop = asyncio.Event()
            clients = [Client(http, served, nth) for nth in range(CLIENTS)]
            load = asyncio.gather(*(client.run(stop) for client in clients))
            for nth in range(ROUNDS * len(faults)):
                await asyncio.sleep(BETWEEN_KILLS_S)
                await faults[nth % len(faults)](served, data_dir)
            await asyncio.sleep(BETWEEN_KILLS_S)
            stop.set()
            await load
            acknowledged = {name for client in clients for name in client.acknowledged}
            async with asyncio.timeout(PATIENCE_S):  # the read models may have some to catch up
                while not acknowledged <= (names := await teams_by_name(http, served)).keys():
                    await asyncio.sleep(0.1)
        assert served.stop() == 0
    assert {name: times for name, times in names.items() if times > 1} == {}
    assert sum(client.retried for client in clients) > 0  # the faults were felt
    assert len(acknowledged) > CLIENTS * ROUNDS
