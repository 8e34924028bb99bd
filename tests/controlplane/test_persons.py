"""Who is forgotten is readable nowhere: not in tables, boxes, hashes, exports, replies or logs."""

import json
import logging
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from structlog.testing import capture_logs

from controlplane import audit
from controlplane.app import App, running
from controlplane.auth import Bearers, NotAuthenticatedError, visitor
from controlplane.commands import Answer, Command, UnitOfWork, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.invitation import (
    AcceptInvitation,
    InviteDeveloper,
    RegisterSelf,
    RenewToken,
    RevokeInvitation,
)
from controlplane.commands.person import TOKENS, TooManyTokensError
from controlplane.commands.team import ForgetPerson, LeaveTeam, RegisterDeveloper, RemoveDeveloper
from controlplane.context import Caller
from controlplane.graphql import view
from controlplane.http import middleware
from controlplane.processes.timer import erase_persons
from controlplane.settings import Settings
from controlplane.store.eventstore import IdempotencyKeyReusedError, head
from controlplane.store.writer import Receipt
from domain.access_token import Role
from domain.aggregate import DomainError
from domain.developer import Developer, DeveloperForgottenError
from domain.invitation import InvitationNotOpenError
from domain.reservation import AlreadyTakenError, Reservation
from domain.sealed import Sealed
from tests.controlplane.commands.test_secrets import tables_with
from tests.controlplane.commands.world import World, do, world
from tests.given import ACE, AT, OWNER

NAME, MAIL = "Grace Hopper", "grace.hopper@navy.example"
CLEAR = (NAME, "Grace", "Hopper", MAIL, "grace.hopper", "navy.example")
VISITOR = visitor(ACE)


async def caught_up(app: App) -> None:
    async with app.services.pool.acquire() as connection:
        last = await head(connection)
    await app.projector.wait_until(last)


def begun(answer: Answer) -> UUID:
    """Return the id of the developer that somebody became."""
    events = answer.outcome.events
    (event,) = (event for event in events if isinstance(event, Developer.Registered))
    return event.originator_id


async def person_of(app: App, answer: Answer) -> Caller:
    return await Bearers(app.services.store).caller(answer.secret, AT)


async def invited(app: App, there: World, mail: str = MAIL, key: str | None = None) -> Answer:
    return await do(app, InviteDeveloper(team_id=there.team, mail=mail, idempotency_key=key))


async def joined(app: App, there: World, mail: str = MAIL, name: str = NAME) -> Answer:
    token = (await invited(app, there, mail)).secret
    assert token is not None
    return await do(app, AcceptInvitation(token=token, name=name), VISITOR)


async def boxes(app: App) -> list[Sealed]:
    """Return everything sealed that is in any event."""
    rows = await app.services.pool.fetch(
        "SELECT convert_from(state, 'UTF8') AS state FROM stored_events"
        " WHERE convert_from(state, 'UTF8') LIKE '%\"sealed\"%'"
    )
    values = [value for row in rows for value in json.loads(row["state"]).values()]
    return [
        Sealed(**value["_data_"])
        for value in values
        if isinstance(value, dict) and value.get("_type_") == "sealed"
    ]


async def opened_by_any_key(app: App, sealed: Sealed) -> bool:
    box = b64decode(sealed.box)
    for row in await app.services.pool.fetch("SELECT key FROM person_keys"):
        try:
            bound = f"{ACE}/{sealed.person}".encode()
            AESGCM(row["key"]).decrypt(box[:12], box[12:], bound)
        except InvalidTag:
            continue
        return True
    return False


@asynccontextmanager
async def served(app: App) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    application = web.Application(middlewares=[middleware(app)])
    application.add_routes([*audit.routes(app), *view.routes(app)])
    async with TestClient(TestServer(application)) as client:
        yield client


