"""An OpenID Connect issuer: signs tokens, publishes its keys, and misbehaves as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from tests.given import AT

AUDIENCE = "https://api.example"
NOW = int(AT.timestamp())
DISCOVERY = "/realm/.well-known/openid-configuration"
JWKS = "/realm/keys"
Key = RSAKey | ECKey
# Made once: an RSA key takes a while.
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"})
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
NEW = ECKey.generate_key("P-256", {"kid": "new"})


@dataclass
class Issuer:
    """What it publishes can be changed at any time; `asked` counts who wanted the keys."""

    url: str = ""
    keys: list[Key] = field(default_factory=lambda: [RSA, EC])
    asked: int = 0
    named: str | None = None
    jwks_uri: str | None = None
    status: int = 200
    delay_s: float = 0
    body: bytes | None = None
    redirect: str | None = None

    async def discovery(self, _: web.Request) -> web.StreamResponse:
        said = {"issuer": self.named or self.url, "jwks_uri": self.jwks_uri or f"{self.url}/keys"}
        return web.json_response(said)

    async def jwks(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        await asyncio.sleep(self.delay_s)
        if self.redirect:
            raise web.HTTPFound(self.redirect)
        published = [key.as_dict(private=False) for key in self.keys]
        body = orjson.dumps({"keys": published}) if self.body is None else self.body
        return web.Response(body=body, status=self.status)

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Return those of an owner of ace; None leaves one out."""
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada@example.com",
            "iat": NOW,
            "exp": NOW + 300,
            "organization": "ace",
            "role": "api-owner",
        }
        return {name: each for name, each in {**usual, **claims}.items() if each is not None}

    def token(self, key: Key = EC, header: Any = None, **claims: Any) -> str:
        return signed(orjson.dumps(self.claims(**claims)), key, header)


def signed(payload: bytes, key: Key = EC, header: Any = None) -> str:
    usual = {"alg": "RS256" if isinstance(key, RSAKey) else "ES256", "kid": key.kid}
    said = {name: each for name, each in {**usual, **(header or {})}.items() if each is not None}
    registry = jws.JWSRegistry(algorithms=[said["alg"]], strict_check_header=False)
    registry.max_header_length = 10_000
    return jws.serialize_compact(said, payload, key, registry=registry)


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    """Run an issuer until the block ends."""
    issuer = Issuer()
    application = web.Application()
    application.router.add_get(DISCOVERY, issuer.discovery)
    application.router.add_get(JWKS, issuer.jwks)
    async with TestServer(application) as server:
        issuer.url = str(server.make_url("/realm"))
        yield issuer
