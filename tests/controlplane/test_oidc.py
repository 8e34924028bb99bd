"""Tokens of an OpenID Connect issuer: who they let in, as what, and every way to be refused."""

import asyncio
import hmac
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from joserfc.jwk import ECKey, OctKey, RSAKey

from controlplane.app import App, running
from controlplane.auth import IssuerAwayError, NotAuthenticatedError
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.team import FormTeam
from controlplane.context import INSTALLATION
from controlplane.global_id import global_id
from controlplane.jwks import KEYS, Keys, Pace, following
from controlplane.oidc import Issuer as Verifier
from controlplane.server import Site
from controlplane.settings import OIDC_ROLES, Settings
from domain.access_token import Role
from tests.controlplane.commands.world import do
from tests.given import AT, OPERATOR, caller
from tests.issuer import AUDIENCE, EC, NEW, NOW, RSA, Issuer, issuing, signed

ROLES = {
    "api-owner": "OWNER",
    "api-manager": "PRODUCT_MANAGER",
    "api-developer": "DEVELOPER",
    "api-auditor": "AUDITOR",
}
QUICK = Pace(refresh_s=60, refetch_s=0, kept_s=60, fetch_s=2)


def settings(issuer: Issuer, **other: Any) -> Settings:
    return Settings(
        oidc_issuer=issuer.url,
        oidc_audience=AUDIENCE,
        oidc_roles=orjson.dumps(other.pop("roles", ROLES)).decode(),
        **other,
    )


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.fixture
async def trusting(dsn: str, issuer: Issuer) -> AsyncIterator[App]:
    """Return a control plane that trusts the issuer, with the organizations ace and bad."""
    async with running(dsn, settings(issuer), now=lambda: AT) as app:
        for slug in ("ace", "bad"):
            last = await do(app, EstablishOrganization(slug=slug, name=slug), OPERATOR)
        await app.projector.wait_until(last.outcome.position or 0)
        yield app


async def organization(app: App, slug: str) -> UUID:
    found = await app.services.pool.fetchval("SELECT id FROM organization WHERE slug = $1", slug)
    return UUID(str(found))


async def refused(app: App, *tokens: str) -> None:
    for token in tokens:
        with pytest.raises(NotAuthenticatedError):
            await app.authenticated(token)


def other(app: App, issuer: Issuer, keys: Keys | None = None, **changed: Any) -> App:
    """Return the same control plane with other settings or other keys."""
    known = app.issuer._keys if keys is None and app.issuer else keys  # noqa: SLF001  # shared
    assert known is not None
    return replace(app, issuer=Verifier(settings(issuer, **changed), known, app.services))


async def test_a_token_lets_its_subject_in_for_the_organization_and_role_it_names(
    trusting: App, issuer: Issuer
) -> None:
    for key in (EC, RSA):
        for slug in ("ace", "bad"):
            for group, role in ROLES.items():
                if role == "DEVELOPER":
                    continue
                token = issuer.token(key, organization=slug, role=["staff", group])
                found = await trusting.authenticated(token)
                assert found.organization_id == await organization(trusting, slug)
                assert (found.role, found.team_id, found.actor_kind) == (Role(role), None, "person")


async def test_a_developer_is_of_the_team_that_the_token_names(
    trusting: App, issuer: Issuer
) -> None:
    ace = await organization(trusting, "ace")
    bad = await organization(trusting, "bad")
    mine, theirs = [
        (await do(trusting, FormTeam(name="Shop"), caller(Role.OWNER, each))).outcome.events[0]
        for each in (ace, bad)
    ]
    team = mine.originator_id
    for said in (str(team), global_id("Team", (team,))):
        found = await trusting.authenticated(issuer.token(role="api-developer", team=said))
        assert (found.role, found.team_id, found.organization_id) == (Role.DEVELOPER, team, ace)
    ids = (None, "", "shop", str(theirs.originator_id), str(ace), global_id("Plan", (team,)), 7)
    await refused(trusting, *(issuer.token(role="api-developer", team=each) for each in ids))


