"""A leaked key is found by what of it may be told."""

from base64 import urlsafe_b64decode

from tests.controlplane.graphql.everything import EVERYBODY, OUTSIDE, TEAM
from tests.controlplane.graphql.portal import Portal

BY_NAME = "query ($name: String!) { credential(name: $name) { id name } }"


async def test_a_key_is_found_by_the_name_in_it_by_those_who_see_its_subscription(
    everything: Portal,
) -> None:
    shop = everything
    id_ = shop.ids["credential"]
    name = urlsafe_b64decode(id_ + "==").decode().rpartition("/")[2]
    for who in TEAM:
        assert (await shop.ask(who, BY_NAME, name=name))["credential"] == {"id": id_, "name": name}
    for who in EVERYBODY - TEAM - OUTSIDE:
        assert (await shop.ask(who, BY_NAME, name=name))["credential"] is None, who
    for who in OUTSIDE:
        error = await shop.error(None if who == "anonymous" else who, BY_NAME, name=name)
        assert error["extensions"]["code"] == "NOT_PERMITTED"
    assert (await shop.ask("owner", BY_NAME, name=""))["credential"] is None


async def test_what_is_between_the_signs_of_an_issued_key_is_its_name(shop: Portal) -> None:
    issued = await shop.done(
        "developer", "issueCredential", subscriptionId=shop.ids["team_subscription"]
    )
    await shop.seen()
    name = issued["secret"]["value"].partition("_")[2].partition(".")[0]

    found = await shop.ask("owner", BY_NAME, name=name)
    assert found["credential"] == {"id": issued["id"], "name": name}
