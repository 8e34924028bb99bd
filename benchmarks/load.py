"""Servers as processes of their own, each on one core, and the load that is put on them from another.

PostgreSQL shares the core of the load generator, which is wrk: both are small beside a server that
is measured, and neither takes the time of the server's core.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

START_S = 60.0
REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %d, "seconds": %f, "refused": %d, "failed": %d}\\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout))
end
"""
FIRST, *_, LAST = [*sorted(os.sched_getaffinity(0)), *sorted(os.sched_getaffinity(0))]
SERVER_CORE, LOAD_CORE = FIRST, LAST


def leave_the_core_to_servers() -> None:
    """Have this process, and what it starts from now on, run beside the servers only."""
    os.sched_setaffinity(0, {LOAD_CORE})


def required(*programs: str) -> None:
    """End the benchmark with a word of advice when a program is missing."""
    missing = [each for each in programs if shutil.which(each) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} is missing: run `make bench-deps` first")


@dataclass(frozen=True)
class Asked:
    """One request of a load, by which several may take turns."""

    path: str
    body: Any = None
    headers: Mapping[str, str] = ()  # type: ignore[assignment]  # an empty one, frozen

    @property
    def method(self) -> str:
        """GET, or POST with a body."""
        return "GET" if self.body is None else "POST"

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers with the content type of the body."""
        typed = {} if self.body is None else {"Content-Type": "application/json"}
        return {**typed, **dict(self.headers)}


def answer(base: str, asked: Asked) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of one request."""
    data = None if asked.body is None else json.dumps(asked.body).encode()
    request = Request(base + asked.path, data, asked.all_headers, method=asked.method)  # noqa: S310  # our own
    try:
        with urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, dict(response.headers), response.read()
    except URLError as error:
        if (status := getattr(error, "code", None)) is not None:
            return status, dict(getattr(error, "headers", {})), b""
        raise


async def rate(
    base: str, asked: Sequence[Asked], *, connections: int, seconds: int, numbered: bool = False
) -> float:
    """Return the requests a second that a server answers.

    `numbered` puts the number of the request where a body says `"@"`. Raises RuntimeError when
    one of them failed.
    """
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        script = Path(folder) / "load.lua"
        script.write_text(_script(asked, numbered=numbered) + REPORT)
        process = await asyncio.create_subprocess_exec(
            *("taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}"),
            *(f"-d{seconds}s", "--timeout", "10s", "-s", str(script), base),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    told = json.loads(printed.splitlines()[-1])
    if told["refused"] or told["failed"] or not told["requests"]:
        raise RuntimeError(f"The load was not answered: {told}")
    return float(told["requests"] / told["seconds"])


def _script(asked: Sequence[Asked], *, numbered: bool) -> str:
    """Return Lua that sends the requests in turn; each is made once, before the load."""
    lines = ["local asked, n = {}, 0", "init = function(args)"]
    for each in asked:
        headers = ", ".join(f"[ {_text(k)} ] = {_text(v)}" for k, v in each.all_headers.items())
        body = "nil" if each.body is None else _text(json.dumps(each.body))
        lines.append(
            f"asked[#asked + 1] = wrk.format({_text(each.method)}, {_text(each.path)},"
            f" {{{headers}}}, {body})"
        )
    lines += ["end", "request = function()", "n = n + 1"]
    if numbered:  # as wide as what it replaces, for Content-Length is made already
        lines.append("return (asked[n % #asked + 1]:gsub('@@@@@@@@', string.format('%08d', n)))")
    else:
        lines.append("return asked[n % #asked + 1]")
    return "\n".join([*lines, "end"])


def _text(value: str) -> str:
    return "[==[" + value + "]==]"


@contextmanager
def serving(command: Sequence[str], url: str, **environment: str) -> Iterator[str]:
    """Run a server on its core until the block ends; `url` answers once it is ready."""
    with tempfile.NamedTemporaryFile("r", prefix="server-") as log, Path(log.name).open("w") as out:
        process = subprocess.Popen(  # noqa: S603  # what the benchmark says
            ["taskset", "-c", str(SERVER_CORE), *command],  # noqa: S607
            stdout=out,
            stderr=out,
            env={**os.environ, **environment},
        )
        try:
            _until_ready(url, process, log.name)
            yield url.rpartition("/")[0]
        finally:
            process.terminate()
            process.wait(30)


def _until_ready(url: str, process: "subprocess.Popen[bytes]", log: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=5):  # noqa: S310
                return
        except HTTPError as error:
            if error.code == HTTPStatus.METHOD_NOT_ALLOWED:  # it answers, though not to this
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"{url} did not come up:\n{Path(log).read_text()[-2000:]}")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def ours(dsn: str) -> "Iterator[str] | Any":
    """Serve the control plane on a database, as one process; return its address."""
    port = free_port()
    return serving(
        [sys.executable, "-m", "controlplane", "serve"],
        f"http://127.0.0.1:{port}/readyz",
        CONTROLPLANE_PORT=str(port),
        CONTROLPLANE_DATABASE_URL=dsn,
        CONTROLPLANE_LOG_LEVEL="warning",
    )
