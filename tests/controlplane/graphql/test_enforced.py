"""What did a gateway enforce for a key at an instant, and which event made it so."""

from datetime import timedelta
from typing import Any

from tests.controlplane.graphql.gateways import Gateways
from tests.given import AT

ENFORCED = """query ($gateway: ID!, $key: ID!, $at: DateTime!) {
  enforcedAt(gatewayId: $gateway, credentialId: $key, at: $at) {
    certainty agrees verified decidedAt caughtUpAt gateway { id } credential { id }
    run { cursor contentHash since until acknowledgedAt }
    enforced { ...V } decided { ...V } } }
fragment V on Verdict { allowed reason position cause { event at position actor }
  versions { product base number } limits { rateLimit { limitCalls } quota { amountCalls } } }"""


async def enforced(
    gateways: Gateways, name: str, at: str, key: str = "credential", who: str = "owner"
) -> Any:
    shop = gateways.portal
    answer = await shop.ask(
        who, ENFORCED, gateway=gateways.ids[name], key=shop.ids.get(key, key), at=at
    )
    return answer["enforcedAt"]


def told(verdict: dict[str, Any] | None) -> tuple[str, str | None] | None:
    """Return the reason and the event of a verdict."""
    if verdict is None:
        return None
    return verdict["reason"], verdict["cause"] and verdict["cause"]["event"]


ALLOWED = ("ALLOWED", "subscription.credential_issued")
REVOKED = ("KEY_REVOKED", "subscription.credential_revoked")


async def test_a_revoked_key_is_refused_from_the_acknowledgement_on_and_not_where_it_lags(
    gateways: Gateways,
) -> None:
    before = await gateways.now()
    held = [await gateways.runs(name) for name in ("one", "two")]
    allowed = await gateways.now()
    await gateways.portal.done(
        "developer", "revokeCredential", credentialId=gateways.portal.ids["credential"]
    )
    revoked = await gateways.now()
    newer = await gateways.runs("one")
    after = await gateways.now()

    unknown = await enforced(gateways, "one", before)
    assert unknown["certainty"] == "NOT_ACKNOWLEDGED"
    assert (unknown["run"], unknown["enforced"], unknown["agrees"]) == (None, None, None)
    assert told(unknown["decided"]) == ALLOWED

    then = await enforced(gateways, "one", allowed)
    assert told(then["enforced"]) == told(then["decided"]) == ALLOWED
    assert then["run"]["cursor"] == then["enforced"]["position"] == held[0]
    assert then["verified"]
    assert then["agrees"]
    assert then["enforced"]["versions"] == [
        {"product": slug, "base": "v1", "number": "1.0.0"} for slug in ("pets", "inner")
    ]
    (rate, quota) = then["enforced"]["limits"]
    assert rate["rateLimit"]["limitCalls"] == 10**11
    assert quota["quota"]["amountCalls"] == 10**12

    between = await enforced(gateways, "one", revoked)
    assert (told(between["enforced"]), told(between["decided"])) == (ALLOWED, REVOKED)
    assert between["certainty"] == "LAST_WORD"
    assert not between["agrees"]
    assert allowed < between["decidedAt"] < revoked < between["caughtUpAt"] < after
    assert between["caughtUpAt"] == between["run"]["until"]

    since = await enforced(gateways, "one", after)
    assert told(since["enforced"]) == told(since["decided"]) == REVOKED
    assert since["run"]["cursor"] == newer
    assert since["run"]["since"] == between["caughtUpAt"]
    assert (since["enforced"]["versions"], since["enforced"]["limits"]) == ([], [])

    lagging = await enforced(gateways, "two", after)
    assert (told(lagging["enforced"]), told(lagging["decided"])) == (ALLOWED, REVOKED)
    assert (lagging["agrees"], lagging["caughtUpAt"]) == (False, None)


