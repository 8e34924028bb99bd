"""The whole product definition through the edge: life cycles, audiences, pages, search, terms."""

from typing import Any

import pytest

from tests.controlplane.graphql.portal import Portal
from tests.controlplane.graphql.test_queries import statements
from tests.given import PETSTORE

SUNSET = "2030-01-01T00:00:00Z"
SEARCH = """query ($q: String!, $first: Int, $after: String) {
  search(query: $q, first: $first, after: $after) { edges { cursor node { snippet item {
    __typename ... on ApiProduct { slug } ... on Operation { operationId } ... on Page { title }
  } } } pageInfo { hasNextPage endCursor } } }"""


async def product(shop: Portal, who: str | None = "owner") -> Any:
    query = """query ($id: ID!) { node(id: $id) { ... on ApiProduct { name description tags owner
      visibility teamIds state deprecatedAt sunsetAt } } }"""
    return (await shop.ask(who, query, id=shop.ids["product"]))["node"]


async def version(shop: Portal, who: str | None = "owner") -> Any:
    query = """query ($id: ID!) { node(id: $id) { ... on ApiVersion { api state deprecatedAt
      sunsetAt link blockedAt successor { number } } } }"""
    return (await shop.ask(who, query, id=shop.ids["product_version"]))["node"]


async def test_a_product_is_described_tagged_and_owned(shop: Portal) -> None:
    named = {"productId": shop.ids["product"]}
    for verb, event, given in (
        ("describeProduct", "described", {"name": "Animals", "description": "All of them."}),
        ("tagProduct", "tagged", {"tags": ["zoo", "beta"]}),
        ("nameProductOwner", "owner_named", {"owner": "Unit 7"}),
    ):
        done = await shop.done("manager", verb, **named, **given)
        assert done["events"] == [f"api_product.{event}"]
    await shop.seen()
    found = await product(shop)
    assert (found["name"], found["tags"], found["owner"]) == ("Animals", ["zoo", "beta"], "Unit 7")
    for field, slugs in (
        ('tag: "zoo"', ["pets"]),
        ('tag: "x"', []),
        ('owner: "Unit 7", state: PUBLISHED', ["pets"]),
        ("state: RETIRED", []),
    ):
        answer = await shop.ask("owner", f"{{ products({field}) {{ nodes {{ slug }} }} }}")
        assert [each["slug"] for each in answer["products"]["nodes"]] == slugs
    assert await shop.refused("manager", "tagProduct", **named, tags=["No Slug"]) == (
        "TAGS_INVALID",
        ["tags"],
    )


async def test_a_product_lives_until_its_sunset_and_every_mistake_has_a_way_back(
    shop: Portal,
) -> None:
    named = {"productId": shop.ids["product"]}
    await shop.done("manager", "withdrawProduct", **named)
    await shop.seen()
    assert await product(shop, None) is None
    await shop.done("manager", "publishProduct", **named)
    await shop.done("manager", "deprecateProduct", **named, sunsetAt=SUNSET)
    await shop.seen()
    seen = await product(shop, None)
    assert (seen["state"], seen["sunsetAt"]) == ("DEPRECATED", SUNSET)
    assert await shop.refused("manager", "retireProduct", **named) == ("SUNSET_NOT_REACHED", [])
    past = {"sunsetAt": "2020-01-01T00:00:00Z"}
    assert await shop.refused("manager", "scheduleProductSunset", **named, **past) == (
        "SUNSET_PAST",
        ["sunsetAt"],
    )
    await shop.done("manager", "scheduleProductSunset", **named)
    await shop.done("manager", "retireProduct", **named)
    await shop.seen()
    assert await product(shop, "developer") is None
    assert (await product(shop))["state"] == "RETIRED"
    await shop.done("manager", "reinstateProduct", **named)
    await shop.done("manager", "withdrawProductDeprecation", **named)
    await shop.seen()
    seen = await product(shop, None)
    assert (seen["state"], seen["deprecatedAt"], seen["sunsetAt"]) == ("PUBLISHED", None, None)
    for verb, code in (
        ("publishProduct", "PRODUCT_NOT_DRAFT"),
        ("retireProduct", "PRODUCT_NOT_DEPRECATED"),
        ("reinstateProduct", "PRODUCT_NOT_RETIRED"),
    ):
        assert (await shop.refused("manager", verb, **named))[0] == code


