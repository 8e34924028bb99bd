"""`controlplane gateway`: what gateways start from and trust."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controlplane.cli.named import OrganizationOption, named, organization_of
from controlplane.cli.session import UsageError, asking, progress, session

if TYPE_CHECKING:
    from controlplane.gateway.keyring import Ring

DAY_S = 24 * 3_600

cli = typer.Typer(help="Gateways, and what they start from.", no_args_is_help=True)


@cli.command("snapshot")
def snapshot(
    *,
    group: Annotated[str, typer.Option(metavar="SLUG", help="Of the gateway group, or its id.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to replace; it is always whole.")],
    organization: OrganizationOption = None,
) -> None:
    """Write the signed configuration of a gateway group.

    Gateways start from it without us.
    """
    from controlplane import loop
    from controlplane.gateway.agent import files

    written = loop.run(_snapshot(group, organization))
    try:
        files.write(out, written)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    progress(f"Wrote {len(written):,} bytes to {out}.")


async def _snapshot(group: str, organization: str | None) -> bytes:
    from controlplane.gateway.delivery import Delivery

    async with session() as app:
        of = await organization_of(app, organization)
        _, slug = await named(app, "group", of, group)
        caller, delivery = asking(app, of).caller, Delivery(app)
        served = await delivery.served(caller, slug, ())
        return (await delivery.document(caller, served, None)).encode()


@cli.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A snapshot.")],
    *,
    keys: Annotated[
        Path, typer.Option(metavar="FILE", help="JWK set, as GET /gateway/v1/keys gives it.")
    ],
) -> None:
    """Check signature, content and age of a snapshot.

    The exit code is 1 if it must not be used.
    """
    from datetime import UTC, datetime

    from controlplane.gateway.agent import files
    from domain.signed import UntrustedError, verify_snapshot

    document = files.read(file)
    try:
        # The clock of whoever looks at it: no control plane is running here.
        verify_snapshot(document, files.read(keys).get("keys", []), datetime.now(UTC))  # noqa: TID251
    except UntrustedError as error:
        raise UsageError(f"{file}: {error}") from None
    typer.echo(
        f"{document['group']['slug']} at {document['cursor']}, {document['content_hash']},"
        f" issued {document['issued_at']}: may be used"
    )


@cli.command("rotate-key")
def rotate_key(
    *,
    overlap_s: Annotated[
        int, typer.Option(metavar="SECONDS", help="From the announcement until it signs.")
    ] = DAY_S,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Trust no key of before any more, from now on.")
    ] = False,
) -> None:
    """Announce the key by which configurations will be signed.

    All keys that are trusted are printed.
    """
    from controlplane import loop
    from controlplane.gateway.keyring import OVERLAP_S_MAX, OVERLAP_S_MIN

    if not OVERLAP_S_MIN <= overlap_s <= OVERLAP_S_MAX:
        raise UsageError(f"--overlap-s is {OVERLAP_S_MIN} to {OVERLAP_S_MAX}.")
    ring = loop.run(_rotate_key(overlap_s, compromised=compromised))
    for key in ring.jwks:
        signs = "  signs" if key is ring.signing.jwk else ""
        typer.echo(f"{key['kid']}{signs}")


async def _rotate_key(overlap_s: int, *, compromised: bool) -> "Ring":
    from controlplane.gateway.keyring import Keyring

    async with session() as app:
        keys = Keyring(app.services)
        await keys.ring()  # a first one signs before a next one is announced
        return await keys.rotate(overlap_s, compromised=compromised)
