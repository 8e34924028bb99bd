import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from controlplane.app import App
from controlplane.graphql.loaders import Request
from controlplane.graphql.past import HISTORIES, Moment
from controlplane.store.mapper import to_stored_event
from projections.readmodel import Key, Recorded, Rows, Table
from tests.controlplane.graphql.portal import Portal
from tests.given import OWNER
from tests.histories import HISTORIES as STORIES

PRODUCT = """query ($id: ID!, $asOf: AsOf) { product(id: $id, asOf: $asOf) {
  state version name versions { nodes { number state operations { nodes { operationId } } } }
  plans { nodes { slug state currentVersion { number } } }
  pages { nodes {
    slug title html pageVersion withdrawn history { nodes { number source } } } } } }"""
PLAN = """query ($id: ID!, $asOf: AsOf) { plan(id: $id, asOf: $asOf) { slug state version
  currentVersion { number terms { approval } } versions { nodes { number state } }
  products { nodes { slug } } subscriptions { nodes { state } } } }"""
SUBSCRIPTION = """query ($id: ID!, $asOf: AsOf) { subscription(id: $id, asOf: $asOf) { state version
  application { name } plan { slug } planVersion { number state }
  credentials { nodes { name state } } } }"""
RIGHTS = """query ($id: ID!, $asOf: AsOf) { credentialRights(credentialId: $id, asOf: $asOf) {
  couldCall credential { state } subscription { state } position
  planVersion { number terms { rateLimit { limitCalls } } }
  versions { number product { slug } operations { nodes { operationId } } }
  because { event position auditEvent { actor } } } }"""
CONFIG = """query ($id: ID!, $asOf: AsOf) { gatewayConfig(groupId: $id, asOf: $asOf) {
  cursor contentHash rows document } }"""
HEAD = "SELECT max(notification_id) FROM stored_events"


async def now(portal: Portal) -> str:
    await portal.seen()
    number = await portal.app.services.pool.fetchval(HEAD)
    return f"{portal.app.epoch}.{number}"


async def test_every_noun_is_shown_as_it_was_at_each_position_of_its_life(portal: Portal) -> None:
    asked = {"product": PRODUCT, "plan": PLAN, "subscription": SUBSCRIPTION}
    shots: list[tuple[str, str, str, Any]] = []

    async def shoot(**ids: str) -> None:
        position = await now(portal)
        for name, id_ in ids.items():
            shots.append((name, id_, position, await portal.ask("owner", asked[name], id=id_)))

    sold = await portal.sell()
    ids = {
        "product": sold["product"],
        "plan": sold["free"],
        "subscription": sold["team_subscription"],
    }
    await shoot(**ids)
    credential = sold["credential"]
    page = {"productId": ids["product"], "slug": "start", "title": "Start", "source": "One"}
    written = {"pageId": (await portal.done("owner", "writePage", **page))["id"]}
    await shoot(**ids)
    for verb, said in (
        ("rewritePage", {**written, "title": "Begin", "source": "Two"}),
        ("withdrawPage", written),
        ("draftPlanVersion", {"planId": ids["plan"], "terms": {"approval": "AUTOMATIC"}}),
        ("revokeCredential", {"credentialId": credential}),
        ("issueCredential", {"subscriptionId": ids["subscription"]}),
        ("publishPlanVersion", {"planId": ids["plan"]}),
        (
            "defineVersion",
            {"productId": ids["product"], "number": "2.0.0", "document": "type Query { a: Int }"},
        ),
        ("restorePage", written),
        ("cancelSubscription", {"subscriptionId": ids["subscription"]}),
    ):
        await portal.done("owner", verb, **said)
        await shoot(**ids)
    seen = {str(answer) for _, _, _, answer in shots}
    assert len(seen) > 10
    for name, id_, position, answer in shots:
        then = await portal.ask("owner", asked[name], id=id_, asOf={"position": position})
        assert then == answer, (name, position)
        other = "query ($id: ID!, $asOf: AsOf) { node(id: $id, asOf: $asOf) { __typename id } }"
        found = await portal.ask("auditor", other, id=id_, asOf={"position": position})
        assert found["node"]["id"] == id_


async def test_two_moments_in_one_question_do_not_mix(shop: Portal) -> None:
    before = await now(shop)
    plan = shop.ids["free"]
    await shop.done("manager", "draftPlanVersion", planId=plan, terms={})
    await shop.done("manager", "publishPlanVersion", planId=plan)
    await shop.seen()
    query = """query ($id: ID!, $then: AsOf) {
      now: plan(id: $id) { currentVersion { number } }
      then: plan(id: $id, asOf: $then) {
        currentVersion { number } versions { nodes { state } } } }"""
    both = await shop.ask("owner", query, id=plan, then={"position": before})
    assert both["now"] == {"currentVersion": {"number": 2}}
    assert both["then"] == {
        "currentVersion": {"number": 1},
        "versions": {"nodes": [{"state": "PUBLISHED"}]},
    }


