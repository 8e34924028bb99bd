"""Plans through the edge: terms, overrides, audiences, closing, and what limits hold."""

from typing import Any

from tests.controlplane.graphql.portal import Portal

FULL = """query ($id: ID!) { node(id: $id) { ... on Plan { name state visibility currentVersion {
  number publishedAt terms {
    rateLimit { limitCalls } moreRateLimits { windowS algorithm }
    quota { amountCalls enforcement } auth { kind issuer audience claim }
    overrides { productId operationId rateLimit { limitCalls } quota { amountCalls } }
    sla { availabilityPercent p95Ms supportResponseHours } trialDays approval
    agreement { revision text sha256 }
    price { currency monthlyFee charges { meter model includedUnits unitPrice packageUnits
      ratePercent tiers { upToUnits unitPrice flatFee } } } } } } } }"""
LIMITS = """query ($s: ID!, $o: ID) { explainLimits(subscription: $s, operation: $o) {
  level event at position planVersion rateLimit { limitCalls windowS } quota { amountCalls } } }"""


def terms(product_id: str) -> dict[str, Any]:
    return {
        "rateLimit": {"limitCalls": 10, "windowS": 1},
        "moreRateLimits": [{"limitCalls": 1000, "windowS": 3600, "algorithm": "FIXED_WINDOW"}],
        "quota": {"amountCalls": 5000, "period": "MONTH", "enforcement": "SOFT"},
        "overrides": [
            {
                "productId": product_id,
                "operationId": "POST /pets",
                "rateLimit": {"limitCalls": 2, "windowS": 60},
            }
        ],
        "auth": {
            "kind": "JWT",
            "issuer": "https://login.example",
            "audience": "pets",
            "claim": "client_id",
        },
        "sla": {"availabilityPercent": "99.95", "p95Ms": 250, "supportResponseHours": 8},
        "agreement": {"revision": "2026-11", "text": "Be kind. Grüße."},
        "trialDays": 14,
        "approval": "AUTOMATIC",
        "price": {
            "currency": "EUR",
            "monthlyFee": "9.99",
            "charges": [
                {"model": "PER_UNIT", "includedUnits": "1000", "unitPrice": "0.01"},
                {
                    "meter": "bytes",
                    "model": "GRADUATED",
                    "tiers": [
                        {"upToUnits": "10", "unitPrice": "0.5", "flatFee": "1"},
                        {"unitPrice": "0.25"},
                    ],
                },
                {"model": "PACKAGE", "packageUnits": "100", "unitPrice": "5"},
                {"model": "PERCENTAGE", "ratePercent": "1.3", "unitPrice": "0.2"},
            ],
        },
    }


async def sold(shop: Portal, given: dict[str, Any], slug: str = "full") -> str:
    made = await shop.done(
        "manager", "definePlan", slug=slug, name=slug, productIds=[shop.ids["product"]]
    )
    await shop.done("manager", "draftPlanVersion", planId=made["id"], terms=given)
    await shop.done("manager", "publishPlanVersion", planId=made["id"])
    await shop.seen()
    id_: str = made["id"]
    return id_


async def test_all_terms_of_a_plan_come_back_as_they_were_written(shop: Portal) -> None:
    given = terms(shop.ids["product"])
    plan_id = await sold(shop, given)
    await shop.done("manager", "renamePlan", planId=plan_id, name="Everything")
    await shop.seen()
    plan = (await shop.ask(None, FULL, id=plan_id))["node"]
    assert (plan["name"], plan["visibility"]) == ("Everything", "PUBLIC")
    shown = plan["currentVersion"]["terms"]
    assert shown["rateLimit"] == {"limitCalls": 10}
    assert shown["moreRateLimits"] == [{"windowS": 3600, "algorithm": "FIXED_WINDOW"}]
    assert shown["quota"] == {"amountCalls": 5000, "enforcement": "SOFT"}
    assert shown["auth"] == given["auth"]
    assert shown["sla"] == given["sla"]
    assert (shown["trialDays"], shown["approval"]) == (14, "AUTOMATIC")
    assert shown["overrides"] == [
        {
            "productId": shop.ids["product"],
            "operationId": "POST /pets",
            "rateLimit": {"limitCalls": 2},
            "quota": None,
        }
    ]
    assert shown["agreement"]["revision"] == "2026-11"
    assert shown["agreement"]["text"] == "Be kind. Grüße."
    first, second, third, fourth = shown["price"]["charges"]
    assert (first["model"], first["includedUnits"], first["unitPrice"]) == (
        "PER_UNIT",
        "1000",
        "0.01",
    )
    assert second["tiers"] == [
        {"upToUnits": "10", "unitPrice": "0.5", "flatFee": "1"},
        {"upToUnits": None, "unitPrice": "0.25", "flatFee": "0"},
    ]
    assert (third["packageUnits"], fourth["ratePercent"]) == ("100", "1.3")


