"""Starts the service as a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

START_S = 30
Found = TypeVar("Found")


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "CONTROLPLANE" not in name}
    return {**kept, "CONTROLPLANE_PORT": "0", "CONTROLPLANE_GATEWAY_PORT": "0", **variables}


def controlplane(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "controlplane", *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )


@dataclass
class Served:
    process: "subprocess.Popen[str]"
    announced: dict[str, Any]

    def get(self, path: str, role: str | None = None) -> tuple[int, bytes]:
        token = self.announced["tokens"][role] if role else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return get(self.announced["url"] + path, headers)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(START_S)


@contextmanager
def serving(log: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    """Serve until the block ends; what is logged goes to a file."""
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "controlplane", "serve", "--json", *arguments],
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first, log.read_text()
        yield Served(process, json.loads(first))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Return status and body; status 0 when nobody answers."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=10)
    try:
        connection.request("GET", f"{address.path}?{address.query}", headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def eventually(look: Callable[[], Found], patience_s: float = 20) -> Found:
    """Look again and again until it is true; return what was seen last."""
    deadline = time.monotonic() + patience_s
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def postmaster_of(data_dir: Path) -> int:
    """Return the process id of the embedded server of a directory, wherever its data is."""
    home = data_dir / "elsewhere"
    found = (home.resolve() if home.exists() else data_dir) / "pgdata" / "postmaster.pid"
    return int(found.read_text().split()[0])