async def test_a_moment_that_cannot_be_meant_is_refused_and_one_before_it_began_is_null(
    shop: Portal,
) -> None:
    id_, epoch = shop.ids["product"], shop.app.epoch
    assert await shop.ask("owner", PRODUCT, id=id_, asOf={"position": f"{epoch}.0"}) == {
        "product": None
    }
    assert await shop.ask("owner", PRODUCT, id=id_, asOf={"at": "2001-01-01T00:00:00Z"}) == {
        "product": None
    }
    for as_of, code in (
        ({"position": f"{epoch + 1}.3"}, "ANOTHER_EPOCH"),
        ({"position": f"{epoch}.99999"}, "INVALID_ARGUMENT"),
        ({"at": "2999-01-01T00:00:00Z"}, "INVALID_ARGUMENT"),
        ({}, "INVALID_ARGUMENT"),
        ({"at": "2001-01-01T00:00:00Z", "position": f"{epoch}.1"}, "INVALID_ARGUMENT"),
    ):
        for query, of in ((PRODUCT, id_), (CONFIG, shop.ids["group"])):
            error = await shop.error("owner", query, id=of, asOf=as_of)
            assert error["extensions"]["code"] == code, as_of
    token = (await shop.done("owner", "issueToken", name="x", role="AUDITOR"))["id"]
    node = "query ($id: ID!, $asOf: AsOf) { node(id: $id, asOf: $asOf) { id } }"
    error = await shop.error("owner", node, id=token, asOf={"at": "0001-01-01T00:00:00Z"})
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    error = await shop.error(None, PRODUCT, id=id_, asOf={"position": f"{epoch}.1"})
    assert error["extensions"]["code"] == "NOT_PERMITTED"


async def test_the_past_is_seen_by_those_who_see_the_present(shop: Portal) -> None:
    as_of = {"position": await now(shop)}
    own = shop.ids["team_subscription"]
    for who, visible in (("developer", True), ("rival", False), ("stranger", False)):
        found = await shop.ask(who, SUBSCRIPTION, id=own, asOf=as_of)
        assert (found["subscription"] is not None) is visible, who
        found = await shop.ask(who, RIGHTS, id=shop.ids["credential"], asOf=as_of)
        assert (found["credentialRights"] is not None) is visible, who
    first = await shop.app.services.pool.fetchval(
        "SELECT position FROM audit WHERE event = 'api_product.defined' ORDER BY position LIMIT 1"
    )
    draft = {"position": f"{shop.app.epoch}.{first}"}
    assert (await shop.ask("owner", PRODUCT, id=shop.ids["product"], asOf=draft))["product"]
    assert (await shop.ask("developer", PRODUCT, id=shop.ids["product"], asOf=draft)) == {
        "product": None
    }


async def test_parts_have_a_past_for_those_who_see_them_now(shop: Portal) -> None:
    query = """query ($id: ID!, $asOf: AsOf) { node(id: $id, asOf: $asOf) {
      ... on ApiVersion { number state } ... on Operation { operationId }
      ... on PlanVersion { id } ... on Page { source } ... on PageVersion { source } } }"""
    page = await shop.done(
        "manager",
        "writePage",
        productId=shop.ids["product"],
        slug="start",
        title="Start",
        source="One",
    )
    version, moment = shop.ids["product_version"], {"position": await now(shop)}
    listed = (
        "query ($id: ID!) { node(id: $id) { ... on ApiVersion { operations { nodes { id } } } } }"
    )
    found = await shop.ask("developer", listed, id=version)
    operation = found["node"]["operations"]["nodes"][0]["id"]
    found = await shop.ask("rival", "{ plans { nodes { slug currentVersion { id } } } }")
    (plan,) = [each for each in found["plans"]["nodes"] if each["slug"] == "secret"]
    terms = plan["currentVersion"]["id"]
    pages = "query ($id: ID!) { node(id: $id) { ... on Page { history { nodes { id } } } } }"
    found = await shop.ask("developer", pages, id=page["id"])
    parts = (version, operation, terms, page["id"], found["node"]["history"]["nodes"][0]["id"])
    for id_ in parts:
        seen = (await shop.ask("owner", query, id=id_, asOf=moment))["node"]
        assert seen is not None
        assert (await shop.ask("rival", query, id=id_, asOf=moment))["node"] == seen
        assert (await shop.ask("stranger", query, id=id_, asOf=moment))["node"] is None
    given = {"visibility": "TEAMS", "teamIds": [shop.ids["team"]]}
    await shop.done("manager", "chooseProductAudience", productId=shop.ids["product"], **given)
    await shop.done("manager", "choosePlanAudience", planId=shop.ids["secret"], **given)
    await shop.seen()
    for id_ in parts:
        assert (await shop.ask("rival", query, id=id_, asOf=moment))["node"] is None
        assert (await shop.ask("developer", query, id=id_, asOf=moment))["node"] is not None