async def test_the_actor_is_the_same_each_time_and_says_nothing_about_the_person(
    trusting: App, issuer: Issuer
) -> None:
    ada = await trusting.authenticated(issuer.token())
    again = await trusting.authenticated(issuer.token(RSA, role="api-auditor"))
    grace = await trusting.authenticated(issuer.token(sub="grace@example.com"))
    there = await trusting.authenticated(issuer.token(organization="bad"))
    assert ada.actor == again.actor
    assert len({ada.actor, grace.actor, there.actor}) == 3
    assert ada.actor.startswith("oidc:")
    formed = await do(trusting, FormTeam(name="Shop"), ada)
    assert formed.outcome.events[0].why["actor"] == ada.actor
    stored = await trusting.services.pool.fetch("SELECT state FROM stored_events")
    assert not any(b"ada@" in row["state"] for row in stored)


async def test_an_operator_comes_from_the_issuer_only_where_that_is_allowed(
    trusting: App, issuer: Issuer
) -> None:
    roles = {**ROLES, "root": "OPERATOR"}
    with pytest.raises(ValueError, match="CONTROLPLANE_OIDC_OPERATOR"):
        settings(issuer, roles=roles)
    await refused(trusting, issuer.token(role="root"), issuer.token(role="OPERATOR"))
    allowing = other(trusting, issuer, roles=roles, oidc_operator=True)
    found = await allowing.authenticated(issuer.token(role="root", organization="ace"))
    assert (found.role, found.organization_id) == (Role.OPERATOR, INSTALLATION)


async def test_claims_may_have_other_names_or_be_inside_objects(
    trusting: App, issuer: Issuer
) -> None:
    names: dict[str, Any] = {
        "oidc_role_claim": "realm.groups",
        "oidc_organization_claim": "https://example.com/organization",
    }
    named = other(trusting, issuer, **names)
    inside: dict[str, Any] = {"realm": {"groups": ["api-auditor"]}}
    inside["https://example.com/organization"] = "bad"
    found = await named.authenticated(issuer.token(**inside))
    assert found.role is Role.AUDITOR
    assert found.organization_id == await organization(trusting, "bad")
    await refused(named, issuer.token(), issuer.token(realm="groups"))


WRONG: list[dict[str, Any]] = [
    {"exp": NOW - 31},
    {"exp": None},
    {"exp": "soon"},
    {"exp": True},
    {"exp": NOW + 86_401},
    {"exp": 10**18},
    {"nbf": NOW + 31},
    {"nbf": []},
    {"iat": NOW + 31, "exp": NOW + 60},
    {"iat": None},
    {"iat": 0},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"iss": ["x"]},
    {"aud": "https://other.example"},
    {"aud": None},
    {"aud": []},
    {"aud": {}},
    {"aud": [AUDIENCE, 7]},
    {"aud": [AUDIENCE, "https://other.example"]},
    {"azp": "portal"},
    {"azp": 7},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "x" * 256},
    {"role": None},
    {"role": "stranger"},
    {"role": ["api-owner", "api-auditor"]},
    {"role": {"api-owner": True}},
    {"role": [["api-owner"], None, 7]},
    {"role": "GATEWAY"},
    {"organization": None},
    {"organization": "nowhere"},
    {"organization": ["ace"]},
    {"organization": "ace\0"},
    {"organization": "x" * 1_000},
]


async def test_a_claim_that_is_not_as_it_must_be_lets_nobody_in(
    trusting: App, issuer: Issuer
) -> None:
    for claims in WRONG:
        with pytest.raises(NotAuthenticatedError):
            pytest.fail(f"{claims}: {await trusting.authenticated(issuer.token(**claims))}")
    assert await trusting.authenticated(issuer.token())