EVERYTHING = """{ teams { nodes { name developers { nodes { id name mail state role origin } }
    invitations { nodes { mail state developer { name mail } } } } }
  accessTokens { nodes { name developer { name mail } } }
  auditEvents(first: 100) { nodes { data why { reason actor } } } }"""


async def everything_told(app: App) -> str:
    """Return the exports and the queries as an owner gets them."""
    issued = await do(app, IssueToken(name="export", role=Role.OWNER))
    await caught_up(app)
    headers = {"Authorization": f"Bearer {issued.secret}"}
    async with served(app) as client:
        export = await client.get("/audit/v1/events?limit=10000", headers=headers)
        assert export.status == 200, await export.text()
        answer = await client.post("/graphql", json={"query": EVERYTHING}, headers=headers)
        told = await answer.json()
        assert "errors" not in told, told
        return await export.text() + str(told)


async def test_a_forgotten_person_is_readable_nowhere(
    dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(dsn, Settings(log_commands=True)) as app:
        with capture_logs() as logs:
            there = await world(app)
            invite = InviteDeveloper(team_id=there.team, mail=MAIL, idempotency_key="invite")
            token = str((await do(app, invite)).secret)
            accept = AcceptInvitation(token=token, name=NAME, idempotency_key="accept")
            answer = await do(app, accept, VISITOR)
            person, id_ = await person_of(app, answer), begun(answer)
            renewed = await do(app, RenewToken(), person)
            before = await everything_told(app)
            assert NAME in before
            assert MAIL in before
            mine = [box for box in await boxes(app) if box.person == str(id_)]
            assert len(mine) == 3  # the mail twice, the name once
            assert all([await opened_by_any_key(app, box) for box in mine])

            forgotten = await do(app, ForgetPerson(developer_id=id_, idempotency_key="forget"))
            replay = await do(app, ForgetPerson(developer_id=id_, idempotency_key="forget"))

        assert replay.outcome.repeated
        assert [box for box in await boxes(app) if box.person == str(id_)] == mine
        assert not any([await opened_by_any_key(app, box) for box in mine])
        assert await app.services.vault.open(ACE, mine) == [None] * 3
        hashes = {
            row[0] for row in await app.services.pool.fetch("SELECT request_hash FROM commands")
        }
        assert not hashes & {invite.request_hash(), accept.request_hash()}
        told = await everything_told(app) + repr(logs) + caplog.text
        told += repr(forgotten.outcome) + repr(replay.outcome)
        refusals: dict[Command, tuple[Caller, type[DomainError]]] = {
            invite: (OWNER, IdempotencyKeyReusedError),
            accept: (VISITOR, InvitationNotOpenError),
        }
        for command, (asking, refusal) in refusals.items():
            with pytest.raises(refusal) as refused:
                await do(app, command, asking)
            told += str(refused.value)
        for clear in CLEAR:
            assert clear not in told
            assert await tables_with(app, clear) == set()
        assert str(id_) in told  # the search itself works
        for secret in (answer.secret, renewed.secret):
            with pytest.raises(NotAuthenticatedError):
                await Bearers(app.services.store).caller(secret, AT)
        with pytest.raises(DeveloperForgottenError):
            await do(app, ForgetPerson(developer_id=id_))


async def test_whoever_was_forgotten_can_come_again_and_nothing_links_the_two(app: App) -> None:
    there = await world(app)
    vault = app.services.vault
    first = begun(await joined(app, there))
    before = await vault.blind(ACE, MAIL)
    await do(app, ForgetPerson(developer_id=first))
    assert await vault.blind_if_named(ACE, MAIL) is None
    second = begun(await joined(app, there))
    assert second != first
    name = await vault.blind_if_named(ACE, MAIL)
    assert name is not None
    assert name != before
    reserved = await app.services.store.load(Reservation.stream(str(ACE), "mail", name))
    assert isinstance(reserved, Reservation)
    assert reserved.holder_id == second
    with pytest.raises(AlreadyTakenError):
        await invited(app, there)


async def test_a_process_killed_after_the_commit_has_forgotten_all_the_same(app: App) -> None:
    there = await world(app)
    id_ = begun(await joined(app, there))
    command, context = ForgetPerson(developer_id=id_), app.context(OWNER)
    work = UnitOfWork(app.services.store, AT, context.why(reason=""))
    await command.handle(work, context)
    receipt = Receipt(str(ACE), "killed", "killed", b"")
    await app.services.store.append(work.changed, work.only_read, [], receipt)
    told = await everything_told(app)
    assert f"'id': '{id_}'" not in told
    assert NAME not in told.split("auditEvents")[0].split("developers")[1]

    assert await erase_persons(app.services) == 1
    assert await erase_persons(app.services) == 0
    mine = [box for box in await boxes(app) if box.person == str(id_)]
    assert not any([await opened_by_any_key(app, box) for box in mine])
    assert begun(await joined(app, there)) != id_


async def test_a_refused_command_destroys_nothing(app: App) -> None:
    there = await world(app)
    id_ = begun(await joined(app, there))
    with pytest.raises(DomainError):
        await do(app, ForgetPerson(developer_id=id_, expected_version=99))
    await execute(ForgetPerson(developer_id=id_), app.context(OWNER), dry_run=True)
    mine = [box for box in await boxes(app) if box.person == str(id_)]
    assert await app.services.vault.open(ACE, mine) == [MAIL, NAME, MAIL]


async def test_others_stay_readable(app: App) -> None:
    there = await world(app)
    other = begun(await joined(app, there, "alan@bletchley.example", "Alan Turing"))
    await do(app, ForgetPerson(developer_id=begun(await joined(app, there))))
    theirs = [box for box in await boxes(app) if box.person == str(other)]
    assert "Alan Turing" in await app.services.vault.open(ACE, theirs)


async def test_a_person_acts_as_themselves_until_their_tokens_are_revoked(app: App) -> None:
    there = await world(app)
    answer = await joined(app, there)
    person = await person_of(app, answer)
    assert (person.actor, person.actor_kind) == (str(begun(answer)), "person")
    assert (person.role, person.team_id) == (Role.DEVELOPER, there.team)
    second = await do(app, RenewToken(), person)
    assert second.outcome.events[-1].why["actor"] == str(begun(answer))
    await do(app, RemoveDeveloper(developer_id=begun(answer)))
    for secret in (answer.secret, second.secret):
        with pytest.raises(NotAuthenticatedError):
            await Bearers(app.services.store).caller(secret, AT)


async def test_a_person_has_a_bounded_number_of_tokens(app: App) -> None:
    there = await world(app)
    person = await person_of(app, await joined(app, there))
    for _ in range(TOKENS - 1):
        await do(app, RenewToken(), person)
    with pytest.raises(TooManyTokensError):
        await do(app, RenewToken(), person)


async def test_whoever_leaves_gives_the_address_back_and_can_still_be_forgotten(app: App) -> None:
    there = await world(app)
    answer = await joined(app, there)
    await do(app, LeaveTeam(), await person_of(app, answer))
    with pytest.raises(NotAuthenticatedError):
        await person_of(app, answer)
    again = begun(await joined(app, there))
    await do(app, ForgetPerson(developer_id=begun(answer)))
    with pytest.raises(AlreadyTakenError):  # it is the second one's by now
        await invited(app, there)
    theirs = [box for box in await boxes(app) if box.person == str(again)]
    assert await app.services.vault.open(ACE, theirs) == [MAIL, NAME, MAIL]


async def test_an_invitation_is_used_once(app: App) -> None:
    there = await world(app)
    token = str((await invited(app, there)).secret)
    await do(app, AcceptInvitation(token=token, name=NAME), VISITOR)
    for wrong in (token, token[:-1] + "x", "cpi_x", "", "\0", token.replace("cpi", "cpt")):
        with pytest.raises(InvitationNotOpenError) as refused:
            await do(app, AcceptInvitation(token=wrong, name=NAME), VISITOR)
        assert refused.value.about == "token"


async def test_a_revoked_invitation_lets_nobody_in_and_its_address_is_forgotten(app: App) -> None:
    there = await world(app)
    answer = await invited(app, there)
    revoke = RevokeInvitation(invitation_id=answer.outcome.events[-1].originator_id)
    await do(app, revoke)
    with pytest.raises(InvitationNotOpenError):
        await do(app, AcceptInvitation(token=str(answer.secret), name=NAME), VISITOR)
    opened = await app.services.vault.open(ACE, await boxes(app))
    assert MAIL not in opened
    assert begun(await joined(app, there))


async def test_registration_by_oneself_forms_a_team_and_starts_the_clock(app: App) -> None:
    await world(app)
    register = RegisterSelf(team_name="Cobol", name=NAME, mail=MAIL)
    answer = await do(app, register, VISITOR)
    topics = [event.TOPIC for event in answer.outcome.events]
    assert topics[:2] == ["reservation.taken", "team.formed"]
    (registered,) = (e for e in answer.outcome.events if isinstance(e, Developer.Registered))
    assert (registered.role, registered.origin) == ("ADMIN", "SELF")
    assert registered.onboarding_began_at == AT
    person = await person_of(app, answer)
    assert (person.team_id, person.developer_id) == (registered.team_id, registered.originator_id)
    await do(app, InviteDeveloper(team_id=registered.team_id, mail="b@example.com"), person)
    with pytest.raises(AlreadyTakenError) as refused:
        await do(app, register, VISITOR)
    assert refused.value.about == "mail"


async def test_a_developers_own_token_can_be_issued_by_the_owner(app: App) -> None:
    there = await world(app)
    issue: dict[str, Any] = {"name": "laptop", "role": Role.DEVELOPER}
    answer = await do(app, IssueToken(**issue, team_id=there.team, developer_id=there.admin))
    assert (await person_of(app, answer)).developer_id == there.admin
    command: Command = IssueToken(**issue, team_id=there.other_team, developer_id=there.admin)
    with pytest.raises(DomainError):
        await do(app, command)


async def test_of_who_registered_and_is_forgotten_no_key_has_the_hash_of_name_and_mail(
    app: App,
) -> None:
    await world(app)
    register = RegisterSelf(team_name="Cobol", name=NAME, mail=MAIL, idempotency_key="1")
    registered = await do(app, register, VISITOR)
    again = await do(app, register, VISITOR)
    assert (again.outcome.repeated, again.outcome.position) == (True, registered.outcome.position)
    (id_,) = (
        each.originator_id
        for each in registered.outcome.events
        if isinstance(each, Developer.Registered)
    )
    keys = "SELECT string_agg(key || encode(request_hash, 'hex'), ' ') FROM commands"
    assert register.request_hash().hex() in await app.services.pool.fetchval(keys)

    for _ in range(2):  # what was cut short is done again
        await do(app, ForgetPerson(developer_id=id_, idempotency_key="forget"))
        assert register.request_hash().hex() not in await app.services.pool.fetchval(keys)
    anew = await do(app, register, VISITOR)
    assert not anew.outcome.repeated


async def test_registered_by_the_provider_they_are_forgotten_too(app: App) -> None:
    there = await world(app)
    register = RegisterDeveloper(team_id=there.team, name=NAME, mail=MAIL, idempotency_key="r")
    id_ = begun(await do(app, register))
    await do(app, ForgetPerson(developer_id=id_))
    row = await app.services.pool.fetchrow("SELECT request_hash FROM commands WHERE key = 'r'")
    assert row is not None
    assert row["request_hash"] == b""
    for clear in CLEAR:
        assert await tables_with(app, clear) == set()
