"""Servers as processes, each on one core, and the load that is put on them from another.

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
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
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


def answer(base: str, asked: Asked, timeout_s: float = 10) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of one request."""
    data = None if asked.body is None else json.dumps(asked.body).encode()
    request = Request(base + asked.path, data, asked.all_headers, method=asked.method)  # noqa: S310  # our own
    try:
        with urlopen(request, timeout=timeout_s) as response:  # noqa: S310
            return response.status, dict(response.headers), response.read()
    except URLError as error:
        if (status := getattr(error, "code", None)) is not None:
            return status, dict(getattr(error, "headers", {})), b""
        raise


@dataclass(frozen=True)
class Served:
    """A server: its address and its process, without threads or children that work."""

    base: str
    pid: int

    def cpu_s(self) -> float:
        """Return the time that it has had of its core."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Rate(NamedTuple):
    """How fast a server answered: in time, and in time of its core, which others share."""

    per_s: float
    cpu_us: float


async def rate(
    served: Served,
    asked: Sequence[Asked],
    *,
    connections: int,
    seconds: int,
    numbered: bool = False,
) -> Rate:
    """Return the requests a second that a server answers.

    `numbered` puts the number of the request where a body says @@@@@@@@. Raises RuntimeError when
    one of them failed.
    """
    before_s = served.cpu_s()
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        script = Path(folder) / "load.lua"
        script.write_text(_script(asked, numbered=numbered) + REPORT)
        process = await asyncio.create_subprocess_exec(
            *("taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}"),
            *(f"-d{seconds}s", "--timeout", "10s", "-s", str(script), served.base),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    report = json.loads(printed.splitlines()[-1])
    if report["refused"] or report["failed"] or not report["requests"]:
        raise RuntimeError(f"The load was not answered: {report}")
    spent_s = served.cpu_s() - before_s
    return Rate(report["requests"] / report["seconds"], spent_s / report["requests"] * 1e6)


def medians(rates: Mapping[str, Sequence[Rate]]) -> dict[str, Rate]:
    """Return the middle of the rounds."""
    return {
        name: Rate(median(each.per_s for each in found), median(each.cpu_us for each in found))
        for name, found in rates.items()
    }


def told(nth: int, rates: Mapping[str, Sequence[Rate]]) -> None:
    """Print the last round, for people."""
    line = ", ".join(
        f"{name} {each[-1].per_s:,.0f}/s {each[-1].cpu_us:,.0f} us" for name, each in rates.items()
    )
    print(f"round {nth + 1}: {line}", file=sys.stderr)


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
def serving(command: Sequence[str], url: str, **environment: str) -> Iterator[Served]:
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
            yield Served(url.rpartition("/")[0], process.pid)
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
            if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:  # it answers
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


def ours(dsn: str) -> AbstractContextManager[Served]:
    """Serve the control plane on a database, as one process; return its address."""
    port = free_port()
    return serving(
        [sys.executable, "-m", "controlplane", "serve"],
        f"http://127.0.0.1:{port}/readyz",
        CONTROLPLANE_PORT=str(port),
        CONTROLPLANE_DATABASE_URL=dsn,
        CONTROLPLANE_LOG_LEVEL="warning",
    )