async def test_terms_that_cannot_be_are_refused_by_the_field(shop: Portal) -> None:
    product = shop.ids["product"]
    limit = {"limitCalls": 1, "windowS": 1}
    charge = {"currency": "EUR", "charges": [{"model": "GRADUATED"}]}
    for given, refusal in (
        ({"moreRateLimits": [limit]}, ("RATE_LIMIT_INVALID", ["terms", "moreRateLimits"])),
        (
            {"rateLimit": limit, "moreRateLimits": [limit]},
            ("RATE_LIMIT_INVALID", ["terms", "moreRateLimits"]),
        ),
        ({"auth": {"kind": "JWT"}}, ("AUTH_INVALID", ["terms", "auth"])),
        ({"auth": {"kind": "KEYLESS", "issuer": "https://x"}}, ("AUTH_INVALID", ["terms", "auth"])),
        ({"sla": {"availabilityPercent": "101"}}, ("SLA_INVALID", ["terms", "sla"])),
        ({"trialDays": -1}, ("TRIAL_INVALID", ["terms", "trialDays"])),
        *(
            (
                {"agreement": {"revision": revision, "text": text}},
                ("AGREEMENT_INVALID", ["terms", "agreement"]),
            )
            for revision, text in (("1", ""), ("", "x"), ("", ""))
        ),
        (
            {"overrides": [{"productId": product, "operationId": "GET /pets"}]},
            ("OVERRIDES_INVALID", ["terms", "overrides"]),
        ),
        (
            {
                "overrides": [
                    {"productId": shop.ids["team"], "operationId": "x", "rateLimit": limit}
                ]
            },
            ("NOT_FOUND", ["terms", "overrides"]),
        ),
        ({"price": charge}, ("PRICE_INVALID", ["terms", "price"])),
    ):
        refused = await shop.refused(
            "manager", "draftPlanVersion", planId=shop.ids["free"], terms=given
        )
        assert refused == refusal, given
    override = {"productId": product, "operationId": "x", "rateLimit": limit}
    assert await shop.refused(
        "manager", "draftPlanVersion", planId=shop.ids["secret"], terms={"overrides": [override]}
    ) == ("OVERRIDES_INVALID", ["terms", "overrides"])


async def test_limits_are_explained_by_level_and_event(shop: Portal) -> None:
    plan_id = await sold(shop, terms(shop.ids["product"]))
    subscription = await shop.done(
        "developer",
        "requestSubscription",
        applicationId=shop.ids["team_application"],
        planId=plan_id,
        termsRevision="2026-11",
    )
    await shop.done("manager", "draftPlanVersion", planId=plan_id, terms={"trialDays": 1})
    await shop.done("manager", "publishPlanVersion", planId=plan_id)
    await shop.seen()
    query = """query ($id: ID!) { node(id: $id) { ... on ApiVersion { operations {
      nodes { id operationId } } } } }"""
    version = await shop.ask("owner", query, id=shop.ids["product_version"])
    ids = {each["operationId"]: each["id"] for each in version["node"]["operations"]["nodes"]}

    async def explained(who: str, operation: str | None) -> Any:
        found = await shop.ask(who, LIMITS, s=subscription["id"], o=operation)
        return found["explainLimits"]

    plain = await explained("developer", ids["GET /pets"])
    assert plain == await explained("owner", None)
    assert [(each["level"], each["planVersion"]) for each in plain] == [("PLAN_VERSION", 1)] * 3
    assert [each["rateLimit"] for each in plain] == [
        {"limitCalls": 10, "windowS": 1},
        {"limitCalls": 1000, "windowS": 3600},
        None,
    ]
    own, quota = await explained("developer", ids["POST /pets"])
    assert (own["level"], own["rateLimit"]["limitCalls"]) == ("OPERATION", 2)
    assert (quota["level"], quota["quota"]) == ("PLAN_VERSION", {"amountCalls": 5000})
    event = (
        'query { auditEvents(event: "plan.version_published", first: 100) { nodes { position } } }'
    )
    positions = [
        each["position"] for each in (await shop.ask("auditor", event))["auditEvents"]["nodes"]
    ]
    assert own["position"] in positions
    assert own["event"] == "plan.version_published"
    for who in ("rival", "stranger"):
        assert await explained(who, ids["POST /pets"]) is None
    inner = await shop.ask("owner", query, id=shop.ids["inner_version"])
    unsold = inner["node"]["operations"]["nodes"][0]["id"]
    for wrong in ("x", unsold):
        error = await shop.error("developer", LIMITS, s=subscription["id"], o=wrong)
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"


