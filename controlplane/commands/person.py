"""What commands about persons share: who may manage a team, and the tokens of one person."""

from datetime import timedelta
from uuid import UUID

from controlplane.commands import NotPermittedError, UnitOfWork, require_team
from controlplane.context import Context
from controlplane.persons import MAIL
from controlplane.secret import SECRET_BYTES, TOKEN_PREFIX, mint
from domain import text
from domain.access_token import AccessToken, Role
from domain.aggregate import DomainError
from domain.developer import Developer, DeveloperState, TeamRole
from domain.sealed import Sealed

TOKEN_DAYS = 90
TOKENS = 10
OTHERS = 100
"""People of a team among whom another administrator is looked for, administrators first."""
_OTHERS = (
    "SELECT id FROM developer WHERE organization_id = $1 AND team_id = $2 AND id <> $3"
    " AND state = 'ACTIVE' ORDER BY role = 'ADMIN' DESC, created_at, id LIMIT $4"
)
TOKEN_NAME = "of a person"  # noqa: S105  # no secret, and no name either


class LastAdministratorError(DomainError):
    """The team would have nobody who manages it; make another one of its people an ADMIN first."""


class TooManyTokensError(DomainError):
    """A person has at most 10 valid tokens; revoke one, or wait until one expires."""


async def require_manager(work: UnitOfWork, context: Context, team_id: UUID, about: str) -> None:
    """Let the provider pass, and administrators of the team.

    Raises NotFoundError for another team's caller, NotPermittedError.
    """
    require_team(context, team_id, about)
    caller = context.caller
    if caller.team_id is None:
        return
    if caller.developer_id is not None:
        person = await work.get(Developer, caller.developer_id, about)
        if person.state is DeveloperState.ACTIVE and person.role == TeamRole.ADMIN.value:
            return
    raise NotPermittedError(None, "It needs an administrator of the team.")


async def require_another_administrator(
    work: UnitOfWork, context: Context, developer: Developer
) -> None:
    """Refuse a team to part with the last of its administrators, unless nobody else is left.

    The provider may have it so, for it manages every team. Who else is in the team the read model
    tells, what they are to it their own streams, which the commit asserts: of two who go at once
    the second is refused. Raises LastAdministratorError, UnavailableError.
    """
    if context.caller.team_id is None or developer.role != TeamRole.ADMIN.value:
        return
    services, found = context.services, (context.caller.organization_id, developer.team_id)
    async with services.lend() as connection:
        others = await connection.fetch(_OTHERS, *found, developer.id, OTHERS)
    for row in others:
        person = await work.get(Developer, row["id"], "developer_id")
        if person.state is DeveloperState.ACTIVE and person.role == TeamRole.ADMIN.value:
            return
    if others:
        raise LastAdministratorError


async def oneself(work: UnitOfWork, context: Context) -> Developer:
    """Return the person who asks. Raises NotPermittedError for any other token."""
    if context.caller.developer_id is None:
        raise NotPermittedError(None, "It needs the token of a person.")
    return await work.get(Developer, context.caller.developer_id, "developer_id")


async def introduced(
    work: UnitOfWork, context: Context, mail: str, *texts: str
) -> tuple[UUID, tuple[Sealed, ...]]:
    """Return the id of a person to come, with the mail address and the texts under their key.

    An address is used once in an organization: it is reserved, under a name that only the
    organization can compute. Raises MailInvalidError, AlreadyTakenError, UnavailableError.
    """
    organization_id, services = context.caller.organization_id, context.services
    mail = text.mail(mail, "mail")
    person_id = services.new_id()
    named = await services.vault.blind(organization_id, mail)
    await work.reserve(MAIL, named, person_id, "mail")
    return person_id, await services.vault.seal(organization_id, person_id, mail, *texts)


async def grant(work: UnitOfWork, developer: Developer, token_id: UUID) -> None:
    """Have the person remember a new token. Raises TooManyTokensError, DeveloperNotActiveError."""
    valid = [
        known
        for known in developer.token_ids  # at most TOKENS: others were dropped when one was added
        if (await work.get(AccessToken, known, "developer_id")).valid(work.at)
    ]
    if len(valid) >= TOKENS:
        raise TooManyTokensError
    developer.grant_tokens([*valid, token_id], at=work.at, why=work.why)


async def let_in(work: UnitOfWork, context: Context, developer: Developer) -> None:
    """Issue a token to the person; the work's secret is the only time it is seen.

    Raises TooManyTokensError, DeveloperNotActiveError.
    """
    services = context.services
    token_id = services.new_id()
    token = mint(TOKEN_PREFIX, token_id, services.entropy(SECRET_BYTES))
    await grant(work, developer, token_id)
    work.add(
        AccessToken.issue(
            token_id,
            name=TOKEN_NAME,
            role=Role.DEVELOPER,
            sha256=token.sha256,
            team_id=developer.team_id,
            gateway_id=None,
            expires_at=work.at + timedelta(days=TOKEN_DAYS),
            developer_id=developer.id,
            at=work.at,
            why=work.why,
        )
    )
    work.secret = token.text


async def shut_out(work: UnitOfWork, developer: Developer) -> None:
    """Revoke every token of the person."""
    for token_id in developer.token_ids:
        token = await work.get(AccessToken, token_id, "developer_id")
        if not token.revoked:
            token.revoke(at=work.at, why=work.why)
