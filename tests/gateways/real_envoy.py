"""Starts a real Envoy as a process, in front of an upstream that says what it was sent."""

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import envoy

from controlplane.gateway.renderers import Site, renderer

BINARY = Path(envoy.__file__).parent / "_bin" / "envoy"
OPTIONS = ("--concurrency", "1", "--log-level", "warning", "--use-dynamic-base-id")
START_S = 20


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """What the upstream was sent."""
        seen: dict[str, Any] = json.loads(self.body)
        return seen


@dataclass
class Gateway:
    """An Envoy that listens, with the directory of its files."""

    directory: Path
    port: int
    admin_port: int
    process: "subprocess.Popen[bytes] | None" = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.directory / "envoy.log"

    def call(
        self, path: str, key: str = "", method: str = "GET", source: str = "", **headers: str
    ) -> Answer:
        """Call through the gateway, from an address; status 0 when nobody answers."""
        return call(self.port, path, method, _sent(key, headers), source)

    def post(
        self,
        path: str,
        body: bytes | Iterable[bytes],
        key: str = "",
        source: str = "",
        **headers: str,
    ) -> Answer:
        """Send a body; one that is several is sent in chunks."""
        return call(self.port, path, "POST", _sent(key, headers), source, body)

    def until(self, status: int, path: str, key: str = "", patience_s: float = 10) -> float:
        """Call until the answer has a status; return after how many seconds it had."""
        began = time.monotonic()
        while (found := self.call(path, key).status) != status:
            assert time.monotonic() < began + patience_s, f"{found}\n{self.log.read_text()}"
            time.sleep(0.005)
        return time.monotonic() - began

    def put(self, files: dict[str, bytes]) -> None:
        """Write files as the agent does: whole, or not at all."""
        for name, content in files.items():
            (self.directory / f".{name}").write_bytes(content)
            (self.directory / f".{name}").replace(self.directory / name)

    def asking(self, urls: list[str]) -> dict[str, bytes]:
        """Return the file to start with if it is to ask several control planes in turn."""
        site = Site(
            str(self.directory),
            listen_port=self.port,
            control_plane=urls[0],
            token_file=str(self.directory / "token"),
        )
        begun = json.loads(renderer("envoy").bootstrap(site)["bootstrap.json"])
        (cluster,) = begun["static_resources"]["clusters"]
        ports = [urlsplit(url).port for url in urls]
        addresses = [{"address": "127.0.0.1", "port_value": port} for port in ports]
        endpoints = [{"endpoint": {"address": {"socket_address": each}}} for each in addresses]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
        return {"bootstrap.json": json.dumps(begun).encode()}

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(BINARY), "-c", str(self.directory / "bootstrap.json"), *OPTIONS],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while call(self.port, "/").status == 0:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def _sent(key: str, headers: dict[str, str]) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {**named, "X-Api-Key": key} if key else named


def call(
    port: int,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    source: str = "",
    body: bytes | Iterable[bytes] = b"",
) -> Answer:
    bound = (source, 0) if source else None
    connection = HTTPConnection("127.0.0.1", port, timeout=10, source_address=bound)
    try:
        connection.request(method, path, body=body or None, headers=headers or {})
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())
    except (OSError, HTTPException):
        return Answer(0, {}, b"")
    finally:
        connection.close()


@contextmanager
def gateway(directory: Path) -> Iterator[Gateway]:
    """Yield an Envoy that is not started yet, and end it."""
    found = Gateway(directory, free_port(), free_port())
    try:
        yield found
    finally:
        found.stop()


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = dict(self.headers.items())
        said = {"path": self.path, "method": self.command, "headers": headers, "body": sent}
        body = json.dumps(said).encode()
        self.send_response(int(self.headers.get("X-Answer", 200)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815  # the names that the package calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def upstream(secured: ssl.SSLContext | None = None) -> Iterator[str]:
    """Yield the address of a server that answers with what it was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    if secured is not None:
        server.socket = secured.wrap_socket(server.socket, server_side=True)
    scheme = "http" if secured is None else "https"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
