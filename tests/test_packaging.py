"""What is delivered besides the source: the wheel, the image, the compose file."""

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from jsonschema import Draft201909Validator

ROOT = Path(__file__).parent.parent
PACKAGES = ("controlplane", "domain", "projections")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECRET = re.compile("PASSWORD|SECRET|TOKEN|API_?KEY", re.IGNORECASE)


def instructions() -> list[tuple[str, str]]:
    """Return what the Dockerfile says, line continuations joined: the word and the rest."""
    said = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    found = [re.sub(" +", " ", line).partition(" ") for line in said.splitlines() if line]
    return [(word, rest) for word, _, rest in found]


def of(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


def copied() -> list[str]:
    """Return what the image takes from the project's folder."""
    return [
        source
        for rest in of("COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a server with one answer, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port, asked
        server.shutdown()
        thread.join()


def passes(check: list[str], port: int) -> bool:
    """Run a health check of ours as the container would; its first word is CMD or python."""
    command = check[1:] if check[0] == "CMD" else check
    assert command[:2] == ["python", "-c"]
    ran = subprocess.run(
        [sys.executable, *command[1:]],
        env={**os.environ, "CONTROLPLANE_PORT": str(port)},
        capture_output=True,
        timeout=10,
        check=False,
    )
    return ran.returncode == 0


def test_the_wheel_holds_everything_that_is_in_the_packages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(ZipFile(wheel).namelist())
    there = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert there <= inside
    assert {name.split("/")[0] for name in inside} == {
        *PACKAGES,
        f"controlplane-{PROJECT['version']}.dist-info",
    }
    for needed in (
        "controlplane/store/migrations/0001_event_store.sql",
        "controlplane/graphql/schema.graphql",
        "controlplane/gateway/gateway.graphql",
        "controlplane/gateway/config.schema.json",
        "controlplane/openapi.yaml",
    ):
        assert needed in inside


def test_the_image_copies_only_what_is_there() -> None:
    for source in copied():
        assert (ROOT / source).exists(), source


def test_the_build_context_is_what_the_image_copies() -> None:
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and line[0] != "#"
    ]

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())


def test_the_image_is_built_with_the_python_and_the_uv_of_the_project() -> None:
    python = (ROOT / ".python-version").read_text().strip()
    makefile = (ROOT / "Makefile").read_text()
    uv = re.search(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE)

    assert all(rest.startswith(f"python:{python}-") for rest in of("FROM"))
    assert uv
    assert of("ARG") == [f"UV_VERSION={uv[1]}"]


def test_the_image_installs_dependencies_by_hash_only() -> None:
    steps = [step.strip() for rest in of("RUN") for step in rest.split("&&")]
    fetching = [step for step in steps if re.match("uv (pip sync|pip install|build)|pip ", step)]

    for step in fetching:
        assert "--require-hashes" in step or "--no-index" in step or "uv==" in step, step
    assert any("requirements.lock" in step for step in fetching)


def test_the_image_runs_the_command_line_as_a_plain_user() -> None:
    names = [word for word, _ in instructions()]
    last_stage = instructions()[len(names) - names[::-1].index("FROM") :]
    user = dict(last_stage)["USER"]

    assert user.isdigit()
    assert int(user) > 0
    assert json.loads(of("ENTRYPOINT")[0]) == list(PROJECT["scripts"])
    assert json.loads(of("CMD")[-1]) == ["serve"]
    assert of("EXPOSE") == ["8080"]


def test_the_image_holds_no_secret() -> None:
    for rest in (*of("ENV"), *of("ARG"), *of("COPY")):
        assert not SECRET.search(rest), rest


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_image_is_healthy_when_the_process_answers(status: int, healthy: bool) -> None:  # noqa: FBT001  # parametrized
    (rest,) = of("HEALTHCHECK")
    check = json.loads(rest.partition("CMD ")[2])

    with answering(status) as (port, asked):
        assert passes(check, port) is healthy
    assert asked == ["/healthz"]


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_composed_service_is_healthy_when_it_is_ready(status: int, healthy: bool) -> None:  # noqa: FBT001  # parametrized
    check = COMPOSE["services"]["controlplane"]["healthcheck"]["test"]

    with answering(status) as (port, asked):
        assert passes(check, port) is healthy
    assert asked == ["/readyz"]


def test_the_compose_file_keeps_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec/compose-spec.json").read_text())

    errors = [error.message for error in Draft201909Validator(schema).iter_errors(COMPOSE)]

    assert errors == []


def test_the_schema_of_compose_files_notices_a_mistake() -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec/compose-spec.json").read_text())
    broken = {"services": {"postgres": {"imagee": "postgres"}}}

    assert not Draft201909Validator(schema).is_valid(broken)


def test_the_composed_services_refer_to_what_is_there() -> None:
    services: dict[str, dict[str, Any]] = COMPOSE["services"]

    for service in services.values():
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in services[needed]
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (
                (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
            )
    assert services["controlplane"]["image"] == f"controlplane:{PROJECT['version']}"


def test_the_compose_file_asks_for_its_password_and_has_none_itself() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name):
                assert re.match(r"\$\{POSTGRES_PASSWORD:\?.+\}$", value), name
    assert not re.search("://[^/@]*:[^/@]*@", (ROOT / "docker-compose.yml").read_text())


def test_the_edge_reaches_the_composed_service_and_no_metrics() -> None:
    envoy = yaml.safe_load((ROOT / "deploy/envoy.yaml").read_text())["static_resources"]
    (cluster,) = envoy["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    target = endpoint["endpoint"]["address"]["socket_address"]
    (chain,) = envoy["listeners"][0]["filter_chains"]
    (host,) = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    first = host["routes"][0]

    assert target["address"] in COMPOSE["services"]
    assert str(target["port_value"]) in COMPOSE["services"][target["address"]]["expose"]
    assert first["match"] == {"path": "/metrics"}
    assert first["direct_response"] == {"status": 404}
