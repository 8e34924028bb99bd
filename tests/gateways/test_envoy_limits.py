"""What the limits of a plan are at a real Envoy: buckets that are filled evenly."""

import time
from collections.abc import Iterator

import pytest

from controlplane.gateway.renderers.envoy_plans import CALLS_MAX, bucket
from domain import routing
from domain.plan_terms import RateLimit
from tests.gateways.envoy_edge import NAMES, Edge, serving
from tests.gateways.sold import id_of, limit, override, with_key

PETS = str(id_of("pets"))
PATH, PROBE = "/pets/v1/pets", "/pets/v1/files/probe.json"
WIDE = override(PETS, "GET /files/{name}.json", limit(100_000, 1))
"""An operation with a bucket of its own tells that a key is known, at the expense of no other."""


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with serving(tmp_path_factory.mktemp("edge")) as edge:
        yield edge


def sell(edge: Edge, *limits: RateLimit) -> str:
    """Sell a plan with limits; return its id once they are in force."""
    first, *more = limits
    name = f"plan-{next(NAMES)}"
    plan = edge.sold.plan(name, PETS, first=first, more_rate_limits=more, overrides=[WIDE])
    key = subscribe(edge, plan)[0]
    deadline = time.monotonic() + 5
    while "ratelimit" not in edge.call(PATH, key).headers:
        assert time.monotonic() < deadline
    return plan


def subscribe(edge: Edge, plan: str) -> tuple[str, str]:
    """Return a key that is known at the gateway, and its subscription."""
    key, subscription = edge.subscribe(plan)
    edge.running.until(200, PROBE, key)
    return key, subscription


def taken(edge: Edge, key: str, calls: int, path: str = PATH) -> list[int]:
    return [edge.call(path, key).status for _ in range(calls)]


def test_a_caller_beyond_its_limit_is_told_when_to_come_again(edge: Edge) -> None:
    key, _ = subscribe(edge, sell(edge, limit(3, 60)))
    answers = [edge.call(PATH, key) for _ in range(4)]

    assert [each.status for each in answers] == [200, 200, 200, 429]
    for answer, left in zip(answers, (2, 1, 0, 0), strict=True):
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert answer.headers["ratelimit"].startswith(f'"default";r={left};t=')
    refused = answers[-1].headers
    assert 1 <= int(refused["retry-after"]) <= 20
    assert int(refused["x-ratelimit-reset"]) == int(refused["retry-after"])


def test_a_subscription_has_one_bucket_whatever_its_keys_and_whatever_is_pushed(
    edge: Edge,
) -> None:
    plan = sell(edge, limit(3, 600))
    key, subscription = subscribe(edge, plan)
    assert taken(edge, key, 2) == [200, 200]

    row = with_key(edge.sold.rows[routing.SUBSCRIPTION][subscription], f"{key}-second")
    edge.sold.change(routing.SUBSCRIPTION, subscription, row)
    another, _ = subscribe(edge, plan)
    edge.running.until(200, PROBE, f"{key}-second")

    assert taken(edge, f"{key}-second", 2) == [200, 429]
    assert taken(edge, key, 1) == [429]
    assert taken(edge, another, 4) == [200, 200, 200, 429]


def test_a_burst_is_had_at_once_and_each_limit_holds_beside_the_others(edge: Edge) -> None:
    burst, _ = subscribe(edge, sell(edge, limit(2, 600, burst=3)))
    assert taken(edge, burst, 6) == [200] * 5 + [429]

    both, _ = subscribe(edge, sell(edge, limit(2, 1), limit(4, 600)))
    assert taken(edge, both, 3) == [200, 200, 429]
    time.sleep(1.1)
    assert taken(edge, both, 3).count(200) <= 2
    time.sleep(1.1)
    assert taken(edge, both, 3)[-1] == 429


def test_an_operation_has_its_own_limit_in_place_of_the_plans(edge: Edge) -> None:
    own = override(PETS, "POST /pets", limit(1, 600))
    plan = edge.sold.plan("own", PETS, first=limit(3, 600), overrides=[WIDE, own])
    waiting, _ = subscribe(edge, plan)
    deadline = time.monotonic() + 5
    while "ratelimit" not in edge.call(PATH, waiting).headers:
        assert time.monotonic() < deadline
    key, _ = subscribe(edge, plan)

    assert [edge.call(PATH, key, method="POST").status for _ in range(2)] == [200, 429]
    assert taken(edge, key, 4) == [200, 200, 200, 429]


def test_five_in_two_seconds_are_never_more_than_ten_in_any_two_seconds(edge: Edge) -> None:
    key, _ = subscribe(edge, sell(edge, limit(5, 2)))
    began, passed = time.monotonic(), []
    while (at := time.monotonic()) < began + 5:
        if edge.call(PATH, key).status == 200:
            passed.append(at)

    windows = [sum(at <= each < at + 2 for each in passed) for at in passed]
    assert max(windows) <= 10
    # In the long run what was sold, and the bucket that was full at first.
    assert 5 + 5 * 5 / 2 - 2 <= len(passed) <= 5 + 5 * 5 / 2 + 1


def test_a_limit_becomes_a_bucket_that_envoy_can_hold() -> None:
    def made(calls: int, window_s: int, burst: int = 0) -> routing.Body:
        return bucket(vars(limit(calls, window_s, burst)))

    assert made(5, 10) == {"max_tokens": 5, "tokens_per_fill": 5, "fill_interval": "10s"}
    assert made(5, 10, 3)["max_tokens"] == 8
    assert made(1, 31 * 86_400)["fill_interval"] == "2678400s"
    many = made(10**12, 86_400)
    assert many["max_tokens"] == CALLS_MAX
    rate = many["tokens_per_fill"] / float(many["fill_interval"][:-1])
    assert rate == pytest.approx(10**12 / 86_400)
    assert made(10**12, 1)["tokens_per_fill"] == CALLS_MAX
