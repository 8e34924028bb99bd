"""Servers held to contracts, by Schemathesis in a process of its own."""

import importlib.metadata
import json
import time
from pathlib import Path

import pytest

from controlplane.contracts.testable import NotTestableError, readied
from controlplane.contracts.tester import (
    Bounds,
    HeadersInvalidError,
    SchemathesisMissingError,
    hold,
    read_headers,
    reported,
    tool,
)
from domain.contract_test import BrokenPromise
from tests.controlplane.upstreams import PETS, PETS_GRAPHQL, SECRET, Upstream, answering

READS = Bounds(examples=5, budget_s=60, writes=False, invalid=False)


async def test_a_server_that_keeps_the_contract_passes_and_is_only_read() -> None:
    with answering(Upstream(wants=SECRET)) as upstream:
        came = await hold(PETS, upstream.url, {"Authorization": SECRET}, READS)
    assert (came.verdict, came.problem, came.failures) == ("PASSED", "", [])
    assert (came.operations, came.of_operations, came.upstream) == (2, 4, upstream.url)
    assert came.requests > 2
    assert came.tool.startswith("Schemathesis 4.")
    assert set(upstream.methods) == {"GET"}
    assert SECRET not in repr(came)


async def test_also_what_the_contract_does_not_allow_only_reads() -> None:
    everything = Bounds(examples=5, budget_s=60, writes=False, invalid=True)
    with answering(Upstream()) as upstream:
        await hold(PETS, upstream.url, {}, everything)
    assert set(upstream.methods) <= {"GET", "HEAD", "OPTIONS"}


async def test_writes_are_tried_when_that_is_asked_for() -> None:
    writing = Bounds(examples=5, budget_s=60, writes=True, invalid=False)
    with answering(Upstream()) as upstream:
        came = await hold(PETS, upstream.url, {}, writing)
    assert (came.verdict, came.operations, came.writes) == ("PASSED", 4, True)
    assert {"POST", "DELETE"} <= set(upstream.methods)


async def test_a_server_that_breaks_the_contract_fails_without_its_payload() -> None:
    with answering(Upstream(pet={"colour": "s3cret-colour"})) as upstream:
        came = await hold(PETS, upstream.url, {}, READS)
    assert (came.verdict, came.failure_count) == ("FAILED", 1)
    assert came.failures == [BrokenPromise("GET /pets", "ST108", "Response violates schema")]
    assert "s3cret-colour" not in repr(came)


async def test_refused_credentials_are_no_pass() -> None:
    with answering(Upstream(wants=SECRET)) as upstream:
        came = await hold(PETS, upstream.url, {}, READS)
    assert came.verdict == "ERROR"
    assert came.problem == "Credentials were refused or missing, first by GET /pets."


async def test_a_server_that_is_away_gives_no_verdict() -> None:
    came = await hold(PETS, "http://127.0.0.1:9", {}, READS)
    assert came.verdict == "ERROR"
    assert came.problem.startswith("The tool could not go on: ")


async def test_a_contract_of_nothing_but_writes_gives_no_verdict() -> None:
    tree = json.loads(PETS)
    tree["paths"] = {"/pets": {"post": tree["paths"]["/pets"]["post"]}}
    with answering(Upstream()) as upstream:
        came = await hold(json.dumps(tree).encode(), upstream.url, {}, READS)
    assert came.verdict == "ERROR"
    assert upstream.methods.count("POST") == 0


async def test_time_is_bounded() -> None:
    began = time.monotonic()
    hurried = Bounds(examples=1_000, budget_s=4, writes=False, invalid=False)
    with answering(Upstream(slow_s=0.5)) as upstream:
        came = await hold(PETS, upstream.url, {}, hurried)
    assert (came.verdict, came.problem) == ("ERROR", "It took more than 4 s.")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("written", [None, "", '{"failures": [{'])
def test_a_report_that_was_cut_off_says_nothing(tmp_path: Path, written: str | None) -> None:
    report = tmp_path / "report.json"
    if written is not None:
        report.write_text(written)
    assert reported(report) == {}


async def test_of_graphql_only_queries_are_asked() -> None:
    with answering(Upstream()) as upstream:
        came = await hold(PETS_GRAPHQL, upstream.url + "/graphql", {}, READS)
    assert (came.verdict, came.operations, came.problem) == ("PASSED", 1, "")
    assert any("pets" in query for query in upstream.asked)
    assert not [query for query in upstream.asked if "addPet" in query or "mutation" in query]


async def test_a_graphql_server_that_breaks_its_schema_fails() -> None:
    with answering(Upstream(pet={"name": None})) as upstream:
        came = await hold(PETS_GRAPHQL, upstream.url + "/graphql", {}, READS)
    assert came.verdict == "FAILED"
    assert {each.operation for each in came.failures} == {"Query.pets"}


def test_a_schema_that_is_only_read_has_no_root_but_that_of_queries() -> None:
    document = b'''"""Ours."""
        schema { query: Q mutation: M subscription: S }
        type Q { m: M } type M { a: Int } type S { b: Int }'''
    name, read = readied(document, writes=False)
    assert (name, isinstance(read, str)) == ("schema.graphql", True)
    assert "query: Q" in str(read)
    assert "mutation" not in str(read)
    assert "type S" not in str(read)
    assert "mutation: M" in str(readied(document, writes=True)[1])


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://127.0.0.1/x", "other.yaml#/a"])
def test_nothing_that_is_elsewhere_is_fetched(target: str) -> None:
    tree = json.loads(PETS)
    assert "elsewhere" not in str(readied(PETS, writes=False))
    tree["components"]["examples"] = {"Rex": {"externalValue": target}}
    assert target not in str(readied(json.dumps(tree).encode(), writes=False))
    tree["components"]["schemas"]["Pet"] = {"$ref": target}
    with pytest.raises(NotTestableError, match="refers to"):
        readied(json.dumps(tree).encode(), writes=False)


def test_headers_are_lines_and_what_is_wrong_is_not_quoted() -> None:
    assert read_headers("A: b: c\n\n X-Key:${HOME} \n") == {"A": "b: c", "X-Key": "${HOME}"}
    for wrong in (SECRET, "A b: c", "A:", "Ä: b", "A: \x00", "A: é", "\n".join(["A: b"] * 21)):
        with pytest.raises(HeadersInvalidError) as refused:
            read_headers(wrong)
        assert "s3cr3t" not in str(refused.value)


def test_without_the_extra_it_is_said_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("controlplane.contracts.tester.version", missing)
    with pytest.raises(
        SchemathesisMissingError, match=r"pip install 'controlplane\[contract-test\]'"
    ):
        tool()
