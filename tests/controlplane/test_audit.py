"""The audit trail over HTTP."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from controlplane import audit
from controlplane.app import App
from controlplane.commands import execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_product import DefineProduct
from controlplane.commands.api_version import DefineVersion
from controlplane.commands.team import FormTeam, RegisterDeveloper
from controlplane.context import Caller
from controlplane.importing import begun_by
from controlplane.server import Site
from domain.access_token import Role
from domain.api_version import Upstream
from tests.given import AT, OWNER, PETSTORE, STRANGER

Client = TestClient[web.Request, web.Application]
PATH = "/audit/v1/events"


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    async with TestClient(TestServer(Site(app).application())) as client:
        yield client


async def _token(app: App, role: Role, caller: Caller = OWNER) -> dict[str, str]:
    answer = await execute(IssueToken(name="test", role=role), app.context(caller))
    assert answer.outcome.position is not None
    await app.projector.wait_until(answer.outcome.position)
    return {"Authorization": f"Bearer {answer.secret}"}


async def _read(
    client: Client, headers: dict[str, str], **query: object
) -> list[dict[str, object]]:
    params = {name: str(value) for name, value in query.items()}
    answer = await client.get(PATH, headers=headers, params=params)
    assert answer.status == 200, await answer.text()
    assert answer.content_type == "application/x-ndjson"
    lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    if lines:
        assert answer.headers["Next-Cursor"] == lines[-1]["cursor"]
    return lines


async def test_each_line_says_what_happened_to_what_and_why(app: App, client: Client) -> None:
    auditor = await _token(app, Role.AUDITOR)
    context = app.context(OWNER, "request-7")
    team = await execute(FormTeam(name="Ants", reason="they asked"), context)
    await app.projector.wait_until(team.outcome.position or 0)
    (line,) = await _read(client, auditor, after=f"{app.epoch}.1")
    why = line.pop("why")
    assert isinstance(why, dict)
    assert line == {
        "cursor": f"{app.epoch}.2",
        "at": AT.isoformat(),
        "noun": "team",
        "id": str(begun_by(team)),
        "version": 1,
        "event": "team.formed",
        "data": {"name": "Ants"},
    }
    assert (why["actor"], why["correlation"], why["reason"]) == ("ada", "request-7", "they asked")


async def test_values_are_plain_and_what_is_sealed_stays_sealed(app: App, client: Client) -> None:
    auditor = await _token(app, Role.AUDITOR)
    context = app.context(OWNER)
    team = await execute(FormTeam(name="Ants"), context)
    await execute(
        RegisterDeveloper(team_id=begun_by(team), name="Ada", mail="ada@example.com"), context
    )
    product = await execute(DefineProduct(slug="pets", name="Pets"), context)
    last = await execute(
        DefineVersion(
            product_id=begun_by(product),
            number="1.0.0",
            document=PETSTORE,
            upstreams=(Upstream("production", "https://pets.example.com"),),
        ),
        context,
    )
    await app.projector.wait_until(last.outcome.position or 0)
    lines = {str(line["event"]): line for line in await _read(client, auditor)}
    developer = lines["developer.registered"]["data"]
    assert isinstance(developer, dict)
    assert set(developer["mail"]) == {"person", "box"}
    assert "ada@example.com" not in json.dumps(lines)
    version = lines["api_version.defined"]["data"]
    assert isinstance(version, dict)
    assert version["product_id"] == str(begun_by(product))
    assert version["upstreams"] == [
        {"environment": "production", "url": "https://pets.example.com"}
    ]
    assert len(version["operations"]) == 3


async def test_a_reader_that_goes_on_from_each_cursor_sees_every_event_once(
    app: App, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = await _token(app, Role.AUDITOR)
    for number in range(25):
        last = await execute(FormTeam(name=f"Team {number}"), app.context(OWNER))
    await app.projector.wait_until(last.outcome.position or 0)
    monkeypatch.setattr(audit, "PAGE_EVENTS", 3)
    whole = await _read(client, auditor)
    assert len(whole) == 26
    monkeypatch.setattr(audit, "PAGE_BYTES", 1)  # one event a page
    pieces: list[dict[str, object]] = []
    while page := await _read(
        client, auditor, limit=4, **({"after": pieces[-1]["cursor"]} if pieces else {})
    ):
        pieces += page
    assert pieces == whole
    answer = await client.get(PATH, headers=auditor, params={"after": str(whole[-1]["cursor"])})
    assert answer.headers["Next-Cursor"] == whole[-1]["cursor"]


async def test_nobody_sees_the_events_of_another_organization(app: App, client: Client) -> None:
    auditor = await _token(app, Role.AUDITOR)
    stranger = await _token(app, Role.AUDITOR, STRANGER)
    assert [line["cursor"] for line in await _read(client, auditor)] == [f"{app.epoch}.1"]
    assert [line["cursor"] for line in await _read(client, stranger)] == [f"{app.epoch}.2"]


async def test_the_trail_needs_a_token_that_may_read_it(app: App, client: Client) -> None:
    assert (await client.get(PATH)).status == 401
    manager = await _token(app, Role.PRODUCT_MANAGER)
    assert (await client.get(PATH, headers=manager)).status == 403
    owner = await _token(app, Role.OWNER)
    assert (await client.get(PATH, headers=owner)).status == 200


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": limit} for limit in ("0", "10001", "-1", "x", "", "1e3", "٣")),
        *({"after": after} for after in ("", "7", "1.x", "1.-1", "1." + "9" * 30, "1.1\x00")),
    ],
)
async def test_a_query_that_makes_no_sense_is_a_bad_request(
    app: App, client: Client, query: dict[str, str]
) -> None:
    auditor = await _token(app, Role.AUDITOR)
    answer = await client.get(PATH, headers=auditor, params=query)
    assert answer.status == 400
    assert answer.content_type == "application/problem+json"


async def test_a_cursor_of_another_epoch_says_to_begin_again(app: App, client: Client) -> None:
    auditor = await _token(app, Role.AUDITOR)
    answer = await client.get(PATH, headers=auditor, params={"after": f"{app.epoch + 1}.1"})
    assert answer.status == 409
    assert "Begin again" in (await answer.json())["detail"]


async def test_a_database_that_goes_away_in_mid_answer_breaks_the_body_off(
    app: App, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = await _token(app, Role.AUDITOR)
    for number in range(5):
        last = await execute(FormTeam(name=f"Team {number}"), app.context(OWNER))
    await app.projector.wait_until(last.outcome.position or 0)
    monkeypatch.setattr(audit, "PAGE_EVENTS", 2)
    whole, pages = audit.pages, 0

    async def breaking(*arguments: object) -> AsyncIterator[bytes]:
        nonlocal pages
        async for page in whole(*arguments):  # type: ignore[arg-type]  # handed on as they came
            yield page
            pages += 1
            if pages == 1:
                raise ConnectionResetError("killed")

    monkeypatch.setattr(audit, "pages", breaking)
    answer = await client.get(PATH, headers=auditor)
    assert answer.status == 200
    with pytest.raises(Exception, match="payload"):
        await answer.read()
