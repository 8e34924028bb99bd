"""Whichever gateway refuses a call, its caller reads the same: what is wrong, and what to do."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controlplane.gateway.renderers import problems
from controlplane.gateway.renderers.problems import (
    KEY_INVALID,
    KEY_MISSING,
    MALFORMED,
    NO_OPERATION,
    NOT_INCLUDED,
    OVER_QUOTA,
    RATE_LIMITED,
    UNAVAILABLE,
    Problem,
)
from domain.plan_terms import Quota
from tests.gateways import envoy_edge, haproxy_edge
from tests.gateways.real_envoy import Answer, free_port
from tests.gateways.sold import id_of, limit

PETS = str(id_of("pets"))


@pytest.fixture(scope="module", params=[envoy_edge, haproxy_edge])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with request.param.serving(tmp_path_factory.mktemp("edge")) as edge:
        yield edge


def until(edge: Any, status: int, path: str, key: str = "") -> Answer:
    """Return the answer that has a status: what was put may take a moment."""
    for _ in range(1_000):
        answer: Answer = edge.call(path, key)
        if answer.status == status:
            return answer
    raise AssertionError(answer)


def says(answer: Answer, problem: Problem) -> None:
    assert answer.status == problem.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body) == vars(problem)


def test_the_page_about_gateways_has_every_problem() -> None:
    page = Path("docs/gateways.md").read_text()
    every = [each for each in vars(problems).values() if isinstance(each, Problem)]

    assert every
    for each in every:
        assert f"| {each.status} | {each.title} |" in page


def test_a_caller_reads_why_and_what_to_do(edge: Any) -> None:
    ended = datetime.now(UTC) - timedelta(hours=1)
    key, _ = edge.subscribe(edge.sold.plan("any", PETS))
    old, _ = edge.subscribe(edge.sold.plan("any", PETS), not_after=ended.isoformat())
    until(edge, 200, "/pets/v1/pets", key)

    says(edge.call("/pets/v1/pets"), KEY_MISSING)
    assert edge.call("/pets/v1/pets").headers["www-authenticate"] == 'ApiKey header="x-api-key"'
    for unknown in ("unknown", old):
        refused = edge.call("/pets/v1/pets", unknown)
        says(refused, KEY_INVALID)
        assert refused.headers["www-authenticate"] == 'ApiKey header="x-api-key"'
    says(edge.call("/orders/admin/v1/orders", key), NOT_INCLUDED)
    for nowhere in ("/pets/v1/nothing", "/nothing/v1/pets", "/"):
        says(edge.call(nowhere, key), NO_OPERATION)
    says(edge.call("/pets/v1/pets/a%2Fb", key), MALFORMED)


def test_a_caller_who_calls_too_often_reads_when_to_call_again(edge: Any) -> None:
    limited, _ = edge.subscribe(edge.sold.plan("one", PETS, first=limit(1, 60)))
    until(edge, 200, "/pets/v1/pets", limited)
    refused = until(edge, 429, "/pets/v1/pets", limited)
    says(refused, RATE_LIMITED)
    assert 1 <= int(refused.headers["retry-after"]) <= 60

    over_until = datetime.now(UTC) + timedelta(seconds=60)
    plan = edge.sold.plan("hard", PETS, quota=Quota(9, "DAY", "HARD"))
    over, _ = edge.subscribe(plan, over_quota_until=over_until.isoformat())
    refused = until(edge, 429, "/pets/v1/pets", over)
    says(refused, OVER_QUOTA)
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_a_caller_of_an_api_that_is_away_reads_that(edge: Any) -> None:
    away = edge.sold.product("away")
    edge.sold.version(away, f"http://127.0.0.1:{free_port()}", ["GET /pets"])
    key, _ = edge.subscribe(edge.sold.plan("away", away))

    says(until(edge, 503, "/away/v1/pets", key), UNAVAILABLE)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504])
def test_what_the_api_itself_refuses_goes_through_as_it_is(edge: Any, status: int) -> None:
    key, _ = edge.subscribe(edge.sold.plan("any", PETS))
    until(edge, 200, "/pets/v1/pets", key)

    answer = edge.call("/pets/v1/pets", key, **{"x-answer": str(status)})
    assert answer.status == status
    assert answer.seen["path"] == "/pets"
