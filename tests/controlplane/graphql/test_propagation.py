"""Which gateway runs what, since when, how far behind, and how long changes took to it."""

import asyncio
from datetime import timedelta
from typing import Any

from tests.controlplane.graphql.gateways import Gateways

GATEWAY = """query ($id: ID!, $asOf: AsOf) { node(id: $id, asOf: $asOf) { ... on Gateway {
  state heardAt runs { cursor contentHash since until acknowledgedAt } behind { changes seconds }
  lastError { cursor reason times standing }
  history { nodes { cursor since until } } } } }"""
GROUP = """query ($id: ID!, $lastS: Int! = 3600) { node(id: $id) { ... on GatewayGroup {
  cursor gateways { nodes { name behind { changes } } } propagation(lastS: $lastS) {
    changes p50Ms p99Ms missing slowest { position delayMs runningAt gateway { name } } } } } }"""
CHANGE = """query ($id: ID!, $at: Position!) { node(id: $id) { ... on GatewayGroup {
  propagationOf(position: $at) {
    position committedAt runningAt delayMs gateway { name } } } } }"""


async def of_gateway(gateways: Gateways, name: str) -> Any:
    return (await gateways.portal.ask("auditor", GATEWAY, id=gateways.ids[name]))["node"]


async def of_group(gateways: Gateways, **variables: object) -> Any:
    shop = gateways.portal
    return (await shop.ask("manager", GROUP, id=shop.ids["group"], **variables))["node"]


async def issued(gateways: Gateways) -> str:
    """Have the group's configuration change; return the position."""
    shop = gateways.portal
    made = await shop.done(
        "developer", "issueCredential", subscriptionId=shop.ids["team_subscription"]
    )
    await shop.seen()
    return str(made["position"])


async def test_a_gateway_says_what_it_runs_and_how_far_it_is_behind_is_worked_out(
    gateways: Gateways,
) -> None:
    assert await of_gateway(gateways, "one") == {
        "state": "REGISTERED",
        "heardAt": None,
        "runs": None,
        "behind": None,
        "lastError": None,
        "history": {"nodes": []},
    }
    first = await gateways.runs("one")
    await gateways.runs("two")
    known = await of_gateway(gateways, "one")
    assert known["state"] == "CONNECTED"
    assert known["runs"]["cursor"] == first
    assert known["behind"] == {"changes": 0, "seconds": 0}

    await issued(gateways)
    await gateways.portal.done("manager", "formTeam", name="no gateway minds")
    newest = await issued(gateways)
    behind = (await of_gateway(gateways, "one"))["behind"]
    assert behind["changes"] == 2
    assert 0 < behind["seconds"] < 60
    group = await of_group(gateways)
    assert group["cursor"] == newest
    assert [each["behind"]["changes"] for each in group["gateways"]["nodes"]] == [2, 2]

    assert await gateways.runs("one") == newest
    known = await of_gateway(gateways, "one")
    assert known["behind"] == {"changes": 0, "seconds": 0}
    (former, present) = known["history"]["nodes"]
    assert (former["cursor"], present["cursor"]) == (first, newest)
    assert former["until"] == present["since"] == known["runs"]["since"]
    assert present["until"] is None
    assert (await of_gateway(gateways, "two"))["behind"]["changes"] == 2


async def test_an_error_stands_until_the_gateway_runs_that_or_something_later(
    gateways: Gateways,
) -> None:
    await gateways.runs("one")
    cursor = await issued(gateways)
    for _ in range(2):
        await gateways.rejects("one", cursor, "no such cluster")
    error = (await of_gateway(gateways, "one"))["lastError"]
    assert error == {"cursor": cursor, "reason": "no such cluster", "times": 2, "standing": True}
    await gateways.runs("one")
    assert not (await of_gateway(gateways, "one"))["lastError"]["standing"]


