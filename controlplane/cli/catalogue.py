"""`controlplane import` and `controlplane schema`."""

import time
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from controlplane.cli.named import OrganizationOption, organization_of
from controlplane.cli.session import FIRST_ORGANIZATION, UsageError, asking, progress, session

if TYPE_CHECKING:
    from controlplane.app import App
    from controlplane.importing import Target

ENVIRONMENTS = 100


def import_(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="File or http(s) address; OpenAPI 3 or GraphQL.")
    ],
    *,
    organization: OrganizationOption = None,
    product: Annotated[
        str | None, typer.Option(metavar="SLUG", help="By default made of the title.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Of a new product; by default the title.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="Semantic, such as 1.4.0; by default the document's own."
        ),
    ] = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(metavar="ENV=URL", help="Where an environment's calls go; repeatable."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Show a new product to anonymous viewers.")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the product and this version.")
    ] = False,
) -> None:
    """Define a version with what SPEC describes.

    Its product is defined too, if there is none of that slug.
    """
    from controlplane import loop
    from controlplane.importing import Target
    from domain.api_version import Upstream
    from domain.audience import Visibility

    upstreams = []
    for pair in upstream or []:
        environment, equals, url = pair.partition("=")
        if not (environment and equals and url):
            raise UsageError(f"--upstream is ENV=URL, not {pair!r}.")
        upstreams.append(Upstream(environment, url))
    visibility = Visibility.PUBLIC if public else Visibility.PRIVATE
    target = Target(product, name, version, tuple(upstreams), visibility, publish)
    loop.run(_import(spec, organization, target))


async def _import(spec: str, organization: str | None, target: "Target") -> None:
    from controlplane.global_id import global_id
    from controlplane.importing import fetch, import_document

    began = time.monotonic()
    document = await fetch(spec)
    fetched = time.monotonic()
    async with session() as app:
        organization_id = await _organization(app, organization)
        opened = time.monotonic()
        context = asking(app, organization_id)
        imported = await import_document(context, document, spec, target)
        done = time.monotonic()
        environments = await _environments(app, organization_id)
    operations = (
        "1 operation" if imported.operations == 1 else f"{imported.operations:,} operations"
    )
    state = "published" if target.publish else "draft"
    typer.echo(
        f"Imported {imported.title} as {imported.product} {imported.number} ({state}):"
        f" {operations}, {len(document):,} bytes,"
        f" read in {fetched - began:.1f} s and defined in {done - opened:.1f} s."
    )
    product, version = imported.product_id, imported.version_id
    typer.echo(f"product {global_id('ApiProduct', (product,))}")
    typer.echo(f"version {global_id('ApiVersion', (version,))}")
    if not target.upstreams:
        progress("Gateways do not serve it, since it has no upstream: chooseUpstream gives it one.")
    unknown = sorted({each.environment for each in target.upstreams} - environments)
    if environments and unknown:
        progress(
            f"No gateway group is of the environment {', '.join(unknown)};"
            f" there is {', '.join(sorted(environments))}."
        )


async def _environments(app: "App", organization_id: UUID) -> set[str]:
    """Return those of the organization's gateway groups."""
    found = await app.services.pool.fetch(
        "SELECT DISTINCT environment FROM gateway_group WHERE organization_id = $1 LIMIT $2",
        organization_id,
        ENVIRONMENTS,
    )
    return {row["environment"] for row in found}


async def _organization(app: "App", slug: str | None) -> UUID:
    """Return the organization; on an empty installation the first one is established."""
    from controlplane.auth import process
    from controlplane.commands import execute
    from controlplane.commands.organization import EstablishOrganization
    from controlplane.context import INSTALLATION
    from controlplane.importing import begun_by

    if slug is None and not await app.services.pool.fetchval("SELECT count(*) FROM organization"):
        operator = app.context(process(INSTALLATION, "cli", "cli"))
        command = EstablishOrganization(slug=FIRST_ORGANIZATION, name="Default")
        answer = await execute(command, operator)
        progress(f"Established the organization {FIRST_ORGANIZATION}, the first one here.")
        progress(f"The token of its owner, shown once: {answer.secret}")
        return begun_by(answer)
    return await organization_of(app, slug)


def schema(
    which: Annotated[
        str, typer.Argument(metavar="SCHEMA", help="portal, gateway or openapi.")
    ] = "portal",
) -> None:
    """Print the schema of one of our own APIs."""
    if which == "portal":
        from controlplane.graphql.schema import sdl

        typer.echo(sdl().rstrip())
    elif which == "gateway":
        from controlplane.gateway.schema import sdl as gateway_sdl

        typer.echo(gateway_sdl().rstrip())
    elif which == "openapi":
        from controlplane.openapi import document

        typer.echo(document().decode().rstrip())
    else:
        raise UsageError(f"There is no schema {which!r}: it is portal, gateway or openapi.")
