"""What a real HAProxy lets through, and what its upstream is told."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controlplane.gateway.agent.gateway import GatewayError
from controlplane.gateway.agent.haproxy import SOCKET
from domain import routing
from domain.plan_terms import Quota
from tests.gateways import sold
from tests.gateways.certified import certified
from tests.gateways.haproxy_edge import Edge, serving
from tests.gateways.real_envoy import call, upstream
from tests.gateways.sold import id_of, limit

FREE, FIVE, PETS = f"{id_of('free')}-1", f"{id_of('five')}-1", str(id_of("pets"))
JWT = sold.auth("JWT", "https://issuer.example/", "pets", "client")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with serving(tmp_path_factory.mktemp("edge")) as edge:
        yield edge


@pytest.fixture(scope="module", autouse=True)
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, float]]:
    """Return one that was loaded for the last time at an instant, before all other tests."""
    with serving(tmp_path_factory.mktemp("settled")) as edge:
        edge.sold.plan("kept", PETS, first=limit(1, 60))
        edge.put()
        yield edge, time.monotonic()


def test_a_key_opens_what_its_plan_includes_and_nothing_else(edge: Edge) -> None:
    key, _ = edge.subscribe(FREE)

    assert edge.status("/pets/v1/pets", key) == 200
    assert edge.status("/pets/v1/pets", "unknown") == 401
    assert edge.status("/pets/v1/pets", "x" * 5_000) == 401
    assert edge.status("/orders/admin/v1/orders", key) == 403
    refused = edge.call("/pets/v1/pets")
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == 'ApiKey header="x-api-key"'
    assert refused.headers["content-type"] == "application/problem+json"


def test_what_is_no_operation_is_not_found_whoever_asks(edge: Edge) -> None:
    key, _ = edge.subscribe(FREE)

    assert edge.status("/pets/v1/nothing", key) == 404
    assert edge.status("/pets/v1/pets/1/2", key) == 404
    assert edge.status("/pets/v1/pets/", key) == 404
    assert edge.status("/pets/v1/pets", key, "DELETE") == 404
    assert edge.status("/pets/v9/pets") == 404
    assert edge.status("/pets/v1/files/report.json", key) == 200
    assert edge.status("/pets/v1/files/report.xml", key) == 404


@pytest.mark.parametrize(
    "path", ["..", "%2e%2E", ".", "a%2Fb", "a%5cb", "..%2f..", "..;x", "../v2/pets"]
)
def test_a_path_that_an_upstream_might_take_for_another_is_refused(edge: Edge, path: str) -> None:
    key, _ = edge.subscribe(FREE)

    assert edge.status(f"/pets/v1/pets/{path}", key) == 400


def test_the_upstream_learns_who_calls_and_never_the_key(edge: Edge) -> None:
    key, subscription = edge.subscribe(FREE)

    spoofed = {
        "X_Subscription_Id": "spoofed",
        "x-application_id": "spoofed",
        "X-Plan-Id": "spoofed",
    }
    sent = {"X-Api-Key": key, **spoofed, "x_kept": "kept"}
    answer = call(edge.site.listen_port, "/pets/v2/pets/7?limit=3", headers=sent)

    headers = {name.lower(): value for name, value in answer.seen["headers"].items()}
    assert answer.seen["path"] == "/two/pets/7?limit=3"
    assert headers["x-subscription-id"] == subscription
    assert headers["x-application-id"] == str(id_of(f"{key} application"))
    assert headers["x-plan-id"] == FREE
    assert headers["x_kept"] == "kept"
    assert "spoofed" not in headers.values()
    assert "x-api-key" not in headers


def test_a_key_ends_by_the_gateways_clock(edge: Edge) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    key, subscription = edge.subscribe(FREE)
    row = edge.sold.rows[routing.SUBSCRIPTION][subscription]
    edge.sold.change(routing.SUBSCRIPTION, subscription, routing.with_key_until(row, key, soon))
    other, _ = edge.subscribe(FREE, not_after=soon.isoformat())
    assert edge.status("/pets/v1/pets", key) == edge.status("/pets/v1/pets", other) == 200

    edge.until(401, "/pets/v1/pets", key)
    edge.until(401, "/pets/v1/pets", other)
    assert -0.001 <= (datetime.now(UTC) - soon).total_seconds() < 1  # HAProxy knows milliseconds


def test_an_operation_is_limited_however_its_path_is_escaped(edge: Edge) -> None:
    own = [sold.override(PETS, "GET /pets/mine", limit(1, 60))]
    key, _ = edge.subscribe(edge.sold.plan("mine", PETS, overrides=own))

    assert edge.status("/pets/v1/pets/mine", key) == 200
    for path in ("/pets/mine", "/pets/%6dine", "/%70ets/%6Din%65"):
        assert edge.status(f"/pets/v1{path}", key) == 429
    assert edge.call("/pets/v1/pets/a%20b", key).seen["path"] == "/pets/a%20b"


def test_of_two_templates_that_match_the_more_specific_counts(edge: Edge) -> None:
    product = edge.sold.product("files")
    routes = ["GET /files/{id}", "GET /files/{name}.json"]
    edge.sold.version(product, edge.url, routes)
    own = [sold.override(product, routes[1], limit(1, 60))]
    key, _ = edge.subscribe(edge.sold.plan("files", product, overrides=own))

    assert [edge.status("/files/v1/files/a.json", key) for _ in range(2)] == [200, 429]
    assert edge.status("/files/v1/files/a.txt", key) == 200


def test_a_key_that_ended_long_ago_has_ended(edge: Edge) -> None:
    key, _ = edge.subscribe(FREE, not_after="1960-01-01T00:00:00+00:00")

    assert edge.status("/pets/v1/pets", key) == 401


def test_beyond_a_hard_quota_a_subscription_waits_until_it_may_again(edge: Edge) -> None:
    hard, soft = (
        edge.sold.plan(each, PETS, quota=Quota(9, "DAY", each)) for each in ("HARD", "SOFT")
    )
    until = datetime.now(UTC) + timedelta(seconds=4)
    key, _ = edge.subscribe(hard, over_quota_until=until.isoformat())
    free, _ = edge.subscribe(soft, over_quota_until=until.isoformat())

    refused = edge.call("/pets/v1/pets", key)
    assert refused.status == 429
    assert b"quota" in refused.body
    assert 1 <= int(refused.headers["retry-after"]) <= 4
    assert edge.status("/pets/v1/pets", free) == 200
    edge.until(200, "/pets/v1/pets", key)
    assert datetime.now(UTC) >= until - timedelta(milliseconds=1)  # HAProxy is told milliseconds


def test_callers_without_a_key_are_let_in_by_a_keyless_plan(edge: Edge) -> None:
    product = edge.sold.product("open")
    edge.sold.version(product, edge.url, ["GET /things"])
    plan = edge.sold.plan("keyless", product, first=limit(2, 60), auth=sold.auth("KEYLESS"))
    edge.put()

    assert [edge.status("/open/v1/things") for _ in range(3)] == [200, 200, 429]
    assert edge.status("/open/v1/things", "unknown") == 401
    elsewhere = edge.call("/open/v1/things", source="127.0.0.2")
    headers = {name.lower(): value for name, value in elsewhere.seen["headers"].items()}
    assert headers["x-plan-id"] == plan
    assert "x-subscription-id" not in headers


def test_a_key_imported_by_its_sha1_is_found(edge: Edge) -> None:
    subscription = edge.sold.subscription(FREE, "imported")
    row = edge.sold.rows[routing.SUBSCRIPTION][subscription]
    row = routing.with_key(
        row, key_id="sha1", sha256=None, sha1="bGw7vXaDbx9puc9GeuYo+Z3DYhM=", not_after=None
    )
    edge.sold.change(routing.SUBSCRIPTION, subscription, row)
    edge.put()

    assert edge.status("/pets/v1/pets", "imported by its sha1") == 200


def test_a_limit_of_an_operation_counts_for_itself(edge: Edge) -> None:
    own = [sold.override(PETS, "POST /pets", limit(1, 60))]
    plan = edge.sold.plan("own", PETS, first=limit(2, 60), overrides=own)
    key, _ = edge.subscribe(plan)

    assert [edge.status("/pets/v1/pets", key, "POST") for _ in range(2)] == [200, 429]
    assert [edge.status("/pets/v1/pets", key) for _ in range(3)] == [200, 200, 429]
    assert edge.status("/pets/v1/pets", edge.subscribe(plan)[0]) == 200


def test_whoever_is_limited_learns_how_and_for_how_long(edge: Edge) -> None:
    key, _ = edge.subscribe(FIVE)

    first = edge.call("/pets/v1/pets", key)
    assert first.headers["ratelimit-policy"] == '"plan";q=5;w=10'
    assert first.headers["ratelimit"] == '"plan";r=4;t=10'
    while (answer := edge.call("/pets/v1/pets", key)).status == 200:
        pass
    assert answer.status == 429
    assert answer.headers["ratelimit"] == '"plan";r=0;t=10'
    assert answer.headers["retry-after"] == "10"


def test_a_limit_is_never_exceeded_twofold_and_refused_calls_do_not_count(edge: Edge) -> None:
    key, _ = edge.subscribe(edge.sold.plan("five a second", PETS, first=limit(4, 1, burst=1)))

    passed: list[float] = []
    began = time.monotonic()
    while time.monotonic() < began + 4:  # without a pause: most calls are refused
        if edge.status("/pets/v1/pets", key) == 200:
            passed.append(time.monotonic())

    most = max(sum(at <= other < at + 1 for other in passed) for at in passed)
    assert 5 <= most <= 10
    assert 3 * 5 <= len(passed) <= 5 * 5


def test_a_new_key_or_plan_fills_no_bucket_again(edge: Edge) -> None:
    key, _ = edge.subscribe(edge.sold.plan("one", PETS, first=limit(1, 60)))
    assert [edge.status("/pets/v1/pets", key) for _ in range(2)] == [200, 429]

    edge.subscribe(FREE)
    assert edge.status("/pets/v1/pets", key) == 429


def test_a_deprecated_version_says_so_until_when_and_what_comes_next(edge: Edge) -> None:
    product = edge.sold.product("old")
    successor = edge.sold.version(product, edge.url, ["GET /things"], number="2.0.0")
    edge.sold.version(
        product,
        edge.url,
        ["GET /things"],
        deprecation="2026-10-01T00:00:00+00:00",
        sunset="2027-01-31T12:00:00+00:00",
        successor=successor,
        link="https://docs.example/100%25?a='b'&c=\"d\"",
    )
    key, _ = edge.subscribe(edge.sold.plan("old", product))

    headers = edge.call("/old/v1/things", key).headers
    assert headers["deprecation"] == "@1790812800"
    assert headers["sunset"] == "Sun, 31 Jan 2027 12:00:00 GMT"
    assert 'rel="successor-version"' in headers["link"]
    assert "deprecation" not in edge.call("/old/v2/things", key).headers


def test_of_two_versions_at_an_address_the_newer_by_semver_answers(edge: Edge) -> None:
    product = edge.sold.product("candidates")
    older, newer = (
        edge.sold.version(product, f"{edge.url}/{n}", ["GET /things"], number=f"1.0.0-rc.{n}")
        for n in (9, 10)
    )
    key, _ = edge.subscribe(edge.sold.plan("candidates", product))

    assert edge.call("/candidates/v1/things", key).seen["path"] == "/10/things"
    told = {each.id for each in edge.put()}
    assert older in told
    assert newer not in told


def test_what_changed_while_it_did_not_answer_is_enforced_once_it_does(edge: Edge) -> None:
    product = edge.sold.product("blocked")
    version = edge.sold.version(product, edge.url, ["GET /things"])
    key, _ = edge.subscribe(edge.sold.plan("blocked", product))
    other, subscription = edge.subscribe(FREE)
    assert edge.status("/blocked/v1/things", key) == edge.status("/pets/v1/pets", other) == 200

    socket = Path(edge.site.directory) / SOCKET
    away = socket.rename(socket.with_name("away"))
    edge.sold.change(routing.VERSION, version, None)
    edge.sold.change(routing.SUBSCRIPTION, subscription, None)
    with pytest.raises(GatewayError):
        edge.put()
    away.rename(socket)

    edge.put()
    assert edge.status("/blocked/v1/things", key) == 404
    assert edge.status("/pets/v1/pets", other) == 401


def test_graphql_is_one_operation_at_its_base(edge: Edge) -> None:
    product = edge.sold.product("graph")
    edge.sold.version(product, f"{edge.url}/graphql", [], kind="GRAPHQL")
    key, _ = edge.subscribe(edge.sold.plan("graph", product))

    for path in ("/graph/v1", "/graph/v1/"):
        assert edge.call(path, key, "POST").seen["path"] == "/graphql"
    assert edge.status("/graph/v1/more", key, "POST") == 404


def test_a_plan_that_limits_a_field_of_graphql_has_everything_but_that_api(edge: Edge) -> None:
    product = edge.sold.product("fields")
    edge.sold.version(product, edge.url, ["Query.things"], kind="GRAPHQL")
    edge.sold.version(product, edge.url, ["GET /things"], api="rest")
    own = [sold.override(product, "Query.things", limit(1, 60))]
    key, _ = edge.subscribe(edge.sold.plan("fields", product, overrides=own))

    assert edge.status("/fields/v1", key, "POST") == 403
    assert edge.status("/fields/rest/v1/things", key) == 200


def test_an_upstream_behind_tls_is_called_only_if_it_is_the_one(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    right, wrong = (certified(tmp_path, authority, f"127.0.0.{n}") for n in (1, 9))
    with (
        upstream(right) as url,
        upstream(wrong) as another,
        serving(tmp_path, ca_file=str(authority)) as edge,
    ):
        product = edge.sold.product("tls")
        edge.sold.version(product, url, ["GET /things"])
        edge.sold.version(product, another, ["GET /things"], number="2.0.0")
        key, _ = edge.subscribe(edge.sold.plan("tls", product))

        assert edge.call("/tls/v1/things", key).seen["path"] == "/things"
        assert edge.status("/tls/v2/things", key) == 503


def test_what_cannot_be_enforced_is_told_and_refused(edge: Edge) -> None:
    tokens = edge.sold.plan("tokens", PETS, auth=JWT)
    long = edge.sold.plan("long", PETS, first=limit(5, 31 * 24 * 3_600))
    key, _ = edge.subscribe(long)

    told = {each.id for each in edge.put()}
    assert {tokens, long} <= told
    assert edge.status("/pets/v1/pets", key) == 403
    assert edge.call("/pets/v1/pets", authorization="Bearer a.b.c").status == 401


def test_counts_survive_what_is_loaded_anew(settled: tuple[Edge, float]) -> None:
    edge, loaded_at = settled
    key, _ = edge.subscribe(f"{id_of('kept')}-1")
    time.sleep(max(0.0, loaded_at + 10.5 - time.monotonic()))
    assert [edge.status("/pets/v1/pets", key) for _ in range(2)] == [200, 429]

    edge.sold.product("another")
    edge.put()
    time.sleep(0.5)
    assert edge.status("/pets/v1/pets", key) == 429
