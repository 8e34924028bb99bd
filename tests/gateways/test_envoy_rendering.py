"""What is rendered for Envoy is a function of what is sold, whatever was rendered before."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controlplane.gateway.renderers import Memo, Site, envoy, envoy_routes
from domain import routing
from tests.gateways.sold import Sold, auth, id_of, limit, with_key

SITE = Site("/etc/gateway", key_sets={"https://issuer.example": '{"keys": []}'})
NAMES = [f"caller {nth}" for nth in range(6)]
KEYS = [f"key {nth}" for nth in range(12)]
PETS = id_of("pets")


def selling() -> Sold:
    sold = Sold()
    sold.version(sold.product("pets"), "http://127.0.0.1:1", ["GET /pets"])
    sold.plan("keys", str(PETS))
    sold.plan("tokens", str(PETS), auth=auth("JWT", "https://issuer.example", "pets", "sub"))
    return sold


def subscribed(sold: Sold, name: str, plan: str, keys: list[str]) -> None:
    sold.subscription(f"{id_of(plan)}-1", name, *keys)


changes = st.one_of(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["keys", "tokens", "none"]),
        st.lists(st.sampled_from(KEYS), max_size=3, unique=True),
    ),
    st.tuples(st.sampled_from(NAMES), st.none(), st.none()),
    st.tuples(st.none(), st.sampled_from(["keys", "tokens"]), st.integers(1, 9)),
)


@given(st.lists(changes, max_size=12))
def test_change_by_change_it_is_what_it_is_at_once(history: list[tuple[Any, Any, Any]]) -> None:
    sold, scanned, told = selling(), Memo(), Memo()
    envoy.render(sold.snapshot(), SITE, told)
    for name, plan, what in history:
        told.changed = {}
        if name is None:
            sold.plan(plan, str(PETS), first=limit(what, 10))
        elif plan is None:
            sold.rows[routing.SUBSCRIPTION].pop(str(id_of(name)), None)
            told.changed = {str(id_of(name)): None}
        else:
            subscribed(sold, name, plan, what)
            id_ = str(id_of(name))
            told.changed = {id_: sold.rows[routing.SUBSCRIPTION][id_]}
        at_once = envoy.render(sold.snapshot(), SITE, Memo())

        assert envoy.render(sold.snapshot(), SITE, scanned) == at_once
        assert envoy.render(sold.snapshot(), SITE, told) == at_once


def test_one_more_key_is_one_other_file() -> None:
    sold, memo = selling(), Memo()
    for nth in range(200):
        subscribed(sold, f"{nth}", "keys", [f"key {nth}"])
    before = envoy.render(sold.snapshot(), SITE, memo).files

    row = sold.rows[routing.SUBSCRIPTION][str(id_of("7"))]
    sold.change(routing.SUBSCRIPTION, row["id"], with_key(row, "another"))
    after = envoy.render(sold.snapshot(), SITE, memo).files

    assert len([name for name, content in after.items() if content != before[name]]) == 1
    assert all(
        content is before[name] for name, content in after.items() if content == before[name]
    )


def test_the_newest_of_two_versions_with_one_address_is_served() -> None:
    sold = Sold()
    pets = sold.product("pets")
    for number in ("1.9.0", "1.10.0", "1.2.0"):
        sold.version(pets, "http://127.0.0.1:1", ["GET /pets"], number=number)
    versions = sold.rows[routing.VERSION]

    found = envoy_routes.routing(sold.rows[routing.PRODUCT], versions, "live", SITE)
    first = found.routes["virtual_hosts"][0]["routes"][0]
    assert versions[first["name"].split(" ")[1]]["number"] == "1.10.0"


def test_versions_that_are_called_alike_share_a_cluster_unless_their_servers_differ() -> None:
    sold = Sold()
    pets = sold.product("pets")
    for number, url in (
        ("1.0.0", "http://127.0.0.1:1"),
        ("1.1.0", "http://127.0.0.1:2/old"),
        ("1.2.0", "http://127.0.0.1:2/new"),
        ("2.0.0", "http://127.0.0.1:2"),
    ):
        sold.version(pets, url, [f"GET /{number}"], number=number)

    found = envoy_routes.routing(
        sold.rows[routing.PRODUCT], sold.rows[routing.VERSION], "live", SITE
    )
    names = [each["name"] for each in found.clusters]
    assert names == ["pets/v1", "pets/v1/1.0.0", "pets/v2", "nowhere"]
    (host,) = found.routes["virtual_hosts"]
    assert [each["route"]["cluster"] for each in host["routes"]] == [
        "pets/v1/1.0.0",
        "pets/v1",
        "pets/v1",
        "pets/v2",
    ]
