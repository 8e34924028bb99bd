"""The COMMIT went through and its answer did not: the database is behind a proxy that drops it."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from controlplane import secret
from controlplane.app import App, running
from controlplane.commands import Answer, Command, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.credential import IssueCredential
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.subscription import AcceptSubscription
from controlplane.commands.team import FormTeam
from domain.access_token import AccessToken, Role
from domain.subscription import Subscription
from tests.controlplane.commands.world import do, world
from tests.faults.proxy import Link, Proxy, proxied
from tests.given import OPERATOR, OWNER

# What PostgreSQL says after the COMMIT of the writer's one statement, of which one row was asked
# for: PortalSuspended, ReadyForQuery outside of a transaction.
ANSWERED = b"s\0\0\0\4Z\0\0\0\5I"


def lose(proxy: Proxy, times: int) -> list[bytes]:
    """Lose the next answers to the writer, after the COMMIT; return those that were lost."""
    lost: list[bytes] = []

    def on_answer(link: Link, answer: bytes) -> bool:
        if b"append_saves" in link.said and ANSWERED in answer and len(lost) < times:
            lost.append(answer)
            return False
        return True

    proxy.on_answer = on_answer
    return lost


async def lost_and_answered(app: App, proxy: Proxy, command: Command, times: int = 1) -> Answer:
    lost = lose(proxy, times)
    context = app.context(OPERATOR if isinstance(command, EstablishOrganization) else OWNER)
    answer = await execute(command, context)
    assert len(lost) == times
    assert answer.outcome.repeated  # so it was committed when the answer was lost
    return answer


async def count(app: App, table: str = "stored_events") -> int:
    found: int = await app.services.pool.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def test_a_command_is_committed_once_and_answered_with_what_it_did(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, follow=False) as app:
        for times in (1, 2, 3):
            before = await count(app)
            answer = await lost_and_answered(app, proxy, FormTeam(name="Payments"), times)
            assert answer.outcome.position == before + 1 == await count(app)
            assert await count(app, "commands") == before + 1


async def test_a_change_of_what_is_at_hand_is_neither_refused_nor_done_twice(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, follow=False) as app:
        there = await world(app)
        accept = AcceptSubscription(subscription_id=there.pending, expected_version=1)
        answer = await lost_and_answered(app, proxy, accept)
        assert [event.TOPIC for event in answer.outcome.events] == ["subscription.accepted"]
        # What the process remembers of the subscription is right again.
        assert (await do(app, IssueCredential(subscription_id=there.pending))).secret


@pytest.mark.parametrize("key", [None, "once"])
async def test_an_issuance_still_shows_its_secret_once(dsn: str, key: str | None) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, follow=False) as app:
        active = (await world(app)).active
        issue = IssueCredential(subscription_id=active, idempotency_key=key)
        answer = await lost_and_answered(app, proxy, issue)
        (issued,) = answer.outcome.events
        assert isinstance(issued, Subscription.CredentialIssued)
        assert answer.secret is not None
        assert secret.matches(answer.secret, issued.sha256)
        if key is not None:
            again = await do(app, issue)
            assert (again.secret, again.outcome.repeated) == (None, True)
            assert again.outcome.events == answer.outcome.events


async def test_a_new_organization_still_gets_the_token_of_its_owner(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, follow=False) as app:
        establish = EstablishOrganization(slug="ace", name="Ace Inc.")
        answer = await lost_and_answered(app, proxy, establish)
        issued = answer.outcome.events[-1]
        assert isinstance(issued, AccessToken.Issued)
        assert answer.secret is not None
        assert secret.matches(answer.secret, issued.sha256)


async def test_everybody_whose_answer_was_lost_in_one_batch_is_answered(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, follow=False) as app:
        lost = lose(proxy, 1)
        commands: list[Command] = [FormTeam(name=f"Team {n}") for n in range(30)]
        commands += [IssueToken(name=f"Token {n}", role=Role.AUDITOR) for n in range(30)]
        answers = await asyncio.gather(*(do(app, command) for command in commands))
        assert len(lost) == 1
        assert sorted(each.outcome.position or 0 for each in answers) == list(range(1, 61))
        assert sum(each.secret is not None for each in answers) == 30
        assert await count(app) == 60


async def test_a_retry_of_another_callers_loss_is_not_mixed_up(dsn: str) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, follow=False) as app:
        team = FormTeam(name="Payments", idempotency_key="k")
        first = await lost_and_answered(app, proxy, team)
        bob = replace(OWNER, actor="bob")
        second = await execute(team, app.context(bob))
        assert first.outcome.events != second.outcome.events
        assert isinstance(first.outcome.events[0].originator_id, UUID)
        assert await count(app) == 2


async def test_a_caller_cancelled_between_commit_and_answer_leaves_no_false_memory(
    dsn: str,
) -> None:
    async with proxied(dsn) as proxy, running(proxy.dsn, follow=False) as app:
        there = await world(app)
        accept = AcceptSubscription(subscription_id=there.pending, idempotency_key="a")
        accepting = asyncio.create_task(do(app, accept))

        def cancel(link: Link, answer: bytes) -> bool:
            if b"append_saves" in link.said and ANSWERED in answer:
                accepting.cancel()
            return True

        proxy.on_answer = cancel
        await asyncio.wait([accepting])
        assert accepting.cancelled()
        proxy.on_answer = lambda *_: True
        again = await do(app, accept)
        assert (again.outcome.repeated, len(again.outcome.events)) == (True, 1)
        assert (await do(app, IssueCredential(subscription_id=there.pending))).secret
