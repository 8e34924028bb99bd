"""Two processes on one database decide on what the other has changed meanwhile."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from controlplane.app import App, running
from controlplane.commands import execute
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.api_version import DefineVersion
from controlplane.commands.credential import IssueCredential, RevokeCredential
from controlplane.commands.plan import DraftPlanVersion, PublishPlanVersion
from controlplane.commands.subscription import (
    AcceptSubscription,
    CancelSubscription,
    RejectSubscription,
    RequestSubscription,
)
from domain.api_product import ProductNotDraftError
from domain.plan_life import PlanNotPublishedError
from domain.reservation import AlreadyTakenError
from domain.subscription import Subscription
from domain.subscription_life import SubscriptionNotActiveError, SubscriptionNotPendingError
from tests.controlplane.commands.world import FREE, begun, do, published_plan, world
from tests.given import OWNER, PETSTORE


async def events(app: App) -> int:
    found: int = await app.services.pool.fetchval("SELECT count(*) FROM stored_events")
    return found


async def test_what_another_process_changed_makes_no_false_refusal(app: App, dsn: str) -> None:
    async with running(dsn, follow=False) as other:
        there = await world(app)
        # The other process has seen everything as it is now ...
        for probe in (
            AcceptSubscription(subscription_id=there.pending),
            PublishProduct(product_id=there.draft_product),
            IssueCredential(subscription_id=there.active),
        ):
            await execute(probe, other.context(OWNER), dry_run=True)
        with pytest.raises(SubscriptionNotActiveError):
            await do(other, IssueCredential(subscription_id=there.pending))
        # ... and then this one changes it.
        await do(app, AcceptSubscription(subscription_id=there.pending))
        issued = await do(app, IssueCredential(subscription_id=there.active))
        (credential,) = issued.outcome.events
        assert isinstance(credential, Subscription.CredentialIssued)
        assert (await do(other, IssueCredential(subscription_id=there.pending))).secret
        revoke = RevokeCredential(
            subscription_id=there.active, credential_id=credential.credential_id
        )
        assert (await do(other, revoke)).outcome.position


async def test_what_another_process_changed_makes_no_false_conflict_or_expectation(
    app: App, dsn: str
) -> None:
    async with running(dsn, follow=False) as other:
        there = await world(app)
        accept = AcceptSubscription(subscription_id=there.pending)
        await execute(accept, other.context(OWNER), dry_run=True)
        await do(app, accept)
        cancel = CancelSubscription(subscription_id=there.pending, expected_version=2)
        assert (await do(other, cancel)).outcome.events[0].originator_version == 3


async def test_what_another_process_changed_makes_no_false_success(app: App, dsn: str) -> None:
    async with running(dsn, follow=False) as other:
        there = await world(app)
        accept = AcceptSubscription(subscription_id=there.pending)
        reject = RejectSubscription(subscription_id=there.pending)
        publish = PublishProduct(product_id=there.draft_product)
        for probe in (accept, publish):
            await execute(probe, other.context(OWNER), dry_run=True)
        await do(app, reject)
        await do(app, publish)
        for dry_run in (True, False):
            with pytest.raises(SubscriptionNotPendingError):
                await execute(accept, other.context(OWNER), dry_run=dry_run)
            with pytest.raises(ProductNotDraftError):
                await execute(publish, other.context(OWNER), dry_run=dry_run)


async def test_a_decision_that_only_read_something_stale_is_made_again(app: App, dsn: str) -> None:
    """The plan is read, not written: its new version must be the one subscribed to."""
    async with running(dsn, follow=False) as other:
        there = await world(app)
        request = RequestSubscription(application_id=there.application, plan_id=there.plan)
        await execute(request, other.context(OWNER), dry_run=True)
        await do(app, DraftPlanVersion(plan_id=there.plan, terms=FREE))
        await do(app, PublishPlanVersion(plan_id=there.plan))
        first, *more = (await do(other, request)).outcome.events
        assert isinstance(first, Subscription.Requested)
        assert first.plan_version == 2
        assert [event.TOPIC for event in more] == ["subscription.accepted"]


async def test_a_plan_that_was_not_on_sale_is_subscribed_to_once_it_is(app: App, dsn: str) -> None:
    async with running(dsn, follow=False) as other:
        there = await world(app)
        request = RequestSubscription(application_id=there.application, plan_id=there.drafted_plan)
        with pytest.raises(PlanNotPublishedError):
            await do(other, request)
        await do(app, PublishPlanVersion(plan_id=there.drafted_plan))
        assert (await do(other, request)).outcome.position


async def test_opposite_decisions_at_the_same_moment_both_get_a_true_answer(
    app: App, dsn: str
) -> None:
    there = await world(app)
    plan = await published_plan(app, OWNER, there.product, "free", FREE)
    async with running(dsn, follow=False) as other:
        for _ in range(10):
            request = RequestSubscription(application_id=there.application, plan_id=there.plan)
            id_ = await begun(app, request)
            accept, reject = (
                AcceptSubscription(subscription_id=id_),
                RejectSubscription(subscription_id=id_),
            )
            results = await asyncio.gather(
                do(app, accept), do(other, reject), return_exceptions=True
            )
            kinds = sorted(type(result).__name__ for result in results)
            assert kinds == ["Answer", "SubscriptionNotPendingError"]
    assert plan


async def test_many_that_change_one_stream_all_get_through(app: App, dsn: str) -> None:
    id_ = (await world(app)).active
    async with running(dsn, follow=False) as other:
        answers = await asyncio.gather(
            *(do(process, IssueCredential(subscription_id=id_)) for process in (app, other) * 20)
        )
    assert len({answer.secret for answer in answers}) == 40
    versions = sorted(answer.outcome.events[0].originator_version for answer in answers)
    assert versions == list(range(4, 44))


async def test_readers_of_a_plan_do_not_conflict_with_each_other(app: App) -> None:
    there = await world(app)
    request = RequestSubscription(application_id=there.application, plan_id=there.plan)
    before = await app.services.pool.fetchval("SELECT count(*) FROM commits")
    await asyncio.gather(*(do(app, request) for _ in range(50)))
    commits = await app.services.pool.fetchval("SELECT count(*) FROM commits")
    assert commits - before < 25


async def test_a_slug_is_taken_once_and_stays_so(app: App) -> None:
    define = DefineProduct(slug="pets", name="Pets")
    await do(app, define)
    with pytest.raises(AlreadyTakenError) as refused:
        await do(app, replace(define, name="Other pets"))
    assert refused.value.about == "slug"


async def test_of_two_processes_that_take_a_slug_at_once_exactly_one_wins(
    app: App, dsn: str
) -> None:
    async with running(dsn, follow=False) as other:
        for n in range(10):
            define = DefineProduct(slug=f"slug-{n}", name="Pets")
            results = await asyncio.gather(
                *(do(process, define) for process in (app, other) * 2), return_exceptions=True
            )
            kinds = Counter(type(result).__name__ for result in results)
            assert kinds == {"Answer": 1, "AlreadyTakenError": 3}
    assert await events(app) == 20


async def test_a_version_number_is_used_once_in_a_product(app: App) -> None:
    there = await world(app)
    define = DefineVersion(product_id=there.product, number="1.0.0", document=PETSTORE)
    with pytest.raises(AlreadyTakenError) as refused:
        await do(app, define)
    assert refused.value.about == "number"
    await do(app, replace(define, product_id=there.draft_product))
