"""Answers about the public catalogue are given again until it may have changed."""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import pytest
from graphql import ExecutionResult, GraphQLError

from controlplane.app import App, running
from controlplane.commands import Command, execute
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.plan import DefinePlan
from controlplane.commands.team import FormTeam
from controlplane.graphql import kept_answers as kept
from controlplane.graphql.kept_answers import ANSWER_BYTES, HIDDEN, ROOTS, Answers
from controlplane.graphql.view import POSITION_HEADER
from domain.aggregate import Aggregate
from domain.audience import Visibility
from domain.events import AGGREGATES
from tests.controlplane.graphql.portal import Portal, opened
from tests.given import OPERATOR, OWNER, STRANGER

SLUGS = "{ products(first: 100) { nodes { slug name } } }"
LONG_S = 1_000.0


@dataclass
class Asking:
    """Asks the same again and again, and counts how often the answer is made."""

    answers: Answers
    made: int = 0
    result: Callable[[], ExecutionResult] = lambda: ExecutionResult({"a": 1})
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, query: str = "q", **variables: object) -> Any:
        result = await self.answers.get(query, None, variables, self._make)
        return orjson.loads(orjson.dumps(result.data)), result.errors

    async def _make(self) -> ExecutionResult:
        self.made += 1
        await self.gate.wait()
        return self.result()


@pytest.fixture
async def asking(app: App) -> Asking:
    asking = Asking(Answers(app, kept_s=LONG_S))
    asking.gate.set()
    await settled(app)
    return asking


async def settled(app: App) -> None:
    position = await app.services.pool.fetchval(
        "SELECT coalesce(max(notification_id), 0) FROM stored_events"
    )
    await app.projector.wait_until(position)


async def do(app: App, command: Command, by: Any = OWNER) -> int:
    position = (await execute(command, app.context(by))).outcome.position
    assert position is not None
    return position


async def test_an_answer_is_made_once_and_given_again(asking: Asking) -> None:
    for _ in range(3):
        assert await asking.ask(a=1, b=2) == ({"a": 1}, None)
        assert await asking.ask(b=2, a=1) == ({"a": 1}, None)
    assert asking.made == 1
    await asking.ask(a=2, b=2)
    await asking.ask("another", a=1, b=2)
    assert asking.made == 3


async def test_what_the_public_catalogue_does_not_show_leaves_answers_as_they_are(
    app: App, asking: Asking
) -> None:
    await asking.ask()
    for by in (OWNER, STRANGER):
        await app.projector.wait_until(await do(app, FormTeam(name="t"), by))
    await asking.ask()
    assert asking.made == 1


async def test_a_change_of_the_catalogue_has_the_answer_made_anew_at_once_and_once_only(
    app: App, asking: Asking
) -> None:
    await asking.ask()
    for nth, by in enumerate((OWNER, STRANGER), 1):
        position = await do(app, DefineProduct(slug=f"p{nth}", name="P"), by)
        before = asking.made
        await asking.ask()  # acknowledged, and maybe not projected yet
        assert asking.made == before + 1
        await app.projector.wait_until(position)
        await asking.ask()
        again = asking.made
        await asking.ask()
        assert asking.made == again


async def test_an_answer_holds_for_a_second_at_most(app: App, monkeypatch: Any) -> None:
    now_s = 100.0
    monkeypatch.setattr(kept, "_now_s", lambda: now_s)
    asking = Asking(Answers(app))
    asking.gate.set()
    await settled(app)
    await asking.ask()
    now_s += 0.99
    await asking.ask()
    assert asking.made == 1
    now_s += 0.01
    await asking.ask()
    assert asking.made == 2


async def test_those_who_ask_at_once_wait_for_one_answer(asking: Asking) -> None:
    asking.gate.clear()
    asked = [asyncio.create_task(asking.ask()) for _ in range(5)]
    await asyncio.sleep(0)
    asking.gate.set()
    assert await asyncio.gather(*asked) == [({"a": 1}, None)] * 5
    assert asking.made == 1


