"""The command line, as a person at a terminal meets it."""

import asyncio
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from controlplane import logs
from controlplane.app import App
from controlplane.cli import main
from controlplane.cli.complaint import complaint
from controlplane.commands.team import FormTeam
from controlplane.global_id import global_id
from controlplane.settings import Settings
from tests.controlplane.commands.world import begun, world
from tests.given import ACE, PETSTORE
from tests.processes import START_S, controlplane, environment


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


class Terminal:
    """Runs commands in this process, on one database: a start of its own costs a second."""

    def __init__(
        self, dsn: str, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]
    ) -> None:
        for name in [name for name in os.environ if name.startswith("CONTROLPLANE_")]:
            patch.delenv(name)
        patch.setenv("CONTROLPLANE_DATABASE_URL", dsn)
        patch.setattr(logs, "configure", lambda _: None)  # it is for a whole process
        self._patch, self._captured = patch, captured

    def __call__(self, *arguments: str, **variables: str) -> Done:
        with self._patch.context() as patch:
            patch.setattr(sys, "argv", ["controlplane", *arguments])
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        said = self._captured.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    def run(self, *arguments: str) -> str:
        """Run a command that succeeds; return what it printed."""
        done = self(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str, **variables: str) -> str:
        """Run a command that fails; return its one line."""
        done = self(*arguments, **variables)
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        *progress, line = done.stderr.splitlines()
        assert all(each.startswith(("Starting", "events")) for each in progress)
        assert line.startswith("controlplane: ")
        return line


