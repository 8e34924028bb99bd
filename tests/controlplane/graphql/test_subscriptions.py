"""The life of subscriptions and keys, as providers and teams see it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.controlplane.graphql.portal import Portal
from tests.given import AT

SEEN = """query ($id: ID!) { node(id: $id) { ... on Subscription {
  state comment decisionComment suspensionReason expiresAt plan { slug }
  acceptedTerms { revision acceptedBy acceptedAt }
  credentials { nodes { id state label algorithm servable notAfter overlapEndsAt
    successor { id state } } } } } }"""


async def seen(shop: Portal, who: str = "developer", name: str = "team_subscription") -> Any:
    return (await shop.ask(who, SEEN, id=shop.ids[name]))["node"]


async def test_a_request_says_what_was_agreed_to_and_an_answer_why(shop: Portal) -> None:
    made = await shop.done(
        "developer",
        "requestSubscription",
        applicationId=shop.ids["team_application"],
        planId=shop.ids["free"],
        termsRevision="2026-01",
        comment="For the shop",
    )
    assert made["events"] == ["subscription.requested", "subscription.terms_accepted"]
    shop.ids["new"] = made["id"]
    await shop.done(
        "manager",
        "acceptSubscription",
        subscriptionId=made["id"],
        comment="Welcome",
        expiresAt="2026-02-01T00:00:00Z",
    )
    await shop.done("developer", "acceptTerms", subscriptionId=made["id"], termsRevision="2026-02")
    await shop.seen()
    node = await seen(shop, name="new")
    assert node["acceptedTerms"]["revision"] == "2026-02"
    assert node["acceptedTerms"]["acceptedBy"]
    assert (node["state"], node["comment"], node["decisionComment"]) == (
        "ACTIVE",
        "For the shop",
        "Welcome",
    )
    assert node["expiresAt"] == "2026-02-01T00:00:00Z"


async def test_a_rejection_says_why(shop: Portal) -> None:
    await shop.done(
        "manager",
        "rejectSubscription",
        subscriptionId=shop.ids["other_team_subscription"],
        comment="Not now",
    )
    await shop.seen()
    node = await seen(shop, "rival", "other_team_subscription")
    assert (node["state"], node["decisionComment"]) == ("REJECTED", "Not now")


async def test_a_suspension_tells_the_team_its_reason_until_it_is_resumed(shop: Portal) -> None:
    about = {"subscriptionId": shop.ids["team_subscription"]}
    assert await shop.refused("manager", "suspendSubscription", **about) == (
        "SUSPENSION_REASON_MISSING",
        ["reason"],
    )
    assert await shop.refused("developer", "suspendSubscription", **about, reason="x") == (
        "NOT_PERMITTED",
        [],
    )
    await shop.done("manager", "suspendSubscription", **about, reason="unpaid")
    await shop.seen()
    node = await seen(shop)
    assert (node["state"], node["suspensionReason"]) == ("SUSPENDED", "unpaid")
    assert await shop.refused("developer", "issueCredential", **about) == (
        "SUBSCRIPTION_NOT_ACTIVE",
        [],
    )
    assert await shop.refused("developer", "resumeSubscription", **about) == ("NOT_PERMITTED", [])
    await shop.done("manager", "resumeSubscription", **about)
    await shop.seen()
    node = await seen(shop)
    assert (node["state"], node["suspensionReason"]) == ("ACTIVE", None)
    assert await shop.refused("manager", "resumeSubscription", **about) == (
        "SUBSCRIPTION_NOT_SUSPENDED",
        [],
    )


async def test_a_subscription_is_expired_from_the_instant_on(shop: Portal) -> None:
    made = await shop.done(
        "developer",
        "requestSubscription",
        applicationId=shop.ids["team_application"],
        planId=shop.ids["free"],
    )
    accept = {"subscriptionId": made["id"], "expiresAt": "2026-01-01T00:00:00Z"}
    assert await shop.refused("manager", "acceptSubscription", **accept) == (
        "EXPIRY_PAST",
        ["expiresAt"],
    )
    accept["expiresAt"] = "2026-01-02T00:00:00Z"
    await shop.done("manager", "acceptSubscription", **accept)
    await shop.seen()
    shop.ids["new"] = made["id"]
    query = """query ($state: SubscriptionState) {
      subscriptions(state: $state) { nodes { id state } } }"""
    about = {"subscriptionId": made["id"]}
    assert (await shop.ask("owner", query, state="EXPIRED"))["subscriptions"]["nodes"] == []
    assert await shop.refused("owner", "expireSubscription", **about) == (
        "SUBSCRIPTION_NOT_DUE",
        [],
    )
    at(shop, AT + timedelta(days=1))
    (node,) = (await shop.ask("owner", query, state="EXPIRED"))["subscriptions"]["nodes"]
    assert node == {"id": made["id"], "state": "EXPIRED"}
    active = (await shop.ask("owner", query, state="ACTIVE"))["subscriptions"]["nodes"]
    assert node["id"] not in [each["id"] for each in active]
    assert await shop.refused("owner", "acceptTerms", **about, termsRevision="2026-02") == (
        "SUBSCRIPTION_OVER",
        [],
    )
    done = await shop.done("owner", "expireSubscription", **about)
    assert done["events"] == ["subscription.expired"]


async def test_an_end_is_moved_and_what_expired_of_late_is_reinstated(shop: Portal) -> None:
    about = {"subscriptionId": shop.ids["team_subscription"]}
    end = "2026-01-02T00:00:00Z"
    for verb in ("scheduleSubscriptionExpiry", "reinstateSubscription"):
        assert await shop.refused("developer", verb, **about) == ("NOT_PERMITTED", [])
        assert await shop.refused("stranger", verb, **about) == ("NOT_FOUND", ["subscriptionId"])
    past = {**about, "expiresAt": "2026-01-01T00:00:00Z"}
    assert await shop.refused("manager", "scheduleSubscriptionExpiry", **past) == (
        "EXPIRY_PAST",
        ["expiresAt"],
    )
    asked = {**about, "expiresAt": end, "comment": "A month more", "idempotencyKey": "1"}
    first, again = [
        await shop.done("manager", "scheduleSubscriptionExpiry", **asked) for _ in range(2)
    ]
    assert first["events"] == again["events"] == ["subscription.expiry_scheduled"]
    assert first["position"] == again["position"]
    await shop.seen()
    node = await seen(shop)
    assert (node["expiresAt"], node["decisionComment"]) == (end, "A month more")
    assert await shop.refused("manager", "reinstateSubscription", **about) == (
        "SUBSCRIPTION_NOT_EXPIRED",
        [],
    )

    at(shop, AT + timedelta(days=2))
    assert (await seen(shop))["state"] == "EXPIRED"
    assert await shop.refused("manager", "scheduleSubscriptionExpiry", **about) == (
        "SUBSCRIPTION_NOT_RUNNING",
        [],
    )
    done = await shop.done("manager", "reinstateSubscription", **about, comment="Sorry")
    assert done["events"] == ["subscription.expired", "subscription.reinstated"]
    await shop.seen()
    node = await seen(shop)
    assert (node["state"], node["expiresAt"], node["decisionComment"]) == ("ACTIVE", None, "Sorry")
    assert [each["state"] for each in node["credentials"]["nodes"]] == ["ACTIVE"]


async def test_what_expired_long_ago_or_was_cancelled_is_not_reinstated(shop: Portal) -> None:
    about = {"subscriptionId": shop.ids["team_subscription"]}
    soon = {**about, "expiresAt": "2026-01-02T00:00:00Z"}
    await shop.done("manager", "scheduleSubscriptionExpiry", **soon)
    at(shop, AT + timedelta(days=92))
    assert await shop.refused("manager", "reinstateSubscription", **about) == (
        "SUBSCRIPTION_OVER",
        [],
    )
    at(shop, AT + timedelta(days=2))
    await shop.done("developer", "cancelSubscription", **about)
    assert await shop.refused("manager", "reinstateSubscription", **about) == (
        "SUBSCRIPTION_NOT_EXPIRED",
        [],
    )


def at(shop: Portal, now: datetime) -> None:
    """Have the clock go on."""
    object.__setattr__(shop.app, "services", replace(shop.app.services, now=lambda: now))


async def test_a_transfer_takes_the_keys_along(shop: Portal) -> None:
    about = {"subscriptionId": shop.ids["team_subscription"]}
    assert await shop.refused(
        "developer", "transferSubscription", **about, planId=shop.ids["secret"]
    ) == ("NOT_PERMITTED", ["planId"])
    assert await shop.refused(
        "manager", "transferSubscription", **about, planId=shop.ids["free"]
    ) == ("ALREADY_ON_PLAN", ["planId"])
    before = await seen(shop, "owner")
    await shop.done("manager", "transferSubscription", **about, planId=shop.ids["secret"])
    await shop.seen()
    after = await seen(shop, "owner")
    assert after["plan"] == {"slug": "secret"}
    assert after["credentials"] == before["credentials"]


async def test_a_rotated_key_names_its_successor_and_expires(shop: Portal) -> None:
    old = shop.ids["credential"]
    rotated = await shop.done(
        "developer", "rotateCredential", credentialId=old, overlapS=3600, label="second"
    )
    assert rotated["secret"]["value"].startswith("cpk_")
    assert rotated["id"] != old
    await shop.seen()
    first, second = (await seen(shop))["credentials"]["nodes"]
    assert (first["id"], first["state"]) == (old, "EXPIRING")
    assert first["overlapEndsAt"] == "2026-01-01T01:00:00Z"
    assert first["successor"] == {"id": rotated["id"], "state": "ACTIVE"}
    assert (second["label"], second["algorithm"], second["servable"]) == (
        "second",
        "SHA256_HEX",
        True,
    )
    again = {"credentialId": old, "overlapS": 0}
    assert await shop.refused("developer", "rotateCredential", **again) == (
        "CREDENTIAL_NOT_ACTIVE",
        ["credentialId"],
    )
    for overlap_s in (-1, 7_776_001):
        assert await shop.refused(
            "developer", "rotateCredential", credentialId=rotated["id"], overlapS=overlap_s
        ) == ("OVERLAP_INVALID", ["overlapS"])
    at(shop, AT + timedelta(hours=1))
    states = [each["state"] for each in (await seen(shop))["credentials"]["nodes"]]
    assert states == ["EXPIRED", "ACTIVE"]


async def test_an_imported_key_says_whether_gateways_can_serve_it(shop: Portal) -> None:
    about = {"subscriptionId": shop.ids["team_subscription"]}
    sha256 = {**about, "algorithm": "SHA256_HEX", "digest": "AB" * 32}
    made = await shop.done("owner", "importCredential", **sha256, label="legacy")
    bcrypt = {**about, "algorithm": "BCRYPT", "digest": "$2b$12$" + "a" * 53}
    await shop.done("owner", "importCredential", **bcrypt)
    assert await shop.refused("owner", "importCredential", **sha256) == (
        "ALREADY_TAKEN",
        ["digest"],
    )
    assert await shop.refused("owner", "importCredential", **{**sha256, "digest": "x"}) == (
        "DIGEST_INVALID",
        ["digest"],
    )
    assert await shop.refused("developer", "importCredential", **sha256) == ("NOT_PERMITTED", [])
    await shop.seen()
    nodes = {each["id"]: each for each in (await seen(shop))["credentials"]["nodes"]}
    assert nodes[made["id"]]["label"] == "legacy"
    assert sorted((each["algorithm"], each["servable"]) for each in nodes.values()) == [
        ("BCRYPT", False),
        ("SHA256_HEX", True),
        ("SHA256_HEX", True),
    ]


async def test_nobody_moves_what_they_do_not_see(shop: Portal) -> None:
    ids = shop.ids
    about = {"subscriptionId": ids["team_subscription"]}
    for who in ("stranger", "rival"):
        for verb, more, field in (
            ("transferSubscription", {**about, "planId": ids["free"]}, "subscriptionId"),
            ("acceptTerms", {**about, "termsRevision": "1"}, "subscriptionId"),
            (
                "rotateCredential",
                {"credentialId": ids["credential"], "overlapS": 0},
                "credentialId",
            ),
        ):
            assert await shop.refused(who, verb, **more) == ("NOT_FOUND", [field])
    for verb, more in (
        ("suspendSubscription", {**about, "reason": "x"}),
        ("resumeSubscription", about),
        ("expireSubscription", about),
        ("importCredential", {**about, "algorithm": "SHA256_HEX", "digest": "a" * 64}),
    ):
        assert await shop.refused("stranger", verb, **more) == ("NOT_FOUND", ["subscriptionId"])
