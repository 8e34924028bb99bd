"""Secrets are shown once and kept nowhere; personal data is kept only under its key."""

import logging
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from controlplane import secret
from controlplane.app import App, running
from controlplane.auth import Bearers
from controlplane.commands import execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.commands.credential import IssueCredential
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.team import RegisterDeveloper
from controlplane.settings import Settings
from domain.access_token import AccessToken, Role
from domain.developer import Developer
from domain.reservation import AlreadyTakenError, Reservation
from domain.subscription import Subscription
from domain.text import LabelInvalidError, MailInvalidError
from tests.controlplane.commands.world import begun, do, world
from tests.given import ACE, AT, OPERATOR, OWNER, STRANGER

ALL_TABLES = """SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""


async def tables_with(app: App, text: str) -> set[str]:
    """Return the tables in which the text is, in any column: as text or as bytes."""
    pool = app.services.pool
    forms = [text, text.encode().hex(), text.swapcase(), text.swapcase().encode().hex()]
    found = set()
    for table in [row[0] for row in await pool.fetch(ALL_TABLES)]:
        looked = f"SELECT EXISTS (SELECT FROM {table} AS t WHERE t::text ~~* ANY($1))"
        if await pool.fetchval(looked, [f"%{form}%" for form in forms]):
            found.add(table.partition(".")[2])
    return found


async def test_secrets_are_in_no_table_event_or_log(
    dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(dsn, Settings(log_commands=True)) as app:
        with capture_logs() as logs:
            there = await world(app)
            establish = EstablishOrganization(slug="new", name="New")
            answers = [
                await do(app, IssueCredential(subscription_id=there.active)),
                await do(app, IssueToken(name="ci", role=Role.OWNER)),
                await execute(establish, app.context(OPERATOR)),
            ]
        await app.projector.wait_until(answers[-1].outcome.position or 0)
        for answer in answers:
            assert answer.secret is not None
            body = answer.secret.partition(".")[2]
            for kept in (answer.secret, body, body[:20]):
                assert await tables_with(app, kept) == set()
                assert kept not in repr(logs) + repr(answer.outcome) + caplog.text
            # The search itself works: the hash of the same secret is found.
            (issued,) = (e for e in answer.outcome.events if hasattr(e, "sha256"))
            assert isinstance(issued, Subscription.CredentialIssued | AccessToken.Issued)
            assert issued.sha256 == secret.fingerprint(answer.secret)
            assert "stored_events" in await tables_with(app, issued.sha256)


async def test_a_replay_of_an_issuance_shows_no_secret(app: App) -> None:
    there = await world(app)
    for issue in (
        IssueCredential(subscription_id=there.active, idempotency_key="key"),
        IssueToken(name="ci", role=Role.OWNER, idempotency_key="token"),
    ):
        first, again = await do(app, issue), await do(app, issue)
        assert first.secret is not None
        assert (again.secret, again.outcome.repeated) == (None, True)
        assert again.outcome.events == first.outcome.events


async def test_a_key_names_its_credential_and_matches_what_is_kept(app: App) -> None:
    answer = await do(app, IssueCredential(subscription_id=(await world(app)).active))
    (issued,) = answer.outcome.events
    assert isinstance(issued, Subscription.CredentialIssued)
    assert answer.secret is not None
    id_ = secret.parse(secret.KEY_PREFIX, answer.secret)
    assert id_ is not None
    assert issued.credential_id == secret.name_of(id_)
    assert answer.secret not in repr(issued)


async def test_an_issued_token_opens_the_door_until_it_is_revoked(app: App) -> None:
    answer = await do(app, IssueToken(name="ci", role=Role.PRODUCT_MANAGER))
    caller = await Bearers(app.services.store).caller(answer.secret, AT)
    assert (caller.role, caller.organization_id) == (Role.PRODUCT_MANAGER, ACE)
    token_id = answer.outcome.events[0].originator_id
    await do(app, RevokeToken(token_id=token_id))
    with pytest.raises(Exception, match="revoked"):
        await Bearers(app.services.store).caller(answer.secret, AT)


async def test_the_first_owner_of_an_organization_owns_it_and_nothing_else(app: App) -> None:
    establish = EstablishOrganization(slug="new", name="New")
    answer = await execute(establish, app.context(OPERATOR))
    owner = await Bearers(app.services.store).caller(answer.secret, AT)
    organization = next(e for e in answer.outcome.events if e.TOPIC == "organization.established")
    assert (owner.role, owner.organization_id) == (Role.OWNER, organization.originator_id)
    with pytest.raises(AlreadyTakenError):
        await execute(establish, app.context(OPERATOR))


REGISTER: dict[str, Any] = {"name": "Grace Hopper", "mail": "Grace.Hopper@example.com"}


async def test_names_and_mail_addresses_are_readable_nowhere(app: App) -> None:
    there = await world(app)
    register = RegisterDeveloper(team_id=there.team, **REGISTER)
    answer = await do(app, register)
    await app.projector.wait_until(answer.outcome.position or 0)
    for text in ("Grace", "Hopper", "grace.hopper@example.com", "example.com"):
        assert await tables_with(app, text) == set()
    assert "developer" in await tables_with(app, str(answer.outcome.events[-1].originator_id))


async def test_a_person_is_readable_until_the_key_is_destroyed(app: App) -> None:
    there = await world(app)
    answer = await do(app, RegisterDeveloper(team_id=there.team, **REGISTER))
    registered = answer.outcome.events[-1]
    assert isinstance(registered, Developer.Registered)
    sealed, vault = (registered.name, registered.mail), app.services.vault
    assert await vault.open(ACE, sealed) == ["Grace Hopper", "grace.hopper@example.com"]
    await app.services.pool.execute(
        "DELETE FROM person_keys WHERE person = $1", registered.originator_id
    )
    assert await vault.open(ACE, sealed) == [None, None]


async def test_a_mail_address_is_used_once_in_an_organization_however_it_is_written(
    app: App,
) -> None:
    ours, theirs = await world(app), await world(app, STRANGER)
    await do(app, RegisterDeveloper(team_id=ours.team, **REGISTER))
    again = RegisterDeveloper(
        team_id=ours.other_team, name="Amazing Grace", mail="GRACE.HOPPER@EXAMPLE.COM"
    )
    with pytest.raises(AlreadyTakenError) as refused:
        await do(app, again)
    assert refused.value.about == "mail"
    await do(app, RegisterDeveloper(team_id=theirs.team, **REGISTER), STRANGER)


async def test_whether_an_address_is_known_cannot_be_computed_from_outside(app: App) -> None:
    team = (await world(app)).team
    await begun(app, RegisterDeveloper(team_id=team, **REGISTER))
    guess = Reservation.stream(str(ACE), "mail", REGISTER["mail"].lower())
    found = await app.services.pool.fetchval(
        "SELECT EXISTS (SELECT FROM stored_events WHERE originator_id = $1)", guess
    )
    assert not found


async def test_a_developer_has_a_name_and_an_address(app: App) -> None:
    team = (await world(app)).team
    with pytest.raises(LabelInvalidError):
        await do(app, RegisterDeveloper(team_id=team, name="", mail="a@b"))
    with pytest.raises(MailInvalidError):
        await do(app, RegisterDeveloper(team_id=team, name="A", mail="a"))


async def test_a_key_that_is_not_one_is_kept_out_by_the_database(app: App) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await app.services.pool.execute(
            "INSERT INTO person_keys VALUES ($1, $1, $2)", OWNER.organization_id, b"short"
        )
