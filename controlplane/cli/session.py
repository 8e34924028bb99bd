"""What a command works with: the settings, the database they name, and an organization."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import typer

if TYPE_CHECKING:
    from controlplane.app import App
    from controlplane.context import Context
    from controlplane.settings import Settings
    from controlplane.store.rebuild import Comparison

FIRST_ORGANIZATION = "default"
PATIENCE_S = 24 * 3_600.0
"""How long one statement of a rebuild may take; its pages are bounded, a page's indexes are not."""


class UsageError(Exception):
    """What was asked for does not fit; the message says why and what to do."""


def load_settings(**given: object) -> "Settings":
    """Return the settings of the environment, with what is `given` and not None instead.

    Logs go where they should from here on. Raises pydantic's ValidationError.
    """
    from controlplane import logs
    from controlplane.settings import Settings

    options = {name: value for name, value in given.items() if value is not None}
    settings = Settings.model_validate({**Settings().model_dump(), **options})
    logs.configure(settings.log_level)
    return settings


def patient_settings() -> "Settings":
    """Return the settings for work on whole read models: no statement of it is cut off."""
    settings = load_settings(log_level="warning")
    return settings.model_copy(update={"database_budget_s": PATIENCE_S})


def verdict(compared: "Comparison") -> str:
    """Return in words how a table compares with the live one, if it was compared."""
    if compared.same is None:
        return f"{compared.table}: {compared.rebuilt_rows:,} rows"
    if compared.same:
        return f"{compared.table}: {compared.rows:,} rows, the same"
    return (
        f"{compared.table}: DIFFERENT, {compared.rows:,} rows live and"
        f" {compared.rebuilt_rows:,} built anew"
    )


def progress(text: str) -> None:
    """Tell the person what takes a while."""
    typer.echo(text, err=True)


@asynccontextmanager
async def session(settings: "Settings | None" = None) -> "AsyncIterator[App]":
    """Yield a control plane on the database of the settings whose read models are up to date.

    It joins an embedded server that runs already. Raises what `running` and `wait_until` raise.
    """
    from controlplane.database import database

    settings = settings or load_settings(log_level="warning")
    async with database(settings, progress) as dsn, opened(dsn, settings) as app:
        yield app


@asynccontextmanager
async def opened(dsn: str, settings: "Settings") -> "AsyncIterator[App]":
    """Yield a control plane on a database whose read models are up to date."""
    from controlplane.app import running
    from controlplane.store.eventstore import head

    async with running(dsn, settings) as app:
        async with app.services.pool.acquire() as connection:
            last = await head(connection)
        await app.projector.wait_until(last)
        yield app


def asking(app: "App", organization_id: UUID) -> "Context":
    """Return the context of whoever has this terminal: it may do everything there."""
    from controlplane.auth import process

    return app.context(process(organization_id, "cli", "cli"))