async def test_where_a_gateway_is_in_its_life_depends_on_when_it_was_heard(
    gateways: Gateways,
) -> None:
    shop, gateway = gateways.portal, {"gatewayId": gateways.ids["one"]}
    await gateways.runs("one")
    async with asyncio.timeout(5):
        while (await of_gateway(gateways, "one"))["state"] != "CONNECTED":
            await asyncio.sleep(0.01)
    await shop.app.services.pool.execute(
        "UPDATE gateway_contacts SET heard_at = heard_at - $1::interval",
        timedelta(seconds=shop.app.settings.gateway_stale_s),
    )
    assert (await of_gateway(gateways, "one"))["state"] == "STALE"
    drained = await shop.done("owner", "drainGateway", **gateway)
    assert await shop.refused("owner", "drainGateway", **gateway) == ("GATEWAY_DRAINED", [])
    await shop.seen()
    assert (await of_gateway(gateways, "one"))["state"] == "DRAINED"
    await shop.done("owner", "reinstateGateway", **gateway)
    assert await shop.refused("owner", "reinstateGateway", **gateway) == (
        "GATEWAY_NOT_DRAINED",
        [],
    )
    await shop.seen()
    assert (await of_gateway(gateways, "one"))["state"] == "STALE"
    then = await shop.ask(
        "owner", GATEWAY, id=gateways.ids["one"], asOf={"position": drained["position"]}
    )
    assert then["node"]["state"] == "DRAINED"


async def test_how_long_a_change_took_is_told_for_each_gateway_that_ran_anything(
    gateways: Gateways,
) -> None:
    shop = gateways.portal
    nothing = (await of_group(gateways))["propagation"]
    assert (nothing["p50Ms"], nothing["missing"], nothing["slowest"]) == (None, 0, None)
    for name in ("one", "two"):
        await gateways.runs(name)
    await shop.done("owner", "registerGateway", groupId=shop.ids["group"], name="silent")
    changes = [await issued(gateways) for _ in range(3)]
    await gateways.runs("one")
    elsewhere = (await shop.done("manager", "formTeam", name="no gateway minds"))["position"]
    await shop.seen()

    told = (await shop.ask("auditor", CHANGE, id=shop.ids["group"], at=changes[1]))["node"]
    by_name = {each["gateway"]["name"]: each for each in told["propagationOf"]}
    assert set(by_name) == {"one", "two"}
    one, two = by_name["one"], by_name["two"]
    assert one["committedAt"] < one["runningAt"]
    assert one["delayMs"] > 0
    assert (two["runningAt"], two["delayMs"]) == (None, None)
    assert one["position"] == two["position"] == changes[1]
    other = await shop.ask("auditor", CHANGE, id=shop.ids["group"], at=elsewhere)
    assert other["node"]["propagationOf"] is None

    told = (await of_group(gateways))["propagation"]
    assert told["missing"] == 3
    assert 0 < told["p50Ms"] <= told["p99Ms"]
    assert told["slowest"]["position"] == changes[0]
    assert told["slowest"]["gateway"]["name"] == "two"

    await gateways.runs("two")
    told = (await of_group(gateways))["propagation"]
    assert told["missing"] == 0
    assert told["slowest"]["delayMs"] == told["p99Ms"] > one["delayMs"]

    await shop.app.services.pool.execute(
        "UPDATE commits SET committed_at = committed_at - interval '1 hour'"
    )
    assert (await of_group(gateways, lastS=600))["propagation"]["changes"] == 0
    assert (await of_group(gateways, lastS=7_200))["propagation"]["changes"] > 3


async def test_a_window_has_an_end(gateways: Gateways) -> None:
    for last_s in (0, -1, 7 * 24 * 3_600 + 1):
        error = await gateways.portal.error(
            "owner", GROUP, id=gateways.portal.ids["group"], lastS=last_s
        )
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    error = await gateways.portal.error("owner", CHANGE, id=gateways.portal.ids["group"], at="9.1")
    assert error["extensions"]["code"] == "ANOTHER_EPOCH"
