"""The timer records what is over, once, and makes good what was cut short."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from controlplane.app import App, running
from controlplane.auth import visitor
from controlplane.commands import execute
from controlplane.commands.invitation import AcceptInvitation, InviteDeveloper
from controlplane.commands.subscription import (
    AcceptSubscription,
    ReinstateSubscription,
    ScheduleSubscriptionExpiry,
)
from controlplane.context import Services
from controlplane.processes import timer
from controlplane.processes.timer import (
    erase_persons,
    expire_invitations,
    expire_subscriptions,
)
from controlplane.store.eventstore import head
from domain.invitation import Invitation
from tests.controlplane.commands.world import World, do, requested, world
from tests.given import ACE, AT, OWNER


async def seen(app: App) -> None:
    async with app.services.pool.acquire() as connection:
        last = await head(connection)
    await app.projector.wait_until(last)


def at(app: App, now: datetime) -> Services:
    return replace(app.services, now=lambda: now)


async def expired(app: App) -> list[UUID]:
    rows = await app.services.pool.fetch(
        "SELECT originator_id FROM stored_events WHERE topic = 'subscription.expired'"
    )
    return [row[0] for row in rows]


async def ending(app: App, there: World, end: datetime) -> UUID:
    id_ = await requested(app, there.plan, there.application)
    await do(app, AcceptSubscription(subscription_id=id_, expires_at=end))
    return id_


async def test_what_is_due_is_recorded_as_expired_and_nothing_else(app: App) -> None:
    there = await world(app)  # one of it is due
    later = await ending(app, there, AT + timedelta(days=1))
    await seen(app)
    assert await expire_subscriptions(app.services) == 1
    assert await expired(app) == [there.due]
    await seen(app)
    assert await expire_subscriptions(app.services) == 0
    assert await expire_subscriptions(at(app, AT + timedelta(days=1))) == 1
    assert await expired(app) == [there.due, later]


async def test_an_end_that_moved_away_and_back_is_recorded_when_it_comes(app: App) -> None:
    there = await world(app)
    end = AT + timedelta(hours=1)
    moving = await ending(app, there, end)
    for moved in (None, AT + timedelta(days=1), end):
        await do(app, ScheduleSubscriptionExpiry(subscription_id=moving, expires_at=moved))
        await seen(app)
        assert await expire_subscriptions(at(app, end - timedelta(seconds=1))) <= 1
        assert await expired(app) == [there.due]
    assert await expire_subscriptions(at(app, end)) <= 2
    assert await expired(app) == [there.due, moving]


async def test_what_was_reinstated_expires_again_at_its_new_end(app: App) -> None:
    there = await world(app)
    await seen(app)
    await expire_subscriptions(app.services)
    end = AT + timedelta(hours=1)
    await do(app, ReinstateSubscription(subscription_id=there.due, expires_at=end))
    # The read model may be behind: the row is still due, the subscription is not.
    await expire_subscriptions(app.services)
    await seen(app)
    assert await expire_subscriptions(app.services) == 0
    assert await expire_subscriptions(at(app, end)) == 1
    assert await expired(app) == [there.due] * 2


async def test_who_and_what_expired_it_is_in_the_envelope(app: App) -> None:
    there = await world(app)
    await seen(app)
    await expire_subscriptions(app.services)
    loaded = await app.services.store.load(there.due)
    assert loaded is not None
    await seen(app)
    row = await app.services.pool.fetchrow(
        "SELECT actor FROM audit WHERE event = 'subscription.expired'"
    )
    assert row is not None
    assert row["actor"] == "timer"


async def test_several_processes_record_each_end_once(app: App, dsn: str) -> None:
    there = await world(app)
    ends = [await ending(app, there, AT + timedelta(hours=nth)) for nth in range(1, 8)]
    await seen(app)
    async with running(dsn, now=lambda: AT) as other:
        await seen(other)
        now = AT + timedelta(days=1)
        await asyncio.gather(
            *(expire_subscriptions(at(process, now)) for process in (app, other, app, other))
        )
    assert sorted(await expired(app)) == sorted([there.due, *ends])


async def test_a_round_does_a_bounded_number(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    there = await world(app)
    for nth in range(1, 4):
        await ending(app, there, AT + timedelta(hours=nth))
    await seen(app)
    monkeypatch.setattr(timer, "BATCH", 2)
    later = at(app, AT + timedelta(days=1))
    for left in (2, 2, 0):
        assert await expire_subscriptions(later) == left
        await seen(app)
    assert len(await expired(app)) == 4


async def test_an_end_that_was_moved_meanwhile_is_passed_over(app: App) -> None:
    there = await world(app)
    await seen(app)
    assert await expire_subscriptions(at(app, AT - timedelta(hours=36))) == 0
    assert await expire_subscriptions(app.services) == 1
    # The read model may be behind: the row is still ACTIVE, the subscription is not.
    assert await expire_subscriptions(app.services) <= 1
    assert await expired(app) == [there.due]


async def test_the_address_of_an_invitation_that_was_not_accepted_is_erased(app: App) -> None:
    there = await world(app)
    invite = InviteDeveloper(team_id=there.team, mail="late@example.com")
    await execute(invite, app.context(OWNER))
    await seen(app)
    assert await expire_invitations(app.services) == 1  # the world's own
    later = at(app, AT + timedelta(days=15))
    await seen(app)
    assert await expire_invitations(later) == 2  # the world's other one, and this one
    await seen(app)
    assert await expire_invitations(later) == 0
    assert await erase_persons(app.services) == 0  # nothing was cut short
    again = await execute(invite, app.context(OWNER))  # the address is free again
    assert again.secret is not None


async def test_who_joins_at_the_last_moment_is_not_erased(dsn: str) -> None:
    async with running(dsn, now=lambda: AT, follow=False) as app:
        there = await world(app)
        while await app.projector.catch_up():
            pass
        accept = AcceptInvitation(token=there.invitation_token, name="Grace")
        await execute(accept, app.context(visitor(ACE)))
        later = at(app, AT + timedelta(days=15))  # a clock that is ahead, a row that is behind
        assert await expire_invitations(later) == 2
        assert await erase_persons(later) == 0
        joined = await app.services.store.load(there.invitation)
        assert isinstance(joined, Invitation)
        assert joined.mail is not None
        assert await app.services.vault.open(ACE, [joined.mail]) == ["new@example.com"]


async def test_the_timer_runs_by_itself(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer, "PAUSE_S", 0.05)
    async with running(dsn, now=lambda: AT) as app:
        there = await world(app)
        async with asyncio.timeout(10):
            while await expired(app) != [there.due]:
                await asyncio.sleep(0.02)
