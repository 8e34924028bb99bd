"""The service as a process: how it starts, stops, and lives through the death of its parts."""

import asyncio
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from structlog.testing import capture_logs

from controlplane.settings import Settings
from controlplane.workers import Workers
from tests.processes import START_S, controlplane, eventually, get, serving


def children(process: "subprocess.Popen[str]") -> set[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(pid) for pid in listed.split()}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_demo_announces_one_line_with_working_tokens_once_it_is_ready(
    dsn: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with serving(log, "--demo", CONTROLPLANE_DATABASE_URL=dsn) as served:
        assert list(served.announced) == ["url", "graphql", "gateway_graphql", "tokens"]
        assert list(served.announced["tokens"]) == [
            *("owner", "product_manager", "developer", "gateway", "auditor", "operator"),
        ]
        assert served.get("/readyz")[0] == 200
        assert served.get("/audit/v1/events", "auditor")[0] == 200
        assert served.get("/audit/v1/events", "developer")[0] == 403
        assert served.stop() == 0
        assert served.process.stdout is not None
        assert served.process.stdout.read() == ""
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in logged] == ["http.request", "server.stopping"]
    assert (logged[0]["path"], logged[0]["status"]) == ("/audit/v1/events", 403)
    for token in served.announced["tokens"].values():
        assert token not in log.read_text()


def test_a_second_start_of_the_demo_has_new_tokens_and_refuses_the_old_ones(
    dsn: str, tmp_path: Path
) -> None:
    with serving(tmp_path / "1", "--demo", CONTROLPLANE_DATABASE_URL=dsn) as first:
        first.stop()
    two = ("--demo", "--workers", "2")
    with serving(tmp_path / "2", *two, CONTROLPLANE_DATABASE_URL=dsn) as second:
        assert second.get("/audit/v1/events", "auditor")[0] == 200
        for role, token in first.announced["tokens"].items():
            bearer = {"Authorization": f"Bearer {token}"}
            assert get(second.announced["url"] + "/audit/v1/events", bearer)[0] == 401, role
        workers = children(second.process)
        assert len(workers) == 2
        assert second.stop() == 0
        assert not any(map(alive, workers))


def test_requests_that_were_accepted_are_finished_before_the_process_ends(
    dsn: str, tmp_path: Path
) -> None:
    variables = {"CONTROLPLANE_DATABASE_URL": dsn, "CONTROLPLANE_SHUTDOWN_S": "5"}
    with serving(tmp_path / "log", **variables) as served:
        address = urlsplit(served.announced["url"])
        with socket.create_connection((address.hostname, address.port or 0), 10) as client:
            body = b'{"query": "{ __typename }"}'
            client.sendall(
                b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)
            )
            time.sleep(0.2)
            served.process.terminate()
            time.sleep(0.3)
            assert get(served.announced["url"] + "/healthz")[0] == 0  # nobody is accepted now
            client.sendall(body)
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert served.process.wait(START_S) == 0


def test_a_connection_that_was_just_accepted_may_still_bring_its_request(
    dsn: str, tmp_path: Path
) -> None:
    with serving(tmp_path / "log", CONTROLPLANE_DATABASE_URL=dsn) as served:
        address = urlsplit(served.announced["url"])
        with socket.create_connection((address.hostname, address.port or 0), 10) as client:
            time.sleep(0.2)  # so that it was accepted
            served.process.terminate()
            assert eventually(lambda: "server.stopping" in (tmp_path / "log").read_text())
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert served.process.wait(START_S) == 0


def test_a_held_poll_is_answered_when_the_process_stops(dsn: str, tmp_path: Path) -> None:
    with serving(tmp_path / "log", "--demo", CONTROLPLANE_DATABASE_URL=dsn) as served:
        status, body = served.get("/gateway/v1/config", "gateway")
        assert status == 200
        cursor = json.loads(body)["cursor"]
        answers: list[int] = []

        def poll() -> None:
            path = f"/gateway/v1/config?since={cursor}&wait=60"
            answers.append(served.get(path, "gateway")[0])

        polling = threading.Thread(target=poll)
        polling.start()
        time.sleep(0.5)
        assert answers == []
        served.process.terminate()
        polling.join(5)
        assert answers == [304]
        assert served.process.wait(START_S) == 0


