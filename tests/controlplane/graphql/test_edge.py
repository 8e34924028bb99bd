"""What browsers and caches are told: CORS, ETags, GraphiQL, uploads."""

from urllib.parse import urlencode

import pytest
from aiohttp import FormData
from pydantic import ValidationError

from controlplane.app import App
from controlplane.settings import Settings
from tests.controlplane.graphql.site import serving, visited

CATALOGUE = "{ products { nodes { slug } } }"
PORTAL = "https://portal.example"


async def test_pages_of_no_other_origin_are_let_in_unless_they_are_listed(app: App) -> None:
    asking = {"Origin": PORTAL, "Access-Control-Request-Method": "POST"}
    async with visited(app) as client:
        response = await client.options("/graphql", headers=asking)
        assert response.status == 405
        response = await client.post(
            "/graphql", json={"query": CATALOGUE}, headers={"Origin": PORTAL}
        )
        assert (response.status, "Access-Control-Allow-Origin" in response.headers) == (200, False)
    async with serving(app, cors_origins=f"{PORTAL}, http://localhost:3000") as portal:
        response = await portal.client.options("/graphql", headers=asking)
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == PORTAL
        assert response.headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers
        for query, token in ((CATALOGUE, "manager"), ("{", None)):
            response = await portal.send(token, {"query": query}, Origin=PORTAL)
            assert response.headers["Access-Control-Allow-Origin"] == PORTAL
            assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"]
            assert "Origin" in response.headers["Vary"]
        headers = {"Origin": PORTAL, "Authorization": "Bearer wrong"}
        response = await portal.client.post("/graphql", json={"query": CATALOGUE}, headers=headers)
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (401, PORTAL)
        for origin in ("https://evil.example", "null", f"{PORTAL}.evil.example"):
            response = await portal.client.options("/graphql", headers={**asking, "Origin": origin})
            assert "Access-Control-Allow-Origin" not in response.headers
        response = await portal.client.get("/healthz", headers={"Origin": PORTAL})
        assert "Access-Control-Allow-Origin" not in response.headers
    async with visited(app, cors_origins="*") as client:
        response = await client.post(
            "/graphql", json={"query": CATALOGUE}, headers={"Origin": "https://any.example"}
        )
        assert response.headers["Access-Control-Allow-Origin"] == "https://any.example"


def test_an_origin_that_is_none_is_refused_at_the_start() -> None:
    for origins in ("portal.example", "https://a.example/", "https://a b", "ftp://x", ","):
        with pytest.raises(ValidationError):
            Settings(cors_origins=origins)
    assert Settings(cors_origins="*").origins == {"*"}
    assert Settings(cors_origins="https://A.example,http://b:1").origins == {
        "https://a.example",
        "http://b:1",
    }


async def test_a_query_by_get_can_be_kept_and_asked_for_again(app: App) -> None:
    async with serving(app) as portal:
        await portal.sell()
        url = f"/graphql?{urlencode({'query': CATALOGUE})}"
        first = await portal.client.get(url)
        assert first.headers["Cache-Control"] == "public, max-age=10"
        assert {"Accept", "Authorization"} <= set(first.headers["Vary"].split(", "))
        tag = first.headers["ETag"]
        assert tag.startswith('"')
        for held in (tag, f'"x", W/{tag}', "*"):
            again = await portal.client.get(url, headers={"If-None-Match": held})
            assert (again.status, await again.read()) == (304, b"")
            assert again.headers["ETag"] == tag
        bearer = {"Authorization": f"Bearer {portal.tokens['manager']}"}
        own = await portal.client.get(url, headers={**bearer, "If-None-Match": tag})
        assert (own.status, own.headers["Cache-Control"]) == (200, "private, no-cache")
        product = await portal.done(
            "manager", "defineProduct", slug="new", name="new", visibility="PUBLIC"
        )
        await portal.seen()
        assert (await portal.client.get(url, headers={"If-None-Match": tag})).status == 304
        await portal.done("manager", "publishProduct", productId=product["id"])
        await portal.seen()
        changed = await portal.client.get(url, headers={"If-None-Match": tag})
        assert (changed.status, changed.headers["ETag"] == tag) == (200, False)


async def test_neither_errors_nor_what_came_by_post_is_kept(app: App) -> None:
    async with serving(app) as portal:
        for query in ("{ auditEvents { nodes { event } } }", "{", "{ nothing }"):
            response = await portal.client.get(f"/graphql?{urlencode({'query': query})}")
            assert response.headers["Cache-Control"] == "no-store"
            assert "ETag" not in response.headers
        response = await portal.send(None, {"query": CATALOGUE})
        assert response.headers["Cache-Control"] == "no-store"


async def test_uploads_are_refused(app: App) -> None:
    async with serving(app) as portal:
        form = FormData()
        form.add_field(
            "operations",
            '{"query": "mutation { formTeam(input: {name: \\"x\\"}) { __typename } }"}',
        )
        form.add_field("map", "{}")
        form.add_field("0", b"x", filename="x")
        response = await portal.client.post("/graphql", data=form)
        assert response.status == 415
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/graphql"):
            headers = {"Content-Type": kind}
            response = await portal.client.post("/graphql", data=b"{}", headers=headers)
            assert response.status == 415


async def test_graphiql_comes_from_our_own_files_only(app: App) -> None:
    async with visited(app) as client:
        page = await client.get("/")
        assert page.url.path == "/graphiql"
        assert (page.status, page.content_type) == (200, "text/html")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; connect-src 'self'" in policy
        text = await page.text()
        assert "://" not in text
        parts = [part.split('"')[0] for part in text.split('"graphiql/')[1:]]
        assert len(parts) == 6
        for part in (*parts, "LICENSES.txt"):
            response = await client.get(f"/graphiql/{part}")
            assert response.status == 200, part
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            tag = {"If-None-Match": response.headers["ETag"]}
            assert (await client.get(f"/graphiql/{part}", headers=tag)).status == 304
        for name in ("page.html", "..%2fgraphiql.py", "x", "__init__.py"):
            assert (await client.get(f"/graphiql/{name}")).status == 404
    async with visited(app, graphiql=False) as client:
        assert (await client.get("/graphiql")).status == 404
        assert (await client.get("/")).status == 404
        assert (await client.get("/graphiql/page.js")).status == 404