@pytest.fixture
def terminal(
    dsn: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal(dsn, monkeypatch, capfd)


def test_a_description_is_imported_into_an_empty_installation(
    terminal: Terminal, empty_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONTROLPLANE_DATABASE_URL", empty_dsn)
    spec = tmp_path / "pets.json"
    spec.write_bytes(PETSTORE)
    assert terminal.run("migrate").startswith("ran 0001")
    assert terminal.run("migrate") == "The database is up to date.\n"
    imported = terminal(
        *("import", str(spec), "--publish", "--upstream", "production=https://pets.example.com"),
    )
    assert imported.returncode == 0, imported.stderr
    assert "Imported Pets as pets 1.0.0 (published): 3 operations" in imported.stdout
    assert re.search(r"shown once: cpt_\w+\.\w+\n", imported.stderr)
    assert "exists already" in terminal.refused("import", str(spec))
    assert "ENV=URL" in terminal.refused("import", str(spec), "--upstream", "nonsense")
    trail = [json.loads(line) for line in terminal.run("audit", "export").splitlines()]
    assert [line["event"] for line in trail if line["noun"] != "reservation"] == [
        *("organization.established", "access_token.issued", "api_product.defined"),
        *("api_product.published", "api_version.defined", "api_version.published"),
        *("release_line.opened", "release_line.released"),
    ]
    assert {line["why"]["channel"] for line in trail} == {"cli"}


async def test_an_environment_that_no_gateway_is_of_is_noticed(
    app: App, terminal: Terminal, tmp_path: Path
) -> None:
    await world(app)
    spec = tmp_path / "pets.json"
    spec.write_bytes(PETSTORE)

    async def imported(number: str, *upstream: str) -> str:
        words = ["import", str(spec), "--organization", str(ACE), "--product", "dogs"]
        done = await asyncio.to_thread(terminal, *words, "--version", number, *upstream)
        assert done.returncode == 0, done.stderr
        return done.stderr

    there = ("--upstream", "live=https://pets.example")
    mistyped = ("--upstream", "liev=https://pets.example")
    assert "environment" not in await imported("1.0.0", *there)
    said = await imported("1.1.0", *there, *mistyped)
    assert "No gateway group is of the environment liev; there is live." in said
    assert "it has no upstream: chooseUpstream" in await imported("1.2.0")


def test_read_models_are_checked_rebuilt_and_replayed(
    terminal: Terminal, dsn: str, tmp_path: Path
) -> None:
    spec = tmp_path / "pets.json"
    spec.write_bytes(PETSTORE)
    terminal.run("import", str(spec))
    assert "product.operation: 3 rows, the same" in terminal.run("check", "product")
    assert terminal.run("rebuild", "product") == "product: generation 2 is live\n"
    replayed = terminal.run("audit", "replay", "--from", "1").splitlines()
    assert "operation: 3 rows, the same" in replayed
    assert any("api_version.defined" in line for line in replayed)
    assert "operation: 0 rows" in terminal.run("audit", "replay", "--to", "2")
    assert "has events already" in terminal.refused("audit", "replay", "--into", dsn)
    assert "No read model nonsense" in terminal.refused("check", "nonsense")


async def test_a_table_that_was_changed_by_hand_fails_the_check(
    app: App, terminal: Terminal
) -> None:
    await app.services.pool.execute(
        "INSERT INTO team_v2_1.team VALUES (gen_random_uuid(), gen_random_uuid(), 'x', 1, now())"
    )
    done = await asyncio.to_thread(terminal, "check", "team")  # the app's locks come and go
    assert done.returncode == 1
    assert "team.team: DIFFERENT, 1 rows live and 0 built anew" in done.stdout


def test_tokens_are_issued_listed_and_revoked(terminal: Terminal) -> None:
    assert terminal.run("organization", "establish", "ace", "--name", "Ace").startswith("cpt_")
    assert "already in use" in terminal.refused("organization", "establish", "ace")
    terminal.run("organization", "establish", "best")
    assert [line.split()[1] for line in terminal.run("organization", "list").splitlines()] == [
        *("ace", "best"),
    ]
    assert "ace, best" in terminal.refused("token", "issue", "--role", "auditor")
    auditor = ("token", "issue", "--role", "auditor", "--organization", "ace")
    assert terminal.run(*auditor, "--name", "yearly audit", "--expires", "30d").startswith("cpt_")
    assert "--expires is an instant" in terminal.refused(*auditor, "--expires", "soon")
    assert "no role" in terminal.refused("token", "issue", "--role", "king")
    listed = terminal.run("token", "list", "--organization", "ace").splitlines()
    (line,) = (line for line in listed if "yearly audit" in line)
    assert line.split()[1:4] == ["ace", "auditor", "active"]
    terminal.run("token", "revoke", line.split()[0])
    assert "revoked already" in terminal.refused("token", "revoke", line.split()[0])
    assert "no token" in terminal.refused("token", "revoke", "00000000-0000-0000-0000-000000000007")


async def test_what_options_name_is_found_by_slug_name_or_id(app: App, terminal: Terminal) -> None:
    there = await world(app)
    await begun(app, FormTeam(name="Search"))

    async def issued(role: str, *options: str) -> str:
        return await asyncio.to_thread(terminal.run, "token", "issue", "--role", role, *options)

    async def refused(*options: str) -> str:
        issue = ("token", "issue", "--role", "developer", *options)
        return await asyncio.to_thread(terminal.refused, *issue)

    for team in ("Payments", str(there.team), global_id("Team", (there.team,))):
        assert (await issued("developer", "--team", team)).startswith("cpt_")
    for gateway in ("edge-1", str(there.gateway)):
        assert (await issued("gateway", "--gateway", gateway)).startswith("cpt_")
    for organization in ("org-2766", str(ACE)):
        assert await issued("auditor", "--organization", organization)
    for said, told in {
        ("--team", "Pay"): "--team: there is no team Pay; there is Payments, Search, Search.",
        ("--team", str(there.gateway)): "there is Payments, Search, Search.",
        ("--team", "Search"): "--team: several are called Search; say the id: ",
        ("--gateway", "edge"): "there is no gateway edge; there is edge-0, edge-1.",
        ("--organization", "org"): "there is no organization org; there is org-2766.",
    }.items():
        assert told in await refused(*said)
    other = ("gateway", "snapshot", "--out", "x", "--group", "none")
    assert "--group: there is no group none; there is edge, held." in await asyncio.to_thread(
        terminal.refused, *other
    )


def test_bad_settings_are_named_without_their_values() -> None:
    done = controlplane(
        "serve",
        CONTROLPLANE_PORT="70000",
        CONTROLPLANE_WORKERS="many",
        CONTROLPLANE_DATABASE_URL="postgresql://u:hunter2@h/x",
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "CONTROLPLANE_PORT: " in done.stderr
    assert "CONTROLPLANE_WORKERS: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_a_database_that_cannot_be_used_is_one_clear_line(
    terminal: Terminal, dsn: str, tmp_path: Path
) -> None:
    def said(url: str) -> str:
        return terminal.refused("migrate", CONTROLPLANE_DATABASE_URL=url)

    assert "hunter2" not in said("postgresql://u:hunter2@127.0.0.1:1/x")
    assert "does not exist" in said(re.sub(r"/test_\w+", "/nowhere", dsn))
    assert "cannot be used" in said("postgresql://u:p@h:port/x")
    file = tmp_path / "file"
    file.touch()
    none = {"CONTROLPLANE_DATABASE_URL": "", "CONTROLPLANE_DATA_DIR": str(file)}
    assert "PostgreSQL cannot use" in terminal.refused("migrate", **none)


def test_an_unforeseen_error_is_not_explained_away() -> None:
    assert complaint(ValueError("a mistake of ours")) is None
    assert complaint(KeyError("another")) is None
    assert "does not answer" in (complaint(TimeoutError()) or "")
    assert "password" in (complaint(asyncpg.InvalidPasswordError("password wrong")) or "")


def test_a_missing_file_is_not_blamed_on_the_database(tmp_path: Path) -> None:
    missing = str(tmp_path / "token")

    done = controlplane(
        *("gateway", "agent", "--vendor", "haproxy", "--directory", str(tmp_path)),
        *("--token-file", missing),
    )

    assert done.returncode == 1
    assert done.stderr == f"controlplane: {missing}: No such file or directory.\n"


def test_every_setting_is_in_the_help_and_survives_the_way_to_a_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = controlplane("serve", "--help")
    said = re.sub(r"\s+", "", done.stdout)
    for name in Settings.model_fields:
        assert f"CONTROLPLANE_{name.upper()}:" in said
    for name in list(os.environ):
        if name.startswith("CONTROLPLANE_"):
            monkeypatch.delenv(name)
    given = Settings(log_requests=True, database_url="postgresql://x", shutdown_s=2.5, port=0)
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == given


def test_the_banner_of_the_demo_holds_three_calls_that_work(dsn: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "controlplane", "serve", "--demo"],
        env=environment(CONTROLPLANE_DATABASE_URL=dsn),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        calls: list[list[str]] = []
        while len(calls) < 3:
            line = process.stdout.readline()
            assert line
            if line.startswith("  curl "):
                calls.append(shlex.split(line))
        answers = [call(words) for words in calls]
    finally:
        process.terminate()
        process.communicate(timeout=START_S)
    portal = json.loads(answers[0])
    assert [node["slug"] for node in portal["data"]["products"]["nodes"]]
    assert "errors" not in portal
    assert json.loads(answers[1])["group"]["slug"] == "edge"
    assert len(answers[2].splitlines()) == 5


def call(words: list[str]) -> bytes:
    """Do what a curl command says."""
    url = next(word for word in words if word.startswith("http://"))
    options = dict(itertools.pairwise(words))
    headers = dict(
        word.split(": ", 1) for option, word in itertools.pairwise(words) if option == "-H"
    )
    body = options.get("-d")
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=10)
    method = "POST" if body else "GET"
    connection.request(method, f"{address.path}?{address.query}", body, headers)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    answer = response.read()
    connection.close()
    return answer


def test_our_own_schemas_are_printed(terminal: Terminal) -> None:
    assert "type Mutation" in terminal.run("schema")
    assert "directive @scope" in terminal.run("schema", "gateway")
    assert json.loads(terminal.run("schema", "openapi"))["openapi"] == "3.1.0"
    assert "portal, gateway or openapi" in terminal.refused("schema", "nonsense")
