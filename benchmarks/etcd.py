"""etcd, which keeps what is to be told to many, as a peer: a server and a few of its questions."""

import shutil
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from benchmarks.load import Served, free_port, serving


@contextmanager
def etcd() -> Iterator[Served]:
    """Run an etcd that forgets until the block ends."""
    folder, port, peers = Path(tempfile.mkdtemp(prefix="etcd-")), free_port(), free_port()
    address, others = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    command = [
        *("etcd", "--data-dir", str(folder / "data"), "--log-level", "error"),
        *("--listen-client-urls", address, "--advertise-client-urls", address),
        *("--listen-peer-urls", others, "--initial-advertise-peer-urls", others),
        *("--initial-cluster", f"default={others}"),
    ]
    try:
        with serving(command, f"{address}/health") as served:
            yield Served(address, served.pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def asked(session: ClientSession, peer: Served, path: str, question: object) -> Any:  # JSON
    """Return the answer to one question."""
    async with session.post(f"{peer.base}/v3/kv/{path}", json=question) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def put(session: ClientSession, peer: Served, key: str, value: str) -> int:
    """Keep a value; return the revision."""
    pair = {"key": in_base64(key), "value": in_base64(value)}
    answer = await asked(session, peer, "put", pair)
    return int(answer["header"]["revision"])


def in_base64(text: str) -> str:
    """Return a text as etcd's JSON has it."""
    return b64encode(text.encode()).decode()