async def test_what_is_within_the_leeway_or_allowed_by_a_setting_is_let_in(
    trusting: App, issuer: Issuer
) -> None:
    for claims in (
        {"exp": NOW - 29},
        {"nbf": NOW + 29, "iat": NOW + 29},
        {"iat": NOW - 0.5},
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "x"], "azp": AUDIENCE},
    ):
        assert await trusting.authenticated(issuer.token(**claims))
    portal = other(trusting, issuer, oidc_clients="portal, app")
    assert await portal.authenticated(issuer.token(azp="app"))
    await refused(portal, issuer.token(azp="another"))


def b64(said: object) -> str:
    body = said if isinstance(said, bytes) else orjson.dumps(said)
    return urlsafe_b64encode(body).decode().rstrip("=")


async def test_a_signature_that_proves_nothing_lets_nobody_in(
    trusting: App, issuer: Issuer
) -> None:
    claims, stolen = issuer.claims(), issuer.token()
    head, body, signature = stolen.split(".")
    nobody = ECKey.generate_key("P-256", {"kid": "ec"})
    larger = ECKey.generate_key("P-384", {"kid": "ec"})
    public = RSA.as_pem(private=False)
    loose = RSAKey.import_key(RSA.as_pem(private=True), {"kid": "rsa"})
    # HS256 under the public key, which everybody has.
    symmetric = f"{b64({'alg': 'HS256', 'kid': 'rsa'})}.{b64(claims)}"
    mac = hmac.digest(public, symmetric.encode(), "sha256")
    confused = [
        f"{symmetric}.{b64(mac)}",
        f"{b64({'alg': 'none'})}.{b64(claims)}.",
        f"{b64({'alg': 'None', 'kid': 'ec'})}.{b64(claims)}.{signature}",
        f"{head}.{b64(issuer.claims(role='api-auditor'))}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{b64({'alg': 'ES256', 'kid': 'rsa'})}.{body}.{signature}",
        f"{b64({'alg': 'RS256', 'kid': 'ec'})}.{body}.{signature}",
        issuer.token(nobody),
        issuer.token(nobody, {"jwk": nobody.as_dict(private=False)}),
        issuer.token(nobody, {"jku": "https://evil.example/keys", "kid": "evil"}),
        signed(orjson.dumps(claims), larger, {"alg": "ES384"}),
        signed(orjson.dumps(claims), loose, {"alg": "RS512"}),
        signed(orjson.dumps(claims), EC, {"typ": "logout+jwt"}),
        signed(orjson.dumps(claims), EC, {"kid": None}) + "x",
    ]
    await refused(trusting, *confused)
    assert await trusting.authenticated(signed(orjson.dumps(claims), EC, {"typ": "at+JWT"}))
    assert await trusting.authenticated(signed(orjson.dumps(claims), EC, {"kid": None}))


async def test_garbage_is_refused_and_never_an_error(trusting: App, issuer: Issuer) -> None:
    deep = b"[" * 900 + b"]" * 900
    token = issuer.token()
    head, body, signature = token.split(".")
    headers: list[Any] = [1, None, [], "x", b"\xff", deep, {}]
    odd: list[Any] = [1, [], {}, "x" * 201]
    headers += [{"alg": each} for each in (None, "ES256\0", *odd)]
    headers += [{"alg": "ES256", "kid": each} for each in odd]
    headers += [{"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": False}]
    payloads: list[Any] = [1, None, b"\xff", deep]
    said = [
        b"",
        b"1",
        b"null",
        b"\xff",
        b"{",
        deep,
        b'{"exp": 1e999}',
        b'{"exp": %s}' % (b"9" * 5_000),
    ]
    await refused(
        trusting,
        *["..", "a.b.c", "\xff.\xff.\xff", "\ud800.a.b", "\0.\0.\0", f" {token}", f"{token}."],
        *[f"{b64(each)}.{body}.{signature}" for each in headers],
        *[f"{head}.{b64(each)}.{signature}" for each in payloads],
        *map(signed, said),
        issuer.token(padding="x" * 8_000),
        issuer.token(EC, {"padding": "x" * 3_000}),
        "x" * 10**6 + ".a.b",
    )


