"""`controlplane organization` and `controlplane token`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from controlplane.cli.named import (
    AnyOrganizationOption,
    GatewayOption,
    OrganizationOption,
    TeamOption,
    named,
    organization_of,
)
from controlplane.cli.session import UsageError, asking, progress, session

LISTED = 1_000
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

organizations = typer.Typer(
    help="The providers of APIs in this installation.", no_args_is_help=True
)
tokens = typer.Typer(help="Bearer tokens of the control plane itself.", no_args_is_help=True)


@organizations.command("list")
def list_organizations() -> None:
    """Print id, slug and name of each organization, the first 1,000."""
    from controlplane import loop

    async def rows() -> None:
        async with session() as app:
            for row in await app.services.pool.fetch(
                "SELECT id, slug, name FROM organization ORDER BY created_at, id LIMIT $1", LISTED
            ):
                typer.echo(f"{row['id']}  {row['slug']}  {row['name']}")

    loop.run(rows())


@organizations.command("establish")
def establish(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Unique in the installation.")],
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="By default the slug.")] = None,
) -> None:
    """Let a provider in and print the token of its first owner, which is shown only now."""
    from controlplane import loop
    from controlplane.commands import execute
    from controlplane.commands.organization import EstablishOrganization
    from controlplane.context import INSTALLATION
    from controlplane.importing import begun_by

    async def run() -> None:
        async with session() as app:
            command = EstablishOrganization(slug=slug, name=name or slug)
            answer = await execute(command, asking(app, INSTALLATION))
        progress(f"Established {slug}, {begun_by(answer)}. The token of its first owner:")
        typer.echo(answer.secret)

    loop.run(run())


@tokens.command("issue")
def issue(
    role: Annotated[
        str,
        typer.Option(
            metavar="ROLE", help="owner, product_manager, developer, gateway, auditor or operator."
        ),
    ],
    *,
    organization: OrganizationOption = None,
    team: TeamOption = None,
    gateway: GatewayOption = None,
    name: Annotated[
        str, typer.Option(metavar="TEXT", help="What it is for, in a list.")
    ] = "command line",
    expires: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Instant such as 2027-01-31T12:00Z, or 30d, 12h, 90m."),
    ] = None,
) -> None:
    """Issue a token and print it; it is shown only now."""
    from controlplane import loop
    from controlplane.commands import execute
    from controlplane.commands.access_token import IssueToken
    from controlplane.context import INSTALLATION
    from controlplane.importing import begun_by
    from domain.access_token import Role

    wanted = role.upper().replace("-", "_")
    if wanted not in Role.__members__:
        roles = ", ".join(known.lower() for known in Role.__members__)
        raise UsageError(f"There is no role {role!r}: it is one of {roles}.")

    async def run() -> None:
        async with session() as app:
            operator = Role[wanted] is Role.OPERATOR
            of = INSTALLATION if operator else await organization_of(app, organization)
            command = IssueToken(
                name=name,
                role=Role[wanted],
                team_id=(await named(app, "team", of, team))[0] if team else None,
                gateway_id=(await named(app, "gateway", of, gateway))[0] if gateway else None,
                expires_at=_instant(expires, app.services.now()),
            )
            answer = await execute(command, asking(app, of))
        progress(f"Issued {begun_by(answer)}. The token:")
        typer.echo(answer.secret)

    loop.run(run())


def _instant(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    span = re.fullmatch(r"(\d{1,5})([mhd])", text, re.ASCII)
    if span:
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"--expires is an instant or 30d, 12h, 90m, not {text!r}.") from None


@tokens.command("revoke")
def revoke(
    token_id: Annotated[UUID, typer.Argument(metavar="TOKEN", help="As `token list` prints it.")],
) -> None:
    """Refuse a token from now on."""
    from controlplane import loop
    from controlplane.commands import execute
    from controlplane.commands.access_token import RevokeToken
    from domain.access_token import AccessToken

    async def run() -> None:
        async with session() as app:
            found = await app.services.store.load(token_id)
            if not isinstance(found, AccessToken):
                raise UsageError(f"There is no token {token_id}.")
            context = asking(app, UUID(found.organization))
            await execute(RevokeToken(token_id=token_id), context)
        progress(f"Revoked {token_id}.")

    loop.run(run())


@tokens.command("list")
def list_tokens(
    organization: AnyOrganizationOption = None,
) -> None:
    """Print each token, the last 1,000.

    A line has its id, organization, role, state and name.
    """
    from controlplane import loop

    async def rows() -> None:
        async with session() as app:
            of = await organization_of(app, organization) if organization else None
            now = app.services.now()
            for row in await app.services.pool.fetch(
                "SELECT token.*, organization.slug FROM access_token AS token"
                " LEFT JOIN organization USING (organization_id)"
                " WHERE $1::uuid IS NULL OR token.organization_id = $1"
                " ORDER BY token.created_at DESC, token.id LIMIT $2",
                of,
                LISTED,
            ):
                over = row["expires_at"] is not None and row["expires_at"] <= now
                state = "revoked" if row["revoked_at"] else "expired" if over else "active"
                slug = row["slug"] or "(installation)"
                typer.echo(f"{row['id']}  {slug}  {row['role'].lower()}  {state}  {row['name']}")

    loop.run(rows())
