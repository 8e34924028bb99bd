from tests.controlplane.graphql.portal import TERMS, Portal
from tests.given import PETSTORE


async def test_every_verb_changes_what_its_payload_shows(shop: Portal) -> None:
    ids = shop.ids
    document = """query ($id: ID!) { node(id: $id) { __typename id
      ... on ApiProduct { productState: state } ... on ApiVersion { versionState: state }
      ... on Plan { currentVersion { state terms { approval quota { amountCalls period }
        rateLimit { limitCalls windowS algorithm } price { monthlyFee currency } } } }
      ... on Subscription { subscriptionState: state version plan { id } application { id } }
      ... on Credential { credentialState: state } ... on Gateway { group { id } } } }"""

    async def node(name: str, who: str = "owner") -> dict[str, object]:
        found: dict[str, object] = (await shop.ask(who, document, id=ids[name]))["node"]
        assert found.pop("id") == ids[name]
        return found

    assert await node("product") == {"__typename": "ApiProduct", "productState": "PUBLISHED"}
    assert await node("product_version") == {
        "__typename": "ApiVersion",
        "versionState": "PUBLISHED",
    }
    assert (await node("free"))["currentVersion"] == {
        "state": "PUBLISHED",
        "terms": {
            "approval": "MANUAL",
            "quota": {"amountCalls": 10**12, "period": "MONTH"},
            "rateLimit": {"limitCalls": 10**11, "windowS": 60, "algorithm": "TOKEN_BUCKET"},
            "price": {"monthlyFee": "49.90", "currency": "EUR"},
        },
    }
    assert await node("team_subscription") == {
        "__typename": "Subscription",
        "subscriptionState": "ACTIVE",
        "version": 3,
        "plan": {"id": ids["free"]},
        "application": {"id": ids["team_application"]},
    }
    assert await node("credential") == {"__typename": "Credential", "credentialState": "ACTIVE"}
    assert await node("gateway") == {"__typename": "Gateway", "group": {"id": ids["group"]}}
    for name in ("team", "person", "group", "team_application"):
        await node(name)


async def test_a_payload_holds_the_node_its_position_and_its_events(portal: Portal) -> None:
    answer = await portal.ask(
        "manager",
        """mutation ($input: DefineProductInput!) { defineProduct(input: $input) {
          ... on ProductChanged { id position events product { id slug state version } } } }""",
        input={"slug": "pets", "name": "Pets", "reason": "asked for"},
    )
    made = answer["defineProduct"]
    assert made["events"] == ["reservation.taken", "api_product.defined"]
    assert made["position"].startswith(f"{portal.app.epoch}.")
    assert made["product"] == {"id": made["id"], "slug": "pets", "state": "DRAFT", "version": 1}


async def test_the_remaining_verbs(shop: Portal) -> None:
    ids = shop.ids
    revoked = await shop.done("developer", "revokeCredential", credentialId=ids["credential"])
    assert revoked["id"] == ids["credential"]
    cancelled = await shop.done(
        "developer", "cancelSubscription", subscriptionId=ids["team_subscription"]
    )
    assert cancelled["events"] == ["subscription.cancelled"]
    rejected = await shop.done(
        "manager", "rejectSubscription", subscriptionId=ids["other_team_subscription"]
    )
    assert rejected["events"] == ["subscription.rejected"]
    team = await shop.done("manager", "formTeam", name="new")
    token = await shop.done("owner", "issueToken", name="t", role="DEVELOPER", teamId=team["id"])
    shop.tokens["new"] = token["secret"]["value"]
    await shop.seen()
    assert (await shop.ask("new", "{ viewer { team { id } } }"))["viewer"]["team"] == {
        "id": team["id"]
    }
    await shop.done("owner", "revokeToken", tokenId=token["id"])
    response = await shop.send("new", {"query": "{ viewer { role } }"})
    assert response.status == 401
    established = await shop.done("operator", "establishOrganization", slug="new", name="New")
    shop.tokens["first"] = established["secret"]["value"]
    await shop.seen()
    viewer = await shop.ask("first", "{ viewer { role organization { id slug } team { id } } }")
    assert viewer["viewer"] == {
        "role": "OWNER",
        "organization": {"id": established["id"], "slug": "new"},
        "team": None,
    }