async def test_a_huge_token_is_refused_over_http_too(trusting: App, issuer: Issuer) -> None:
    async with TestClient(TestServer(Site(trusting).application())) as client:
        for size, status in ((7_000, 401), (20_000, 400)):
            answer = await client.get(
                "/audit/v1/events", headers={"Authorization": f"Bearer {'x' * size}.a.b"}
            )
            assert answer.status == status
            assert answer.headers["Server"] == "controlplane"
        token = issuer.token(role="api-auditor")
        answer = await client.get("/audit/v1/events", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 200


async def test_a_new_key_is_found_by_one_question_however_many_ask(
    trusting: App, issuer: Issuer
) -> None:
    async with following(issuer.url, QUICK) as keys:
        rotating = other(trusting, issuer, keys)
        assert await rotating.authenticated(issuer.token())
        issuer.keys, issuer.asked, issuer.delay_s = [NEW], 0, 0.05
        found = await asyncio.gather(
            *(rotating.authenticated(issuer.token(NEW)) for _ in range(50))
        )
        assert (len(found), issuer.asked) == (50, 1)
        await refused(rotating, issuer.token(EC))  # it is withdrawn


async def test_made_up_keys_ask_the_issuer_once_in_a_while(trusting: App, issuer: Issuer) -> None:
    async with following(issuer.url, replace(QUICK, refetch_s=0.3)) as keys:
        flooded = other(trusting, issuer, keys)
        assert await flooded.authenticated(issuer.token())
        issuer.asked = 0
        for n in range(200):
            await refused(flooded, issuer.token(EC, {"kid": f"made up {n}"}))
        assert issuer.asked == 0
        await asyncio.sleep(0.35)
        for n in range(200):
            await refused(flooded, issuer.token(EC, {"kid": f"made up {n}"}))
        assert issuer.asked == 1
        issuer.keys = [NEW]
        await asyncio.sleep(0.35)
        assert await flooded.authenticated(issuer.token(NEW))


async def test_keys_are_refreshed_beside_without_anybody_asking(issuer: Issuer) -> None:
    async with following(issuer.url, replace(QUICK, refresh_s=0.05, refetch_s=60)) as keys:
        assert await keys.find("ec", "ES256")
        issuer.keys = [NEW]
        async with asyncio.timeout(5):
            while await keys.find("new", "ES256") is None:
                await asyncio.sleep(0.02)
        assert await keys.find("ec", "ES256") is None


async def test_keys_at_hand_do_while_the_issuer_is_away_but_not_for_ever(issuer: Issuer) -> None:
    async with following(issuer.url, replace(QUICK, refresh_s=0.05, kept_s=0.4)) as keys:
        assert await keys.find("ec", "ES256")
        issuer.status = 500
        await asyncio.sleep(0.2)
        assert await keys.find("ec", "ES256")
        await asyncio.sleep(0.4)
        with pytest.raises(IssuerAwayError):
            await keys.find("ec", "ES256")
        issuer.status = 200
        assert await keys.find("ec", "ES256")


async def test_without_keys_the_answer_is_to_try_again(trusting: App, issuer: Issuer) -> None:
    issuer.status = 500
    async with following(issuer.url, QUICK) as keys:
        site = Site(other(trusting, issuer, keys)).application()
        async with TestClient(TestServer(site)) as client:
            bearer = {"Authorization": f"Bearer {issuer.token()}"}
            answer = await client.get("/audit/v1/events", headers=bearer)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            issuer.status = 200
            assert (await client.get("/audit/v1/events", headers=bearer)).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": b""},
        {"body": b"[]"},
        {"body": b"{}"},
        {"body": b'{"keys": {}}'},
        {"body": b'{"keys": [1, null, "x", {"kty": "RSA"}, {"kty": "EC", "crv": "P-1"}]}'},
        {"body": orjson.dumps({"keys": [OctKey.generate_key(256).as_dict()]})},
        {"body": orjson.dumps({"keys": [EC.as_dict(private=True)]})},
        {"body": orjson.dumps({"keys": [EC.as_dict(private=False, use="enc")]})},
        {"body": orjson.dumps({"keys": [EC.as_dict(private=False)] * (KEYS + 1)})},
        {"body": b" " * 2**20},
        {"body": b"[" * 10**5},
        {"delay_s": 5},
        {"status": 404},
        {"named": "https://evil.example"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": "https://127.0.0.1:1/keys"},
        {"jwks_uri": "https://[::ffff:10.0.0.1]/keys"},
        {"jwks_uri": "https://169.254.169.254/latest"},
        {"jwks_uri": "https://localhost.localdomain:1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://"},
        {"jwks_uri": "https://[x"},
    ],
)
async def test_what_an_issuer_must_not_answer_gives_no_keys(
    issuer: Issuer, wrong: dict[str, Any]
) -> None:
    vars(issuer).update(wrong)
    async with following(issuer.url, replace(QUICK, fetch_s=0.3)) as keys:
        with pytest.raises(IssuerAwayError):
            await keys.find("ec", "ES256")


