"""The rules of Relay's connections and nodes, held against every list that there is."""

import itertools
import re
from typing import Any

from graphql import GraphQLObjectType

from controlplane.commands.application import RegisterApplication
from controlplane.graphql.schema import KINDS, schema
from domain.access_token import Role
from tests.controlplane.graphql.everything import FIELDS, READS, Look
from tests.controlplane.graphql.portal import Portal
from tests.controlplane.graphql.test_tenancy_of_everything import filled
from tests.given import caller

LIST = """query ($f: Int, $a: String, $l: Int, $b: String) {
  applications(first: $f, after: $a, last: $l, before: $b) {
    nodes { name } edges { cursor node { name } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
PRODUCTS = """query ($f: Int, $a: String, $o: Order!) {
  products(first: $f, after: $a, orderBy: $o) {
    edges { cursor node { slug } } pageInfo { hasNextPage endCursor } } }"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


def test_every_connection_has_the_shape_of_the_specification() -> None:
    found = 0
    for type_ in schema.type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_.name.startswith("__"):
            continue
        for name, field in type_.fields.items():
            answer = str(field.type).rstrip("!")
            if not answer.endswith("Connection"):
                continue
            found += 1
            assert str(field.type).endswith("!"), f"{type_.name}.{name}"
            assert {"first", "after", "last", "before"} <= set(field.args), f"{type_.name}.{name}"
            connection: Any = schema.type_map[answer]
            edge: Any = schema.type_map[str(connection.fields["edges"].type).strip("[]!")]
            node = str(edge.fields["node"].type)
            assert str(connection.fields["nodes"].type) == f"[{node}]!"
            assert str(edge.fields["cursor"].type) == "String!"
            assert str(connection.fields["pageInfo"].type) == "PageInfo!"
    assert found > 15


async def test_every_kind_of_node_is_found_again_by_the_id_it_has_in_a_list(
    everything: Portal,  # the fixture
) -> None:
    seen: dict[str, set[str]] = {}
    for line in (*READS.values(), *FIELDS.values()):
        if not isinstance(line, Look):
            continue
        query = filled(line.query, everything.ids).replace("nodes { id", "nodes { __typename id")
        query = re.sub(r"nodes (\{[^{}]*\})", r"nodes \1 edges { cursor node \1 }", query)
        for who in ("owner", "operator"):
            answer = await everything.answer(who, query)
            if "errors" not in answer:
                collect(answer["data"], seen)
    viewer = "{ viewer { organization { __typename id } } }"
    collect(await everything.ask("owner", viewer), seen)
    assert set(seen) == {kind.name for kind in KINDS}, "a kind of node that no list of READS shows"
    for name, ids in seen.items():
        for id_ in list(ids)[:5]:
            by = "operator" if name == "Organization" else "owner"
            found = (await everything.ask(by, NODE, id=id_))["node"]
            operators = (await everything.ask("operator", NODE, id=id_))["node"]
            assert (found or operators) == {"__typename": name, "id": id_}


def collect(found: Any, seen: dict[str, set[str]]) -> None:
    """Remember each node by its type; the edges and the nodes of a list must agree."""
    if isinstance(found, list):
        for each in found:
            collect(each, seen)
    elif isinstance(found, dict):
        if "edges" in found:
            assert [edge["node"] for edge in found["edges"]] == found["nodes"]
            assert len({edge["cursor"] for edge in found["edges"]}) == len(found["edges"])
        if "__typename" in found:
            seen.setdefault(found["__typename"], set()).add(found["id"])
        for each in found.values():
            collect(each, seen)


async def register(portal: Portal, name: str) -> None:
    command = RegisterApplication(team_id=portal.team_id, name=name)
    await portal.execute(command, caller(Role.OWNER, portal.organization_id))


async def test_every_window_of_a_list_is_the_one_that_the_specification_says(
    portal: Portal,
) -> None:
    for nth in range(6):
        await register(portal, str(nth))
    await portal.seen()
    edges = (await portal.ask("owner", LIST))["applications"]["edges"]
    assert len(edges) == 6
    places: list[int | None] = [None, *range(6)]
    for size, forwards, after, before in itertools.product(
        (1, 2, 7), (True, False), places, places
    ):
        inside = edges[0 if after is None else after + 1 : 6 if before is None else before]
        wanted = inside[:size] if forwards else inside[-size:]
        page = (
            await portal.ask(
                "owner",
                LIST,
                **{"f" if forwards else "l": size},
                a=None if after is None else edges[after]["cursor"],
                b=None if before is None else edges[before]["cursor"],
            )
        )["applications"]
        assert page["edges"] == wanted
        assert page["nodes"] == [edge["node"] for edge in wanted]
        info = page["pageInfo"]
        # Of the other end the specification only asks not to claim what is not so.
        near, far = (
            ("hasNextPage", "hasPreviousPage")
            if forwards
            else (
                "hasPreviousPage",
                "hasNextPage",
            )
        )
        assert info[near] is (len(inside) > size)
        assert info[far] is ((after if forwards else before) is not None)
        assert info["startCursor"] == (wanted[0]["cursor"] if wanted else None)
        assert info["endCursor"] == (wanted[-1]["cursor"] if wanted else None)


async def test_who_pages_while_rows_are_added_sees_each_row_that_was_there_exactly_once(
    portal: Portal,
) -> None:
    for order, names in (("NAME_ASC", "bdfhjlnp"), ("NAME_DESC", "cegikmoq")):
        for name in names:
            await portal.done("manager", "defineProduct", slug=f"{name}-1", name=name)
        await portal.seen()
        there = [
            edge["node"]["slug"]
            for edge in (await portal.ask("owner", PRODUCTS, f=100, o=order))["products"]["edges"]
        ]
        found: list[str] = []
        cursor, more, nth = None, True, 0
        while more:  # ends: there are fewer additions than rows
            page = (await portal.ask("owner", PRODUCTS, f=3, a=cursor, o=order))["products"]
            found += [edge["node"]["slug"] for edge in page["edges"]]
            again = (await portal.ask("owner", PRODUCTS, f=3, a=cursor, o=order))["products"]
            assert again == page
            cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
            for name in (f"a{nth}", f"z{nth}") if nth < 3 else ():  # before and behind the page
                slug = f"{name}-{order[-4:].strip('_').lower()}"
                await portal.done("manager", "defineProduct", slug=slug, name=name)
            await portal.seen()
            nth += 1
        assert len(set(found)) == len(found)
        assert [slug for slug in found if slug in there] == there