async def test_a_broken_rule_is_named_with_the_field_at_fault(shop: Portal) -> None:
    ids = shop.ids
    refusals = {
        ("operator", "establishOrganization", ("slug", "ace"), ("name", "x")): (
            "ALREADY_TAKEN",
            ["slug"],
        ),
        ("manager", "formTeam", ("name", " ")): ("LABEL_INVALID", ["name"]),
        ("manager", "registerDeveloper", ("teamId", ids["team"]), ("name", "x"), ("mail", "x")): (
            "MAIL_INVALID",
            ["mail"],
        ),
        ("manager", "defineProduct", ("slug", "pets"), ("name", "x")): ("ALREADY_TAKEN", ["slug"]),
        ("manager", "publishProduct", ("productId", ids["product"])): ("PRODUCT_NOT_DRAFT", []),
        ("manager", "publishProduct", ("productId", ids["free"])): ("NOT_FOUND", ["productId"]),
        ("manager", "publishProduct", ("productId", "x")): ("NOT_FOUND", ["productId"]),
        ("manager", "publishVersion", ("versionId", ids["product_version"])): (
            "VERSION_NOT_DRAFT",
            [],
        ),
        ("manager", "publishPlanVersion", ("planId", ids["free"])): ("NO_DRAFT_PLAN_VERSION", []),
        (
            "manager",
            "publishPlanVersion",
            ("planId", ids["free"]),
            ("expectedVersion", 1),
        ): ("VERSION_CHANGED", ["expectedVersion"]),
        ("owner", "registerApplication", ("teamId", ids["product"]), ("name", "x")): (
            "NOT_FOUND",
            ["teamId"],
        ),
        (
            "developer",
            "requestSubscription",
            ("applicationId", ids["team_application"]),
            ("planId", ids["product"]),
        ): ("NOT_FOUND", ["planId"]),
        ("manager", "acceptSubscription", ("subscriptionId", ids["team_subscription"])): (
            "SUBSCRIPTION_NOT_PENDING",
            [],
        ),
        ("developer", "acceptSubscription", ("subscriptionId", ids["team_subscription"])): (
            "NOT_PERMITTED",
            [],
        ),
        ("manager", "rejectSubscription", ("subscriptionId", ids["team_subscription"])): (
            "SUBSCRIPTION_NOT_PENDING",
            [],
        ),
        ("owner", "issueCredential", ("subscriptionId", ids["other_team_subscription"])): (
            "SUBSCRIPTION_NOT_ACTIVE",
            [],
        ),
        (
            "owner",
            "issueCredential",
            ("subscriptionId", ids["team_subscription"]),
            ("notAfter", "2020-01-01T00:00:00Z"),
        ): ("NOT_AFTER_PAST", ["notAfter"]),
        ("owner", "revokeCredential", ("credentialId", ids["product"])): (
            "NOT_FOUND",
            ["credentialId"],
        ),
        ("owner", "openGatewayGroup", ("slug", "edge"), ("environment", "p")): (
            "ALREADY_TAKEN",
            ["slug"],
        ),
        ("owner", "registerGateway", ("groupId", ids["gateway"]), ("name", "x")): (
            "NOT_FOUND",
            ["groupId"],
        ),
        ("owner", "issueToken", ("name", "x"), ("role", "DEVELOPER")): (
            "BEARER_MISSING",
            ["teamId"],
        ),
        ("owner", "issueToken", ("name", "x"), ("role", "OPERATOR")): ("NOT_PERMITTED", ["role"]),
        ("owner", "revokeToken", ("tokenId", ids["team"])): ("NOT_FOUND", ["tokenId"]),
        ("owner", "formTeam", ("name", "x"), ("reason", "a\0b")): ("PROSE_INVALID", ["reason"]),
        ("owner", "formTeam", ("name", "x"), ("idempotencyKey", "ü")): (
            "IDEMPOTENCY_KEY_INVALID",
            ["idempotencyKey"],
        ),
        (None, "formTeam", ("name", "x")): ("NOT_PERMITTED", []),
        ("auditor", "formTeam", ("name", "x")): ("NOT_PERMITTED", []),
    }
    for (who, verb, *given), refusal in refusals.items():
        assert await shop.refused(who, verb, **dict(given)) == refusal, verb  # type: ignore[arg-type]  # pairs of text


