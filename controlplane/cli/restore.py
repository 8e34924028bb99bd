"""`controlplane epoch` and `controlplane revocations`: what follows a restore."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.session import load_settings, opened, progress

epochs = typer.Typer(help="Histories of this installation.", no_args_is_help=True)
revocations = typer.Typer(help="What was taken away for good.", no_args_is_help=True)


@epochs.command("raise")
def raise_epoch() -> None:
    """Make all cursors given out before invalid, after a restore in place; restart what runs."""
    from controlplane import loop

    typer.echo(f"This is epoch {loop.run(_raise_epoch())}.")


async def _raise_epoch() -> int:
    from controlplane import revocations as journals
    from controlplane.database import database

    async with database(load_settings(), progress) as dsn:
        return await journals.raise_epoch(dsn)


@revocations.command("repeat")
def repeat(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Journals of revocations, or what `audit export` printed.", exists=True
        ),
    ],
) -> None:
    """Take away again what a restored database gave back; do so before anything is served."""
    from controlplane import loop

    done = loop.run(_repeat(files))
    typer.echo(
        f"Taken away again: {done['again']:,}. In force already: {done['already']:,}."
        f" Not of this history: {done['unknown']:,}."
    )


async def _repeat(files: list[Path]) -> Counter[str]:
    from controlplane import revocations as journals
    from controlplane.database import database

    done: Counter[str] = Counter()
    settings = load_settings(log_level="warning")
    async with database(settings, progress) as dsn:
        for path in files:
            await journals.recognise(dsn, path)
        async with opened(dsn, settings) as app:
            for path in files:
                with path.open("rb") as file:
                    done += await journals.take_away_again(app, file)
    return done
