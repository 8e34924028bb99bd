"""`controlplane audit`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit, urlunsplit

import typer

from controlplane.cli.named import OrganizationOption, organization_of
from controlplane.cli.session import (
    opened,
    patient_settings,
    progress,
    session,
    verdict,
)

if TYPE_CHECKING:
    from controlplane.app import App

LISTED = 1_000

cli = typer.Typer(help="What happened, for auditors.", no_args_is_help=True)


@cli.command("export")
def export(
    *,
    organization: OrganizationOption = None,
    after: Annotated[
        int, typer.Option(metavar="POSITION", min=0, help="Only events after this position.")
    ] = 0,
) -> None:
    """Print every event of an organization, one JSON object a line."""
    from controlplane import loop
    from controlplane.audit import pages

    async def run() -> None:
        async with session() as app:
            organization_id = await organization_of(app, organization)
            upto = app.projector.position
            async for page in pages(app.services.pool, app.epoch, organization_id, after, upto):
                sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()

    loop.run(run())


@cli.command("replay")
def replay(
    *,
    after: Annotated[
        int | None,
        typer.Option(
            "--from", metavar="POSITION", min=0, help="List the events after this position too."
        ),
    ] = None,
    upto: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="POSITION", min=0, help="Stop at this position; else at the last."
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            metavar="DSN", help="DSN of an empty database to keep; else one for a moment."
        ),
    ] = None,
) -> None:
    """Replay the history and compare every table with the live one.

    That is done in a fresh database. State at a position follows from all events before it, so a
    replay begins at the first event. With --to, rows are as they were at that position and are
    counted, not compared. The exit code is 1 if anything differs.
    """
    from controlplane import loop

    if not loop.run(_replay(after, upto, into)):
        raise typer.Exit(1)


async def _replay(after: int | None, upto: int | None, into: str | None) -> bool:
    from rich.console import Console
    from rich.progress import Progress

    from controlplane.app import running
    from controlplane.database import database
    from controlplane.store.replay import replay as run
    from projections import PROJECTIONS

    settings = patient_settings()
    async with database(settings, progress) as dsn, opened(dsn, settings) as app:
        if after is not None:
            await _list(app, after, upto)
        async with (
            _target(app, dsn, into) as fresh_dsn,
            running(fresh_dsn, settings, follow=False) as fresh,
        ):
            with Progress(console=Console(stderr=True)) as bar:
                task = bar.add_task("events", total=None)
                compared = await run(
                    app.services.pool,
                    fresh.services.pool,
                    PROJECTIONS,
                    upto,
                    lambda done, last: bar.update(task, completed=done, total=last),
                )
    for table in compared:
        typer.echo(verdict(table))
    return all(table.same is not False for table in compared)


@asynccontextmanager
async def _target(app: "App", dsn: str, into: str | None) -> AsyncIterator[str]:
    """Yield the DSN that was given, else that of a database beside ours until the block ends."""
    if into is not None:
        yield into
        return
    name = f"controlplane_replay_{app.services.new_id().hex}"
    await app.services.pool.execute(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    finally:
        await app.services.pool.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _list(app: "App", after: int, upto: int | None) -> None:
    """Print the events after a position up to another, of every organization."""
    from controlplane.store.eventstore import head, read

    async with app.services.pool.acquire() as connection:
        last = await head(connection)
        last = last if upto is None else min(last, upto)
        while after < last:
            page_end = min(after + LISTED, last)
            for recorded in await read(connection, after=after, upto=page_end):
                event = recorded.event
                typer.echo(
                    f"{recorded.position}  {event.timestamp.isoformat()}  {event.TOPIC}"
                    f"  {event.originator_id} {event.originator_version}"
                )
            after = page_end
