"""`controlplane gateway agent` and `bootstrap`: what runs beside a gateway."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controlplane.cli.session import UsageError, progress

if TYPE_CHECKING:
    from controlplane.gateway.renderers import Site

TOKEN = "CONTROLPLANE_GATEWAY_TOKEN"  # noqa: S105  # the name of the variable
WAIT_S_MAX = 60
DIRECTORY_MODE = 0o700
"""Key hashes are in it, and sockets that command the gateway."""

Vendor = Annotated[str, typer.Option(metavar="VENDOR", help="envoy or haproxy.")]
Directory = Annotated[
    Path, typer.Option(metavar="DIRECTORY", help="Where the gateway finds its files.")
]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address the gateway listens at.")]
Port = Annotated[
    int, typer.Option(metavar="PORT", help="Port the gateway listens at.", min=1, max=65_535)
]
Url = Annotated[
    str,
    typer.Option(metavar="URL", help="Of the control plane.", envvar="CONTROLPLANE_GATEWAY_URL"),
]
AdminPort = Annotated[
    int,
    typer.Option(
        metavar="PORT", help="Port of the gateway's administration; 0 for none.", max=65_535
    ),
]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help=f"Has the gateway's token; else {TOKEN} is it.")
]
State = Annotated[
    Path | None,
    typer.Option(metavar="DIRECTORY", help="Where the agent keeps what it holds; DIRECTORY/state."),
]
Keys = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JWK set of the keys that configurations are signed by."),
]
KeySets = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON file of JWK sets by issuer, for plans with JWTs."),
]
Begin = Annotated[
    Path | None, typer.Option("--from", metavar="FILE", help="A snapshot to begin with.")
]


def bootstrap(
    vendor: Vendor,
    out: Directory,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    admin_port: AdminPort = 0,
    url: Url = "http://127.0.0.1:8080",
    token_file: TokenFile = None,
) -> None:
    """Write the files that a gateway starts with.

    It refuses every call until it knows more. A directory that it makes is for its user
    alone. Standard error has what to start next.
    """
    from controlplane.gateway.agent import files
    from controlplane.gateway.renderers import renderer

    site = _site(vendor, out, host, port, admin_port, url, token_file)
    chosen = renderer(vendor)
    found = chosen.bootstrap(site)
    out.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
    files.write_all(out, found)
    for name in sorted(found):
        typer.echo(str(out / name))
    commands = [chosen.START.format(directory=shlex.quote(site.directory))]
    if vendor != "envoy":
        commands.append(_agent_command(vendor, site))
    elif not token_file:  # with one it asks by itself; else it does not start without its files
        commands.insert(0, _agent_command(vendor, site))
    progress("Start next:")
    for each in commands:
        progress(f"  {each}")


def agent(
    vendor: Vendor,
    directory: Directory,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    admin_port: AdminPort = 0,
    url: Url = "http://127.0.0.1:8080",
    token_file: TokenFile = None,
    group: Annotated[
        str | None, typer.Option(metavar="SLUG", help="Not for a gateway's own token.")
    ] = None,
    state: State = None,
    keys: Keys = None,
    key_sets: KeySets = None,
    begin: Begin = None,
    wait_s: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How long a poll is held.", min=0, max=WAIT_S_MAX),
    ] = 30,
    once: Annotated[
        bool, typer.Option("--once", help="End when the gateway runs the latest.")
    ] = False,
) -> None:
    """Have a gateway enforce what the control plane says.

    It does so until Ctrl-C or SIGTERM.
    """
    from controlplane import logs, loop
    from controlplane.gateway.agent.process import Options, run

    logs.configure("info")
    directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
    site = _site(vendor, directory, host, port, admin_port, url, token_file, key_sets)
    token = token_file.read_text().strip() if token_file else os.environ.get(TOKEN, "")
    if not token:
        raise UsageError(f"The gateway's token comes from --token-file or {TOKEN}.")
    progress(f"Keeping {vendor} in {site.directory} at what {site.control_plane} says.")
    options = Options(
        vendor=vendor,
        site=site,
        token=token,
        group=group,
        state=state or directory / "state",
        keys=keys,
        begin=begin,
        wait_s=wait_s,
        once=once,
    )
    loop.run(run(options))


def _agent_command(vendor: str, site: "Site") -> str:
    words = ["controlplane", "gateway", "agent", "--vendor", vendor]
    words += ["--directory", site.directory]
    words += ["--host", site.listen_host, "--port", str(site.listen_port)]
    words += ["--admin-port", str(site.admin_port)] if site.admin_port else []
    words += ["--url", site.control_plane, "--token-file", site.token_file or "FILE"]
    return shlex.join(words)


def _site(  # what the options of both commands say
    vendor: str,
    directory: Path,
    host: str,
    port: int,
    admin_port: int,
    url: str,
    token_file: Path | None,
    issuers: Path | None = None,
) -> "Site":
    from controlplane.gateway.key_sets import key_sets
    from controlplane.gateway.renderers import RENDERERS, Site

    if vendor not in RENDERERS:
        raise UsageError(f"There is no vendor {vendor!r}: it is one of {', '.join(RENDERERS)}.")
    return Site(
        directory=str(directory.resolve()),
        listen_host=host,
        listen_port=port,
        admin_port=admin_port,
        control_plane=url.rstrip("/"),
        token_file=str(token_file.resolve()) if token_file else "",
        key_sets=key_sets(issuers) if issuers else {},
    )
