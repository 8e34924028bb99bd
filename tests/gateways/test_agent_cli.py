"""`controlplane gateway agent` as it is started: what its files say, and what it says of them."""

import asyncio
import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from joserfc import jwk, jwt

from controlplane.app import App
from controlplane.gateway.agent import files
from controlplane.gateway.renderers import Site, envoy
from tests.controlplane.gateway.edge import TERMS, serving
from tests.controlplane.test_cli import Terminal
from tests.gateways.real_envoy import gateway
from tests.gateways.sold import auth
from tests.gateways.world import Edge, Seller, edge, upstream
from tests.processes import environment, eventually

PATH, ISSUER = "/pets/v1/pets", "https://issuer.example/"
NOWHERE = "http://127.0.0.1:1"
TOKEN = {"CONTROLPLANE_GATEWAY_TOKEN": "token"}
KEY_SETS, KEYS, SNAPSHOT = "key-sets.json", "keys.json", "snapshot.json"


def started(vendor: str, site: Site, token: str, *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "controlplane", "gateway", "agent", "--vendor", vendor]
    command += ["--directory", site.directory, "--url", site.control_plane]
    command += ["--port", str(site.listen_port), *options]
    with (Path(site.directory) / "agent.log").open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, env=environment(CONTROLPLANE_GATEWAY_TOKEN=token)
        )


@asynccontextmanager
async def running(gateway: Edge, token: str, *options: str) -> AsyncIterator[None]:
    """Run the agent of a HAProxy until it is told to end, which it does well."""
    gateway.forget()
    agent = started("haproxy", gateway.site, token, *options)
    try:
        yield
        agent.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(agent.wait, 10) == 0
    finally:
        agent.kill()
        agent.wait()


async def test_tokens_are_verified_at_an_envoy_that_reads_files(app: App, tmp_path: Path) -> None:
    signing = jwk.ECKey.generate_key("P-256", {"kid": "one"})
    key_set = jwk.KeySet([signing]).as_dict(private=False)
    (tmp_path / KEY_SETS).write_text(json.dumps({ISSUER: key_set}))
    seller = Seller(app)
    async with upstream() as url, serving(app) as plane:
        terms = replace(TERMS, auth=auth("JWT", ISSUER, "pets", "client"))
        await seller.sell("pets", url, terms)
        token = await seller.gateway("edge")
        await seller.subscription("pets")
        await seller.settled()
        with gateway(tmp_path) as running:
            address = str(plane.server.make_url("")).rstrip("/")
            site = Site(str(tmp_path), listen_port=running.port, control_plane=address)
            agent = started("envoy", site, token, "--once", "--key-sets", str(tmp_path / KEY_SETS))
            assert await asyncio.to_thread(agent.wait, 30) == 0
            files.write_all(tmp_path, envoy.bootstrap(site))
            await asyncio.to_thread(running.start)

            async def status(issuer: str) -> int:
                payload = {
                    "iss": issuer,
                    "aud": "pets",
                    "client": str(seller.ids["application"]),
                    "exp": time.time() + 60,
                }
                shown = jwt.encode({"alg": "ES256", "kid": "one"}, payload, signing)
                bearer = {"Authorization": f"Bearer {shown}"}
                return (await asyncio.to_thread(running.call, PATH, **bearer)).status

            assert await status(ISSUER) == 200
            assert await status("https://another.example/") == 401


async def test_a_gateway_begins_with_a_signed_snapshot_and_with_no_other(
    app: App, tmp_path: Path
) -> None:
    seller = Seller(app)
    async with upstream() as url:
        async with serving(app) as plane:
            await seller.sell("pets", url)
            token, key = await seller.gateway("edge"), await seller.secret("pets")
            await seller.settled()
            document = await plane.config(token)
            signers = await (await plane.get(None, path="/gateway/v1/keys")).json()
        (tmp_path / KEYS).write_text(json.dumps(signers))
        (tmp_path / SNAPSHOT).write_text(json.dumps(document))
        others = {"keys": [{**each, "kid": "another"} for each in signers["keys"]]}
        (tmp_path / "others.json").write_text(json.dumps(others))
        begin = ("--from", str(tmp_path / SNAPSHOT), "--keys")
        async with edge(tmp_path, NOWHERE, token, started=False) as gateway:
            async with running(gateway, token, *begin, str(tmp_path / "others.json")):
                log = tmp_path / "agent.log"
                await gateway.until(lambda: b"DocumentUntrustedError" in log.read_bytes())
                await gateway.until(lambda: gateway.said()["error"])  # it asks on
                assert await gateway.status_of(PATH, key) == 404

            async with running(gateway, token, *begin, str(tmp_path / KEYS)):
                await gateway.until(lambda: gateway.said()["enforced"])
                assert await gateway.status_of(PATH, key) == 200
                assert await gateway.status_of(PATH, "unknown") == 401