async def test_a_redirect_is_not_followed(issuer: Issuer) -> None:
    issuer.redirect = f"{issuer.url}/.well-known/openid-configuration"
    async with following(issuer.url, QUICK) as keys:
        with pytest.raises(IssuerAwayError):
            await keys.find("ec", "ES256")


async def test_small_and_odd_keys_do_not_hide_the_good_ones(issuer: Issuer) -> None:
    good = EC.as_dict(private=False)
    weak = RSAKey.import_key(RSA.as_dict(private=False)).as_dict(kid="weak")
    weak["n"] = b64(b"\xc1" * 64)
    odd = [
        {"kty": "AKP"},
        {"kty": "EC", "crv": "P-256", "x": 7},
        weak,
        OctKey.generate_key().as_dict(),
    ]
    issuer.body = orjson.dumps({"keys": [*odd, good]})
    async with following(issuer.url, QUICK) as keys:
        assert await keys.find("ec", "ES256")
        assert await keys.find("weak", "RS256") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_issuer": "http://issuer.example"},
        {"oidc_issuer": "https://"},
        {"oidc_issuer": "issuer.example"},
        {"oidc_issuer": "https://issuer.example?x=1"},
        {"oidc_algorithms": "none"},
        {"oidc_algorithms": "RS256,HS256"},
        {"oidc_algorithms": ","},
        {"oidc_audience": ""},
        {"oidc_roles": "{}"},
        {"oidc_roles": "[]"},
        {"oidc_roles": "x"},
        {"oidc_roles": '{"x": "GATEWAY"}'},
        {"oidc_roles": '{"x": ["OWNER"]}'},
        {"trusted_proxies": "10.0.0.0/8,proxy"},
    ],
    ids=str,
)
def test_a_setting_that_would_be_unsafe_ends_the_start(wrong: dict[str, str]) -> None:
    right = {
        "oidc_issuer": "https://issuer.example",
        "oidc_audience": AUDIENCE,
        "oidc_roles": '{"x": "OWNER"}',
    }
    assert Settings(**right)  # type: ignore[arg-type]  # all of these are strings
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**{**right, **wrong})  # type: ignore[arg-type]


def test_the_roles_of_an_issuer_are_all_but_the_gateways() -> None:
    assert {role.value for role in Role} - {"GATEWAY"} == OIDC_ROLES


async def test_without_an_issuer_signed_tokens_let_nobody_in(app: App, issuer: Issuer) -> None:
    assert app.issuer is None
    await refused(app, issuer.token())
