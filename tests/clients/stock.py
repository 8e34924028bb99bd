"""What clients of other makers meet: the real service, and more rows than one page holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from controlplane.app import running
from controlplane.auth import process
from controlplane.commands import execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.application import RegisterApplication
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.team import FormTeam
from controlplane.store.eventstore import head
from domain.access_token import Role
from tests.given import OPERATOR
from tests.processes import serving

ROWS = 5_000
AT_ONCE = 250


@dataclass(frozen=True)
class Shop:
    """A service in a process of its own, and an organization in it with so many applications."""

    url: str
    token: str
    team_id: UUID
    rows: int


@asynccontextmanager
async def stocked(dsn: str, log: Path) -> AsyncIterator[Shop]:
    """Serve an organization that has 5,000 applications, until the block ends."""
    async with running(dsn) as app:
        established = await execute(
            EstablishOrganization(slug="a", name="A"), app.context(OPERATOR)
        )
        organization_id = UUID(established.outcome.events[-1].why["organization"])
        context = app.context(process(organization_id, "test", "api"))
        formed = await execute(FormTeam(name="Team"), context)
        team_id = formed.outcome.events[0].originator_id
        issued = await execute(IssueToken(name="client", role=Role.OWNER), context)
        assert issued.secret
        for start in range(0, ROWS, AT_ONCE):
            commands = (
                RegisterApplication(team_id=team_id, name=f"application {nth % 7} {nth}")
                for nth in range(start, start + AT_ONCE)
            )
            await asyncio.gather(*(execute(command, context) for command in commands))
        async with app.services.pool.acquire() as connection:
            await app.projector.wait_until(await head(connection))
    with serving(log, CONTROLPLANE_DATABASE_URL=dsn) as served:
        yield Shop(served.announced["url"], issued.secret, team_id, ROWS)
