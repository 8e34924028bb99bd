"""Where calls are forwarded to, moved at any time; what nobody reaches, told to its provider."""

from typing import Any

from controlplane.graphql.node import named
from tests.controlplane.graphql.portal import Portal

UNSERVED = """{ gatewayGroups { nodes { environment unserved {
  reason version { number } plan { slug } credential { algorithm } } } } }"""


async def upstreams(shop: Portal) -> Any:
    query = (
        "query ($id: ID!) { node(id: $id) { ... on ApiVersion { upstreams { environment url } } } }"
    )
    found = await shop.ask("owner", query, id=shop.ids["product_version"])
    return {each["environment"]: each["url"] for each in found["node"]["upstreams"]}


async def unserved(shop: Portal) -> Any:
    (group,) = (await shop.ask("owner", UNSERVED))["gatewayGroups"]["nodes"]
    return group["unserved"]


async def routed(shop: Portal) -> Any:
    """Return where gateways forward the calls of the version."""
    await shop.seen()
    query = "query ($id: ID!) { gatewayConfig(groupId: $id) { document } }"
    found = await shop.ask("owner", query, id=shop.ids["group"])
    id_ = str(named(shop.ids["product_version"], "ApiVersion", "version_id"))
    rows = found["gatewayConfig"]["document"]["versions"]
    return [row["upstreams"] for row in rows if row["id"] == id_]


async def test_a_server_moves_and_gateways_know_at_once(shop: Portal) -> None:
    version = {"versionId": shop.ids["product_version"]}
    done = await shop.done(
        "manager", "chooseUpstream", **version, environment="production", url="https://two.example"
    )
    assert done["events"] == ["api_version.upstream_chosen"]
    assert await routed(shop) == [{"production": "https://two.example"}]
    assert await upstreams(shop) == {"production": "https://two.example"}

    for given, code, at in (
        ({"environment": "production", "url": "https://two.example"}, "UPSTREAM_UNCHANGED", "url"),
        ({"environment": "production", "url": "two.example"}, "URL_INVALID", "url"),
        ({"environment": "Pro duction", "url": "https://x.example"}, "SLUG_INVALID", "environment"),
    ):
        refused = await shop.refused("manager", "chooseUpstream", **version, **given)
        assert refused == (code, [at])
    refused = await shop.refused("manager", "withdrawUpstream", **version, environment="prodution")
    assert refused == ("UPSTREAM_UNKNOWN", ["environment"])


async def test_a_mistyped_environment_is_seen_and_put_right(shop: Portal) -> None:
    version = {"versionId": shop.ids["product_version"]}
    assert await unserved(shop) == []
    url = {"url": "https://pets.example"}
    await shop.done("manager", "withdrawUpstream", **version, environment="production")
    await shop.done("manager", "chooseUpstream", **version, environment="prodution", **url)

    assert await routed(shop) == [{"prodution": "https://pets.example"}]
    (told,) = await unserved(shop)
    assert told["reason"] == "It has no upstream for production."
    assert told["version"]["number"] == "1.0.0"
    assert told["plan"] is None

    await shop.done("manager", "withdrawUpstream", **version, environment="prodution")
    await shop.done("manager", "chooseUpstream", **version, environment="production", **url)
    assert await routed(shop) == [{"production": "https://pets.example"}]
    assert await unserved(shop) == []


async def test_what_is_sold_and_cannot_be_enforced_is_seen(shop: Portal) -> None:
    subscription = {"subscriptionId": shop.ids["team_subscription"]}
    digest = f"$2b$12${'a' * 53}"
    await shop.done("owner", "importCredential", **subscription, algorithm="BCRYPT", digest=digest)
    limited = {
        "productId": shop.ids["product"],
        "operationId": "GET /pest",
        "quota": {"amountCalls": 1, "period": "DAY"},
    }
    await shop.done(
        "manager", "draftPlanVersion", planId=shop.ids["free"], terms={"overrides": [limited]}
    )
    await shop.done("manager", "publishPlanVersion", planId=shop.ids["free"])
    await shop.seen()
    plan, key = await unserved(shop)
    assert plan["reason"] == "No version has GET /pest, which it limits."
    assert (plan["plan"], plan["credential"]) == ({"slug": "free"}, None)
    assert key["reason"] == "It is known by a hash by which it cannot be found."
    assert (key["plan"], key["credential"]) == (None, {"algorithm": "BCRYPT"})
    await shop.done("manager", "draftPlanVersion", planId=shop.ids["free"], terms={})
    await shop.done("manager", "publishPlanVersion", planId=shop.ids["free"])
    await shop.seen()
    assert await unserved(shop) == [key]


async def test_a_version_that_is_retired_is_forwarded_nowhere_until_it_is_reinstated(
    shop: Portal,
) -> None:
    version = {"versionId": shop.ids["product_version"]}
    await shop.done("manager", "deprecateVersion", **version)
    await shop.done("manager", "retireVersion", **version)
    there = {"environment": "production", "url": "https://two.example"}
    code, _ = await shop.refused("manager", "chooseUpstream", **version, **there)
    assert code == "VERSION_RETIRED"

    await shop.done("manager", "reinstateVersion", **version)
    await shop.done("manager", "chooseUpstream", **version, **there)
    assert await routed(shop) == [{"production": "https://two.example"}]
