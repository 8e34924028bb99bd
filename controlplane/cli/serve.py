"""`controlplane serve`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controlplane.cli.session import load_settings, progress

if TYPE_CHECKING:
    from controlplane.demo.envoy import Edge
    from controlplane.serving import Announcement


def help_text() -> str:
    """Return what `serve --help` says, the settings included."""
    from controlplane.settings import Settings

    variables = [
        f"CONTROLPLANE_{name.upper()}: {(field.description or '').rstrip('.')}."
        f" Default {field.default if field.default != '' else 'none'}."
        for name, field in Settings.model_fields.items()
    ]
    return "\n\n".join(
        [
            "Serve portals and gateways until Ctrl-C or SIGTERM.",
            "An option counts before the variable of its name:",
            *variables,
        ]
    )


def serve(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Fill the organization `demo` and print its tokens.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON instead, once ready.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Processes; CONTROLPLANE_WORKERS.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address; CONTROLPLANE_HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port, 0 for a free one; CONTROLPLANE_PORT.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIRECTORY", help="The embedded PostgreSQL's; CONTROLPLANE_DATA_DIR."),
    ] = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    from controlplane import loop
    from controlplane.serving import Service
    from controlplane.serving import serve as run

    settings = load_settings(workers=workers, host=host, port=port, data_dir=data_dir)
    to_people = partial(announce_to_people, graphiql=settings.graphiql)
    announce = announce_to_programs if json else to_people
    loop.run(run(Service(settings, demo, announce, progress)))


def announce_to_programs(announced: "Announcement") -> None:
    """Print one JSON object on a line."""
    import orjson

    found: dict[str, object] = {
        "url": announced.url,
        "graphql": announced.graphql,
        "gateway_graphql": announced.gateway_graphql,
    }
    if announced.tokens is not None:
        found["tokens"] = announced.tokens
    if announced.edge is not None and announced.edge.url:
        found |= {"gateway": announced.edge.url, "key": announced.edge.key}
    typer.echo(orjson.dumps(found).decode())


def announce_to_people(announced: "Announcement", *, graphiql: bool) -> None:
    """Print where everything is, and what can be tried at once."""
    url, tokens = announced.url, announced.tokens
    lines = [
        "",
        f"The control plane is ready at {url} (Ctrl-C stops it).",
        "",
        f"  portals and administrators  {announced.graphql}",
        f"  gateways                    {announced.gateway_graphql}",
        f"  HTTP routes                 {url}/openapi.json",
        *([f"  a page to try them          {url}/graphiql"] if graphiql else ()),
        "",
    ]
    if tokens is None:
        lines += [
            "A token comes from `controlplane organization establish SLUG`, and more of them",
            "from `controlplane token issue`. `serve --demo` begins with something to look at.",
        ]
    else:
        lines += ["Tokens of this start, in the organization `demo`:", ""]
        lines += [f"  {role:<16} {token}" for role, token in tokens.items()]
        lines += ["", *_first_calls(announced, tokens)]
    typer.echo("\n".join([*lines, ""]))


def _first_calls(announced: "Announcement", tokens: dict[str, str]) -> list[str]:
    url = announced.url
    bearer = {role: f"-H 'Authorization: Bearer {token}'" for role, token in tokens.items()}
    json = "-H 'Content-Type: application/json'"
    query = '{"query": "{ products(first: 5) { nodes { slug name state } } }"}'
    return [
        "A portal asks:",
        "",
        f"  curl -s {announced.graphql} {bearer['owner']} {json} -d '{query}'",
        "",
        "A gateway polls:",
        "",
        f"  curl -s {url}/gateway/v1/config {bearer['gateway']}",
        "",
        "An auditor reads:",
        "",
        f"  curl -s '{url}/audit/v1/events?limit=5' {bearer['auditor']}",
        *_calls_through(announced.edge),
    ]


def _calls_through(edge: "Edge | None") -> list[str]:
    if edge is None:
        return []
    if edge.missing:
        return ["", edge.missing]
    return [
        "",
        "An application calls what it subscribed to, through Envoy, 5 times in 10 seconds:",
        "",
        f"  curl -si {edge.url}/control-plane-http/v1/readyz -H 'X-Api-Key: {edge.key}'",
    ]
