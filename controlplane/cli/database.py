"""`controlplane migrate`, `rebuild` and `check`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from controlplane.cli.session import (
    UsageError,
    load_settings,
    patient_settings,
    progress,
    session,
    verdict,
)

if TYPE_CHECKING:
    from controlplane.store import Pool
    from controlplane.store.rebuild import Progress
    from projections.readmodel import ReadModel

    Build = Callable[[Pool, ReadModel, Progress], Awaitable["Result"]]

Result = TypeVar("Result")

Models = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL", help="Read models; all if none is named.")
]


def migrate() -> None:
    """Bring the database to the layout of this release."""
    from controlplane import loop

    ran = loop.run(_migrate())
    typer.echo("\n".join(f"ran {name}" for name in ran) or "The database is up to date.")


async def _migrate() -> list[str]:
    import asyncpg

    from controlplane.database import CONNECT_S, database
    from controlplane.store.migrate import migrate as run

    async with database(load_settings(), progress) as dsn:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_S)
        try:
            return await run(connection)
        finally:
            await connection.close()


def rebuild(models: Models = None) -> None:
    """Build read models anew beside the live ones.

    Then they take their place.
    """
    from controlplane import loop
    from controlplane.store.rebuild import rebuild as run

    for name, number in loop.run(_each(_named(models), run)):
        typer.echo(f"{name}: generation {number} is live")


def check(models: Models = None) -> None:
    """Build read models anew and compare them with the live ones.

    The exit code is 1 if rows differ.
    """
    from controlplane import loop
    from controlplane.store.rebuild import check as run

    same = True
    for name, tables in loop.run(_each(_named(models), run)):
        for table in tables:
            same = same and bool(table.same)
            typer.echo(f"{name}.{verdict(table)}")
    if not same:
        raise typer.Exit(1)


def _named(names: list[str] | None) -> "Sequence[ReadModel]":
    from projections import PROJECTIONS

    known = {model.NAME: model for model in PROJECTIONS}
    unknown = set(names or ()) - set(known)
    if unknown:
        raise UsageError(
            f"No read model {', '.join(sorted(unknown))}; there are {', '.join(known)}."
        )
    return [known[name] for name in dict.fromkeys(names or known)]


async def _each(models: "Sequence[ReadModel]", build: "Build[Result]") -> list[tuple[str, Result]]:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    results = []
    async with session(patient_settings()) as app:
        with Progress(console=Console(stderr=True)) as bar:
            for model in models:
                task = bar.add_task(model.NAME, total=None)

                def moved(done: int, last: int, task: TaskID = task) -> None:
                    bar.update(task, completed=done, total=last)

                results.append((model.NAME, await build(app.services.pool, model, moved)))
                bar.update(task, completed=1, total=1)
    return results