async def test_refusals_of_inputs_with_structure(shop: Portal) -> None:
    product = shop.ids["product"]
    version = {"productId": product, "number": "2.0.0", "document": PETSTORE.decode()}
    for change, refusal in (
        ({"number": "2"}, ("VERSION_NUMBER_INVALID", ["number"])),
        ({"document": "<html>"}, ("NOT_AN_API_DOCUMENT", ["document"])),
        ({"document": '{"openapi": '}, ("DOCUMENT_BROKEN", ["document"])),
        (
            {"upstreams": [{"environment": "a", "url": "ftp://x"}]},
            ("URL_INVALID", ["upstreams"]),
        ),
    ):
        assert await shop.refused("manager", "defineVersion", **{**version, **change}) == refusal
    assert await shop.refused(
        "manager", "definePlan", slug="x", name="x", productIds=[product, product]
    ) == ("PRODUCTS_INVALID", ["productIds"])
    for terms, refusal in (
        (
            {"quota": {"amountCalls": 10**12 + 1, "period": "DAY"}},
            ("QUOTA_INVALID", ["terms", "quota"]),
        ),
        (
            {"rateLimit": {"limitCalls": 0, "windowS": 1}},
            ("RATE_LIMIT_INVALID", ["terms", "rateLimit"]),
        ),
        ({"price": {"currency": "EUR", "monthlyFee": "-1"}}, ("PRICE_INVALID", ["terms", "price"])),
    ):
        refused = await shop.refused(
            "manager", "draftPlanVersion", planId=shop.ids["free"], terms=terms
        )
        assert refused == refusal


async def test_a_dry_run_tells_and_changes_nothing(portal: Portal) -> None:
    query = """mutation ($input: IssueTokenInput!) { issueToken(input: $input) { __typename
      ... on TokenIssued { id position events secret { __typename } accessToken { id } } } }"""
    wanted = {"name": "x", "role": "AUDITOR", "dryRun": True}
    answer = await portal.ask("owner", query, input=wanted)
    assert answer["issueToken"] == {
        "__typename": "TokenIssued",
        "id": None,
        "position": None,
        "events": ["access_token.issued"],
        "secret": None,
        "accessToken": None,
    }
    names = await portal.ask("owner", "{ accessTokens { nodes { name } } }")
    assert {"name": "x"} not in names["accessTokens"]["nodes"]


async def test_a_retry_is_answered_as_before_but_for_the_secret(portal: Portal) -> None:
    wanted = {"name": "x", "role": "AUDITOR", "idempotencyKey": "once"}
    first = await portal.done("owner", "issueToken", **wanted)
    again = await portal.done("owner", "issueToken", **wanted)
    assert first.pop("secret")["__typename"] == "SecretShownOnce"
    assert again.pop("secret") == {"__typename": "SecretAlreadyShown"}
    assert first == again
    assert await portal.refused("owner", "issueToken", **{**wanted, "name": "y"}) == (
        "IDEMPOTENCY_KEY_REUSED",
        ["idempotencyKey"],
    )


async def test_mutations_of_one_document_see_each_other(portal: Portal) -> None:
    made = await portal.done("owner", "formTeam", name="one")
    answer = await portal.ask(
        "owner",
        """mutation ($team: ID!) {
          a: registerApplication(input: {teamId: $team, name: "a"}) { ...Seen }
          b: registerApplication(input: {teamId: $team, name: "b"}) { ...Seen } }
        fragment Seen on ApplicationChanged {
          application { team { applications { nodes { name } } } } }""",
        team=made["id"],
    )
    listed = [
        [each["name"] for each in payload["application"]["team"]["applications"]["nodes"]]
        for payload in answer.values()
    ]
    assert listed == [["a"], ["a", "b"]]


async def test_nobody_changes_what_they_do_not_see(shop: Portal) -> None:
    ids = shop.ids
    for who, verb, field, name in (
        ("stranger", "publishProduct", "productId", "product"),
        ("stranger", "publishVersion", "versionId", "product_version"),
        ("stranger", "publishPlanVersion", "planId", "free"),
        ("stranger", "cancelSubscription", "subscriptionId", "team_subscription"),
        ("stranger", "revokeCredential", "credentialId", "credential"),
        ("rival", "cancelSubscription", "subscriptionId", "team_subscription"),
        ("rival", "issueCredential", "subscriptionId", "team_subscription"),
        ("rival", "revokeCredential", "credentialId", "credential"),
    ):
        assert await shop.refused(who, verb, **{field: ids[name]}) == ("NOT_FOUND", [field])
    for who, verb, wanted, field in (
        ("stranger", "registerGateway", {"groupId": ids["group"], "name": "x"}, "groupId"),
        ("stranger", "draftPlanVersion", {"planId": ids["free"], "terms": TERMS}, "planId"),
        ("rival", "registerApplication", {"teamId": ids["team"], "name": "x"}, "teamId"),
        (
            "rival",
            "requestSubscription",
            {"applicationId": ids["team_application"], "planId": ids["free"]},
            "applicationId",
        ),
    ):
        assert await shop.refused(who, verb, **wanted) == ("NOT_FOUND", [field])
