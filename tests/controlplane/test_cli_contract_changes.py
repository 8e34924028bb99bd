"""`controlplane contract diff`, `changelog` and `bump`, as a pipeline calls them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from controlplane.cli import cli
from controlplane.cli.session import UsageError
from domain.contract.bump import NotSemanticVersionError

OLD = """
openapi: 3.0.3
info: {title: Pets, version: 1.2.0}
paths:
  /pets:
    get:
      parameters: [{in: query, name: limit, schema: {type: integer, maximum: 100}}]
      responses: {'200': {description: Fine}}
  /old: {get: {responses: {'200': {description: Fine}}}}
"""
BROKEN = OLD.replace("100", "50")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    documents = {
        "old": OLD,
        "same": OLD,
        "broken": BROKEN,
        "prose": OLD.replace("Fine", "Well"),
        "more": OLD.replace("  /old", "  /new: {get: {responses: {}}}\n  /old"),
        "deprecated": OLD.replace("/old: {get: {", "/old: {get: {deprecated: true, "),
        "wrong": OLD.replace("parameters: [", "parameters: [{$ref: '#/gone'}, "),
        "remote": OLD.replace("{type: integer, maximum: 100}", "{$ref: 'https://x.test/a'}"),
        "sdl": "type Query { a: Int }",
    }
    for name, document in documents.items():
        (tmp_path / name).write_text(document)
    return {name: str(tmp_path / name) for name in documents}


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["contract", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("new", "options", "code"),
    [
        ("same", [], 0),
        ("broken", [], 3),
        ("broken", ["--fail-on", "never"], 0),
        ("more", [], 0),
        ("more", ["--fail-on", "info"], 5),
        ("prose", ["--fail-on", "info"], 0),
        ("deprecated", [], 0),
        ("deprecated", ["--notice", "stable=90"], 3),
        ("remote", ["--allow-remote"], 3),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_change(
    files: dict[str, str], new: str, options: list[str], code: int
) -> None:
    assert run("diff", files["old"], files[new], *options).exit_code == code


def test_a_break_is_told_with_its_place_and_a_payload(files: dict[str, str]) -> None:
    told = run("diff", files["old"], files["broken"]).stdout
    assert told == (
        "ERROR   request-parameter-max-decreased  GET /pets"
        "  /paths/~1pets/get/parameters/0/schema/maximum\n"
        '        The query parameter "limit" must be at most 50, before 100.\n'
        "        100 was accepted, and is refused now.\n"
        "1 error, 0 warnings, 0 infos.\n"
    )
    (finding,) = json.loads(run("diff", files["old"], files["broken"], "--format", "json").stdout)[
        "findings"
    ]
    assert finding["witness"] == {
        "old_verdict": "ACCEPTED",
        "new_verdict": "REFUSED",
        "payload": 100,
    }
    page = run("diff", files["old"], files["broken"], "--format", "markdown").stdout
    assert "| ERROR | `request-parameter-max-decreased` |" in page
    assert "100 was accepted, and is refused now." in page


def test_what_is_wrong_is_told_with_the_file_and_the_place(files: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"wrong: .*/parameters/0 leads to nothing"):
        run("diff", files["old"], files["wrong"])
    with pytest.raises(UsageError, match=r"remote: .*Nothing is ever fetched"):
        run("diff", files["old"], files["remote"])
    with pytest.raises(UsageError, match="in one format"):
        run("diff", files["old"], files["sdl"])


def test_a_changelog_is_markdown(files: dict[str, str]) -> None:
    assert run("changelog", files["old"], files["broken"], "--title", "2.0.0").stdout == (
        "## 2.0.0\n\n### Breaking changes\n\n"
        '- **GET /pets**: The query parameter "limit" must be at most 50, before 100.\n'
    )
    same = run("changelog", files["old"], files["prose"])
    assert same.stdout == "Nothing changed for callers.\n"


@pytest.mark.parametrize(
    ("new", "number"), [("broken", "2.0.0"), ("more", "1.3.0"), ("prose", "1.2.1")]
)
def test_a_number_is_proposed(files: dict[str, str], new: str, number: str) -> None:
    assert run("bump", files["old"], files[new]).stdout.startswith(f"{number} follows 1.2.0")
    assert run("bump", files["old"], files[new], "--to", number).exit_code == 0


def test_a_smaller_number_is_refused(files: dict[str, str]) -> None:
    done = run("bump", files["old"], files["broken"], "--from", "1.2.0", "--to", "1.2.1")
    assert done.exit_code == 3
    assert "1.2.1 is too small; 2.0.0 would do." in done.stdout
    told = run("bump", files["old"], files["broken"], "--to", "1.3.0", "--format", "json").stdout
    assert json.loads(told)["proposed"] == "2.0.0"
    assert json.loads(told)["problem"]


def test_a_contract_without_a_number_needs_one(files: dict[str, str]) -> None:
    with pytest.raises(NotSemanticVersionError):
        run("bump", files["sdl"], files["sdl"])
    assert run("bump", files["sdl"], files["sdl"], "--from", "1.0.0").exit_code == 0


@pytest.mark.parametrize(
    "options", [["--notice", "stable"], ["--notice", "rock=1"], ["--stable-from", "rock"]]
)
def test_terms_that_mean_nothing_are_refused(files: dict[str, str], options: list[str]) -> None:
    with pytest.raises(UsageError):
        run("diff", files["old"], files["same"], *options)


@pytest.mark.parametrize("command", ["diff", "changelog", "bump", "lint", "rules"])
def test_each_command_explains_itself(command: str) -> None:
    assert "Usage" in run(command, "--help").stdout