async def test_an_agent_that_is_refused_ends_if_it_runs_once_and_else_says_so_once(
    app: App, tmp_path: Path
) -> None:
    async with serving(app) as plane:
        address = str(plane.server.make_url("")).rstrip("/")
        site = Site(str(tmp_path), control_plane=address)
        status, log = tmp_path / "state" / "status.json", tmp_path / "agent.log"
        once = await asyncio.to_thread(started, "haproxy", site, "wrong", "--once")
        assert await asyncio.to_thread(once.wait, 20) == 1
        assert "refuses this agent. It answered 401" in log.read_text().splitlines()[-1]
        assert "Traceback" not in log.read_text()

        log.write_bytes(b"")
        status.unlink()
        agent = await asyncio.to_thread(started, "haproxy", site, "wrong")
        try:
            for _ in range(3):  # each attempt writes it
                assert await asyncio.to_thread(eventually, status.exists)
                status.unlink()
            assert log.read_text().count("It answered 401") == 1
        finally:
            agent.terminate()
            assert await asyncio.to_thread(agent.wait, 10) == 0


@pytest.mark.parametrize(
    ("vendor", "start", "agents"),
    [
        ("haproxy", "haproxy -W -S {0}/master.sock -f {0}/haproxy.cfg", 1),
        ("envoy", "envoy -c {0}/bootstrap.json", 0),
    ],
)
def test_bootstrap_keeps_its_files_from_others_and_says_what_to_start_next(
    dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    vendor: str,
    start: str,
    agents: int,
) -> None:
    out = tmp_path / "gateway"
    terminal = Terminal(dsn, monkeypatch, capfd)
    bootstrap = ("gateway", "bootstrap", "--vendor", vendor, "--out", str(out), "--port", "8001")
    done = terminal(*bootstrap, "--token-file", "/token")

    assert done.returncode == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    for name in done.stdout.splitlines():
        assert not Path(name).stat().st_mode & 0o007
    assert start.format(out) in done.stderr
    told = f"gateway agent --vendor {vendor} --directory {out} --host 127.0.0.1 --port 8001"
    assert done.stderr.count(told) == agents


def test_an_envoy_that_reads_files_is_started_after_the_agent_that_writes_them(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(dsn, monkeypatch, capfd)
    done = terminal("gateway", "bootstrap", "--vendor", "envoy", "--out", str(tmp_path))

    agent, start = done.stderr.splitlines()[-2:]
    assert "controlplane gateway agent" in agent
    assert "envoy -c" in start


@pytest.mark.parametrize(
    ("option", "content"),
    [
        ("--keys", None),
        ("--keys", "no JSON"),
        ("--keys", "[]"),
        ("--keys", '{"keys": [1]}'),
        ("--keys", '{"keys": []}'),
        ("--from", "no JSON"),
        ("--key-sets", None),
        ("--key-sets", "no JSON"),
        ("--key-sets", "[]"),
        ("--key-sets", '{"https://issuer.example/": []}'),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named_in_one_line(
    dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    option: str,
    content: str | None,
) -> None:
    file = tmp_path / "file.json"
    if content is not None:
        file.write_text(content)
    terminal = Terminal(dsn, monkeypatch, capfd)
    agent = ("gateway", "agent", "--vendor", "haproxy", "--directory", str(tmp_path))
    done = terminal(*agent, "--url", NOWHERE, option, str(file), **TOKEN)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(file) in done.stderr.splitlines()[-1]
