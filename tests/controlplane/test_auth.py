"""Who is let in, as what, and who is not."""

from datetime import timedelta
from uuid import UUID

import pytest

from controlplane import secret
from controlplane.app import App, running
from controlplane.auth import (
    ANONYMOUS,
    PERMISSIONS,
    Bearers,
    NotAuthenticatedError,
    bearer,
    process,
)
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.context import INSTALLATION
from controlplane.secret import SECRET_BYTES, TOKEN_PREFIX
from domain.access_token import Role
from tests.controlplane.commands.world import do, world
from tests.given import ACE, AT, OPERATOR


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER  abc ", "abc"),
        ("Bearer", ""),
        ("Bearer ", ""),
    ],
)
def test_the_token_is_what_follows_bearer(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


@pytest.mark.parametrize("header", ["", "abc", "Basic YTpi", "Token abc", "Bearerabc"])
def test_another_scheme_is_refused(header: str) -> None:
    with pytest.raises(NotAuthenticatedError, match="unknown, mistyped, expired or revoked"):
        bearer(header)


async def test_without_a_token_the_caller_is_anonymous_and_may_nothing(app: App) -> None:
    assert await Bearers(app.services.store).caller(None, AT) == ANONYMOUS
    assert (ANONYMOUS.role, ANONYMOUS.permissions) == (None, frozenset())


async def test_the_bearer_of_a_token_has_its_role_organization_team_and_gateway(app: App) -> None:
    there = await world(app)
    for role in set(Role) - {Role.OPERATOR}:
        team_id = there.team if role is Role.DEVELOPER else None
        gateway_id = there.gateway if role is Role.GATEWAY else None
        issue = IssueToken(name="t", role=role, team_id=team_id, gateway_id=gateway_id)
        issued = await do(app, issue)
        caller = await Bearers(app.services.store).caller(issued.secret, AT)
        assert (caller.role, caller.organization_id) == (role, ACE)
        assert (caller.team_id, caller.gateway_id) == (team_id, gateway_id)
        assert caller.permissions == PERMISSIONS[role]
        assert caller.actor == str(issued.outcome.events[0].originator_id)
        assert caller.actor_kind == ("gateway" if role is Role.GATEWAY else "token")
    operator = await do(app, IssueToken(name="op", role=Role.OPERATOR), OPERATOR)
    caller = await Bearers(app.services.store).caller(operator.secret, AT)
    assert (caller.role, caller.organization_id) == (Role.OPERATOR, INSTALLATION)


async def test_an_expired_or_revoked_token_lets_nobody_in(app: App) -> None:
    end = AT + timedelta(hours=1)
    issued = await do(app, IssueToken(name="t", role=Role.AUDITOR, expires_at=end))
    store = app.services.store
    assert (await Bearers(store).caller(issued.secret, end - timedelta(seconds=1))).role
    for late in (end, end + timedelta(days=1)):
        with pytest.raises(NotAuthenticatedError):
            await Bearers(store).caller(issued.secret, late)
    await do(app, RevokeToken(token_id=issued.outcome.events[0].originator_id))
    with pytest.raises(NotAuthenticatedError):
        await Bearers(store).caller(issued.secret, AT)


async def test_what_only_looks_like_a_token_lets_nobody_in(app: App) -> None:
    there = await world(app)
    issued = await do(app, IssueToken(name="t", role=Role.AUDITOR))
    token_id = issued.outcome.events[0].originator_id
    guessed = secret.mint(TOKEN_PREFIX, token_id, bytes(SECRET_BYTES)).text
    nobody = secret.mint(TOKEN_PREFIX, UUID(int=0xDEAD), bytes(SECRET_BYTES)).text
    no_token = secret.mint(TOKEN_PREFIX, there.product, bytes(SECRET_BYTES)).text
    assert issued.secret is not None
    key = issued.secret.replace("cpt_", "cpk_")
    wrong = ["", " ", "cpt_", "\0", "\ud800", "x" * 10_000, issued.secret[:-1], key]
    for shown in (*wrong, guessed, nobody, no_token):
        with pytest.raises(NotAuthenticatedError):
            await Bearers(app.services.store).caller(shown, AT)


def test_our_own_processes_may_do_everything_in_one_organization() -> None:
    caller = process(ACE, "demo", "cli")
    assert (caller.organization_id, caller.role, caller.channel) == (ACE, None, "cli")
    assert all(granted <= caller.permissions for granted in PERMISSIONS.values())


def test_an_auditor_changes_nothing() -> None:
    assert all(each.endswith(":read") for each in PERMISSIONS[Role.AUDITOR])


async def test_a_bearer_let_in_before_is_let_in_as_long_as_the_token_holds(app: App) -> None:
    end = AT + timedelta(hours=1)
    issued = await do(app, IssueToken(name="t", role=Role.AUDITOR, expires_at=end))
    assert issued.secret is not None
    bearers = Bearers(app.services.store)
    first = await bearers.caller(issued.secret, AT)
    assert first == await Bearers(app.services.store).caller(issued.secret, AT)
    assert await bearers.caller(issued.secret, AT) is first
    for wrong in (issued.secret[:-1], issued.secret + "x", "", "\udcff"):
        with pytest.raises(NotAuthenticatedError):
            await bearers.caller(wrong, AT)
    with pytest.raises(NotAuthenticatedError):
        await bearers.caller(issued.secret, end)
    assert await bearers.caller(issued.secret, AT) == first
    await do(app, RevokeToken(token_id=issued.outcome.events[0].originator_id))
    with pytest.raises(NotAuthenticatedError):
        await bearers.caller(issued.secret, AT)
    assert await bearers.caller(None, AT) == ANONYMOUS


async def test_a_token_that_another_process_may_have_revoked_is_looked_up_again(
    app: App, dsn: str
) -> None:
    issued = await do(app, IssueToken(name="t", role=Role.AUDITOR))
    assert issued.secret is not None
    token_id, bearers = issued.outcome.events[0].originator_id, Bearers(app.services.store)
    first = await bearers.caller(issued.secret, AT)
    app.services.store.suspect_all([token_id])
    assert await bearers.caller(issued.secret, AT) == first
    async with running(dsn, follow=False) as other:
        await do(other, RevokeToken(token_id=token_id))
    app.services.store.suspect_all([token_id])
    with pytest.raises(NotAuthenticatedError):
        await bearers.caller(issued.secret, AT)


async def test_the_bearers_let_in_last_are_remembered(app: App) -> None:
    bearers = Bearers(app.services.store, limit=2)
    secrets = [(await do(app, IssueToken(name="t", role=Role.AUDITOR))).secret for _ in range(3)]
    first = [await bearers.caller(each, AT) for each in secrets]
    again = [await bearers.caller(each, AT) for each in (secrets[2], secrets[1])]
    assert [again[0] is first[2], again[1] is first[1]] == [True, True]
    assert await bearers.caller(secrets[0], AT) is not first[0]