async def test_every_reason_to_refuse_a_key_is_told_with_its_event(gateways: Gateways) -> None:
    shop, ids = gateways.portal, gateways.portal.ids
    subscription = {"subscriptionId": ids["team_subscription"]}
    early = await gateways.runs("one")
    asked = await gateways.now()
    issued = await shop.done(
        "developer", "issueCredential", **subscription, notAfter="2026-01-01T01:00:00Z"
    )
    imported = await shop.done(
        "owner",
        "importCredential",
        **subscription,
        algorithm="BCRYPT",
        digest="$2b$12$" + "a" * 53,
    )

    async def reason(key: str = "credential") -> Any:
        await gateways.runs("one")
        found = await enforced(gateways, "one", await gateways.now(), key)
        assert told(found["enforced"]) == told(found["decided"])
        return told(found["enforced"])

    await shop.seen()
    not_yet = await enforced(gateways, "one", asked, issued["id"])
    assert told(not_yet["enforced"]) == told(not_yet["decided"]) == ("KEY_UNKNOWN", None)
    assert not_yet["enforced"]["position"] == early
    assert await reason(issued["id"]) == ("KEY_ENDED", "subscription.credential_issued")
    assert await reason(imported["id"]) == (
        "KEY_NOT_SERVABLE",
        "subscription.credential_imported",
    )
    rotated = await shop.done(
        "developer", "rotateCredential", credentialId=ids["credential"], overlapS=60
    )
    assert await reason() == ("KEY_ENDED", "subscription.credential_rotated")
    assert await reason(rotated["id"]) == ("ALLOWED", "subscription.credential_rotated")

    key = rotated["id"]
    await shop.done("manager", "suspendSubscription", **subscription, reason="unpaid")
    assert await reason(key) == ("SUBSCRIPTION_SUSPENDED", "subscription.suspended")
    ends = "2026-01-02T00:00:00Z"  # after the service's clock, before the database's
    await shop.done("manager", "scheduleSubscriptionExpiry", **subscription, expiresAt=ends)
    assert await reason(key) == ("SUBSCRIPTION_SUSPENDED", "subscription.suspended")
    await shop.done("manager", "resumeSubscription", **subscription)
    assert await reason(key) == ("SUBSCRIPTION_EXPIRED", "subscription.expiry_scheduled")
    await shop.done("manager", "scheduleSubscriptionExpiry", **subscription)
    assert await reason(key) == ("ALLOWED", "subscription.expiry_scheduled")
    for version in ("product_version", "inner_version"):
        await shop.done("manager", "withdrawVersion", versionId=ids[version])
    assert await reason(key) == ("NOTHING_SERVED", None)
    await shop.done("developer", "cancelSubscription", **subscription)
    assert await reason(key) == ("SUBSCRIPTION_CANCELLED", "subscription.cancelled")


async def test_what_cannot_be_known_is_said_to_be_unknown(gateways: Gateways) -> None:
    pool = gateways.portal.app.services.pool
    await gateways.runs("one")
    confirmed = await gateways.now()
    await gateways.runs("one")
    assert (await enforced(gateways, "one", confirmed))["certainty"] == "CONFIRMED"
    last_year = (AT - timedelta(days=365)).isoformat()
    assert (await enforced(gateways, "one", last_year))["certainty"] == "NOT_KEPT"

    await gateways.runs("one", hash_="0" * 64)
    found = await enforced(gateways, "one", await gateways.now())
    assert (found["certainty"], found["enforced"], found["verified"]) == ("DIVERGED", None, None)
    assert found["run"]["contentHash"] == "0" * 64

    await pool.execute("UPDATE gateway_acknowledgements SET diverged = false")
    assert (await enforced(gateways, "one", await gateways.now()))["verified"] is False
    await pool.execute("UPDATE gateway_acknowledgements SET epoch = epoch + 1")
    found = await enforced(gateways, "one", await gateways.now())
    assert (found["certainty"], found["enforced"]) == ("ANOTHER_EPOCH", None)


async def test_only_those_who_read_gateways_are_told_and_who_did_it_only_with_the_trail(
    gateways: Gateways,
) -> None:
    shop = gateways.portal
    await gateways.runs("one")
    at = await gateways.now()
    for who in ("owner", "auditor"):
        found = await enforced(gateways, "one", at, who=who)
        assert found["enforced"]["cause"]["actor"]
    found = await enforced(gateways, "one", at, who="manager")
    assert found["enforced"]["cause"]["actor"] is None
    assert await enforced(gateways, "one", at, who="stranger") is None
    said = {"gateway": gateways.ids["one"], "key": shop.ids["credential"], "at": at}
    for stranger in ("developer", "operator", "one", None):
        error = await shop.error(stranger, ENFORCED, **said)
        assert error["extensions"]["code"] == "NOT_PERMITTED"
    for wrong in (
        {"at": "2999-01-01T00:00:00Z"},
        {"gateway": said["key"]},
        {"key": shop.ids["product"]},
    ):
        error = await shop.error("owner", ENFORCED, **{**said, **wrong})
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"
