"""Documents by their hashes: registered by clients, or listed by the operator."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from controlplane.app import App
from controlplane.graphql import persisted
from controlplane.graphql.allowlist import PersistedDocumentsError, allowed
from tests.controlplane.graphql.live import connected
from tests.controlplane.graphql.portal import Portal
from tests.controlplane.graphql.site import serving, visited
from tests.processes import controlplane

ROLE = "{ viewer { role } }"
OTHER = "query Other { viewer { actor } }"
UNKNOWN = "PersistedQueryNotFound"


def named(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def apq(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": named(text)}}


@asynccontextmanager
async def another(portal: Portal) -> AsyncIterator[Portal]:
    """Serve the same by another process's memory."""
    async with visited(portal.app) as client:
        yield replace(portal, client=client)


async def by_url(portal: Portal, **parameters: str) -> tuple[int, Any]:
    response = await portal.client.get(f"/graphql?{urlencode(parameters)}")
    return response.status, await response.json(content_type=None)


async def test_a_document_is_registered_once_and_found_by_every_process(app: App) -> None:
    async with serving(app) as portal:
        extensions = json.dumps(apq(ROLE))
        status, answer = await by_url(portal, extensions=extensions)
        assert (status, answer["errors"][0]["message"]) == (200, UNKNOWN)
        assert answer["errors"][0]["extensions"] == {"code": "PERSISTED_QUERY_NOT_FOUND"}
        response = await portal.send("owner", {"query": ROLE, "extensions": apq(ROLE)})
        assert await response.json() == {"data": {"viewer": {"role": "OWNER"}}}
        async with another(portal) as other:
            for _ in range(2):
                for each in (portal, other):
                    assert (await by_url(each, extensions=extensions))[1] == {
                        "data": {"viewer": {"role": None}}
                    }
                    found = await by_url(each, documentId=f"sha256:{named(ROLE)}")
                    assert found == (200, {"data": {"viewer": {"role": None}}})
                response = await other.send("owner", {"documentId": named(ROLE)})
                assert await response.json() == {"data": {"viewer": {"role": "OWNER"}}}
        async with connected(portal.client) as socket:
            await socket.send("subscribe", id="1", payload={"extensions": apq(ROLE)})
            assert await socket.next() == {"viewer": {"role": None}}


async def test_only_valid_documents_under_their_own_hash_are_registered(app: App) -> None:
    async with serving(app) as portal:
        for query in ("{ nothing }", "{", "{ __schema { types { name } } }"):
            assert (
                "errors"
                in await (
                    await portal.send(None, {"query": query, "extensions": apq(query)})
                ).json()
            )
        wrong: tuple[object, ...] = (
            {"persistedQuery": 1},
            {"persistedQuery": {"version": 2, "sha256Hash": named(ROLE)}},
            {"persistedQuery": {"version": 1}},
            {"persistedQuery": {"version": 1, "sha256Hash": "x"}},
            {"persistedQuery": {"version": 1, "sha256Hash": 7}},
            apq(OTHER),
        )
        for extensions in wrong:
            body = {"query": ROLE, "extensions": extensions}
            assert (await portal.send(None, body)).status == 400, extensions
        assert (await portal.send(None, {"documentId": ["x"]})).status == 400
        long = ROLE + " " * 20_000
        response = await portal.send(None, {"query": long, "extensions": apq(long)})
        assert "data" in await response.json()
        assert (
            await portal.app.services.pool.fetchval("SELECT count(*) FROM persisted_documents") == 0
        )


async def test_what_is_kept_is_bounded_by_number_and_age(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persisted, "REGISTERED", 3)
    monkeypatch.setattr(persisted, "AT_HAND", 1)
    async with serving(app) as portal:
        pool = portal.app.services.pool

        async def register(who: str | None, nth: int) -> str:
            query = f"query Q{nth} {{ viewer {{ role }} }}"
            await portal.send(who, {"query": query, "extensions": apq(query)})
            return named(query)

        async def kept() -> set[str]:
            rows = await pool.fetch("SELECT encode(sha256, 'hex') AS hex FROM persisted_documents")
            return {row["hex"] for row in rows}

        mine = [await register("owner", nth) for nth in range(2)]
        anonymous = [await register(None, nth) for nth in range(2, 6)]
        assert await kept() == {*mine, anonymous[-1]}
        await pool.execute(
            "UPDATE persisted_documents SET used_at = used_at - $1::interval WHERE sha256 = $2",
            timedelta(days=persisted.UNUSED_DAYS),
            bytes.fromhex(mine[0]),
        )
        _, answer = await by_url(portal, documentId=mine[0])
        assert answer["errors"][0]["message"] == UNKNOWN
        await register("owner", 9)
        assert mine[0] not in await kept()


async def test_switched_off_nothing_is_served_by_a_hash(app: App) -> None:
    async with serving(app, persisted="off") as portal:
        response = await portal.send(None, {"query": ROLE, "extensions": apq(ROLE)})
        (error,) = (await response.json())["errors"]
        assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_SUPPORTED"
        assert (await portal.ask(None, ROLE))["viewer"]


async def test_of_a_list_only_its_documents_are_served(app: App, tmp_path: Path) -> None:
    (tmp_path / "role.graphql").write_text(ROLE)
    settings = {"persisted": "allow-list", "persisted_documents": str(tmp_path)}
    async with serving(app, **settings) as portal:
        assert await by_url(portal, documentId=named(ROLE)) == (
            200,
            {"data": {"viewer": {"role": None}}},
        )
        assert (await portal.ask("owner", ROLE))["viewer"]["role"] == "OWNER"
        error = await portal.error("owner", OTHER)
        assert error["extensions"]["code"] == "NOT_PERMITTED"
        response = await portal.send("owner", {"query": OTHER, "extensions": apq(OTHER)})
        assert "data" not in await response.json()
        _, answer = await by_url(portal, documentId=named(OTHER))
        assert answer["errors"][0]["message"] == UNKNOWN
        async with connected(portal.client) as socket:
            await socket.subscribe("1", OTHER)
            assert (await socket.error())["extensions"]["code"] == "NOT_PERMITTED"


def test_a_list_is_a_directory_or_a_file_of_texts_by_their_hashes(tmp_path: Path) -> None:
    listed = tmp_path / "listed.json"
    listed.write_text(json.dumps({named(ROLE): ROLE, f"sha256:{named(OTHER)}": OTHER}))
    assert allowed(str(listed)) == {named(ROLE): ROLE, named(OTHER): OTHER}
    for content in ("", "[]", "{}", '{"x": "y"}', '{"x": 1}', "[1]"):
        listed.write_text(content)
        with pytest.raises(PersistedDocumentsError):
            allowed(str(listed))
    empty = tmp_path / "empty"
    empty.mkdir()
    for where in (str(tmp_path / "nowhere"), str(empty), ""):
        with pytest.raises(PersistedDocumentsError):
            allowed(where)


def test_a_list_that_cannot_be_read_ends_the_start_with_one_line(dsn: str) -> None:
    said = controlplane("serve", CONTROLPLANE_DATABASE_URL=dsn, CONTROLPLANE_PERSISTED="allow-list")
    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].endswith("names no documents.")
    assert "Traceback" not in said.stderr
