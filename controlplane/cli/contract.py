"""`controlplane contract`: contracts judged without a server, for people and pipelines."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.findings import Format, Threshold
from controlplane.cli.session import UsageError

cli = typer.Typer(
    help="Contracts, judged without a server. Exit codes: 0 nothing that counts, 3 errors,"
    " 4 warnings, 5 infos; 1 when it could not be judged.",
    no_args_is_help=True,
)

_Document = Annotated[
    str, typer.Argument(help="OpenAPI in YAML or JSON, or GraphQL SDL; - reads standard input.")
]
_Written = Annotated[Format, typer.Option("--format", help="How findings are written.")]
_FailOn = Annotated[
    Threshold, typer.Option(help="The least grave level that gives an exit code of its own.")
]


@cli.command("lint")
def lint(
    file: _Document,
    *,
    ruleset: Annotated[
        Path | None, typer.Option(help="A rule set in Spectral's form; by default our own.")
    ] = None,
    format_: _Written = Format.TEXT,
    fail_on: _FailOn = Threshold.ERROR,
) -> None:
    """Say what the rules of style and structure find in FILE."""
    from controlplane.cli.findings import exit_code, written
    from domain.contract.lint import linter
    from domain.contract.lint.ruleset import read_ruleset

    rules = None
    if ruleset is not None:
        rules = read_ruleset(_read(str(ruleset)), lambda name: _read(str(ruleset.parent / name)))
    findings = linter.lint(_read(file), rules)
    typer.echo(written(findings, format_))
    raise typer.Exit(exit_code(findings, fail_on))


@cli.command("rules")
def rules() -> None:
    """Print every rule, as docs/contract-rules.md has them."""
    from controlplane.cli.findings import catalogue
    from domain.contract.graphql_diff import RULES
    from domain.contract.lint.ruleset import own_rules
    from domain.contract.lint.ruleset_document import GRAPHQL_SET, OPENAPI_SET
    from domain.contract.rules.rest import REST_RULES

    typer.echo("# The rules\n\nPrinted by `controlplane contract rules`; do not edit.")
    for title, table in (
        ("OpenAPI: what changed", REST_RULES),
        ("GraphQL: what changed", RULES),
        (f"OpenAPI: lint, `{OPENAPI_SET}`", own_rules(OPENAPI_SET)),
        (f"GraphQL: lint, `{GRAPHQL_SET}`", own_rules(GRAPHQL_SET)),
    ):
        typer.echo(f"\n## {title}\n\n{catalogue(table)}")


def _read(name: str) -> bytes:
    """Return the bytes of a file, no more than one over what a document may have."""
    from domain.contract.document import DOCUMENT_BYTES

    if name == "-":
        return sys.stdin.buffer.read(DOCUMENT_BYTES + 1)
    try:
        with Path(name).open("rb") as file:
            return file.read(DOCUMENT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from None
