"""A limit of one field of a GraphQL API holds at a real Envoy, however a call asks for it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.gateway.renderers import Memo, Site, envoy, problems
from controlplane.gateway.renderers.envoy_plans import BODY_BYTES, FIELDS
from controlplane.gateway.renderers.problems import Problem
from domain.plan_terms import Override, RateLimit
from tests.gateways.envoy_edge import NAMES, Edge, serving
from tests.gateways.real_envoy import Answer, gateway
from tests.gateways.sold import Sold, auth, id_of, limit, override

SHOP = str(id_of("shop"))
PATH, PROBE = "/shop/v1", "/shop/probe/v1/probe"
WIDE = override(SHOP, "GET /probe", limit(100_000, 1))
OWN = [f"Query.own{nth}" for nth in range(FIELDS + 1)]
ONE = '{"query":"{products}"}'


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with serving(tmp_path_factory.mktemp("edge")) as edge:
        url = next(iter(edge.sold.rows["version"].values()))["upstreams"]["live"]
        fields = ["Query.products", "Query.orders", "Mutation.products", "Mutation.buy", *OWN]
        edge.sold.version(edge.sold.product("shop"), f"{url}/graphql", fields, kind="GRAPHQL")
        renamed = {"kind": "GRAPHQL", "number": "2.0.0"}
        edge.sold.version(SHOP, f"{url}/graphql", ["Query.goods"], **renamed)
        edge.sold.version(SHOP, url, ["GET /probe"], api="probe")
        yield edge


def ask(
    edge: Edge, key: str, body: str, path: str = PATH, source: str = "", **headers: str
) -> Answer:
    sent = {"content_type": "application/json", **headers}
    return edge.running.post(path, body.encode(), key, source, **sent)


def asked(edge: Edge, key: str, *documents: str) -> list[int]:
    return [ask(edge, key, json.dumps({"query": each})).status for each in documents]


def sell(edge: Edge, first: RateLimit | None, *own: Override) -> str:
    """Sell a plan with limits of fields; return its id once they are in force."""
    plan = edge.sold.plan(f"plan-{next(NAMES)}", SHOP, first=first, overrides=[WIDE, *own])
    key = subscribe(edge, plan)
    field = own[0].operation.removeprefix("Query.")
    deadline = time.monotonic() + 5
    while "ratelimit" not in ask(edge, key, f'{{"query":"{{{field}}}"}}').headers:
        assert time.monotonic() < deadline
    return plan


def subscribe(edge: Edge, plan: str) -> str:
    """Return a key that is known at the gateway."""
    key, _ = edge.subscribe(plan)
    edge.running.until(200, PROBE, key)
    return key


@pytest.fixture(scope="module")
def plan(edge: Edge) -> str:
    """Return a plan with 3 products and 1 purchase in ten minutes, of 5 calls otherwise."""
    return sell(
        edge,
        limit(5, 600),
        override(SHOP, "Query.products", limit(3, 600)),
        override(SHOP, "Mutation.buy", limit(1, 600)),
    )


def says(answer: Answer, problem: Problem) -> None:
    assert answer.status == problem.status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body) == vars(problem)


def test_a_field_has_its_limit_and_every_other_that_of_the_plan(edge: Edge, plan: str) -> None:
    key = subscribe(edge, plan)
    first = ask(edge, key, ONE)
    assert (first.status, first.headers["x-ratelimit-limit"]) == (200, "3")
    assert first.seen["path"] == "/graphql"
    assert first.seen["body"] == ONE
    assert asked(edge, key, *["{products}"] * 3) == [200, 200, 429]
    says(ask(edge, key, ONE), problems.RATE_LIMITED)
    assert int(ask(edge, key, ONE).headers["retry-after"]) >= 1

    others = ["{orders a:orders}", "{__typename}", "mutation{products}", "{me}"]
    others.append("{...F} fragment F on Query{...F}")  # which asks for nothing
    assert asked(edge, key, *others, "{orders}") == [200] * 5 + [429]
    assert asked(edge, key, *["mutation{buy}"] * 2) == [200, 429]
    assert asked(edge, subscribe(edge, plan), "{products}") == [200]


def test_a_version_that_has_the_field_no_more_limits_it_as_the_others_do(
    edge: Edge, plan: str
) -> None:
    key = subscribe(edge, plan)

    assert [ask(edge, key, ONE, path).status for path in (PATH, "/shop/v2", PATH)] == [200] * 3
    says(ask(edge, key, ONE, "/shop/v2"), problems.RATE_LIMITED)


def test_a_call_for_both_counts_for_both(edge: Edge, plan: str) -> None:
    key = subscribe(edge, plan)

    assert asked(edge, key, *["{products orders}"] * 4) == [200, 200, 200, 429]
    assert asked(edge, key, "{orders}", "{orders}", "{orders}") == [200, 200, 429]


@pytest.mark.parametrize(
    "twice",
    [
        "{a:products b:products}",
        "{products ...F} fragment F on Query{b:products}",
        "{...{products} ... on Query{...{b:products}}}",
        "query($n:Boolean!){products @skip(if:$n) b:products @include(if:$n)}",
    ],
)
def test_a_field_under_two_names_is_two_calls(edge: Edge, plan: str, twice: str) -> None:
    key = subscribe(edge, plan)

    assert asked(edge, key, twice, twice, "{products}", "{products}") == [200, 429, 200, 429]
    four = "{a:products b:products c:products d:products}"
    says(ask(edge, key, json.dumps({"query": four})), problems.FIELDS_MANY)


@pytest.mark.parametrize(
    "body",
    [
        *('{"query":"{x:products}"}', '{"query":"{...F} fragment F on Query{products}"}'),
        *('{"query":"{...on Query{products}}"}', '{"query":"query A{products}"}'),
        '{"query":"query A{orders} query B{products}","operationName":"B"}',
        *(r'{"query":"{\u0070roducts}"}', r'{"qu\u0065ry":"{products}"}'),
        r'{"query":"{#}\nproducts}"}',
        r'{"query":"{orders(a:\"\"\"}\"\"\"){b(c:\"}\")} products}"}',
        *(
            '{"variables":{"query":"{orders}"},"query":"{products}"}',
            ' {"query":"\ufeff{products}"}',
        ),
    ],
)
def test_a_field_is_found_in_every_form_of_a_document(edge: Edge, plan: str, body: str) -> None:
    key = subscribe(edge, plan)

    assert [ask(edge, key, body).status for _ in range(2)] == [200, 200]
    assert ask(edge, key, ONE).headers["x-ratelimit-remaining"] == "0"
    says(ask(edge, key, body), problems.RATE_LIMITED)


@pytest.mark.parametrize(
    "body",
    [
        *("", "{}", '[{"query":"{products}"}]', '{"query":"{orders}","query":"{products}"}'),
        *('{"id":"1"}', '{"extensions":{"persistedQuery":{"sha256Hash":"00"}}}', '{"query":"{"}'),
        '{"query":"query A{orders} query B{products}"}',
        '{"query":"query A{orders} query B{products}","operationName":"C"}',
    ],
)
def test_what_cannot_be_read_is_refused_to_who_has_such_a_limit_only(
    edge: Edge, plan: str, body: str
) -> None:
    key, free = (
        subscribe(edge, plan),
        subscribe(edge, edge.sold.plan("any", SHOP, overrides=[WIDE])),
    )

    says(ask(edge, key, body), problems.DOCUMENT_UNREAD)
    assert ask(edge, free, body).status == 200
    assert asked(edge, key, *["{orders}"] * 5) == [200] * 5  # it costs nothing


def test_other_forms_of_a_call_are_refused(edge: Edge, plan: str) -> None:
    key, one = subscribe(edge, plan), ONE
    says(ask(edge, key, one, f"{PATH}?query={{products}}"), problems.DOCUMENT_UNREAD)
    says(ask(edge, key, one, content_type="application/graphql"), problems.NOT_JSON)
    says(ask(edge, key, one, content_type="text/plain"), problems.NOT_JSON)
    says(ask(edge, key, one, content_encoding="gzip"), problems.NOT_JSON)
    assert edge.call(f"{PATH}?query={{products}}", key).status == 404


def test_what_is_too_large_is_refused_whether_or_not_it_says_so(edge: Edge, plan: str) -> None:
    key, json_ = subscribe(edge, plan), {"content_type": "application/json"}
    says(ask(edge, key, ONE.ljust(BODY_BYTES + 1)), problems.TOO_LARGE)
    for chunks in (33, 300):  # Envoy itself holds 1 MiB
        sent = iter([b" " * 4096] * chunks)
        says(edge.running.post(PATH, sent, key, **json_), problems.TOO_LARGE)

    free = subscribe(edge, edge.sold.plan("any", SHOP, overrides=[WIDE]))
    assert ask(edge, free, ONE.ljust(BODY_BYTES + 1)).status == 200
    halves = iter([ONE[:9].encode(), ONE[9:].encode()])
    assert edge.running.post(PATH, halves, key, **json_).headers["x-ratelimit-limit"] == "3"


def test_so_many_fields_are_counted_at_once(edge: Edge) -> None:
    plan = sell(edge, None, *(override(SHOP, each, limit(2, 600)) for each in OWN))
    key = subscribe(edge, plan)
    names = [each.removeprefix("Query.") for each in OWN]
    most, more = (f"{{{' '.join(names[:count])}}}" for count in (FIELDS, FIELDS + 1))

    says(ask(edge, key, json.dumps({"query": more})), problems.FIELDS_MANY)
    assert asked(edge, key, most, most, *(f"{{{name}}}" for name in names[:-1])) == [
        *(200, 200),
        *[429] * FIELDS,
    ]
    free = ask(edge, key, '{"query":"{orders}"}')
    assert free.status == 200
    assert "ratelimit" not in free.headers


def test_the_limit_of_the_whole_api_is_that_of_its_other_fields(edge: Edge) -> None:
    own = [override(SHOP, "Query.products", limit(3, 600)), override(SHOP, "POST /", limit(2, 600))]
    key = subscribe(edge, sell(edge, limit(9, 600), *own))

    assert asked(edge, key, "{orders}", "{me}", "{orders}") == [200, 200, 429]
    assert asked(edge, key, *["{products}"] * 4) == [200, 200, 200, 429]


def test_a_keyless_plan_limits_a_field_by_address(edge: Edge) -> None:
    own = override(SHOP, "Query.products", limit(2, 600))
    edge.sold.plan("open", SHOP, overrides=[own], auth=auth("KEYLESS"))
    edge.put()
    deadline = time.monotonic() + 5
    while ask(edge, "", ONE, source="127.0.0.7").status != 429:
        assert time.monotonic() < deadline

    found = [ask(edge, "", ONE, source="127.0.0.8").status for _ in range(3)]
    assert found == [200, 200, 429]


def test_in_no_window_are_there_more_than_the_bound(edge: Edge) -> None:
    plan = sell(edge, None, override(SHOP, "Query.products", limit(6, 2)))
    key, passed, began = subscribe(edge, plan), [], time.monotonic()
    forms = ["{products}", "{a:products b:products}", "{...F} fragment F on Q{a:products}"]
    calls = [1, 2, 1]
    nth = 0
    while (at := time.monotonic()) < began + 5:
        if asked(edge, key, forms[nth % 3]) == [200]:
            passed += [at] * calls[nth % 3]
        nth += 1

    assert max(sum(at <= each < at + 2 for each in passed) for at in passed) <= 12
    assert len(passed) >= 6 + 6 * 5 / 2 - 3


def test_an_envoy_takes_many_plans_that_limit_fields_of_an_api_of_many_versions(
    tmp_path: Path,
) -> None:
    """A function of a script has at most 65,536 constants, and plans with subscribers stay."""
    fields = [f"Query.f{nth}" for nth in range(200)]

    def rendered(versions: int, plans: int, site: Site) -> dict[str, bytes]:
        sold = Sold()
        shop = sold.product("shop")
        for number in range(1, versions + 1):
            said = {"kind": "GRAPHQL", "number": f"{number}.0.0"}
            sold.version(shop, "http://127.0.0.1:1", fields, **said)
        own = [override(shop, each, limit(2, 60)) for each in fields]
        for nth in range(plans):
            sold.plan(f"plan {nth}", shop, overrides=own)
        return envoy.render(sold.snapshot(), site, Memo()).files

    with gateway(tmp_path) as running:
        site = Site(str(tmp_path), listen_port=running.port)
        one, many = (len(rendered(versions, 1, site)["plans.json"]) for versions in (1, 20))
        assert many < one + 20 * 100  # a version names its API, and does not repeat its limits
        running.put(rendered(20, 170, site))
        running.put(envoy.bootstrap(site))
        running.start()
        assert running.post("/shop/v1", b"").status == 401