async def test_a_closed_plan_has_a_past_for_its_subscribers(shop: Portal) -> None:
    plan = shop.ids["free"]
    await shop.done("manager", "closePlan", planId=plan)
    moment = {"position": await now(shop)}
    seen = (await shop.ask("developer", PLAN, id=plan))["plan"]
    assert seen["state"] == "CLOSED"
    past = (await shop.ask("developer", PLAN, id=plan, asOf=moment))["plan"]
    assert past == seen
    assert (await shop.ask("stranger", PLAN, id=plan, asOf=moment))["plan"] is None


async def test_what_a_key_could_do_is_told_with_the_events_that_made_it_so(shop: Portal) -> None:
    key = shop.ids["credential"]
    moment = {"position": await now(shop)}
    rights = (await shop.ask("owner", RIGHTS, id=key, asOf=moment))["credentialRights"]
    assert rights["couldCall"]
    assert rights["planVersion"] == {"number": 1, "terms": {"rateLimit": {"limitCalls": 10**11}}}
    assert {version["product"]["slug"] for version in rights["versions"]} == {"pets", "inner"}
    assert all(len(version["operations"]["nodes"]) == 3 for version in rights["versions"])
    events = [cause["event"] for cause in rights["because"]]
    assert events[-2:] == ["subscription.accepted", "subscription.credential_issued"]
    assert sorted(set(events)) == [
        "api_product.published",
        "api_version.published",
        "plan.version_published",
        "subscription.accepted",
        "subscription.credential_issued",
    ]
    assert all(cause["auditEvent"]["actor"] for cause in rights["because"])
    seen = (await shop.ask("developer", RIGHTS, id=key, asOf=moment))["credentialRights"]
    assert [cause["event"] for cause in seen["because"]] == events
    assert {cause["auditEvent"] and 1 for cause in seen["because"]} == {None}

    await shop.done("owner", "revokeCredential", credentialId=key)
    await shop.seen()
    revoked = (await shop.ask("owner", RIGHTS, id=key))["credentialRights"]
    assert (revoked["couldCall"], revoked["versions"]) == (False, [])
    assert revoked["credential"] == {"state": "REVOKED"}
    assert revoked["because"][-1]["event"] == "subscription.credential_revoked"
    assert (await shop.ask("owner", RIGHTS, id=key, asOf=moment))["credentialRights"] == rights


BETWEEN = "2026-02-01T00:00:00Z"
"""After the service's clock, which says what is now; before the database's, and so every commit."""


async def test_a_key_ended_by_the_clock_of_the_moment_that_is_asked_about(shop: Portal) -> None:
    issue = {"subscriptionId": shop.ids["team_subscription"], "notAfter": BETWEEN}
    key = (await shop.done("developer", "issueCredential", **issue))["id"]
    then = {"position": await now(shop)}
    for as_of, could_call, state in ((None, True, "ACTIVE"), (then, False, "EXPIRED")):
        rights = (await shop.ask("owner", RIGHTS, id=key, asOf=as_of))["credentialRights"]
        assert (rights["couldCall"], rights["credential"]) == (could_call, {"state": state})


async def test_a_subscription_was_over_by_the_clock_of_the_moment_that_is_asked_about(
    shop: Portal,
) -> None:
    subscription, key = shop.ids["team_subscription"], shop.ids["credential"]
    state = "query ($id: ID!, $asOf: AsOf) { subscription(id: $id, asOf: $asOf) { state } }"
    moving = {"subscriptionId": subscription}
    moments = []
    for end in (BETWEEN, None):
        await shop.done("manager", "scheduleSubscriptionExpiry", **moving, expiresAt=end)
        moments.append({"position": await now(shop)})
    for as_of, is_on in ((moments[0], False), (moments[1], True), (None, True)):
        told = {"state": "ACTIVE" if is_on else "EXPIRED"}
        rights = (await shop.ask("owner", RIGHTS, id=key, asOf=as_of))["credentialRights"]
        assert (rights["couldCall"], rights["subscription"]) == (is_on, told)
        assert rights["because"][-1]["event"] == "subscription.expiry_scheduled"
        assert (await shop.ask("owner", state, id=subscription, asOf=as_of)) == {
            "subscription": told
        }