async def test_a_field_of_graphql_has_the_limits_of_its_api_before_those_of_the_plan(
    shop: Portal,
) -> None:
    product, limit = shop.ids["product"], {"limitCalls": 3, "windowS": 60}
    own = [
        {"productId": product, "operationId": "Query.a", "rateLimit": limit},
        {"productId": product, "operationId": "POST /", "rateLimit": {**limit, "limitCalls": 7}},
    ]
    plan_id = await sold(shop, {"rateLimit": {**limit, "limitCalls": 9}, "overrides": own})
    subscription = await shop.done(
        "developer",
        "requestSubscription",
        applicationId=shop.ids["team_application"],
        planId=plan_id,
    )
    fields = {"number": "9.0.0", "document": "type Query { a: Int b: Int }"}
    made = await shop.done("manager", "defineVersion", productId=product, **fields)
    await shop.seen()
    query = """query ($id: ID!) { node(id: $id) { ... on ApiVersion { operations {
      nodes { id operationId } } } } }"""
    for version, expected in (
        (made["id"], {"Query.a": 3, "Query.b": 7}),
        (shop.ids["product_version"], {"GET /pets": 9}),
    ):
        found = (await shop.ask("owner", query, id=version))["node"]["operations"]["nodes"]
        ids = {each["operationId"]: each["id"] for each in found}
        for name, calls in expected.items():
            asked = {"s": subscription["id"], "o": ids[name]}
            (held,) = (await shop.ask("owner", LIMITS, **asked))["explainLimits"]
            assert held["rateLimit"]["limitCalls"] == calls


async def test_a_deprecated_plan_is_sold_and_a_closed_one_is_not(shop: Portal) -> None:
    free = {"planId": shop.ids["free"]}
    request = {"applicationId": shop.ids["team_application"], **free}
    await shop.done("manager", "deprecatePlan", **free)
    await shop.done("developer", "requestSubscription", **request)
    assert (await shop.refused("manager", "deprecatePlan", **free))[0] == "PLAN_NOT_PUBLISHED"
    await shop.done("manager", "withdrawPlanDeprecation", **free)
    refused = await shop.refused("manager", "withdrawPlanDeprecation", **free)
    assert refused == ("PLAN_NOT_DEPRECATED", [])
    await shop.done("manager", "closePlan", **free)
    await shop.seen()
    assert await shop.refused("developer", "requestSubscription", **request) == (
        "PLAN_CLOSED",
        ["planId"],
    )
    for verb in ("closePlan", "publishPlanVersion"):
        assert await shop.refused("manager", verb, **free) == ("PLAN_CLOSED", [])
    refused = await shop.refused("manager", "draftPlanVersion", **free, terms={})
    assert refused == ("PLAN_CLOSED", [])
    seen = """query ($id: ID!) { node(id: $id) { ... on Subscription { state plan { state }
      planVersion { number } } } }"""
    subscription = (await shop.ask("developer", seen, id=shop.ids["team_subscription"]))["node"]
    assert subscription == {
        "state": "ACTIVE",
        "plan": {"state": "CLOSED"},
        "planVersion": {"number": 1},
    }
    assert (await shop.ask(None, "{ plans { nodes { slug } } }"))["plans"]["nodes"] == []


async def test_a_keyless_plan_takes_no_subscriptions(shop: Portal) -> None:
    plan_id = await sold(shop, {"auth": {"kind": "KEYLESS"}}, "open")
    assert await shop.refused(
        "developer",
        "requestSubscription",
        applicationId=shop.ids["team_application"],
        planId=plan_id,
    ) == ("PLAN_KEYLESS", ["planId"])


async def test_calls_to_a_product_without_a_key_are_those_of_one_plan(shop: Portal) -> None:
    everyone = {"auth": {"kind": "KEYLESS"}}
    first = await sold(shop, everyone, "open")
    product = {"productIds": [shop.ids["product"]]}
    second = await shop.done("manager", "definePlan", slug="wide", name="Wide", **product)
    wide = {"planId": second["id"]}
    await shop.done("manager", "draftPlanVersion", **wide, terms=everyone)
    refused = await shop.refused("manager", "publishPlanVersion", **wide)
    assert refused == ("KEYLESS_PLAN_EXISTS", ["planId"])

    # Another version of the same is as good as the first; one that takes keys leaves it to others.
    for terms in (everyone, {"auth": {"kind": "API_KEY"}}):
        await shop.done("manager", "draftPlanVersion", planId=first, terms=terms)
        await shop.done("manager", "publishPlanVersion", planId=first)
    await shop.done("manager", "publishPlanVersion", **wide)

    await shop.done("manager", "draftPlanVersion", planId=first, terms=everyone)
    refused = await shop.refused("manager", "publishPlanVersion", planId=first)
    assert refused == ("KEYLESS_PLAN_EXISTS", ["planId"])
    await shop.done("manager", "closePlan", **wide)
    await shop.done("manager", "publishPlanVersion", planId=first)
