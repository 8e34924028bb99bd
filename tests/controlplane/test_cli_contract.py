"""`controlplane contract`: what people and pipelines see."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from controlplane.cli import cli
from controlplane.cli.session import UsageError
from domain.contract.document import DocumentBrokenError
from domain.contract.lint.ruleset_document import RulesetBrokenError

WARNED = """
openapi: 3.0.3
info: {title: Pets, version: '1', description: Pets, contact: {name: Support}}
servers: [{url: https://pets.test/}]
paths: {}
"""
BROKEN_PATH = WARNED + "tags: [{name: a}, {name: a}]\n"


def run(*arguments: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(cli, ["contract", *arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("document", "fail_on", "code"),
    [
        (WARNED, "error", 0),
        (WARNED, "warning", 4),
        (WARNED, "info", 4),
        (BROKEN_PATH, "error", 3),
        (BROKEN_PATH, "warning", 3),
        (BROKEN_PATH, "never", 0),
        ("scalar Date type Query { a: Int }", "info", 4),
        ('"All" type Query { "A" a: Date } scalar Date', "info", 5),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_finding(
    document: str, fail_on: str, code: int
) -> None:
    assert run("lint", "-", "--fail-on", fail_on, stdin=document).exit_code == code


def test_findings_are_written_for_people_programs_and_pages(tmp_path: Path) -> None:
    file = tmp_path / "pets.yaml"
    file.write_text(WARNED)
    assert run("lint", str(file)).stdout == (
        "WARNING oas3-server-trailing-slash  /servers/0/url\n"
        "        The address of a server has no slash at its end:"
        " 'https://pets.test/' must not match the pattern ./$.\n"
        "0 errors, 1 warning, 0 infos.\n"
    )
    told = json.loads(run("lint", str(file), "--format", "json").stdout)
    assert (told["warnings"], told["findings"][0]["rule"]) == (1, "oas3-server-trailing-slash")
    table = run("lint", str(file), "--format", "markdown").stdout
    assert "| WARNING | `oas3-server-trailing-slash` | `/servers/0/url` |" in table


def test_what_a_document_holds_cannot_write_on_the_terminal_or_the_page() -> None:
    document = WARNED.replace("{}", '{"/a|<b>`\\e[31m": {get: {}}}')
    for format_ in ("text", "markdown"):
        assert "\x1b" not in run("lint", "-", "--format", format_, stdin=document).stdout
    rows = run("lint", "-", "--format", "markdown", stdin=document).stdout.splitlines()
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows if row.startswith("|"))


def test_a_rule_set_extends_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "rules: {owner: {given: $, severity: error, then: {field: x-owner, function: truthy}}}"
    )
    ruleset = tmp_path / "rules.yaml"
    ruleset.write_text("extends: base.yaml")
    result = run("lint", "-", "--ruleset", str(ruleset), stdin=WARNED)
    assert (result.exit_code, "owner" in result.stdout) == (3, True)


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        run("lint", str(tmp_path / "none.yaml"))
    with pytest.raises(DocumentBrokenError):
        run("lint", "-", stdin="openapi: [")
    ruleset = tmp_path / "rules.yaml"
    ruleset.write_text("functions: [mine]")
    with pytest.raises(RulesetBrokenError, match="functions"):
        run("lint", "-", "--ruleset", str(ruleset), stdin=WARNED)
