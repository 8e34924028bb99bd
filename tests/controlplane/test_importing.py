"""Importing: where documents come from, what is made of them, and what is refused how."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from controlplane import importing
from controlplane.app import App
from controlplane.importing import ImportFailedError, Target, fetch, import_document, slug_of
from domain.aggregate import DomainError
from domain.api_version import Upstream
from domain.audience import Visibility
from domain.contract.document import DocumentBrokenError, NotAnApiDocumentError
from tests.given import OWNER, PETSTORE

SDL = b"type Query { pet(id: ID!): String pets: [String] }"


async def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "pets.json"
    file.write_bytes(PETSTORE)
    assert await fetch(str(file)) == PETSTORE


async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportFailedError, match=r"nowhere.*No such file"):
        await fetch(str(tmp_path / "nowhere"))
    with pytest.raises(ImportFailedError, match="is a directory"):
        await fetch(str(tmp_path))


async def test_an_overlarge_file_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImportFailedError, match="more than 50 MB"):
        await fetch("/dev/zero")
    monkeypatch.setattr(importing, "DOCUMENT_BYTES", 10)
    file = tmp_path / "large"
    file.write_bytes(b"x" * 11)
    with pytest.raises(ImportFailedError, match="more than"):
        await fetch(str(file))
    file.write_bytes(b"x" * 10)
    assert await fetch(str(file)) == b"x" * 10


@pytest.fixture
async def site() -> AsyncIterator[TestServer]:
    async def pets(_: web.Request) -> web.Response:
        return web.Response(body=PETSTORE)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 100_000)

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def around(_: web.Request) -> web.Response:
        raise web.HTTPFound("/around")

    application = web.Application()
    application.add_routes(
        [
            web.get("/pets.json", pets),
            web.get("/endless", endless),
            web.get("/slow", slow),
            web.get("/around", around),
        ]
    )
    server = TestServer(application)
    async with server:
        yield server


async def test_a_document_is_fetched_from_the_web(site: TestServer) -> None:
    assert await fetch(str(site.make_url("/pets.json"))) == PETSTORE


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nowhere", "answers 404 Not Found"),
        ("/endless", "more than"),
        ("/slow", "did not answer in full"),
        ("/around", "cannot be fetched"),
    ],
)
async def test_an_address_that_gives_no_document_says_why(
    site: TestServer, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.setattr(importing, "DOCUMENT_BYTES", 1_000_000)
    monkeypatch.setattr(importing, "FETCH_S", 0.5)
    with pytest.raises(ImportFailedError, match=message):
        await fetch(str(site.make_url(path)))


async def test_an_unreachable_address_says_why() -> None:
    with pytest.raises(ImportFailedError, match="cannot be fetched"):
        await fetch(f"http://127.0.0.1:{unused_port()}/x")
    with pytest.raises(ImportFailedError, match="cannot be fetched"):
        await fetch("http://[::bad/x")


async def test_a_product_and_a_version_are_made_of_what_the_document_says(app: App) -> None:
    context = app.context(OWNER)
    target = Target(
        upstreams=(Upstream("production", "https://pets.example.com"),),
        visibility=Visibility.PUBLIC,
        publish=True,
    )
    imported = await import_document(context, PETSTORE, "/tmp/x.json", target)  # noqa: S108
    assert (imported.product, imported.number, imported.operations) == ("pets", "1.0.0", 3)
    await app.projector.wait_until(imported.position)
    row = await app.services.pool.fetchrow(
        "SELECT p.name, p.visibility, p.state, v.state AS version_state, v.upstreams::text"
        " FROM product AS p JOIN api_version AS v ON v.product_id = p.id WHERE v.id = $1",
        imported.version_id,
    )
    assert tuple(row or ())[:4] == ("Pets", "PUBLIC", "PUBLISHED", "PUBLISHED")


async def test_the_next_version_joins_the_product_there_is(app: App) -> None:
    context = app.context(OWNER)
    first = await import_document(context, PETSTORE, "x", Target())
    await app.projector.wait_until(first.position)
    second = await import_document(context, PETSTORE, "x", Target(number="1.1.0", publish=True))
    assert second.product_id == first.product_id
    assert second.version_id != first.version_id


async def test_the_same_number_again_says_what_to_do(app: App) -> None:
    context = app.context(OWNER)
    first = await import_document(context, PETSTORE, "x", Target())
    await app.projector.wait_until(first.position)
    with pytest.raises(ImportFailedError, match=r"exists already.*--version 1\.0\.1"):
        await import_document(context, PETSTORE, "x", Target())


async def test_a_schema_without_a_title_is_named_after_its_source(app: App) -> None:
    context = app.context(OWNER)
    source = "https://example.com/api/pet-store.graphql?x=1"
    imported = await import_document(context, SDL, source, Target())
    assert (imported.product, imported.number) == ("pet-store", "1.0.0")


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (b"", NotAnApiDocumentError),
        (b"\x89PNG\r\n\x1a\n\x00\x00", NotAnApiDocumentError),
        (b"<html>", NotAnApiDocumentError),
        (b"[1, 2]", NotAnApiDocumentError),
        (b'{"openapi": "3.1.0", ', DocumentBrokenError),
        (b"type Query {", DocumentBrokenError),
        (b'{"swagger": "2.0"}', NotAnApiDocumentError),
    ],
)
async def test_what_describes_no_api_is_refused_before_anything_is_defined(
    app: App, document: bytes, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        await import_document(app.context(OWNER), document, "x", Target())
    assert await app.services.pool.fetchval("SELECT count(*) FROM stored_events") == 0


@pytest.mark.parametrize(
    ("written", "number"),
    [
        *(("1.2.3", "1.2.3"), ("v2", "2.0.0"), ("1.0", "1.0.0"), ("2026-01-31", "2026.1.31")),
        *(("3.0.0-rc.1", "3.0.0-rc.1"), ("1.0.0+build", "1.0.0+build")),
    ],
)
async def test_the_documents_own_version_becomes_a_semantic_one(
    app: App, written: str, number: str
) -> None:
    document = PETSTORE.replace(b'"1.0.0"', f'"{written}"'.encode())
    assert (await import_document(app.context(OWNER), document, "x", Target())).number == number


async def test_a_version_that_cannot_be_semantic_must_be_given(app: App) -> None:
    document = PETSTORE.replace(b'"1.0.0"', b'"latest"')
    with pytest.raises(ImportFailedError, match="--version"):
        await import_document(app.context(OWNER), document, "x", Target())


async def test_a_title_without_letters_needs_a_slug(app: App) -> None:
    document = PETSTORE.replace(b"Pets", "獣".encode())
    with pytest.raises(ImportFailedError, match="--product"):
        await import_document(app.context(OWNER), document, "x", Target())
    imported = await import_document(app.context(OWNER), document, "x", Target(product="pets"))
    assert imported.title == "獣"


def test_a_slug_is_what_remains_of_a_title() -> None:
    assert slug_of("GitHub v3 REST API") == "github-v3-rest-api"
    assert slug_of("  Café & Crème!  ") == "cafe-creme"
    assert len(slug_of("a" * 62 + " b")) == 62
