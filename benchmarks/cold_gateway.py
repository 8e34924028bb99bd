"""A gateway of 100,000 subscriptions begins with a signed snapshot, the control plane being down.

Measured is from when the agent and the gateway are started, on a machine that has the snapshot and
the keys to trust, to the first call that is served: reading, checking the signature and the content
hash, rendering, and the gateway's loading it. The limit beside it is the same gateway started again
on the files that are there by then, without an agent: what it alone needs. Argument: `haproxy`, the
default, or `envoy`.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import orjson

from benchmarks.database import database, server
from benchmarks.load import Asked, answer, free_port, required
from benchmarks.sold import GROUP, PATH, sell
from controlplane.app import running
from controlplane.gateway.keyring import Keyring
from controlplane.gateway.renderers import KEY_HEADER, Site, renderer
from controlplane.loop import run
from tests.gateways.real_envoy import BINARY, OPTIONS, upstream

SUBSCRIPTIONS = 100_000
ROUNDS = 3
PATIENCE_S = 120.0
OK = 200
NOBODY = "http://127.0.0.1:9"


def command(vendor: str, folder: Path) -> list[str]:
    """Return how a gateway is started."""
    if vendor == "haproxy":
        return ["haproxy", "-W", "-S", f"{folder}/master.sock", "-f", f"{folder}/haproxy.cfg"]
    return [str(BINARY), "-c", f"{folder}/bootstrap.json", *OPTIONS]


@contextmanager
def process(folder: Path, arguments: list[str]) -> Iterator[None]:
    """Run a process until the block ends."""
    with (folder / "log").open("ab") as log:
        started = subprocess.Popen(arguments, stdout=log, stderr=log)  # noqa: S603  # as we say
    try:
        yield
    finally:
        started.terminate()
        started.wait(30)


def until_served(port: int, key: str, began_s: float, folder: Path) -> float:
    """Return after how many seconds a call was served."""
    while time.perf_counter() < began_s + PATIENCE_S:
        try:
            status, _, _ = answer(
                f"http://127.0.0.1:{port}", Asked(PATH, headers={KEY_HEADER: key})
            )
        except OSError:  # it does not listen yet, or reloads
            status = 0
        if status == OK:
            return time.perf_counter() - began_s
        time.sleep(0.01)
    sys.exit((folder / "log").read_text()[-2_000:])


def started(vendor: str, files: Path, folder: Path, key: str) -> tuple[float, float]:
    """Return the seconds of a first start with the agent, and of a second one without."""
    port = free_port()
    site = Site(str(folder), listen_port=port, admin_port=free_port(), control_plane=NOBODY)
    for name, content in renderer(vendor).bootstrap(site).items():
        (folder / name).write_bytes(content)
    (folder / "token").write_text("cpt_nobody")
    agent = [
        *(sys.executable, "-m", "controlplane", "gateway", "agent", "--vendor", vendor),
        *("--directory", str(folder), "--port", str(port), "--admin-port", str(site.admin_port)),
        *("--url", NOBODY, "--token-file", str(folder / "token")),
        *("--from", str(files / "snapshot.json"), "--keys", str(files / "keys.json")),
    ]
    with ExitStack() as both:
        began_s = time.perf_counter()
        both.enter_context(process(folder, command(vendor, folder)))
        both.enter_context(process(folder, agent))
        first_s = until_served(port, key, began_s, folder)
    began_s = time.perf_counter()
    with process(folder, command(vendor, folder)):
        return first_s, until_served(port, key, began_s, folder)


async def prepared(files: Path, url: str) -> str:
    """Write a snapshot and the keys to trust; return a key that was sold."""
    with server() as base:
        async with database(base, "cold") as dsn:
            async with running(dsn) as app:
                sold = await sell(app, SUBSCRIPTIONS, upstream=url)
                ring = await Keyring(app.services).ring()
                (files / "keys.json").write_bytes(orjson.dumps({"keys": ring.jwks}))
            writing = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "controlplane", "gateway", "snapshot"),
                *("--group", GROUP, "--out", str(files / "snapshot.json")),
                env={"CONTROLPLANE_DATABASE_URL": dsn},
            )
            assert await writing.wait() == 0
    return sold.keys[-1]


async def main() -> None:
    vendor = sys.argv[1] if len(sys.argv) > 1 else "haproxy"
    required("taskset", *(["haproxy"] if vendor == "haproxy" else []))
    with tempfile.TemporaryDirectory() as directory, upstream() as url:
        files = Path(directory)
        key = await prepared(files, url)
        rounds = []
        for nth in range(ROUNDS):
            folder = files / str(nth)
            folder.mkdir()
            rounds.append(await asyncio.to_thread(started, vendor, files, folder, key))
            print(f"round {nth + 1}: {rounds[-1]}", file=sys.stderr)
        size = (files / "snapshot.json").stat().st_size
    ours_s, limit_s = (median(each) for each in zip(*rounds, strict=True))
    found = {
        "bench": "cold_gateway",
        "unit": "s from the start to a served call",
        "vendor": vendor,
        "subscriptions": SUBSCRIPTIONS,
        "snapshot_bytes": size,
        "seconds": round(ours_s, 2),
        "limit_seconds": round(limit_s, 2),
        "ratio": round(limit_s / ours_s, 2),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    run(main())