async def test_named_teams_find_what_is_for_them_and_nobody_else_does(shop: Portal) -> None:
    team = shop.ids["team"]
    given = {"visibility": "TEAMS", "teamIds": [team]}
    await shop.done("manager", "chooseProductAudience", productId=shop.ids["product"], **given)
    await shop.done("manager", "choosePlanAudience", planId=shop.ids["secret"], **given)
    await shop.seen()
    assert (await product(shop))["teamIds"] == [team]
    assert (await product(shop, "developer"))["teamIds"] is None
    for who in ("rival", None):
        assert await product(shop, who) is None
        assert await version(shop, who) is None
        answer = await shop.ask(who, SEARCH, q="pets")
        kinds = {edge["node"]["item"]["__typename"] for edge in answer["search"]["edges"]}
        assert kinds <= ({"Operation"} if who else set())  # those of the inner product
    request = {"applicationId": shop.ids["other_team_application"], "planId": shop.ids["secret"]}
    assert await shop.refused("rival", "requestSubscription", **request) == (
        "NOT_FOUND",
        ["planId"],
    )
    assert await shop.refused("owner", "requestSubscription", **request) == (
        "PLAN_NOT_FOR_TEAM",
        ["planId"],
    )
    request["applicationId"] = shop.ids["team_application"]
    await shop.done("developer", "requestSubscription", **request)
    for wrong in ({"visibility": "TEAMS"}, {"visibility": "PUBLIC", "teamIds": [team]}):
        refused = await shop.refused(
            "manager", "chooseProductAudience", productId=shop.ids["product"], **wrong
        )
        assert refused == ("AUDIENCE_INVALID", ["teamIds"])


async def test_a_search_for_what_cannot_be_stored_is_refused(shop: Portal) -> None:
    for who in ("developer", None):
        error = await shop.error(who, SEARCH, q="pets\0")
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"


async def test_a_plan_is_not_for_a_team_if_one_of_its_products_is_for_others(shop: Portal) -> None:
    given = {"visibility": "TEAMS", "teamIds": [shop.ids["team"]]}
    await shop.done("manager", "chooseProductAudience", productId=shop.ids["inner"], **given)
    request = {"applicationId": shop.ids["other_team_application"], "planId": shop.ids["secret"]}
    for who, code in (("rival", "NOT_FOUND"), ("owner", "PLAN_NOT_FOR_TEAM")):
        refused = await shop.refused(who, "requestSubscription", **request)
        assert refused == (code, ["planId"])
    subscription = {"subscriptionId": shop.ids["other_team_subscription"]}
    await shop.done("manager", "acceptSubscription", **subscription)
    for who, code in (("rival", "NOT_FOUND"), ("manager", "PLAN_NOT_FOR_TEAM")):
        refused = await shop.refused(
            who, "transferSubscription", **subscription, planId=shop.ids["secret"]
        )
        assert refused == (code, ["planId"])
    await shop.seen()
    for who, slugs in (("developer", ["free", "secret"]), ("rival", ["free"])):  # has subscribed
        answer = await shop.ask(who, "{ plans { nodes { slug versions { nodes { id } } } } }")
        assert [
            each["slug"] for each in answer["plans"]["nodes"] if each["versions"]["nodes"]
        ] == slugs


async def test_a_product_bundles_apis_that_count_their_own_versions(shop: Portal) -> None:
    given = {
        "productId": shop.ids["product"],
        "number": "1.0.0",
        "document": PETSTORE.decode(),
    }
    await shop.done("manager", "defineVersion", **given, api="admin")
    for api, refusal in (
        ("admin", ("ALREADY_TAKEN", ["number"])),
        ("default", ("ALREADY_TAKEN", ["number"])),
        ("v2", ("API_RESERVED", ["api"])),
        ("Admin", ("SLUG_INVALID", ["api"])),
    ):
        assert await shop.refused("manager", "defineVersion", **given, api=api) == refusal
    await shop.seen()
    query = 'query { products(slug: "pets") { nodes { versions { nodes { api number } } } } }'
    (found,) = (await shop.ask("owner", query))["products"]["nodes"]
    assert sorted(each["api"] for each in found["versions"]["nodes"]) == ["admin", "default"]


