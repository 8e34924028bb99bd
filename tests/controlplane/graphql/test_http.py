import time
from itertools import product
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest
from graphql import GraphQLError, get_introspection_query

from controlplane.graphql import limits, loaders
from controlplane.graphql.documents import Documents, InvalidDocumentError
from controlplane.store import UnavailableError
from tests.controlplane.graphql.portal import Portal

QUERY = "{ viewer { role } }"
RESPONSE_JSON = "application/graphql-response+json"
DEEP = b'{"query": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"


BODIES: tuple[tuple[bytes, str], ...] = (
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"1", "one JSON object"),
    (b"null", "one JSON object"),
    (b'"x"', "one JSON object"),
    (b'[{"query": "{ viewer { role } }"}]', "one JSON object"),
    (b'{"query": "\xff"}', "not JSON"),
    (b'{"query": "\\ud800"}', "not JSON"),
    (DEEP, "not JSON"),
    (b"{}", "`query`"),
    (b'{"query": 1}', "`query`"),
    (b'{"query": ["a"]}', "`query`"),
    (b'{"query": "{a}", "variables": []}', "`variables`"),
    (b'{"query": "{a}", "variables": "x"}', "`variables`"),
    (b'{"query": "{a}", "operationName": 1}', "`operationName`"),
    (b'{"query": "{a}", "extensions": 1}', "`extensions`"),
)


async def test_a_body_that_is_no_request_is_refused(portal: Portal) -> None:
    for (body, said), accept in product(BODIES, ("application/json", RESPONSE_JSON)):
        headers = {"Content-Type": "application/json", "Accept": accept}
        response = await portal.client.post("/graphql", data=body, headers=headers)
        answer = await response.json(content_type=None)
        assert response.status == 400, body[:80]
        assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"
        assert said in answer["errors"][0]["message"]
        assert "data" not in answer


async def test_numbers_that_are_too_large_are_refused_where_they_are_used(portal: Portal) -> None:
    huge = "9" * 5_000
    query = '{"query": "query ($n: Int) { teams(first: $n) { nodes { id } } }", "variables": '
    for body in (
        f'{query}{{"n": {huge}}}}}',
        f'{query}{{"n": 1e400}}}}',
        f'{query}{{"n": 3000000000}}}}',
        f'{{"query": "{{ teams(first: {huge}) {{ nodes {{ id }} }} }}"}}',
    ):
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {portal.tokens['owner']}",
            "Accept": RESPONSE_JSON,
        }
        response = await portal.client.post("/graphql", data=body.encode(), headers=headers)
        assert response.status == 400, body[:80]


async def test_media_types_and_methods(portal: Portal) -> None:
    client, url = portal.client, f"/graphql?{urlencode({'query': QUERY})}"
    mutation = 'mutation { formTeam(input: {name: "x"}) { __typename } }'
    for accept, media in (
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        (RESPONSE_JSON, RESPONSE_JSON),
        (f"application/json;q=0.5, {RESPONSE_JSON}", RESPONSE_JSON),
    ):
        response = await client.get(url, headers={"Accept": accept} if accept else {})
        assert (response.status, response.content_type) == (200, media)
        assert await response.json(content_type=None) == {"data": {"viewer": {"role": None}}}
    assert (await client.get(url, headers={"Accept": "text/html"})).status == 406
    assert (await client.get("/graphql")).status == 400
    assert (await client.get("/graphql?query={a}&variables=1")).status == 400
    response = await client.get(f"/graphql?{urlencode({'query': mutation})}")
    assert (response.status, response.headers["Allow"]) == (405, "POST")
    assert (await client.put("/graphql")).status == 405
    assert (await client.post("/graphql", data={"query": QUERY})).status == 415
    latin = {"Content-Type": "application/json; charset=latin-1"}
    assert (await client.post("/graphql", data=b"{}", headers=latin)).status == 415
    with_variables = {
        "query": "query Q($s: String) { products(slug: $s) { nodes { id } } }"
        " query R { viewer { role } }",
        "variables": '{"s": "x"}',
        "operationName": "Q",
    }
    response = await client.get(f"/graphql?{urlencode(with_variables)}")
    assert await response.json() == {"data": {"products": {"nodes": []}}}


INVALID = (
    "{",
    "{ nothing }",
    "query A { viewer { role } } query B { viewer { role } }",
    "query ($id: ID!) { node(id: $id) { id } }",
    "subscription { a }",
    "fragment A on Query { ...A } { ...A }",
)


async def test_an_invalid_document_has_status_200_in_plain_json_and_400_in_the_other(
    portal: Portal,
) -> None:
    for query, (accept, status) in product(
        INVALID, (("application/json", 200), (RESPONSE_JSON, 400))
    ):
        response = await portal.send(None, {"query": query}, Accept=accept)
        answer = await response.json(content_type=None)
        assert response.status == status
        assert answer["errors"]
        assert "data" not in answer


def bomb(levels: int) -> str:
    spreads = " ".join(
        f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)
    )
    return f"{{ viewer {{ ...F0 }} }} {spreads} fragment F{levels} on Viewer {{ role actor }}"


