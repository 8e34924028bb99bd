"""Contracts through GraphQL: compared, linted, reviewed, and whom a change hurts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from controlplane.app import App
from tests.controlplane.commands.world import BREAKING
from tests.controlplane.graphql.portal import TERMS, Portal, opened
from tests.given import PETSTORE

DIFF = """query ($to: ID!, $from: ID) { contractDiff(to: $to, from: $from) {
  before { number } now { number } proposedNumber
  changes { errors warnings infos changelog(title: "2.0.0")
    all: findings { rule level operation placeBefore placeNow sentence
      witness { payload acceptedBefore acceptedNow } }
    errorsOnly: findings(level: ERROR, first: 1) { rule }
    none: findings(operation: "GET /nothing") { rule } } } }"""
IMPACT = """query ($id: ID!) { impactOf(version: $id) {
  observation diff { proposedNumber }
  operations { operation level findings observation }
  plans { plan { slug } overridden }
  subscriptionCount applicationCount teamCount
  subscriptions(first: 10) { id application { name } } teams { name } } }"""
REVIEW = """query ($id: ID!) { node(id: $id) { ... on ApiVersion { state
  gate { refused errors proposedNumber follows { number } found { errors findings { rule } } }
  review { nodes { step comment actor gate { followsNumber } } } } } }"""
POLICY = """query ($product: ID) { contractPolicy(product: $product) {
  levels { rule level } ignored { rule operation reason owner expiresAt } notice { stability days }
  reviewRequired fourEyes majorMayBreak overriders } }"""
REMOVED = "api-path-removed-without-deprecation"


@pytest.fixture
async def shop(app: App) -> AsyncIterator[Portal]:
    async with opened(app) as portal:
        ids = await portal.sell()
        made = await defined(portal, ids["product"], "1.1.0", BREAKING)
        ids["breaking"] = made["id"]
        await portal.seen()
        yield portal


async def defined(portal: Portal, product: str, number: str, document: bytes) -> Any:
    return await portal.done(
        "manager", "defineVersion", productId=product, number=number, document=document.decode()
    )


async def test_a_diff_has_findings_a_number_and_a_changelog(shop: Portal) -> None:
    diff = (await shop.ask("manager", DIFF, to=shop.ids["breaking"]))["contractDiff"]
    assert (diff["before"], diff["now"]) == ({"number": "1.0.0"}, {"number": "1.1.0"})
    assert diff["proposedNumber"] == "2.0.0"
    changes = diff["changes"]
    assert changes["errors"] == 1
    assert changes["errorsOnly"] == [{"rule": REMOVED}]
    assert changes["none"] == []
    (finding, *_) = changes["all"]
    assert (finding["operation"], finding["level"]) == ("GET /pets/{id}", "ERROR")
    assert finding["placeBefore"] is not None
    assert "### Breaking changes" in changes["changelog"]
    before = {"from": shop.ids["product_version"]}
    assert (await shop.ask("manager", DIFF, to=shop.ids["breaking"], **before))[
        "contractDiff"
    ] == diff


async def test_consumers_see_the_diff_of_versions_they_see_and_no_reviews(shop: Portal) -> None:
    ids = shop.ids
    assert (await shop.ask("developer", DIFF, to=ids["breaking"]))["contractDiff"] is None
    made = await defined(shop, ids["product"], "2.0.0", BREAKING)
    await shop.done("manager", "publishVersion", versionId=made["id"])
    await shop.seen()
    diff = (await shop.ask("developer", DIFF, to=made["id"]))["contractDiff"]
    assert diff["changes"]["errors"] == 1
    answer = await shop.answer("developer", REVIEW, id=made["id"])
    assert answer["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    gate = "query ($id: ID!) { node(id: $id) { ... on ApiVersion { gate { errors } } } }"
    assert (await shop.ask("developer", gate, id=made["id"]))["node"] == {"gate": None}
    error = await shop.error(None, DIFF, to=made["id"])
    assert error["extensions"]["code"] == "NOT_PERMITTED"
    assert (await shop.ask("stranger", DIFF, to=made["id"]))["contractDiff"] is None
    error = await shop.error("manager", DIFF, to=made["id"], **{"from": ids["inner_version"]})
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"


async def test_a_version_is_reviewed_and_the_steps_are_kept(shop: Portal) -> None:
    ids = shop.ids
    version = ids["breaking"]
    assert await shop.refused("manager", "publishVersion", versionId=version) == (
        "GATE_FAILED",
        ["versionId"],
    )
    await shop.done("manager", "submitVersion", versionId=version, comment="urgent")
    assert await shop.refused("manager", "overrideGate", versionId=version, reason="x") == (
        "NOT_PERMITTED",
        [],
    )
    assert await shop.refused("owner", "requestChanges", versionId=version, comment="") == (
        "CHANGES_COMMENT_MISSING",
        ["comment"],
    )
    await shop.done("owner", "approveVersion", versionId=version, comment="as agreed")
    await shop.done("owner", "overrideGate", versionId=version, reason="nobody calls it")
    await shop.done("manager", "publishVersion", versionId=version)
    await shop.seen()
    seen = (await shop.ask("auditor", REVIEW, id=version))["node"]
    assert seen["state"] == "PUBLISHED"
    assert seen["gate"]["follows"] == {"number": "1.0.0"}
    assert seen["gate"]["refused"] is True
    assert seen["gate"]["found"]["findings"][0] == {"rule": REMOVED}
    steps = seen["review"]["nodes"]
    assert [(each["step"], each["comment"]) for each in steps] == [
        ("SUBMITTED", "urgent"),
        ("APPROVED", "as agreed"),
        ("GATE_OVERRIDDEN", "nobody calls it"),
    ]
    assert steps[0]["gate"] == {"followsNumber": "1.0.0"}


async def test_a_policy_is_set_for_all_and_for_a_product_and_read_as_it_holds(
    shop: Portal,
) -> None:
    ids = shop.ids
    general = {
        "levels": [{"rule": REMOVED, "level": "WARNING"}],
        "notice": [{"stability": "stable", "days": 180}],
        "fourEyes": True,
    }
    await shop.done("owner", "setContractPolicy", **general)
    ignored = {
        "rule": REMOVED,
        "operation": "GET /pets/{id}",
        "reason": "unused",
        "owner": "Ada",
        "expiresAt": "2027-01-01T00:00:00Z",
    }
    own = {"productId": ids["product"], "ignored": [ignored], "overriders": ["PRODUCT_MANAGER"]}
    await shop.done("owner", "setContractPolicy", **own)
    await shop.seen()
    held = (await shop.ask("manager", POLICY, product=ids["product"]))["contractPolicy"]
    assert held == {
        **general,
        "ignored": [ignored],
        "reviewRequired": False,
        "majorMayBreak": True,
        "overriders": ["PRODUCT_MANAGER"],
    }
    held = (await shop.ask("auditor", POLICY))["contractPolicy"]
    assert (held["ignored"], held["overriders"]) == ([], ["OWNER"])
    for who in ("developer", "operator", None):
        assert (await shop.ask(who, POLICY, product=ids["product"]))["contractPolicy"] is None
    assert (await shop.ask("stranger", POLICY, product=ids["product"]))["contractPolicy"] is None
    code, path = await shop.refused(
        "owner", "setContractPolicy", levels=[{"rule": "none-such", "level": "ERROR"}]
    )
    assert (code, path) == ("CONTRACT_POLICY_INVALID", ["levels"])
    await shop.done("manager", "publishVersion", versionId=ids["breaking"])


async def test_whom_a_version_hurts_is_told_to_its_provider_alone(shop: Portal) -> None:
    ids = shop.ids
    impact = (await shop.ask("manager", IMPACT, id=ids["breaking"]))["impactOf"]
    assert impact["observation"] == "NOT_OBSERVABLE"
    assert impact["operations"] == [
        {
            "operation": "GET /pets/{id}",
            "level": "ERROR",
            "findings": 1,
            "observation": "NOT_OBSERVABLE",
        }
    ]
    assert impact["plans"] == [{"plan": {"slug": "free"}, "overridden": []}]
    counted = ("subscriptionCount", "applicationCount", "teamCount")
    assert [impact[name] for name in counted] == [2, 2, 2]
    assert [each["id"] for each in impact["subscriptions"]] == [
        ids["team_subscription"],
        ids["other_team_subscription"],
    ]
    assert len(impact["teams"]) == 2
    for who in ("developer", "stranger", "operator", None):
        assert (await shop.ask(who, IMPACT, id=ids["breaking"]))["impactOf"] is None
    override = {"productId": ids["product"], "operationId": "GET /pets/{id}"}
    limit = {"rateLimit": {"limitCalls": 1, "windowS": 60}}
    terms = {**TERMS, "overrides": [{**override, **limit}]}
    await shop.done("manager", "draftPlanVersion", planId=ids["free"], terms=terms)
    await shop.done("manager", "publishPlanVersion", planId=ids["free"])
    await shop.seen()
    impact = (await shop.ask("manager", IMPACT, id=ids["breaking"]))["impactOf"]
    assert impact["plans"] == [{"plan": {"slug": "free"}, "overridden": ["GET /pets/{id}"]}]
    same = await defined(shop, ids["product"], "1.2.0", PETSTORE)
    await shop.seen()
    impact = (await shop.ask("manager", IMPACT, id=same["id"]))["impactOf"]
    assert (impact["operations"], impact["subscriptions"], impact["teams"]) == ([], [], [])
    assert impact["subscriptionCount"] == 0


async def test_a_contract_is_linted_for_its_provider_alone(shop: Portal) -> None:
    query = """query ($id: ID!) { lint(version: $id) { errors warnings infos
      findings(first: 500) { rule placeNow } } }"""
    found = (await shop.ask("manager", query, id=shop.ids["product_version"]))["lint"]
    assert "operation-description" in {each["rule"] for each in found["findings"]}
    counted = found["errors"], found["warnings"], found["infos"]
    assert counted == (1, len(found["findings"]) - 1, 0)
    for who in ("developer", "stranger", None):
        assert (await shop.ask(who, query, id=shop.ids["product_version"]))["lint"] is None


async def test_a_correction_changes_what_is_called_and_the_contracts_before_are_known(
    shop: Portal,
) -> None:
    query = """query ($id: ID!) { node(id: $id) { ... on ApiVersion { revision operationCount
      operations { nodes { operationId } }
      revisions { nodes { number contractSha256 gate { infos } } } } }
      search(query: "cats") { nodes { item { ... on Operation { path } } } } }"""
    version = shop.ids["product_version"]
    before = await shop.ask("developer", query, id=version)
    assert (before["node"]["revision"], before["search"]["nodes"]) == (0, [])
    more = PETSTORE.replace(
        b'"paths": {', b'"paths": {"/cats": {"get": {"responses": {"200": {"description": "ok"}}}},'
    )
    refused = await shop.refused(
        "manager", "reviseVersion", versionId=version, document=BREAKING.decode()
    )
    assert refused == ("REVISION_BREAKS", ["document"])
    await shop.done("manager", "reviseVersion", versionId=version, document=more.decode())
    await shop.seen()
    for who, gate in (("developer", None), ("manager", {"infos": 1})):
        seen = await shop.ask(who, query, id=version)
        node = seen["node"]
        assert (node["revision"], node["operationCount"]) == (1, 4)
        names = [each["operationId"] for each in node["operations"]["nodes"]]
        assert names == ["GET /cats", "GET /pets", "POST /pets", "GET /pets/{id}"]
        first, last = node["revisions"]["nodes"]
        assert (first["number"], first["gate"], last["gate"]) == (0, None, gate)
        assert first["contractSha256"] == before["node"]["revisions"]["nodes"][0]["contractSha256"]
        assert seen["search"]["nodes"] == [{"item": {"path": "/cats"}}]