async def test_a_version_is_deprecated_in_favour_of_its_successor_and_retired(
    shop: Portal,
) -> None:
    named = {"versionId": shop.ids["product_version"]}
    given = {
        "productId": shop.ids["product"],
        "number": "2.0.0",
        "document": "type Query { a: Int }",
    }
    successor = (await shop.done("manager", "defineVersion", **given))["id"]
    for wrong in (shop.ids["product_version"], shop.ids["inner_version"]):
        refused = await shop.refused("manager", "deprecateVersion", **named, successorId=wrong)
        assert refused == ("SUCCESSOR_INVALID", ["successorId"])
    await shop.done(
        "manager",
        "deprecateVersion",
        **named,
        sunsetAt=SUNSET,
        successorId=successor,
        link="https://pets.example/why",
    )
    await shop.seen()
    seen = await version(shop)
    assert (seen["state"], seen["sunsetAt"]) == ("DEPRECATED", SUNSET)
    assert (seen["link"], seen["successor"]) == ("https://pets.example/why", {"number": "2.0.0"})
    assert (await version(shop, None))["successor"] is None  # a draft is not shown
    assert await shop.refused("manager", "retireVersion", **named) == ("SUNSET_NOT_REACHED", [])
    for verb in ("scheduleVersionSunset", "retireVersion", "reinstateVersion"):
        await shop.done("manager", verb, **named)
    for verb in ("withdrawVersionDeprecation", "withdrawVersion", "publishVersion"):
        await shop.done("manager", verb, **named)
    await shop.seen()
    assert (await version(shop, None))["deprecatedAt"] is None


async def test_the_operator_blocks_a_version_of_any_organization(shop: Portal) -> None:
    named = {"versionId": shop.ids["product_version"]}
    for who in ("owner", "manager", "stranger", "auditor", None):
        assert (await shop.refused(who, "blockVersion", **named))[0] == "NOT_PERMITTED"
    done = await shop.done("operator", "blockVersion", **named, reason="A court said so.")
    assert done["events"] == ["api_version.blocked"]
    assert (await shop.refused("operator", "blockVersion", **named))[0] == "VERSION_BLOCKED"
    assert await shop.refused("operator", "blockVersion", versionId=shop.ids["product"]) == (
        "NOT_FOUND",
        ["versionId"],
    )
    await shop.seen()
    assert (await version(shop))["blockedAt"] is not None
    assert (await version(shop, "developer"))["blockedAt"] is not None
    assert await version(shop, None) is None
    query = '{ auditEvents(event: "api_version.blocked") { nodes { why { reason actor } } } }'
    (audited,) = (await shop.ask("auditor", query))["auditEvents"]["nodes"]
    assert audited["why"]["reason"] == "A court said so."
    assert (await shop.ask("stranger", query))["auditEvents"]["nodes"] == []
    await shop.done("operator", "unblockVersion", **named)
    assert (await shop.refused("operator", "unblockVersion", **named))[0] == "VERSION_NOT_BLOCKED"
    await shop.seen()
    assert (await version(shop, None))["blockedAt"] is None


async def test_the_operator_does_nothing_else_in_an_organization(shop: Portal) -> None:
    for verb, given in (
        ("publishVersion", {"versionId": shop.ids["product_version"]}),
        ("publishProduct", {"productId": shop.ids["product"]}),
        ("closePlan", {"planId": shop.ids["free"]}),
    ):
        assert (await shop.refused("operator", verb, **given))[0] == "NOT_PERMITTED"


