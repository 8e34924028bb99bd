import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from controlplane.commands.application import RegisterApplication
from domain.access_token import Role
from tests.controlplane.graphql.portal import Portal
from tests.given import caller

CATALOGUE = """{ products { nodes { slug versions { nodes { number upstreams { url }
    operations { nodes { operationId } } } } plans { nodes { slug currentVersion { number }
    products { nodes { slug } } } } } } }"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
MINE = """{ applications { nodes { name } } subscriptions { nodes { application { name } } }
  teams { nodes { name developers { nodes { name mail } } } } }"""


async def test_without_a_token_one_sees_the_public_catalogue_and_nothing_else(shop: Portal) -> None:
    await shop.done("manager", "defineProduct", slug="draft", name="x", visibility="PUBLIC")
    await shop.done(
        "manager",
        "defineVersion",
        productId=shop.ids["product"],
        number="2.0.0",
        document="type Query { a: Int }",
    )
    await shop.seen()
    (product,) = (await shop.ask(None, CATALOGUE))["products"]["nodes"]
    assert product["slug"] == "pets"
    (version,) = product["versions"]["nodes"]
    assert (version["number"], version["upstreams"]) == ("1.0.0", None)
    assert len(version["operations"]["nodes"]) == 3
    assert product["plans"]["nodes"] == [
        {
            "slug": "free",
            "currentVersion": {"number": 1},
            "products": {"nodes": [{"slug": "pets"}]},
        }
    ]
    seen = {
        name: (await shop.ask(None, NODE, id=id_))["node"] is not None
        for name, id_ in shop.ids.items()
    }
    assert {name for name, visible in seen.items() if visible} == {
        "product",
        "product_version",
        "free",
    }
    for field in ("applications", "subscriptions", "teams", "gatewayGroups", "gateways"):
        error = await shop.error(None, f"{{ {field} {{ nodes {{ id }} }} }}")
        assert error["extensions"]["code"] == "NOT_PERMITTED"
    for field in ("accessTokens", "auditEvents", "organizations"):
        for who in (None, "developer"):
            error = await shop.error(who, f"{{ {field} {{ nodes {{ id }} }} }}")
            assert error["extensions"]["code"] == "NOT_PERMITTED"
    (plan,) = (await shop.ask(None, "{ plans { nodes { slug } } }"))["plans"]["nodes"]
    assert plan["slug"] == "free"
    query = "query ($o: String) { products(organization: $o) { nodes { slug } } }"
    assert len((await shop.ask(None, query, o="ace"))["products"]["nodes"]) == 1
    assert (await shop.ask(None, query, o="bad"))["products"]["nodes"] == []
    found = await shop.ask(None, '{ product(slug: "pets", organization: "ace") { slug } }')
    assert found["product"] == {"slug": "pets"}
    assert "organization" in (await shop.error(None, '{ product(slug: "a") { slug } }'))["message"]


async def test_a_developer_sees_what_is_published_and_the_own_team(shop: Portal) -> None:
    await shop.done("manager", "defineProduct", slug="draft", name="x")
    await shop.seen()
    slugs = [each["slug"] for each in (await shop.ask("developer", CATALOGUE))["products"]["nodes"]]
    assert slugs == ["inner", "pets"]
    mine = await shop.ask("developer", MINE)
    assert mine == {
        "applications": {"nodes": [{"name": "team"}]},
        "subscriptions": {"nodes": [{"application": {"name": "team"}}]},
        "teams": {
            "nodes": [
                {
                    "name": "shop",
                    "developers": {"nodes": [{"name": "Ada", "mail": "ada@example.com"}]},
                }
            ]
        },
    }
    rivals = await shop.ask("rival", MINE)
    assert rivals["teams"]["nodes"] == [{"name": "rivals", "developers": {"nodes": []}}]
    for name in ("team", "person", "credential", "team_subscription", "team_application", "group"):
        assert (await shop.ask("rival", NODE, id=shop.ids[name]))["node"] is None
    for name in ("team", "person", "credential", "team_subscription", "team_application"):
        assert (await shop.ask("developer", NODE, id=shop.ids[name]))["node"] is not None


async def test_another_organization_sees_nothing_but_its_own(shop: Portal) -> None:
    for name, id_ in shop.ids.items():
        assert (await shop.ask("owner", NODE, id=id_))["node"]["id"] == id_
        assert (await shop.ask("stranger", NODE, id=id_))["node"] is None, name
    fields = ("products", "plans", "applications", "subscriptions", "teams", "gateways")
    lists = " ".join(f"{field} {{ nodes {{ id }} }}" for field in fields)
    answer = await shop.ask("stranger", f"{{ {lists} accessTokens {{ nodes {{ name }} }} }}")
    assert answer.pop("accessTokens")["nodes"] == [{"name": "first owner"}]
    assert all(found == {"nodes": []} for found in answer.values())
    (event,) = (
        await shop.ask("stranger", '{ auditEvents(noun: "organization") { nodes { event } } }')
    )["auditEvents"]["nodes"]
    assert event == {"event": "organization.established"}


async def test_names_are_opened_for_those_who_need_them(shop: Portal) -> None:
    query = "query ($id: ID!) { node(id: $id) { ... on Developer { name mail } } }"
    for who, name in (("owner", "Ada"), ("manager", "Ada"), ("auditor", None)):
        assert (await shop.ask(who, query, id=shop.ids["person"]))["node"]["name"] == name
    await shop.app.services.pool.execute("DELETE FROM person_keys")
    forgotten = (await shop.ask("owner", query, id=shop.ids["person"]))["node"]
    assert forgotten == {"name": None, "mail": None}


async def test_the_operator_lists_organizations(portal: Portal) -> None:
    query = "{ organizations { nodes { slug } } viewer { role organization { slug } } }"
    answer = await portal.ask("operator", query)
    assert sorted(each["slug"] for each in answer["organizations"]["nodes"]) == ["ace", "bad"]
    assert answer["viewer"] == {"role": "OPERATOR", "organization": None}


async def test_viewer_tells_who_asks(portal: Portal) -> None:
    query = "{ viewer { role permissions organization { slug } team { name } actor } }"
    viewer = (await portal.ask("developer", query))["viewer"]
    assert (viewer["role"], viewer["organization"]) == ("DEVELOPER", {"slug": "ace"})
    assert viewer["team"] == {"name": "shop"}
    assert "subscription:request" in viewer["permissions"]
    assert (await portal.ask(None, query))["viewer"] == {
        "role": None,
        "permissions": [],
        "organization": None,
        "team": None,
        "actor": None,
    }


async def many(portal: Portal, number: int) -> None:
    by = caller(Role.OWNER, portal.organization_id)
    for nth in range(number):
        name = f"a{nth * 7 % number:03}"
        await portal.execute(RegisterApplication(team_id=portal.team_id, name=name), by)
    await portal.seen()


async def test_paging_yields_each_node_once_in_every_order_and_direction(portal: Portal) -> None:
    await many(portal, 230)
    for order in ("NAME_ASC", "NAME_DESC", "CREATED_AT_ASC", "CREATED_AT_DESC"):
        forwards = await walk(portal, order, "first", "after", "hasNextPage", "endCursor")
        backwards = await walk(portal, order, "last", "before", "hasPreviousPage", "startCursor")
        assert len(forwards) == len(set(forwards)) == 230
        assert [page for page in backwards if page in forwards] == backwards
        assert sorted(backwards) == sorted(forwards)
        if order.startswith("NAME"):
            assert forwards == sorted(forwards, reverse=order.endswith("DESC"))


async def walk(  # the words of one direction
    portal: Portal, order: str, size: str, place: str, more: str, cursor: str
) -> list[str]:
    query = f"""query ($c: String) {{ applications(orderBy: {order}, {size}: 90, {place}: $c) {{
      nodes {{ name }} pageInfo {{ {more} {cursor} }} }} }}"""
    names: list[str] = []
    at: str | None = None
    for _ in range(3):
        page = (await portal.ask("owner", query, c=at))["applications"]
        found = [each["name"] for each in page["nodes"]]
        names = names + found if size == "first" else found + names
        at = page["pageInfo"][cursor]
    assert not page["pageInfo"][more]
    return names


async def test_a_page_is_between_its_cursors(portal: Portal) -> None:
    await many(portal, 5)
    query = """query ($f: Int, $a: String, $l: Int, $b: String) {
      applications(first: $f, after: $a, last: $l, before: $b) {
        edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage } } }"""

    async def names(**window: object) -> tuple[list[str], bool, bool]:
        page = (await portal.ask("owner", query, **window))["applications"]
        info = page["pageInfo"]
        found = [edge["node"]["name"] for edge in page["edges"]]
        return found, info["hasPreviousPage"], info["hasNextPage"]

    edges = (await portal.ask("owner", query))["applications"]["edges"]
    cursors = [edge["cursor"] for edge in edges]
    assert await names(f=2, a=cursors[0]) == (["a001", "a002"], True, True)
    assert await names(l=2, b=cursors[3]) == (["a001", "a002"], True, True)
    assert await names(a=cursors[0], b=cursors[2]) == (["a001"], True, False)
    assert await names(l=9) == ([f"a00{nth}" for nth in range(5)], False, False)
    for window, code in (
        ({"f": 0}, "PAGE_SIZE"),
        ({"f": 101}, "PAGE_SIZE"),
        ({"l": -1}, "PAGE_SIZE"),
        ({"f": 1, "l": 1}, "INVALID_ARGUMENT"),
        ({"a": "x"}, "BAD_CURSOR"),
        ({"a": "ü"}, "BAD_CURSOR"),
        ({"a": "W10"}, "BAD_CURSOR"),
        ({"a": cursors[0] + "x" * 3_000}, "BAD_CURSOR"),
    ):
        error = await portal.error("owner", query, **window)
        assert error["extensions"]["code"] == code, window
    wrong = "query ($a: String) { applications(orderBy: NAME_DESC, after: $a) { nodes { id } } }"
    assert (await portal.error("owner", wrong, a=cursors[0]))["extensions"]["code"] == "BAD_CURSOR"


async def test_filters(shop: Portal) -> None:
    ids = shop.ids

    async def count(field: str) -> int:
        answer = await shop.ask("owner", f"{{ found: {field} {{ nodes {{ id }} }} }}")
        return len(answer["found"]["nodes"])

    for field, number in (
        ("products", 2),
        ("products(state: DRAFT)", 0),
        ("products(state: PUBLISHED, visibility: PRIVATE)", 1),
        ('products(slug: "pets")', 1),
        ('products(search: "PE")', 1),
        ('products(search: "%")', 0),
        ('products(search: "")', 2),
        ('products(organization: "bad")', 0),
        ('plans(slug: "free", state: PUBLISHED)', 1),
        ('plans(search: "s")', 1),
        ("subscriptions(state: ACTIVE)", 1),
        ("subscriptions(state: PENDING)", 1),
        (f'subscriptions(plan: "{ids["free"]}")', 2),
        (f'subscriptions(plan: "{ids["secret"]}")', 0),
        (f'subscriptions(application: "{ids["team_application"]}")', 1),
        ("gatewayGroups", 1),
        ("gateways", 1),
    ):
        assert await count(field) == number, field
    error = await shop.error("owner", '{ subscriptions(plan: "x") { nodes { id } } }')
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    error = await shop.error("owner", '{ products(search: "a\\u0000") { nodes { id } } }')
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    found = await shop.ask(
        "owner", "query ($id: ID) { product(id: $id) { slug } }", id=ids["product"]
    )
    assert found["product"] == {"slug": "pets"}
    assert (await shop.ask("owner", '{ product(slug: "none") { id } }'))["product"] is None
    assert (await shop.ask("owner", '{ product(id: "none") { id } }'))["product"] is None


async def test_what_is_no_id_names_no_node(portal: Portal) -> None:
    for id_ in ("", "x", "ü", "QXBpUHJvZHVjdDox", "Og", "Tm90aGluZzox", "A" * 300):
        assert (await portal.ask("owner", NODE, id=id_))["node"] is None


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the SQL that requests send to the database."""
    sent: list[str] = []
    fetch = asyncpg.Connection.fetch

    async def counted(self: Any, query: str, *args: Any, **options: Any) -> Any:
        task = asyncio.current_task()
        if task is None or task.get_name() != "projector":
            sent.append(query)
        return await fetch(self, query, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "fetch", counted)
        yield sent


