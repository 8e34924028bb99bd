"""The command line: each command asks through `execute`, as every other edge does."""

import os
import sys

import typer

from controlplane.cli import (
    access,
    agent,
    audit,
    catalogue,
    contract,
    database,
    gateway,
    restore,
    serve,
)

cli = typer.Typer(
    name="controlplane",
    help="An event-sourced control plane that treats APIs as products.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # it prints local variables, which hold secrets
    epilog="Settings come from CONTROLPLANE_* variables; `controlplane serve --help` lists them.",
)
cli.command("serve", help=serve.help_text())(serve.serve)
cli.command("migrate")(database.migrate)
cli.command("import")(catalogue.import_)
cli.command("rebuild")(database.rebuild)
cli.command("check")(database.check)
cli.command("schema")(catalogue.schema)
cli.add_typer(audit.cli, name="audit")
gateway.cli.command("agent")(agent.agent)
gateway.cli.command("bootstrap")(agent.bootstrap)
cli.add_typer(gateway.cli, name="gateway")
cli.add_typer(contract.cli, name="contract")
cli.add_typer(access.organizations, name="organization")
cli.add_typer(access.tokens, name="token")
cli.add_typer(restore.epochs, name="epoch")
cli.add_typer(restore.revocations, name="revocations")


def main() -> None:
    """Run a command; what went wrong is said in one line, and the exit code is 1."""
    try:
        cli()
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from controlplane.cli.complaint import complaint

        text = complaint(error)
        if text is None:
            raise
        typer.echo(f"controlplane: {text}", err=True)
        sys.exit(1)
