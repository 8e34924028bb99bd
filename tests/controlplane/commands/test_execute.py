"""One command, however often it is sent, by whomever, while others change what it reads."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from controlplane.app import App, running
from controlplane.commands import (
    Command,
    IdempotencyKeyInvalidError,
    NotPermittedError,
    VersionChangedError,
    execute,
)
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.credential import IssueCredential, RevokeCredential
from controlplane.commands.plan import DraftPlanVersion, PublishPlanVersion
from controlplane.commands.subscription import AcceptSubscription, CancelSubscription
from controlplane.commands.team import FormTeam
from controlplane.settings import Settings
from controlplane.store.eventstore import IdempotencyKeyReusedError
from controlplane.store.writer import ConflictError
from domain.aggregate import DomainError
from domain.credential import CredentialUnknownError
from domain.subscription_life import SubscriptionNotActiveError
from domain.text import LabelInvalidError, ProseInvalidError
from tests.controlplane.commands.world import FREE, do, world
from tests.given import AUDITOR, OWNER

TEAM = FormTeam(name="Payments", idempotency_key="once")
ACCEPT_HASH = "ed7ecc1f747752111adc4d24bf2d241b8015b1589d9291ce929e716ea4a8251c"
DRAFT_HASH = "a910c60deab17883362e65f399620001b4490a98716b07782f123dc32e979278"


async def events(app: App) -> int:
    found: int = await app.services.pool.fetchval("SELECT count(*) FROM stored_events")
    return found


async def pending(app: App) -> UUID:
    return (await world(app)).pending


async def test_a_retry_gets_the_first_outcome_again(app: App) -> None:
    first, again = await do(app, TEAM), await do(app, TEAM)
    assert (first.outcome.position, first.outcome.repeated) == (1, False)
    assert again.outcome == replace(first.outcome, repeated=True)
    assert await events(app) == 1


async def test_a_retry_is_recognised_by_another_process(app: App, dsn: str) -> None:
    first = await do(app, TEAM)
    async with running(dsn, follow=False) as other:
        assert (await do(other, TEAM)).outcome == replace(first.outcome, repeated=True)


async def test_a_retry_is_recognised_although_it_would_be_refused_now(app: App) -> None:
    id_ = await pending(app)
    accept = AcceptSubscription(subscription_id=id_, idempotency_key="a", expected_version=1)
    first = await do(app, accept)
    await do(app, CancelSubscription(subscription_id=id_))
    again = await do(app, accept)
    assert again.outcome == replace(first.outcome, repeated=True)


async def test_simultaneous_retries_commit_once(app: App, dsn: str) -> None:
    there = await world(app)
    before = await events(app)
    accept = AcceptSubscription(subscription_id=there.pending, idempotency_key="a")
    async with running(dsn, follow=False) as other:
        answers = await asyncio.gather(
            *(do(process, command) for process in (app, other) * 8 for command in (accept, TEAM))
        )
    for topic in ("subscription.accepted", "team.formed"):
        outcomes = [answer.outcome for answer in answers if topic == answer.outcome.events[0].TOPIC]
        assert len(outcomes) == 16
        once = (outcomes[0].position, outcomes[0].events)
        assert all((each.position, each.events) == once for each in outcomes)
        assert Counter(each.repeated for each in outcomes)[False] == 1
    assert await events(app) == before + 2


async def test_a_key_does_not_serve_two_requests(app: App) -> None:
    await do(app, TEAM)
    for other in (replace(TEAM, name="Search"), replace(TEAM, reason="another")):
        with pytest.raises(IdempotencyKeyReusedError) as refused:
            await do(app, other)
        assert refused.value.about == "idempotency_key"
    with pytest.raises(IdempotencyKeyReusedError):
        await do(app, DefineProduct(slug="pets", name="Pets", idempotency_key="once"))
    assert await events(app) == 1


async def test_a_key_is_the_callers_own(app: App) -> None:
    await do(app, TEAM)
    await do(app, TEAM, replace(OWNER, actor="bob"))
    assert await events(app) == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "ä", "a\nb", "\0", "\ud800"])
async def test_a_key_is_short_and_printable(app: App, key: str) -> None:
    with pytest.raises(IdempotencyKeyInvalidError) as refused:
        await do(app, replace(TEAM, idempotency_key=key))
    assert refused.value.about == "idempotency_key"


def test_a_request_is_recognised_after_a_deploy() -> None:
    # A literal: requests that are sent again across an update have the hash of the old release.
    accept = AcceptSubscription(subscription_id=UUID(int=1), expected_version=3)
    assert accept.request_hash().hex() == ACCEPT_HASH
    draft = DraftPlanVersion(plan_id=UUID(int=1), terms=FREE)
    assert draft.request_hash().hex() == DRAFT_HASH


def test_a_field_that_a_later_release_adds_changes_no_hash() -> None:
    @dataclass(frozen=True, kw_only=True)
    class FormTeam(TEAM.__class__):  # type: ignore[misc,name-defined]  # the next release's
        colour: str = "grey"
        tags: list[str] = field(default_factory=list)

    later = FormTeam(name="Payments")
    assert later.request_hash() == TEAM.request_hash()
    for asked in (replace(later, colour="red"), replace(later, tags=["new"])):
        assert asked.request_hash() != TEAM.request_hash()


async def test_texts_that_cannot_be_stored_are_refused_with_and_without_a_key(app: App) -> None:
    for key in (None, "k"):
        with pytest.raises(LabelInvalidError):
            await do(app, FormTeam(name="\ud800", idempotency_key=key))
        for reason in ("\ud800", "\0", "x" * 20_001):
            with pytest.raises(ProseInvalidError) as refused:
                await do(app, FormTeam(name="T", reason=reason, idempotency_key=key))
            assert refused.value.about == "reason"


async def test_a_dry_run_tells_and_changes_nothing(app: App) -> None:
    id_ = await pending(app)
    before = await events(app)
    accept = AcceptSubscription(subscription_id=id_, idempotency_key="dry")
    dry = await execute(accept, app.context(OWNER), dry_run=True)
    assert dry.outcome.position is None
    assert [event.TOPIC for event in dry.outcome.events] == ["subscription.accepted"]
    assert (await events(app), dry.secret) == (before, None)
    assert (await do(app, accept)).outcome.position == before + 1


async def test_a_dry_run_is_refused_like_the_command_itself(app: App) -> None:
    id_ = await pending(app)
    with pytest.raises(SubscriptionNotActiveError):
        await execute(IssueCredential(subscription_id=id_), app.context(OWNER), dry_run=True)
    with pytest.raises(NotPermittedError):
        await execute(TEAM, app.context(AUDITOR), dry_run=True)


async def test_a_dry_run_of_an_issuance_shows_no_secret(app: App) -> None:
    issue = IssueCredential(subscription_id=(await world(app)).active)
    dry = await execute(issue, app.context(OWNER), dry_run=True)
    assert (dry.secret, len(dry.outcome.events)) == (None, 1)


async def test_a_version_that_is_not_the_expected_one_is_refused(app: App) -> None:
    there = await world(app)
    for command in (
        AcceptSubscription(subscription_id=there.pending, expected_version=2),
        PublishProduct(product_id=there.draft_product, expected_version=0),
        PublishPlanVersion(plan_id=there.drafted_plan, expected_version=1),
    ):
        with pytest.raises(VersionChangedError, match="It is at") as refused:
            await do(app, command)
        assert refused.value.about == "expected_version"
    await do(app, AcceptSubscription(subscription_id=there.pending, expected_version=1))


async def test_every_event_says_why(app: App) -> None:
    context = app.context(OWNER, "request 7")
    command = replace(TEAM, reason="trial")
    why = (await execute(command, context)).outcome.events[0].why
    assert (why["organization"], why["actor"]) == (str(OWNER.organization_id), "ada")
    assert (why["actor_kind"], why["channel"]) == ("person", "portal")
    assert (why["correlation"], why["reason"]) == ("request 7", "trial")
    assert UUID(why["command"])
    other = (await execute(FormTeam(name="B"), context)).outcome.events[0].why
    assert other["command"] != why["command"]


async def test_success_is_logged_when_asked_for_and_refusals_are_not(dsn: str) -> None:
    async with running(dsn, Settings(log_commands=True), follow=False) as app:
        with capture_logs() as logs:
            await do(app, TEAM)
            with pytest.raises(LabelInvalidError):
                await do(app, FormTeam(name=""))
    assert [line["event"] for line in logs] == ["command.handled"]
    assert (logs[0]["command"], logs[0]["position"]) == ("FormTeam", 1)


async def test_a_command_that_always_loses_gives_up(app: App) -> None:
    decisions = 0

    @dataclass(frozen=True, kw_only=True)
    class Unlucky(Command):
        permission = "team:form"

        async def handle(self, work: object, context: object) -> None:
            nonlocal decisions
            assert work is not context
            decisions += 1
            raise ConflictError

    with pytest.raises(ConflictError):
        await do(app, Unlucky())
    assert decisions == 16


async def test_a_refusal_names_the_argument_at_fault(app: App) -> None:
    there = await world(app)
    with pytest.raises(DomainError) as refused:
        await do(app, RevokeCredential(subscription_id=there.active, credential_id="no such"))
    assert isinstance(refused.value, CredentialUnknownError)
    assert refused.value.about == "credential_id"