async def test_each_level_of_nested_lists_takes_one_statement(
    shop: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(5):
        for team, who in (("team", "developer"), ("other_team", "rival")):
            made = await shop.done(
                who, "registerApplication", teamId=shop.ids[team], name=f"{team}{nth}"
            )
            await shop.done(
                who, "requestSubscription", applicationId=made["id"], planId=shop.ids["free"]
            )
            await shop.done(
                "owner",
                "registerDeveloper",
                teamId=shop.ids[team],
                name="Ben",
                mail=f"{team}{nth}@example.com",
            )
    await shop.seen()
    with statements(monkeypatch) as sent:
        teams = await shop.ask(
            "owner",
            """{ teams { nodes { developers { nodes { name mail } } applications { nodes {
              team { name } subscriptions { nodes { application { name }
              plan { slug currentVersion { number } } credentials { nodes { state } }
              } } } } } } }""",
        )
    assert len(teams["teams"]["nodes"]) == 2
    # teams, developers, their keys, applications, their teams, subscriptions, their
    # applications, plans and credentials, the plans' versions
    assert len(sent) == 10, sent
    with statements(monkeypatch) as sent:
        await shop.ask("owner", CATALOGUE)
    # products, versions, operations, plans, their versions, the plans' products
    assert len(sent) == 6, sent
    with statements(monkeypatch) as sent:
        await shop.ask(
            "owner",
            """{ gatewayGroups { nodes { gateways { nodes { name group { slug } } }
              products { nodes { slug } } servesAll } }
              accessTokens { nodes { name team { name } gateway { name } } }
              auditEvents(first: 100) { nodes { data why { reason } } } }""",
        )
    # groups, gateways, their groups, products, tokens, teams, audit rows, their content
    assert len(sent) == 8, sent


async def test_a_group_serves_the_products_named_for_it(shop: Portal) -> None:
    made = await shop.done(
        "owner",
        "openGatewayGroup",
        slug="few",
        environment="production",
        productIds=[shop.ids["inner"]],
    )
    await shop.seen()
    query = """query ($id: ID!) { node(id: $id) { ... on GatewayGroup {
      servesAll products { nodes { slug } } } } }"""
    assert (await shop.ask("owner", query, id=made["id"]))["node"] == {
        "servesAll": False,
        "products": {"nodes": [{"slug": "inner"}]},
    }


async def test_a_query_waits_for_the_position_it_names(portal: Portal) -> None:
    made = await portal.done("owner", "formTeam", name="new")
    query = {"query": NODE, "variables": {"id": made["id"]}}
    response = await portal.send("owner", query, **{"X-Min-Position": made["position"]})
    assert (await response.json())["data"]["node"]["id"] == made["id"]
    for position, said in (("1", "Position"), ("9999999.1", "epoch"), ("x" * 9_00, "Position")):
        response = await portal.send("owner", query, **{"X-Min-Position": position})
        (error,) = (await response.json())["errors"]
        assert (response.status, said in error["message"]) == (400, True)


async def test_a_position_that_is_not_reached_is_answered_with_503(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.store.projector.WAIT_S", 0.05)
    ahead = f"{portal.app.epoch}.{10**9}"
    query = {"query": "{ viewer { role } }"}
    response = await portal.send("owner", query, **{"X-Min-Position": ahead})
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