async def test_pages_are_versioned_rendered_and_withdrawn(shop: Portal) -> None:
    given = {"productId": shop.ids["product"], "slug": "start"}
    made = await shop.done(
        "manager",
        "writePage",
        **given,
        title="Start",
        source="# Hi\n\n<script>alert(1)</script> [x](javascript:alert(1)) **b** [y](https://y.example)",
    )
    named = {"pageId": made["id"]}
    await shop.done("manager", "rewritePage", **named, title="Begin", source="*new*")
    await shop.seen()
    query = """query ($id: ID!) { node(id: $id) { ... on Page { title source html pageVersion
      withdrawn product { slug } history { nodes { number title html source } } } } }"""
    page = (await shop.ask(None, query, id=made["id"]))["node"]
    assert (page["title"], page["html"], page["pageVersion"]) == (
        "Begin",
        "<p><em>new</em></p>\n",
        2,
    )
    first, second = page["history"]["nodes"]
    assert (first["number"], second["source"]) == (1, "*new*")
    assert "<h1>Hi</h1>" in first["html"]
    assert "<strong>b</strong>" in first["html"]
    assert 'href="https://y.example"' in first["html"]
    assert "<script" not in first["html"]
    assert 'href="javascript' not in first["html"]
    assert await shop.refused("manager", "writePage", **given, title="x", source="") == (
        "ALREADY_TAKEN",
        ["slug"],
    )
    long = await shop.refused("manager", "rewritePage", **named, title="x", source="x" * 50_001)
    assert long == ("PAGE_SOURCE_INVALID", ["source"])
    await shop.done("manager", "withdrawPage", **named)
    assert (await shop.refused("manager", "withdrawPage", **named))[0] == "PAGE_WITHDRAWN"
    await shop.seen()
    assert (await shop.ask("developer", query, id=made["id"]))["node"] is None
    assert (await shop.ask("owner", query, id=made["id"]))["node"]["withdrawn"]
    listing = '{ products(slug: "pets") { nodes { pages { nodes { slug } } } } }'
    assert (await shop.ask(None, listing))["products"]["nodes"][0]["pages"]["nodes"] == []
    await shop.done("manager", "restorePage", **named)
    assert (await shop.refused("manager", "restorePage", **named))[0] == "PAGE_NOT_WITHDRAWN"
    await shop.seen()
    assert len((await shop.ask(None, listing))["products"]["nodes"][0]["pages"]["nodes"]) == 1


async def hits(shop: Portal, who: str | None, query: str) -> list[Any]:
    answer = await shop.ask(who, SEARCH, q=query, first=100)
    items = [edge["node"]["item"] for edge in answer["search"]["edges"]]
    assert None not in items
    return [next(v for k, v in item.items() if k != "__typename") for item in items]


async def test_search_finds_what_the_caller_may_see_by_its_words(
    shop: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("product", "How to feed giraffes."), ("inner", "Feeding inner giraffes.")):
        await shop.done(
            "manager",
            "writePage",
            productId=shop.ids[name],
            slug="feeding",
            title=f"Food for {name}",
            source=text,
        )
    await shop.done("manager", "tagProduct", productId=shop.ids["product"], tags=["zoology"])
    await shop.seen()
    assert await hits(shop, None, "giraffe feeding") == ["Food for product"]
    assert sorted(await hits(shop, "developer", "giraffe")) == [
        "Food for inner",
        "Food for product",
    ]
    assert await hits(shop, "stranger", "giraffe") == []
    assert await hits(shop, None, "zool") == ["pets"]
    assert await hits(shop, None, "add pet") == ["POST /pets"]
    assert await hits(shop, None, "POST /pets") == ["POST /pets"]
    assert await hits(shop, None, "/pets/{id}") == ["GET /pets/{id}"]
    assert len(await hits(shop, "owner", "add pet")) == 2
    assert await hits(shop, None, "giraffe -feed") == []
    for odd in (
        "",
        " ",
        "'",
        '"',
        "-",
        '-"a b"',
        "a:*",
        "or",
        "\\",
        "&|!()<->",
        "%",
        "/",
        "a/b" * 66,
        "é" * 200,
    ):
        await hits(shop, None, odd)
    error = await shop.error(None, SEARCH, q="x" * 201)
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    with statements(monkeypatch) as sent:
        found = await shop.ask("owner", SEARCH, q="pets or food", first=100)
    # hits, snippets, products, operations, pages
    assert len(sent) == 5, sent
    assert "How to feed giraffes." in {e["node"]["snippet"] for e in found["search"]["edges"]}


async def test_search_is_paged(shop: Portal) -> None:
    every = (await shop.ask("owner", SEARCH, q="pets", first=100))["search"]["edges"]
    paged, after = [], None
    for _ in every:
        page = (await shop.ask("owner", SEARCH, q="pets", first=1, after=after))["search"]
        paged += page["edges"]
        after = page["pageInfo"]["endCursor"]
    assert not page["pageInfo"]["hasNextPage"]
    assert [edge["cursor"] for edge in paged] == [edge["cursor"] for edge in every]
