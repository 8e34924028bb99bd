"""What a real Envoy lets through, and what its upstream is told."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwk, jwt

from controlplane.gateway.renderers import Memo, Rendered, RenderedInvalidError, envoy
from controlplane.gateway.renderers.envoy_keys import Provider
from domain import routing
from domain.plan_terms import Quota
from tests.gateways import sold
from tests.gateways.certified import certified
from tests.gateways.envoy_edge import Edge, serving
from tests.gateways.real_envoy import call, upstream
from tests.gateways.sold import id_of

ISSUER = "https://issuer.example/"
SIGNING = jwk.ECKey.generate_key("P-256", {"kid": "one"})
KEY_SETS = {ISSUER: json.dumps(jwk.KeySet([SIGNING]).as_dict(private=False))}
FREE, PETS, ORDERS = f"{id_of('free')}-1", str(id_of("pets")), str(id_of("orders"))


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with serving(tmp_path_factory.mktemp("edge"), KEY_SETS) as edge:
        yield edge


def token(application: str, **claims: object) -> str:
    payload = {"iss": ISSUER, "aud": "pets", "client": application, "exp": time.time() + 60}
    return jwt.encode({"alg": "ES256", "kid": "one"}, {**payload, **claims}, SIGNING)


def test_a_key_opens_what_its_plan_includes_and_nothing_else(edge: Edge) -> None:
    key, _ = edge.subscribe(FREE)
    edge.running.until(200, "/pets/v1/pets", key)

    assert edge.call("/pets/v1/pets").status == 401
    assert edge.call("/pets/v1/pets", "unknown").status == 401
    assert edge.call("/pets/v1/pets", "x" * 5_000).status == 401
    assert edge.call("/orders/admin/v1/orders", key).status == 403
    assert not [each for each in edge.call("/pets/v1/pets", key).headers if "ratelimit" in each]
    refused = edge.call("/pets/v1/pets")
    assert refused.headers["www-authenticate"] == 'ApiKey header="x-api-key"'
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_key_that_is_gone_opens_nothing_and_only_one_file_says_so(edge: Edge) -> None:
    key, subscription = edge.subscribe(FREE)
    edge.running.until(200, "/pets/v1/pets", key)

    row = edge.sold.rows[routing.SUBSCRIPTION][subscription]
    edge.sold.change(routing.SUBSCRIPTION, subscription, routing.without_key(row, key))
    changed = edge.put()

    edge.running.until(401, "/pets/v1/pets", key)
    assert len(changed) == 1


def test_what_is_no_operation_is_not_found_whoever_asks(edge: Edge) -> None:
    key, _ = edge.subscribe(FREE)
    edge.running.until(200, "/pets/v1/pets", key)

    assert edge.call("/pets/v1/nothing", key).status == 404
    assert edge.call("/pets/v1/pets/1/2", key).status == 404
    assert edge.call("/pets/v1/pets/", key).status == 404
    assert edge.call("/pets/v1/pets", key, method="DELETE").status == 404
    assert edge.call("/pets/v9/pets").status == 404
    assert edge.call("/pets/v1/pets/a%2Fb", key).status == 400
    assert edge.call("/pets/v1/files/report.json", key).status == 200
    assert edge.call("/pets/v1/files/report.xml", key).status == 404


def test_the_upstream_learns_who_calls_and_never_the_key(edge: Edge) -> None:
    key, subscription = edge.subscribe(FREE)
    edge.running.until(200, "/pets/v1/pets", key)

    spoofed = {
        "X_Subscription_Id": "spoofed",
        "x-application_id": "spoofed",
        "X-Plan-Id": "spoofed",
    }
    internal = {"x-gate-record": f"{subscription} a {FREE} 9 0", "x-gate-limits": "none"}
    sent = {"X-Api-Key": key, **spoofed, **internal, "x_kept": "kept"}
    answer = call(edge.running.port, "/pets/v2/pets/7?limit=3", headers=sent)

    headers = {name.lower(): value for name, value in answer.seen["headers"].items()}
    assert answer.seen["path"] == "/two/pets/7?limit=3"
    assert headers["x-subscription-id"] == subscription
    assert headers["x-application-id"] == str(id_of(f"{key} application"))
    assert headers["x-plan-id"] == FREE
    assert headers["x_kept"] == "kept"
    assert "spoofed" not in headers.values()
    assert "x-api-key" not in headers
    assert not [name for name in headers if name.startswith("x-gate")]
    assert edge.call("/pets/v1/pets", **internal, **{"x-gate-digest": "0" * 64}).status == 401


def test_a_key_ends_by_the_gateways_clock(edge: Edge) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    key, subscription = edge.subscribe(FREE)
    row = edge.sold.rows[routing.SUBSCRIPTION][subscription]
    edge.sold.change(routing.SUBSCRIPTION, subscription, routing.with_key_until(row, key, soon))
    other, _ = edge.subscribe(FREE, not_after=soon.isoformat())
    edge.running.until(200, "/pets/v1/pets", key)
    edge.running.until(200, "/pets/v1/pets", other)

    edge.running.until(401, "/pets/v1/pets", key)
    edge.running.until(401, "/pets/v1/pets", other)
    late_s = (datetime.now(UTC) - soon).total_seconds()
    assert 0 <= late_s < 0.5


def test_beyond_its_quota_a_subscription_waits_until_it_may_again(edge: Edge) -> None:
    hard, soft = (
        edge.sold.plan(each, PETS, quota=Quota(9, "DAY", each)) for each in ("HARD", "SOFT")
    )
    until = datetime.now(UTC) + timedelta(seconds=2)
    free, _ = edge.subscribe(soft, over_quota_until=until.isoformat())
    key, _ = edge.subscribe(hard, over_quota_until=until.isoformat())
    edge.running.until(429, "/pets/v1/pets", key)
    edge.running.until(200, "/pets/v1/pets", free)
    assert datetime.now(UTC) < until

    refused = edge.call("/pets/v1/pets", key)
    assert b"quota" in refused.body
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    edge.running.until(200, "/pets/v1/pets", key)
    assert datetime.now(UTC) >= until - timedelta(milliseconds=1)  # Envoy is told milliseconds


def test_callers_without_a_key_are_let_in_by_a_keyless_plan(edge: Edge) -> None:
    product = edge.sold.product("open")
    pets = next(iter(edge.sold.rows[routing.VERSION].values()))
    edge.sold.version(product, pets["upstreams"]["live"], ["GET /things"])
    plan = edge.sold.plan("keyless", product, first=sold.limit(2, 60), auth=sold.auth("KEYLESS"))
    edge.put()
    deadline = time.monotonic() + 5
    while "ratelimit" not in edge.call("/open/v1/things", source="127.0.0.3").headers:
        assert time.monotonic() < deadline

    assert [edge.call("/open/v1/things").status for _ in range(3)] == [200, 200, 429]
    elsewhere = edge.call("/open/v1/things", source="127.0.0.2")
    headers = {name.lower(): value for name, value in elsewhere.seen["headers"].items()}
    assert headers["x-plan-id"] == plan
    assert "x-subscription-id" not in headers
    assert edge.call("/open/v1/things", "unknown").status == 401
    assert edge.call("/pets/v1/pets").status == 401


def test_a_token_is_the_key_of_the_application_it_names(edge: Edge) -> None:
    plan = edge.sold.plan("tokens", PETS, auth=sold.auth("JWT", ISSUER, "pets", "client"))
    name, subscription = edge.subscribe(plan)
    mine = str(id_of(f"{name} application"))
    bearer = {"Authorization": f"Bearer {token(mine)}"}
    deadline = time.monotonic() + 5
    while (answer := edge.call("/pets/v1/pets", **bearer)).status != 200:
        assert time.monotonic() < deadline, answer

    headers = {name.lower(): value for name, value in answer.seen["headers"].items()}
    assert headers["x-subscription-id"] == subscription
    assert "authorization" not in headers
    assert edge.call("/pets/v1/pets", name).status == 401
    for refused, status in {
        token("another"): 403,
        token(mine, exp=time.time() - 120): 401,
        token(mine, aud="others"): 401,
        token(mine, iss="https://another.example/"): 401,
        token(mine)[:-4] + "AAAA": 401,
    }.items():
        assert edge.call("/pets/v1/pets", Authorization=f"Bearer {refused}").status == status
    assert edge.call("/orders/admin/v1/orders", **bearer).status == 403


def test_no_key_says_what_a_token_stands_for(edge: Edge) -> None:
    plan = edge.sold.plan("said", PETS, auth=sold.auth("JWT", ISSUER, "pets", "client"))
    name, _ = edge.subscribe(plan)
    mine = str(id_of(f"{name} application"))
    bearer = {"Authorization": f"Bearer {token(mine)}"}
    deadline = time.monotonic() + 5
    while edge.call("/pets/v1/pets", **bearer).status != 200:
        assert time.monotonic() < deadline

    stands_for = Provider(ISSUER, "pets", "client").id, PETS, mine
    assert edge.call("/pets/v1/pets", " ".join(stands_for)).status == 401
    assert edge.call("/pets/v1/pets", "\n ".join(stands_for)).status in {0, 400, 401}


def test_a_call_whose_script_fails_is_refused(edge: Edge) -> None:
    key, _ = edge.subscribe(FREE, application="not an id")

    edge.running.until(500, "/pets/v1/pets", key)
    assert edge.call("/orders/admin/v1/orders", key).status == 500
    before, _ = edge.subscribe(FREE, not_after="1960-01-01T00:00:00+00:00")
    valid, _ = edge.subscribe(FREE)
    edge.running.until(200, "/pets/v1/pets", valid)
    assert edge.call("/pets/v1/pets", before).status == 401


def test_a_deprecated_version_says_so_until_when_and_what_comes_next(edge: Edge) -> None:
    product = edge.sold.product("old")
    url = next(iter(edge.sold.rows[routing.VERSION].values()))["upstreams"]["live"]
    successor = edge.sold.version(product, url, ["GET /things"], number="2.0.0")
    edge.sold.version(
        product,
        url,
        ["GET /things"],
        deprecation="2026-10-01T00:00:00+00:00",
        sunset="2027-01-31T12:00:00.500000+00:00",
        link="https://docs.example/move?to=%2Ftwo",
        successor=successor,
    )
    key, _ = edge.subscribe(edge.sold.plan("old", product))
    edge.running.until(200, "/old/v1/things", key)

    for told in (edge.call("/old/v1/things", key), edge.call("/old/v1/things")):
        assert told.headers["deprecation"] == "@1790812800"
        assert told.headers["sunset"] == "Sun, 31 Jan 2027 12:00:00 GMT"
        assert told.headers["link"] == (
            '<https://docs.example/move?to=%2Ftwo>; rel="deprecation",'
            ' </old/v2>; rel="successor-version"'
        )
    assert "deprecation" not in edge.call("/old/v2/things", key).headers


def test_graphql_is_one_operation_at_its_base(edge: Edge) -> None:
    product = edge.sold.product("graph")
    url = next(iter(edge.sold.rows[routing.VERSION].values()))["upstreams"]["live"]
    edge.sold.version(product, f"{url}/graphql", ["Query.things"], kind="GRAPHQL")
    key, _ = edge.subscribe(edge.sold.plan("graph", product))
    edge.running.until(404, "/graph/v1", key)

    for path in ("/graph/v1", "/graph/v1/", "/graph/v1?x=1"):
        deadline = time.monotonic() + 5
        while (answer := edge.call(path, key, method="POST")).status != 200:
            assert time.monotonic() < deadline, answer
        assert answer.seen["path"].partition("?")[0] == "/graphql"


def test_an_upstream_behind_tls_is_called_only_if_it_is_the_one(edge: Edge, tmp_path: Path) -> None:
    authority = edge.running.directory / "ca.pem"
    right, wrong = (certified(tmp_path, authority, f"127.0.0.{n}") for n in (1, 9))
    with upstream(right) as url, upstream(wrong) as another:
        product = edge.sold.product("tls")
        edge.sold.version(product, url, ["GET /things"])
        edge.sold.version(product, another, ["GET /things"], number="2.0.0")
        key, _ = edge.subscribe(edge.sold.plan("tls", product))

        edge.running.until(200, "/tls/v1/things", key)
        assert edge.call("/tls/v2/things", key).status == 503


def test_nothing_to_enforce_is_not_rendered_unless_that_is_right(edge: Edge) -> None:
    nothing = {**edge.sold.snapshot(), "products": [], "versions": []}

    with pytest.raises(RenderedInvalidError):
        envoy.render(nothing, edge.site, Memo())
    rendered = envoy.render({**nothing, "intentionally_empty": True}, edge.site, Memo())
    envoy.validate(rendered)


def test_what_envoy_would_not_know_is_refused(edge: Edge) -> None:
    rendered = envoy.render(edge.sold.snapshot(), edge.site, Memo())
    files = {**rendered.files}
    files["routes.json"] = files["routes.json"].replace(b'"regex_rewrite"', b'"regex_write"')
    with pytest.raises(RenderedInvalidError, match="regex_write"):
        envoy.validate(Rendered(files, ()))
    files["routes.json"] = b'{"version_info": "1", "resources": []}'
    with pytest.raises(RenderedInvalidError, match=r"routes\.json"):
        envoy.validate(Rendered(files, ()))
