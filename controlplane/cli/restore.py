"""`controlplane epoch` and `controlplane revocations`: what follows a restore."""

from collections import Counter
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from controlplane.cli.named import AnyOrganizationOption, organization_of
from controlplane.cli.session import (
    asking,
    load_settings,
    opened,
    progress,
    session,
)

GROUPS = 1_000
"""So many are read at once."""

epochs = typer.Typer(help="Histories of this installation.", no_args_is_help=True)
revocations = typer.Typer(help="What was taken away for good.", no_args_is_help=True)


@epochs.command("raise")
def raise_epoch() -> None:
    """Make all cursors of before invalid, after a restore in place.

    What runs starts over.
    """
    from controlplane import loop

    typer.echo(f"This is epoch {loop.run(_raise_epoch())}.")


async def _raise_epoch() -> int:
    from controlplane import revocations as journals
    from controlplane.database import database

    async with database(load_settings(), progress) as dsn:
        return await journals.raise_epoch(dsn)


@epochs.command("confirm")
def confirm_epoch(
    organization: AnyOrganizationOption = None,
) -> None:
    """Say that nothing revoked is missing here.

    Gateways no longer keep out what they remember.
    """
    from controlplane import loop

    epoch, groups = loop.run(_confirm_epoch(organization))
    typer.echo(f"Epoch {epoch} is confirmed for {groups:,} gateway groups.")


async def _confirm_epoch(slug: str | None) -> tuple[int, int]:
    from controlplane.commands import execute
    from controlplane.commands.gateway_config import ConfirmEpoch

    confirmed, last = 0, (UUID(int=0), UUID(int=0))
    async with session() as app:
        only = await organization_of(app, slug) if slug else None
        while rows := await app.services.pool.fetch(
            "SELECT organization_id, id FROM gateway_group WHERE confirmed_epoch < $1"
            " AND ($2::uuid IS NULL OR organization_id = $2) AND (organization_id, id) > ($3, $4)"
            " ORDER BY organization_id, id LIMIT $5",
            *(app.epoch, only, *last, GROUPS),
        ):
            for row in rows:
                command = ConfirmEpoch(group_id=row["id"], epoch=app.epoch)
                await execute(command, asking(app, row["organization_id"]))
            confirmed, last = confirmed + len(rows), tuple(rows[-1])
    return app.epoch, confirmed


@revocations.command("repeat")
def repeat(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Journals of revocations, or what `audit export` printed.",
            exists=True,
        ),
    ],
) -> None:
    """Take away again what a restored database gave back.

    Do so before anything is served.
    """
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
