"""`controlplane contract`: contracts judged without a server, and servers by contracts."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controlplane.cli import contract_test
from controlplane.cli.findings import Format, Threshold
from controlplane.cli.session import UsageError

if TYPE_CHECKING:
    from domain.contract.diff.terms import Terms
    from domain.contract.finding import Finding

cli = typer.Typer(
    help="Contracts, judged without a server; `test` judges a server. Exit codes: 0 nothing that"
    " counts, 3 errors, 4 warnings, 5 infos; 1 when it could not be judged.",
    no_args_is_help=True,
)

_DOCUMENT = "OpenAPI in YAML or JSON, or GraphQL SDL; - reads standard input."
_Old = Annotated[str, typer.Argument(metavar="OLD", help=_DOCUMENT)]
_New = Annotated[str, typer.Argument(metavar="NEW", help=_DOCUMENT)]
_Written = Annotated[Format, typer.Option("--format", help="How findings are written.")]
_FailOn = Annotated[
    Threshold, typer.Option(help="The least grave level that gives an exit code of its own.")
]

_Notice = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LEVEL=DAYS",
        help="Notice that a deprecation gives, such as stable=180; again for beta. With none, a"
        " deprecation needs no sunset.",
    ),
]
_Stability = Annotated[
    str,
    typer.Option(
        metavar="LEVEL",
        help="Least x-stability-level that must not break: draft, alpha, beta, stable.",
    ),
]
_Today = Annotated[
    datetime | None,
    typer.Option(
        metavar="YYYY-MM-DD",
        formats=["%Y-%m-%d"],
        help="Day from which notice is counted; by default today.",
    ),
]
_Remote = Annotated[
    bool,
    typer.Option(
        "--allow-remote",
        help="Let references lead to other documents; nothing is fetched, names count.",
    ),
]


cli.command("test")(contract_test.hold)


@cli.command("diff")
def diff(
    old: _Old,
    new: _New,
    *,
    format_: _Written = Format.TEXT,
    fail_on: _FailOn = Threshold.ERROR,
    notice: _Notice = None,
    stable_from: _Stability = "beta",
    today: _Today = None,
    allow_remote: _Remote = False,
) -> None:
    """Say what changed from OLD to NEW.

    What breaks callers has a payload that shows it.
    """
    from controlplane.cli.findings import exit_code, written

    terms = _terms(notice, stable_from, today)
    findings = _compared(old, new, terms, allow_remote=allow_remote)
    typer.echo(written(findings, format_))
    raise typer.Exit(exit_code(findings, fail_on))


@cli.command("changelog")
def changelog(
    old: _Old,
    new: _New,
    *,
    title: Annotated[
        str, typer.Option(metavar="TEXT", help="Heads the text, such as the new number.")
    ] = "",
    notice: _Notice = None,
    stable_from: _Stability = "beta",
    today: _Today = None,
    allow_remote: _Remote = False,
) -> None:
    """Write what changed from OLD to NEW as Markdown.

    It is for those who call the API.
    """
    from domain.contract.changelog import changelog as markdown

    terms = _terms(notice, stable_from, today)
    findings = _compared(old, new, terms, allow_remote=allow_remote)
    typer.echo(markdown(findings, title=title), nl=False)


@cli.command("bump")
def bump(
    old: _Old,
    new: _New,
    *,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="NUMBER", help="Number of OLD; what it says itself if left out."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="Number meant for NEW; exit code 3 when it is too small."
        ),
    ] = None,
    format_: _Written = Format.TEXT,
    notice: _Notice = None,
    stable_from: _Stability = "beta",
    today: _Today = None,
    allow_remote: _Remote = False,
) -> None:
    """Propose the number of NEW by what changed from OLD.

    A smaller one is refused.
    """
    from controlplane.cli.findings import EXIT_CODES, numbered
    from domain.contract.bump import VersionTooSmallError, proposed_version, refuse_smaller
    from domain.contract.finding import Level
    from domain.contract.read import read_contract

    terms = _terms(notice, stable_from, today)
    before = _read(old)
    findings = _compared(old, new, terms, allow_remote=allow_remote, known=before)
    number = from_ if from_ is not None else read_contract(before).version
    proposed, problem = proposed_version(number, findings), ""
    try:
        if to is not None:
            refuse_smaller(number, to, findings)
    except VersionTooSmallError as refusal:
        problem = str(refusal)
    typer.echo(numbered(number, proposed, problem, findings, format_))
    raise typer.Exit(EXIT_CODES[Level.ERROR] if problem else 0)


@cli.command("lint")
def lint(
    file: Annotated[str, typer.Argument(metavar="FILE", help=_DOCUMENT)],
    *,
    ruleset: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A rule set in Spectral's form; by default our own."),
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


def _terms(notice: list[str] | None, stable_from: str, today: datetime | None) -> "Terms":
    from domain.contract.diff.terms import STABILITIES, Terms

    days: dict[str, int] = {}
    for given in notice or []:
        level, _, count = given.partition("=")
        if level not in STABILITIES or not (count.isdecimal() and len(count) <= len("9999")):
            raise UsageError(f'--notice is LEVEL=DAYS, such as stable=180; this is "{given}".')
        days[level] = int(count)
    if stable_from not in STABILITIES:
        raise UsageError(f"--stable-from is one of {', '.join(STABILITIES)}.")
    # The clock of whoever asks: no control plane is running here.
    at = today or datetime.now(UTC)  # noqa: TID251
    return Terms(at.date(), days, stable_from)


def _compared(
    old: str, new: str, terms: "Terms", *, allow_remote: bool, known: bytes | None = None
) -> "tuple[Finding, ...]":
    """Return what changed; what is wrong with a document is told with the name of its file."""
    from domain.aggregate import DomainError
    from domain.contract.differences import differences

    before = _read(old) if known is None else known
    try:
        return differences(before, _read(new), terms, allows_remote=allow_remote)
    except DomainError as error:
        name = {"old": old, "new": new}.get(error.about or "", f"{old}, {new}")
        raise UsageError(f"{name}: {error}") from None


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
