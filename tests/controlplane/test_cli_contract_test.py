"""`controlplane contract test`, as a pipeline meets it."""

import json
from pathlib import Path

import pytest

from controlplane.global_id import global_id
from tests.controlplane.test_cli import Terminal, terminal
from tests.controlplane.upstreams import PETS, SECRET, Upstream, answering

__all__ = ["terminal"]
FEW = ("--max-examples", "3")


@pytest.fixture
def imported(terminal: Terminal, tmp_path: Path) -> Terminal:
    spec = tmp_path / "pets.json"
    spec.write_bytes(PETS)
    terminal.run("import", str(spec), "--publish")
    return terminal


def recorded(terminal: Terminal) -> list[dict[str, object]]:
    trail = [json.loads(line) for line in terminal.run("audit", "export").splitlines()]
    return [line for line in trail if line["event"] == "api_version.contract_tested"]


def test_a_server_is_tested_and_the_audit_trail_knows_the_verdict(imported: Terminal) -> None:
    test = ("contract", "test", "pets@1.0.0", *FEW)
    with answering(Upstream(wants=SECRET)) as upstream:
        passed = imported(
            *test, "--upstream", upstream.url, CONTRACT_TEST_HEADERS=f"Authorization: {SECRET}"
        )
    assert passed.returncode == 0, passed.stderr
    assert passed.stdout.startswith("PASSED pets@1.0.0: 2 of 4 operations, ")
    assert set(upstream.methods) == {"GET"}
    with answering(Upstream(pet={})) as upstream:
        failed = imported(*test, "--upstream", upstream.url)
    assert failed.returncode == 3
    assert failed.stdout.splitlines()[1] == "  GET /pets: Response violates schema (ST108)"
    with answering(Upstream(wants=SECRET)) as upstream:
        unknown = imported(*test, "--upstream", upstream.url)
    assert unknown.returncode == 1
    assert "Credentials were refused or missing" in unknown.stdout
    trail = recorded(imported)
    said = json.dumps(trail)
    assert [said.count(f'"{verdict}"') for verdict in ("PASSED", "FAILED", "ERROR")] == [1, 1, 1]
    assert "s3cr3t" not in said + passed.stdout + passed.stderr


def test_headers_are_read_from_a_file_too(imported: Terminal, tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text(f"Authorization: {SECRET}\n")
    version = ("contract", "test", "pets/default@1.0.0", "--headers-file", str(headers), *FEW)
    with answering(Upstream(wants=SECRET)) as upstream:
        imported.run(*version, "--upstream", upstream.url)
    assert upstream.tokens >= {SECRET}
    missing = ("--headers-file", str(tmp_path / "none"), "--upstream", upstream.url)
    assert "cannot be read" in imported.refused("contract", "test", "pets@1.0.0", *missing)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "pets.example.com", "http://me:pw@127.0.0.1"])
def test_only_a_web_address_without_a_user_is_tested(terminal: Terminal, url: str) -> None:
    assert "http or https" in terminal.refused("contract", "test", "a@1.0.0", "--upstream", url)


def test_a_version_is_known_by_its_id_or_its_number(imported: Terminal) -> None:
    upstream = ("--upstream", "http://127.0.0.1:9")
    for name in ("pets@9.9.9", "pets/other@1.0.0", "none@1.0.0"):
        assert "no version" in imported.refused("contract", "test", name, *upstream)
    assert "PRODUCT@NUMBER" in imported.refused("contract", "test", "pets", *upstream)
    trail = [json.loads(line) for line in imported.run("audit", "export").splitlines()]
    (defined,) = (line for line in trail if line["event"] == "api_version.defined")
    away = imported("contract", "test", global_id("ApiVersion", (defined["id"],)), *upstream, *FEW)
    assert (away.returncode, len(recorded(imported))) == (1, 1)
    assert away.stdout.startswith("ERROR ")
