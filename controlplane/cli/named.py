"""What an option names: an organization, a team, a gateway or a group, by slug, name or id."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from controlplane.cli.session import UsageError

if TYPE_CHECKING:
    from controlplane.app import App

LISTED = 20
_SELECTS = {
    "organization": "SELECT id, slug AS name FROM organization WHERE $1::uuid IS NULL",
    "team": "SELECT id, name FROM team WHERE organization_id = $1",
    "gateway": "SELECT id, name FROM gateway WHERE organization_id = $1",
    "group": "SELECT id, slug AS name FROM gateway_group WHERE organization_id = $1",
}
_NODES = {
    "organization": "Organization",
    "team": "Team",
    "gateway": "Gateway",
    "group": "GatewayGroup",
}
"""As which type the portal's ids know it."""

OrganizationOption = Annotated[
    str | None, typer.Option(metavar="SLUG", help="Or its id; the only one if left out.")
]
AnyOrganizationOption = Annotated[
    str | None, typer.Option(metavar="SLUG", help="Or its id; all if left out.")
]
TeamOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Or its id; for a developer, who needs it.")
]
GatewayOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Or its id; for a gateway, which needs it.")
]


async def organization_of(app: "App", said: str | None) -> UUID:
    """Return the organization that is named, by default the only one. Raises UsageError."""
    if said is not None:
        return (await named(app, "organization", None, said))[0]
    known = await _known(app, "organization", None)
    if not known:
        raise UsageError(
            "There is no organization yet. `controlplane organization establish SLUG` makes one."
        )
    if len(known) > 1:
        raise UsageError(f"Say for which organization, with --organization: {_list(known)}.")
    return known[0][0]


async def named(
    app: "App", option: str, organization_id: UUID | None, said: str
) -> tuple[UUID, str]:
    """Return id and slug or name of what an option means. Raises UsageError, which lists what is.

    `said` is a slug, a name, or an id as the command line or the portal prints it.
    """
    from controlplane.global_id import named_key

    key = named_key(said, _NODES[option], ("uuid",))
    found = await _known(app, option, organization_id, str(key[0]) if key else said)
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(str(id_) for id_, _ in found)
        raise UsageError(f"--{option}: several are called {said}; say the id: {ids}.")
    known = await _known(app, option, organization_id)
    there = f"there is {_list(known)}" if known else "there is none yet"
    raise UsageError(f"--{option}: there is no {option} {said}; {there}.")


async def _known(
    app: "App", option: str, organization_id: UUID | None, said: str | None = None
) -> list[tuple[UUID, str]]:
    rows = await app.services.pool.fetch(
        f"SELECT id, name FROM ({_SELECTS[option]}) AS known"  # noqa: S608  # a literal table
        " WHERE $2::text IS NULL OR $2 IN (id::text, name) ORDER BY name, id LIMIT $3",
        organization_id,
        said,
        LISTED + 1,
    )
    return [(row["id"], row["name"]) for row in rows]


def _list(known: list[tuple[UUID, str]]) -> str:
    more = " and more" if len(known) > LISTED else ""
    return ", ".join(name for _, name in known[:LISTED]) + more