NESTED = "team { applications { nodes { " * 4 + "id" + " } } }" * 4
TOO_MUCH = (
    (bomb(25), "TOO_MUCH_SELECTIONS"),
    (f"{{ viewer {{ {NESTED} }} }}", "TOO_MUCH_DEPTH"),
    ("{ " + " ".join(f"a{n}: viewer {{ role }}" for n in range(31)) + " }", "TOO_MUCH_ALIASES"),
    ("{ viewer { " + "role " * 500 + "} }", "TOO_MUCH_REPETITION"),
    ("{ viewer { " + "role " * 2_100 + "} }", None),
    ("{ viewer { " + "role " * 200_000 + "} }", None),
    ("{ a" * 900, None),
    ("{ a " * 400 + "}" * 400, None),
    ("query ($a: " + "[" * 900 + "Int" + "]" * 900 + ") { viewer { role } }", None),
    ("{ viewer(a: " + "[" * 900 + "1" + "]" * 900 + ") { role } }", None),
)


async def test_a_document_that_asks_for_too_much_is_refused_at_once(portal: Portal) -> None:
    await portal.answer("owner", QUERY)
    for query, code in TOO_MUCH:
        begin = time.perf_counter()
        response = await portal.send("owner", {"query": query}, Accept=RESPONSE_JSON)
        took_s = time.perf_counter() - begin
        error = (await response.json(content_type=None))["errors"][0]
        assert response.status == 400, query[:80]
        assert took_s < 0.5, query[:80]  # some 20 ms on a machine that is not busy
        if code is not None:
            assert error["extensions"]["code"] == code


def test_a_document_that_asks_for_too_much_takes_little_of_the_event_loop() -> None:
    for query, _ in TOO_MUCH:
        took = []
        for _attempt in range(3):
            began = time.thread_time()
            with pytest.raises((GraphQLError, InvalidDocumentError)):
                Documents().read(query)
            took.append(time.thread_time() - began)
        assert min(took) < 0.05, query[:80]


async def test_a_request_reads_a_bounded_number_of_rows(
    shop: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "{ products { nodes { versions { nodes { operations { nodes { name } } } } } } }"
    monkeypatch.setattr(loaders, "ROWS", 10)
    assert await shop.ask("owner", query)
    monkeypatch.setattr(loaders, "ROWS", 9)
    assert (await shop.error("owner", query))["extensions"]["code"] == "TOO_MUCH_DATA"


async def test_introspection_is_for_those_with_a_token(portal: Portal) -> None:
    query = get_introspection_query()
    error = await portal.error(None, query)
    assert error["extensions"]["code"] == "NOT_PERMITTED"
    assert "token" in error["message"]
    hidden = '{ ...S } fragment S on Query { __type(name: "Query") { name } }'
    assert (await portal.error(None, hidden))["extensions"]["code"] == "NOT_PERMITTED"
    assert (await portal.ask("developer", query))["__schema"]["types"]
    assert await portal.ask(None, "{ __typename }") == {"__typename": "Query"}
    deep = "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"
    errors = (await portal.answer("owner", deep))["errors"]
    assert all("depth" in error["message"] for error in errors)


async def test_what_was_not_foreseen_is_masked_and_named(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> Any:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(loaders.Request, "fetch", fail)
    query = {"query": "{ viewer { role } products { nodes { id } } }"}
    response = await portal.send("owner", query, **{"X-Request-Id": "mine"})
    text = await response.text()
    assert response.status == 200
    assert "swordfish" not in text
    assert (await response.json())["errors"][0]["extensions"] == {
        "code": "INTERNAL",
        "reference": "mine",
    }


async def test_a_database_that_is_away_is_told_and_not_a_refusal(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"query": 'mutation { formTeam(input: {name: "x"}) { __typename } }'}
    for error in (UnavailableError("x"), asyncpg.InterfaceError("x"), OSError("x")):

        async def fail(*_: Any, away: Exception = error, **__: Any) -> Any:
            raise away

        monkeypatch.setattr("controlplane.graphql.changes.execute", fail)
        response = await portal.send("owner", query)
        answer = await response.json()
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_a_command_is_told_as_done_while_the_read_models_are_behind(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.store.projector.WAIT_S", 0.0)
    answer = await portal.answer(
        "owner",
        """mutation { issueToken(input: {name: "x", role: AUDITOR}) { ... on TokenIssued {
          id accessToken { id } secret { __typename } } } }""",
    )
    payload = answer["data"]["issueToken"]
    assert payload["secret"] == {"__typename": "SecretShownOnce"}
    assert payload["id"]
    if payload["accessToken"] is None:
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "UNAVAILABLE"
        assert "done" in error["message"]


async def test_documents_are_kept_and_bounded(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.graphql.documents.DOCUMENTS", 2)
    parsed = []
    measured = limits.measured

    def counted(document: Any) -> bool:
        parsed.append(document)
        return measured(document)

    monkeypatch.setattr(limits, "measured", counted)
    for name in ("a", "a", "b", "c", "c", "a"):
        await portal.ask(None, f"{{ {name}: viewer {{ role }} }}")
    assert len(parsed) == 4
    monkeypatch.setattr("controlplane.graphql.documents.KEPT_CHARS", 30)
    for name in ("d", "b", "b", "d"):  # one has 22 characters
        await portal.ask(None, f"{{ {name}: viewer {{ role }} }}")
    assert len(parsed) == 7