async def test_an_instant_means_the_last_position_committed_by_then(shop: Portal) -> None:
    pool, plan = shop.app.services.pool, shop.ids["free"]
    for terms in ({}, {"approval": "AUTOMATIC"}):
        await shop.done("manager", "draftPlanVersion", planId=plan, terms=terms)
        await asyncio.sleep(0.002)
    await shop.seen()
    for position, at in await pool.fetch("SELECT position, committed_at FROM commits"):
        exact = await shop.ask("owner", PLAN, id=plan, asOf={"at": at.isoformat()})
        same = {"position": f"{shop.app.epoch}.{position}"}
        assert exact == await shop.ask("owner", PLAN, id=plan, asOf=same)
        earlier = {"at": (at - timedelta(microseconds=1)).isoformat()}
        before = await pool.fetchval(
            "SELECT max(position) FROM commits WHERE committed_at < $1", at
        )
        same = {"position": f"{shop.app.epoch}.{before or 0}"}
        assert await shop.ask("owner", PLAN, id=plan, asOf=earlier) == await shop.ask(
            "owner", PLAN, id=plan, asOf=same
        )


async def test_the_configuration_of_a_group_is_shown_as_gateways_had_it(shop: Portal) -> None:
    group, moments = shop.ids["group"], []
    for verb, said in (
        ("issueCredential", {"subscriptionId": shop.ids["team_subscription"]}),
        ("revokeCredential", {"credentialId": shop.ids["credential"]}),
        ("cancelSubscription", {"subscriptionId": shop.ids["team_subscription"]}),
    ):
        moments.append((await now(shop), await shop.ask("manager", CONFIG, id=group)))
        await shop.done("owner", verb, **said)
    assert len({shot["gatewayConfig"]["contentHash"] for _, shot in moments}) == len(moments)
    for position, shot in moments:
        then = await shop.ask("auditor", CONFIG, id=group, asOf={"position": position})
        assert then == shot
        assert then["gatewayConfig"]["document"]["cursor"] == then["gatewayConfig"]["cursor"]
    first = {"position": f"{shop.app.epoch}.1"}
    assert await shop.ask("owner", CONFIG, id=group, asOf=first) == {"gatewayConfig": None}
    assert await shop.ask("stranger", CONFIG, id=group) == {"gatewayConfig": None}
    for who in ("developer", None, "operator"):
        error = await shop.error(who, CONFIG, id=group)
        assert error["extensions"]["code"] == "NOT_PERMITTED", who


async def test_a_question_about_the_past_reads_so_much_and_no_more(
    shop: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_of = {"position": await now(shop)}
    for limit in ("EVENTS", "EVENT_BYTES", "STREAMS"):
        with monkeypatch.context() as patched:
            patched.setattr(f"controlplane.graphql.past.{limit}", 1)
            error = await shop.error("owner", PLAN, id=shop.ids["free"], asOf=as_of)
            assert error["extensions"]["code"] == "TOO_MUCH_DATA", limit


def snapshots(story: list[Recorded]) -> Iterator[tuple[int, Rows]]:
    """Tell the story event by event; yield each time what the read models hold then."""
    rows: Rows = {}
    for recorded in story:
        for model in HISTORIES:
            if isinstance(recorded.event, model.EVENTS):
                model.project(recorded, rows)
        yield recorded.position, {key: dict(row) for key, row in rows.items()}


def read(table: Table, row: Any) -> dict[str, Any]:
    """Return a row as values: the database writes JSON in another form."""
    return {
        name: orjson.loads(row[name]) if kind == "jsonb" and row.get(name) else row.get(name)
        for name, kind in table.columns.items()
    }


async def test_any_history_folded_to_any_position_is_what_was_there_then(app: App) -> None:
    """Random histories, stored as one each after the other in streams of their own."""
    pool = app.services.pool
    request = Request(app, app.context(OWNER))

    async def agree(story: list[Recorded]) -> None:
        await pool.execute("TRUNCATE stored_events")
        stored = [to_stored_event(each.event) for each in story]
        await pool.executemany(
            "INSERT INTO stored_events VALUES ($1, $2, $3, $4, $5)",
            [
                (e.originator_id, e.originator_version, e.topic, e.state, nth)
                for nth, e in enumerate(stored, 1)
            ],
        )
        streams = {each.event.originator_id for each in story}
        for position, held in list(snapshots(story))[:: max(1, len(story) // 5)]:
            moment = Moment(position, request.now, request.fetch)
            for model in HISTORIES:
                await moment.include(model.TABLES[0].name, streams)
            for model in HISTORIES:
                for table in model.TABLES:
                    sql, values = moment.shadowed(f"SELECT * FROM {table.name}", [])
                    found = {
                        Key(table, tuple(row[name] for name in table.key)): read(table, row)
                        for row in await pool.fetch(sql, *values)
                    }
                    assert found == {
                        key: read(table, row) for key, row in held.items() if key.table is table
                    }

    stories: list[list[Recorded]] = []

    @settings(max_examples=8, database=None)
    @given(STORIES)
    def collect(story: list[Recorded]) -> None:
        stories.append(story)

    collect()
    for story in stories:
        await agree(story)