async def test_when_the_first_gives_up_the_others_make_the_answer_themselves(
    asking: Asking,
) -> None:
    asking.gate.clear()
    first, second = (asyncio.create_task(asking.ask()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    asking.gate.set()
    assert await second == ({"a": 1}, None)
    assert asking.made == 2


async def test_an_answer_with_errors_is_not_kept(asking: Asking) -> None:
    asking.result = lambda: ExecutionResult({"a": None}, [GraphQLError("no")])
    for nth in range(1, 3):
        data, errors = await asking.ask()
        assert (data, len(errors), asking.made) == ({"a": None}, 1, nth)


async def test_variables_too_deep_to_be_written_are_asked_for_each_time(asking: Asking) -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    for nth in range(1, 3):
        assert (await asking.ask(deep=deep))[0] == {"a": 1}
        assert asking.made == nth


async def test_the_answers_used_last_are_kept_within_their_bytes(app: App) -> None:
    answers = Answers(app, limit_bytes=20_000, kept_s=LONG_S)
    asking = Asking(answers)
    asking.gate.set()
    await settled(app)
    asking.result = lambda: ExecutionResult({"a": "x" * 4_000})
    for nth in range(20):
        await asking.ask(nth=nth)
        assert answers.size_bytes <= 20_000
        await asking.ask(nth=0)
    assert asking.made == 20
    await asking.ask(nth=1)
    assert asking.made == 21


async def test_a_large_answer_is_not_kept(asking: Asking) -> None:
    asking.result = lambda: ExecutionResult({"a": "x" * ANSWER_BYTES})
    for nth in range(1, 3):
        await asking.ask()
        assert (asking.made, asking.answers.size_bytes) == (nth, 0)


async def test_whoever_waits_for_a_position_sees_what_happened_there(shop: Portal) -> None:
    async def slugs(position: str | None = None) -> set[str]:
        headers = {} if position is None else {POSITION_HEADER: position}
        answer = await (await shop.send(None, {"query": SLUGS}, **headers)).json()
        return {node["slug"] for node in answer["data"]["products"]["nodes"]}

    for nth in range(10):
        assert f"new{nth}" not in await slugs()
        made = await shop.done(
            "manager", "defineProduct", slug=f"new{nth}", name="x", visibility="PUBLIC"
        )
        done = await shop.done("manager", "publishProduct", productId=made["id"])
        if nth % 2:
            assert f"new{nth}" in await slugs(done["position"])
        else:
            await shop.app.projector.wait_until(int(done["position"].partition(".")[2]))
            assert f"new{nth}" in await slugs()


async def test_each_sees_what_they_may_whatever_was_answered_to_others(shop: Portal) -> None:
    for who in (None, "owner", None, "developer", "stranger", None):
        (seen,) = (await shop.ask(who, SLUGS)).values()
        slugs = {node["slug"] for node in seen["nodes"]}
        expected = {"owner": {"pets", "inner"}, "developer": {"pets", "inner"}, "stranger": set()}
        assert slugs == expected.get(who or "", {"pets"})


async def test_a_position_is_never_an_earlier_one(shop: Portal) -> None:
    query = "{ viewer { position } products { nodes { slug } } }"
    first = (await shop.ask(None, query))["viewer"]["position"]
    await shop.done("manager", "formTeam", name="more")
    await shop.seen()
    assert (await shop.ask(None, query))["viewer"]["position"] != first


async def test_another_process_shows_a_change_within_a_second_of_its_projection(
    app: App, dsn: str
) -> None:
    ids = itertools.count(10**6)
    new_id = lambda: UUID(int=next(ids))  # noqa: E731  # it is an argument
    async with running(dsn, new_id=new_id) as other, opened(other) as portal:
        for nth in range(3):
            define = DefineProduct(slug=f"p{nth}", name="P", visibility=Visibility.PUBLIC)
            made = (await execute(define, app.context(OWNER))).outcome.events[-1]
            await do(app, PublishProduct(product_id=made.originator_id))
            await settled(app)
            began_s = time.monotonic()
            while f"'p{nth}'" not in str(await portal.ask(None, SLUGS)):
                assert time.monotonic() - began_s < 3  # and something for a busy machine
                await asyncio.sleep(0.01)


def test_every_noun_is_known_to_be_hidden_or_to_change_the_catalogue() -> None:
    nouns = {kind.TOPIC for kind in AGGREGATES if issubclass(kind, Aggregate)}
    assert nouns - HIDDEN == {"api_product", "api_version", "organization", "page", "plan"}
    assert {"plan", "plans", "product", "products"} == ROOTS


async def test_a_new_organization_and_a_new_plan_count_as_changes(app: App, asking: Asking) -> None:
    product = await execute(DefineProduct(slug="p", name="P"), app.context(OWNER))
    await app.projector.wait_until(product.outcome.position or 0)
    product_id = product.outcome.events[-1].originator_id
    for command, by in (
        (EstablishOrganization(slug="new", name="New"), OPERATOR),
        (DefinePlan(slug="new", name="New", product_ids=(product_id,)), OWNER),
    ):
        await asking.ask()
        before = asking.made
        await asking.ask()
        assert asking.made == before
        await app.projector.wait_until(await do(app, command, by))
        await asking.ask()
        assert asking.made == before + 1
