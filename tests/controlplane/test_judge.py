"""The judge and its processes, with contracts that are large, slow or broken."""

import asyncio
import json
from datetime import date
from hashlib import sha256

import pytest

from controlplane.app import App
from controlplane.contracts.codec import NOT_JUDGED, decoded, encoded
from controlplane.contracts.judge import WAITING, Judge, JudgeBusyError
from domain.contract.diff.terms import Terms
from domain.contract.finding import Finding, Level, Verdict, Witness
from tests.given import PETSTORE

TERMS = Terms(date(2026, 1, 1))


async def stored(app: App, old: bytes, *documents: bytes) -> tuple[str, ...]:
    """Have the documents in the database; return their hashes."""
    await app.services.pool.executemany(
        "INSERT INTO documents VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(sha256(each).digest(), each) for each in (old, *documents)],
    )
    return tuple(sha256(each).hexdigest() for each in (old, *documents))


async def pair(app: App, old: bytes, new: bytes) -> tuple[str, str]:
    before, after = await stored(app, old, new)
    return before, after


async def differences(app: App, old: bytes, new: bytes) -> list[Finding]:
    return decoded(await app.services.judge.differences(*(await pair(app, old, new)), TERMS))


async def kept(app: App) -> int:
    count: int = await app.services.pool.fetchval("SELECT count(*) FROM contract_findings")
    return count


async def test_who_asks_the_same_at_once_and_later_gets_one_answer(app: App) -> None:
    removed = PETSTORE.replace(b'"/pets/{id}"', b'"/animals/{id}"')
    both = await pair(app, PETSTORE, removed)
    judge = app.services.judge
    first, *others = await asyncio.gather(*(judge.differences(*both, TERMS) for _ in range(5)))
    assert {each.level for each in decoded(first)} >= {Level.ERROR}
    assert others == [first] * 4
    assert await judge.differences(*both, TERMS) == first
    assert await kept(app) == 1
    assert await judge.differences(*both, Terms(date(2026, 1, 2))) == first
    assert await kept(app) == 2


async def test_the_same_document_changes_nothing_and_asks_nobody(app: App) -> None:
    assert await differences(app, PETSTORE, PETSTORE) == []
    assert await kept(app) == 0


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (PETSTORE.replace(b'{"description": "ok"}', b'{"$ref": "#/nowhere"}'), "nowhere"),
        (b"type Query { pets: [String] }", "GraphQL"),
        (b'{"openapi": "3.1.0", ', "JSON"),
    ],
)
async def test_what_cannot_be_compared_is_an_error_that_says_why(
    app: App, document: bytes, said: str
) -> None:
    findings = await differences(app, PETSTORE, document)
    assert findings[0].level is Level.ERROR
    assert any(said in f"{each.sentence} {each.new}" for each in findings)


async def test_a_question_that_takes_too_long_is_ended_and_its_answer_not_kept(app: App) -> None:
    judge = Judge(app.services.pool, 5, limit_s=0.01)
    both = await pair(app, PETSTORE, PETSTORE + b" ")
    (finding,) = decoded(await judge.differences(*both, TERMS))
    assert (finding.rule, finding.level) == (NOT_JUDGED, Level.ERROR)
    assert await kept(app) == 0
    assert await differences(app, PETSTORE, PETSTORE + b" ") == []


async def test_a_document_of_50_mb_is_an_answer_in_bounded_time(app: App) -> None:
    prose = json.dumps("x" * 49_000_000).encode()
    large = PETSTORE.replace(b'"title": "Pets"', b'"title": "Pets", "description": ' + prose)
    assert await differences(app, PETSTORE, large) == []


async def test_more_than_may_wait_are_refused(app: App) -> None:
    documents = [PETSTORE + b" " * nth for nth in range(WAITING + 2)]
    first, *others = await stored(app, *documents)
    judge = Judge(app.services.pool, 5)
    asking = [asyncio.ensure_future(judge.differences(first, each, TERMS)) for each in others]
    await asyncio.wait(asking, return_when=asyncio.FIRST_EXCEPTION)
    await judge.close()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(each, JudgeBusyError) for each in ended].count(True) == 1
    assert any(isinstance(each, asyncio.CancelledError) for each in ended)


def test_findings_come_back_as_they_were_kept() -> None:
    witness = Witness(Verdict.ACCEPTED, Verdict.REFUSED, {"n": 10**30, "s": "\ud800", "l": [None]})
    finding = Finding("rule", Level.WARNING, "GET /", "/a", None, "It changed.", witness)
    assert decoded(encoded([finding])) == [finding]
    (shown,) = decoded(encoded([Finding("rule", Level.INFO, "\ud800", None, None, "\udfff")]))
    assert (shown.where, shown.sentence) == ("?", "?")
