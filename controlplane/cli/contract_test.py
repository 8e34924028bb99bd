"""`controlplane contract test`: a server held to the contract of a version."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from controlplane.cli.findings import EXIT_CODES
from controlplane.cli.named import OrganizationOption, organization_of
from controlplane.cli.session import UsageError, asking, progress, session

if TYPE_CHECKING:
    from asyncpg import Record

    from controlplane.app import App
    from controlplane.contracts.tester import Bounds
    from domain.contract_test import ContractTest

HEADERS_VARIABLE = "CONTRACT_TEST_HEADERS"


def hold(
    version: Annotated[
        str,
        typer.Argument(metavar="VERSION", help="Its id, or PRODUCT@NUMBER, or PRODUCT/API@NUMBER."),
    ],
    *,
    upstream: Annotated[str, typer.Option(metavar="URL", help="Where the server answers.")],
    organization: OrganizationOption = None,
    writes: Annotated[
        bool, typer.Option("--writes", help="Also try what changes things there.")
    ] = False,
    invalid: Annotated[
        bool, typer.Option("--invalid", help="Also send what the contract does not allow.")
    ] = False,
    max_examples: Annotated[
        int,
        typer.Option(metavar="CALLS", min=1, max=1_000, help="Random calls for each operation."),
    ] = 25,
    max_time: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, max=3_600, help="In all.")
    ] = 300,
    headers_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f'Lines as "Authorization: Bearer ..."; {HEADERS_VARIABLE} if left out.',
        ),
    ] = None,
) -> None:
    """Hold a server to the contract of a version.

    The verdict is recorded; that needs the database.
    """
    from controlplane import loop
    from controlplane.contracts.tester import Bounds, read_headers, tool
    from domain import text
    from domain.contract.finding import Level

    tool()
    text.url(upstream, "upstream")
    headers = read_headers(_lines(headers_file))
    bounds = Bounds(max_examples, max_time, writes, invalid)
    came = loop.run(_test(version, organization, upstream, headers, bounds))
    typer.echo(_written(version, came))
    raise typer.Exit({"PASSED": 0, "FAILED": EXIT_CODES[Level.ERROR]}.get(came.verdict, 1))


async def _test(
    version: str,
    organization: str | None,
    upstream: str,
    headers: dict[str, str],
    bounds: "Bounds",
) -> "ContractTest":
    from controlplane.commands import execute
    from controlplane.commands.contract_test import RecordContractTest
    from controlplane.contracts.tester import hold

    async with session() as app:
        organization_id = await organization_of(app, organization)
        found = await _version(app, organization_id, version)
        document = await app.services.store.document(bytes.fromhex(found["contract_sha256"]))
        assert document is not None
        progress(f"Testing, for at most {bounds.budget_s:,} s...")
        came = await hold(document, upstream, headers, bounds)
        command = RecordContractTest(version_id=found["id"], test=came)
        await execute(command, asking(app, organization_id))
    return came


async def _version(app: "App", organization_id: UUID, name: str) -> "Record":
    """Return the version that is meant. Raises UsageError."""
    from controlplane.global_id import named_key
    from domain.api_version import DEFAULT_API

    slug, _, number = name.partition("@")
    product, _, api = slug.partition("/")
    (id_,) = named_key(name, "ApiVersion", ("uuid",)) or (None,)
    row = await app.services.pool.fetchrow(
        "SELECT v.id, v.contract_sha256 FROM api_version v"
        " JOIN product p ON p.organization_id = v.organization_id AND p.id = v.product_id"
        " WHERE v.organization_id = $1"
        " AND CASE WHEN $2::uuid IS NULL THEN p.slug = $3 AND v.api = $4 AND v.number = $5"
        " ELSE v.id = $2 END",
        organization_id,
        id_,
        product,
        api or DEFAULT_API,
        number,
    )
    if row is None:
        raise UsageError(f"There is no version {name}; it is an id, or PRODUCT@NUMBER.")
    return row


def _lines(file: Path | None) -> str:
    if file is None:
        return os.environ.get(HEADERS_VARIABLE, "")
    try:
        with file.open() as opened:
            return opened.read(1_000_000)
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file} cannot be read.") from None


def _written(version: str, came: "ContractTest") -> str:
    """Return the verdict, and what broke the contract, for people."""
    figures = (
        f"{came.operations:,} of {came.of_operations:,} operations, {came.requests:,} calls,"
        f" {came.duration_ms / 1_000:.1f} s, {came.tool}"
    )
    broken = [f"  {each.operation}: {each.title} ({each.code})" for each in came.failures]
    more = came.failure_count - len(broken)
    broken += [f"  and {more:,} more"] if more else []
    return "\n".join([f"{came.verdict} {version}: {figures}", *broken, came.problem]).rstrip()
