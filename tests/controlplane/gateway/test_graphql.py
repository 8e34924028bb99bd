"""The gateways' GraphQL: the same configuration, acknowledgements, and policies that hold."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DirectiveNode,
    GraphQLObjectType,
    build_schema,
    get_introspection_query,
    value_from_ast_untyped,
)

from controlplane import gateway
from controlplane.app import App
from controlplane.gateway import acknowledgement
from controlplane.gateway.document import cursor_of
from controlplane.gateway.endpoint import Endpoint
from controlplane.gateway.policy import BUDGET, COST, SCOPE, Policy, cost, policies, scope
from controlplane.gateway.schema import Query, build, sdl
from domain import routing
from domain.access_token import Role
from tests.controlplane.gateway.edge import Client, Provider, serving

CONFIG = """query ($since: String) { gatewayConfig(since: $since) {
  format group { id slug environment confirmed_epoch: confirmedEpoch } cursor contentHash full since
  issuedAt maxStalenessS intentionallyEmpty signingKeys signature products versions plans
  subscriptions removed { kind id } } }"""
ACKNOWLEDGE = """mutation ($cursor: String!, $hash: String!) {
  acknowledgeConfig(input: {cursor: $cursor, contentHash: $hash}) {
    cursor acknowledgedAt runningSince current diverged } }"""
CHECKED_IN = Path(gateway.__file__).parent / "gateway.graphql"


def code_of(answer: dict[str, Any]) -> str:
    (error,) = answer["errors"]
    code: str = error["extensions"]["code"]
    return code


async def test_it_hands_out_what_the_poll_does(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    subscription = await provider.subscription("pets")
    await provider.settled()
    polled = await client.config(token)

    asked = (await client.ask(token, CONFIG))["data"]["gatewayConfig"]

    assert asked["cursor"] == polled["cursor"]
    assert asked["contentHash"] == polled["content_hash"]
    assert asked["full"]
    assert asked["removed"] == []
    assert asked["signature"] == polled["signature"]
    assert asked["signingKeys"] == polled["signing_keys"]
    held = {name: asked[name] for name in ("group", *routing.LISTS.values())}
    assert all(held[name] == polled[name] for name in held)
    assert routing.content_hash(held) == asked["contentHash"]

    await provider.key(subscription)
    await provider.settled()
    changed = (await client.ask(token, CONFIG, {"since": asked["cursor"]}))["data"]["gatewayConfig"]
    assert not changed["full"]
    assert changed["since"] == asked["cursor"]
    assert changed["products"] == []
    assert [row["id"] for row in changed["subscriptions"]] == [str(subscription)]


async def test_an_acknowledgement_takes_the_place_of_the_gateways_earlier_one(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    polled = await client.config(token)
    said = {"cursor": polled["cursor"], "hash": polled["content_hash"]}

    first = (await client.ask(token, ACKNOWLEDGE, said))["data"]["acknowledgeConfig"]
    again = (await client.ask(token, ACKNOWLEDGE, said))["data"]["acknowledgeConfig"]
    wrong = (await client.ask(token, ACKNOWLEDGE, {**said, "hash": "0" * 64}))["data"]
    late = (await client.ask(token, ACKNOWLEDGE, {**said, "cursor": "1.1"}))["data"]

    assert (first["current"], first["diverged"]) == (True, False)
    assert again["runningSince"] == first["runningSince"] < again["acknowledgedAt"]
    assert wrong["acknowledgeConfig"]["diverged"]
    assert wrong["acknowledgeConfig"]["runningSince"] > first["runningSince"]
    assert late == wrong  # it changes nothing
    gateway_id = provider.ids["edge-gateway"]
    organization = provider.owner.organization_id
    async with provider.app.services.pool.acquire() as connection:
        latest = await acknowledgement.latest(connection, organization, [gateway_id])
        elsewhere = await acknowledgement.latest(connection, gateway_id, [gateway_id])
    assert latest[gateway_id].cursor == cursor_of(polled["cursor"], "")
    assert latest[gateway_id].content_hash == "0" * 64
    assert elsewhere == {}


async def test_malformed_acknowledgements_are_refused(client: Client, provider: Provider) -> None:
    token = await provider.gateway("edge")
    await provider.settled()

    for said in ({"cursor": "x", "hash": "0" * 64}, {"cursor": "1.1", "hash": "0" * 63}):
        answer = await client.ask(token, ACKNOWLEDGE, said)
        assert code_of(answer) == "BAD_INPUT"
        assert answer["data"] is None
    assert code_of(await client.ask(token, CONFIG, {"since": "1"})) == "BAD_INPUT"
    assert code_of(await client.ask(token, CONFIG, {"since": 1})) == "BAD_REQUEST"


async def test_a_scope_that_the_bearer_lacks_is_forbidden(
    client: Client, provider: Provider
) -> None:
    await provider.gateway("edge")
    owner, auditor = [await provider.token(role) for role in (Role.OWNER, Role.AUDITOR)]
    await provider.settled()
    by_slug = '{ gatewayConfig(group: "edge") { cursor } }'

    assert (await client.ask(owner, by_slug))["data"]
    assert code_of(await client.ask(auditor, by_slug)) == "FORBIDDEN"
    hidden = "{ ... { ...F } } fragment F on Query { gatewayConfig { cursor } }"
    assert code_of(await client.ask(auditor, hidden)) == "FORBIDDEN"
    said = {"cursor": "1.1", "hash": "0" * 64}
    assert code_of(await client.ask(owner, ACKNOWLEDGE, said)) == "FORBIDDEN"
    assert code_of(await client.ask(owner, "{ gatewayConfig { cursor } }")) == "BAD_INPUT"
    unknown = '{ gatewayConfig(group: "unknown") { cursor } }'
    assert code_of(await client.ask(owner, unknown)) == "NOT_FOUND"
    assert (await client.ask(None, by_slug))["status"] == 401


async def test_an_operation_over_the_budget_is_not_begun(
    client: Client, provider: Provider
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    two = "{ a: gatewayConfig { cursor } b: gatewayConfig { cursor } }"
    three = "{ a: gatewayConfig { cursor } ...F ...F } fragment F on Query { " + two[2:]

    assert (await client.ask(token, two))["data"]
    assert code_of(await client.ask(token, three.replace("b: ", "c: "))) == "COST_EXCEEDED"


async def test_the_checked_in_schema_is_the_one_that_is_served() -> None:
    assert CHECKED_IN.read_text() == sdl()


def printed(text: str) -> dict[tuple[str, str], Policy]:
    """Return the policies that a printed schema declares, read by another parser."""
    found: dict[tuple[str, str], Policy] = {}
    for name, type_ in build_schema(text).type_map.items():
        for field_name, field in (
            type_.fields.items() if isinstance(type_, GraphQLObjectType) else ()
        ):
            assert field.ast_node is None or isinstance(field.ast_node.directives, tuple)
            nodes: tuple[DirectiveNode, ...] = field.ast_node.directives if field.ast_node else ()
            said = [
                (node.name.value, argument.name.value, value_from_ast_untyped(argument.value))
                for node in nodes
                for argument in node.arguments
            ]
            scopes = tuple(v for d, a, v in said if (d, a) == ("scope", "requires"))
            weight = sum(int(v) for d, a, v in said if (d, a) == ("cost", "weight"))
            if scopes or weight:
                found[name, field_name] = Policy(scopes, weight)
    return found


def test_what_is_printed_is_what_is_declared() -> None:
    declared = policies(build().graphql_schema)

    assert printed(sdl()) == declared
    assert declared["Query", "gatewayConfig"] == Policy(("config:read",), 40)
    every_root_field = {
        (type_.name, field)
        for type_ in (build().graphql_schema.query_type, build().graphql_schema.mutation_type)
        if type_ is not None
        for field in type_.fields
    }
    assert declared.keys() == every_root_field


async def test_an_altered_declaration_is_printed_and_enforced(
    app: App, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await provider.gateway("edge")
    await provider.settled()
    question = "{ gatewayConfig { cursor } }"
    field = Query.gateway_config
    for directive in (SCOPE, COST):
        monkeypatch.delattr(field, f"_directive_{directive.name}_field")
    assert ("Query", "gatewayConfig") not in policies(build().graphql_schema)
    async with serving(app) as client:
        assert (await client.ask(token, question))["data"]
        app.stopping.clear()

    scope(requires="something:else", field=field)
    assert printed(sdl())["Query", "gatewayConfig"] == Policy(("something:else",), 0)
    async with serving(app) as client:
        assert code_of(await client.ask(token, question)) == "FORBIDDEN"

    monkeypatch.delattr(field, f"_directive_{SCOPE.name}_field")
    cost(weight=BUDGET + 1, field=field)
    assert printed(sdl())["Query", "gatewayConfig"] == Policy((), BUDGET + 1)
    async with serving(app) as client:
        assert code_of(await client.ask(token, question)) == "COST_EXCEEDED"
    monkeypatch.delattr(field, f"_directive_{COST.name}_field")


@pytest.fixture
async def owner(provider: Provider) -> str:
    return await provider.token(Role.OWNER)


async def test_a_body_that_is_no_question_is_a_bad_request(client: Client, owner: str) -> None:
    headers = {"Authorization": f"Bearer {owner}", "Content-Type": "application/json"}
    bodies: list[bytes] = [
        b"", b"1", b"null", b'"x"', b"[]", b"{}", b"\xff", b"{", b"[" * 5_000, b"9" * 5_000,
        b'{"query": 1}', b'{"query": ""}', b'{"query": "{a}", "variables": []}',
        b'{"query": "{a}", "operationName": 1}', b'[{"query": "{a}"}]', b'{"query": "\\ud800"}',
    ]  # fmt: skip
    for body in bodies:
        answer = await client.session.post("/gateway/graphql", data=body, headers=headers)
        assert answer.status == 400, body[:50]
        assert (await answer.json())["reference"]
    large = await client.session.post(
        "/gateway/graphql", data=b'{"query": "%b"}' % (b" " * 70_000), headers=headers
    )
    assert large.status == 413
    form = await client.session.post(
        "/gateway/graphql", data=b"query={a}", headers={"Authorization": f"Bearer {owner}"}
    )
    assert form.status == 415


async def test_documents_that_are_hostile_or_wrong_are_refused_quickly(
    client: Client, owner: str
) -> None:
    began = asyncio.get_running_loop().time()
    for query in (
        "{",
        "{ nothing }",
        "{ __typename " * 30 + "}" * 30,
        "{ gatewayConfig(group: " + "[" * 450 + ") { cursor } }",
        "{" + " a: __typename" * 300 + "}",
        "query ($v: " + "[" * 400 + "Int" + "]" * 400 + ") { __typename }",
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name"
        + " }" * 10,
        "query A { __typename } query B { __typename }",
        "subscription { a }",
        "fragment F on Query { ...F } { ...F }",
        "type Query { a: Int }",
    ):
        answer = await client.ask(owner, query)
        assert answer["errors"], query[:60]
        assert answer["status"] == 200
        strict = await client.ask(owner, query, Accept="application/graphql-response+json")
        assert strict["status"] == 400
    assert asyncio.get_running_loop().time() - began < 3


async def test_fragments_that_double_each_other_cost_no_time(client: Client, owner: str) -> None:
    doubled = " ".join(
        f"fragment F{n} on __Type {{ a: ofType {{ ...F{n + 1} }} b: ofType {{ ...F{n + 1} }} }}"
        for n in range(20)
    )
    began = asyncio.get_running_loop().time()

    query = "{ __schema { types { ...F0 } } } " + doubled + " fragment F20 on __Type { name }"
    await client.ask(owner, query)

    assert asyncio.get_running_loop().time() - began < 1


async def test_the_schema_can_be_introspected(client: Client, owner: str) -> None:
    answer = await client.ask(owner, get_introspection_query())

    assert "errors" not in answer
    assert answer["data"]["__schema"]["queryType"]["name"] == "Query"


async def test_what_goes_wrong_inside_is_masked(
    client: Client, owner: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await provider.gateway("edge")
    question = '{ gatewayConfig(group: "edge") { cursor } }'

    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(client.delivery, "served", broken)
    answer = await client.ask(owner, question, **{"X-Request-Id": "reference-1"})

    assert code_of(answer) == "INTERNAL"
    assert answer["errors"][0]["extensions"]["reference"] == "reference-1"
    assert "a secret" not in str(answer)

    def away(*_: object) -> None:
        raise OSError("a host")

    monkeypatch.setattr(client.delivery, "served", away)
    answer = await client.ask(owner, question)
    assert code_of(answer) == "UNAVAILABLE"
    assert "a host" not in str(answer)


async def test_documents_seen_before_are_not_read_again(client: Client) -> None:
    endpoint = Endpoint(client.delivery)
    for nth in range(300):
        endpoint._document(f"{{ a{nth}: __typename }}")  # noqa: SLF001  # its bound

    assert endpoint._document.cache_info().currsize == 256  # noqa: SLF001