def test_a_second_signal_ends_the_process_at_once(dsn: str, tmp_path: Path) -> None:
    with serving(tmp_path / "log", CONTROLPLANE_DATABASE_URL=dsn) as served:
        address = urlsplit(served.announced["url"])
        with socket.create_connection((address.hostname, address.port or 0), 10) as client:
            client.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            time.sleep(0.2)
            served.process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            served.process.send_signal(signal.SIGINT)
            assert served.process.wait(2) == 128 + signal.SIGINT


def test_a_killed_worker_is_replaced_and_a_killed_parent_takes_its_workers_along(
    dsn: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with serving(log, "--workers", "2", CONTROLPLANE_DATABASE_URL=dsn) as served:
        first = children(served.process)
        assert len(first) == 2
        for _ in range(20):
            assert served.get("/healthz")[0] == 200
        os.kill(min(first), signal.SIGKILL)
        assert eventually(lambda: len(children(served.process) - first) == 1)
        assert eventually(lambda: "worker.died" in log.read_text())
        for _ in range(5):
            assert served.get("/readyz")[0] == 200
        metrics = served.get("/metrics")[1].decode()
        counted = re.search(r'_count{method="GET",route="/healthz",status="200"} (\d+)', metrics)
        assert counted is not None
        assert int(counted[1]) == 20
        workers = children(served.process)
        served.process.kill()
        assert eventually(lambda: not any(map(alive, workers)))


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "pgdata" / "postmaster.pid").read_text().split()[0])


def test_a_crashed_embedded_server_is_brought_back_and_the_service_recovers(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "data"
    where = str(data_dir)
    with serving(tmp_path / "log", "--demo", CONTROLPLANE_DATA_DIR=where) as served:
        home = (data_dir / "elsewhere").resolve() if (data_dir / "elsewhere").exists() else data_dir
        crashed = postmaster(home)
        statuses: list[int] = []
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                statuses.append(served.get("/audit/v1/events", "auditor")[0])
                time.sleep(0.02)

        watching = threading.Thread(target=watch)
        watching.start()
        os.kill(crashed, signal.SIGKILL)
        assert eventually(lambda: 503 in statuses or served.get("/readyz")[0] == 503)
        assert eventually(lambda: served.get("/readyz")[0] == 200)
        done.set()
        watching.join()
        assert postmaster(home) != crashed
        assert set(statuses) <= {200, 503}
        assert served.get("/audit/v1/events", "auditor")[0] == 200
        # Another command joins the server that runs.
        listed = controlplane("organization", "list", CONTROLPLANE_DATA_DIR=where)
        assert listed.returncode == 0, listed.stderr
        assert "  demo  " in listed.stdout
        assert served.stop() == 0


def test_an_address_that_is_taken_is_one_clear_line(dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = controlplane("serve", CONTROLPLANE_DATABASE_URL=dsn, CONTROLPLANE_PORT=port)
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in said.stderr


async def test_a_worker_that_cannot_be_started_now_is_started_later(dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound, capture_logs() as logs:
        workers = Workers(Settings(), dsn, bound, "")
        died = await asyncio.create_subprocess_exec("true")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        replacing = asyncio.create_task(workers.replace(0, died))
        await died.wait()
        resource.setrlimit(resource.RLIMIT_NOFILE, (bound.fileno(), limits[1]))  # no more files
        try:
            async with asyncio.timeout(10):
                while [each["event"] for each in logs].count("worker.not_started") < 2:
                    await asyncio.sleep(0.02)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            replacing.cancel()
            await asyncio.wait([replacing])
        assert replacing.cancelled()
        assert any("Too many open files" in str(each) for each in logs)
