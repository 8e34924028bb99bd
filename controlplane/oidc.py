"""OpenID Connect: who an issuer's signed token speaks for, and as what."""

import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, TypeVar
from uuid import UUID

import orjson
import structlog
from joserfc.errors import ClaimError, JoseError
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.jwt import JWTClaimsRegistry

from controlplane.auth import PERMISSIONS, NotAuthenticatedError
from controlplane.context import INSTALLATION, Caller, Services
from controlplane.global_id import parts_of
from controlplane.jwks import KID_CHARS, Keys
from controlplane.settings import Settings, words
from domain.access_token import Role
from domain.team import Team

TOKEN_CHARS = 8_000
HEADER_CHARS = 2_000
SUBJECT_CHARS = 255
VALUES = 1_000
"""Groups that one token may name."""
LIFETIME_S = 86_400
"""The longest life of a token from its issue: it cannot be revoked here."""
KNOWN = 10_000
TYPES = {"jwt", "at+jwt", "application/at+jwt"}
"""Kinds of signed tokens that let somebody in; those of a logout, say, are others."""
_PARTS = 3
_SLUG = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)

log = structlog.get_logger()
Name = TypeVar("Name", bound=Hashable)
Known = TypeVar("Known")


class _RefusedError(Exception):
    """Why a token lets nobody in: our own words, for our logs."""


class _Registry(JWSRegistry):
    """What the signature's header may be: parameters that we do not know are not obeyed."""

    max_header_length = HEADER_CHARS
    max_payload_length = TOKEN_CHARS


class Issuer:
    """The one issuer whose tokens are let in beside ours."""

    def __init__(self, settings: Settings, keys: Keys, services: Services) -> None:
        self._settings = settings
        self._keys = keys
        self._services = services
        self._algorithms = words(settings.oidc_algorithms)
        self._parties = {settings.oidc_audience, *words(settings.oidc_clients)}
        table: dict[str, str] = orjson.loads(settings.oidc_roles)
        self._roles = {value: Role(role) for value, role in table.items()}
        self._organizations: OrderedDict[str, UUID] = OrderedDict()
        self._actors: OrderedDict[tuple[UUID, str], str] = OrderedDict()

    def signs(self, token: str) -> bool:
        """Tell whether a bearer token has the form of the issuer's; ours have one dot."""
        return token.count(".") == _PARTS - 1

    async def caller(self, token: str) -> Caller:
        """Return who shows the token.

        Raises NotAuthenticatedError, IssuerAwayError, UnavailableError.
        """
        try:
            claims = await self._verified(token)
            role = self._role(claims)
            organization_id = await self._organization(claims, role)
            team_id = await self._team(claims, organization_id) if role is Role.DEVELOPER else None
        except _RefusedError as refused:
            log.info("oidc.refused", because=str(refused))
            raise NotAuthenticatedError from None
        return Caller(
            organization_id=organization_id,
            actor=await self._actor(organization_id, claims["sub"]),
            actor_kind="person",
            channel="api",
            role=role,
            permissions=PERMISSIONS[role],
            team_id=team_id,
        )

    async def _verified(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that the issuer signed for us and that holds now."""
        algorithm, kid = self._header(token)
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise _RefusedError("the key is unknown")
        registry = _Registry(algorithms=[algorithm], strict_check_header=False)
        try:
            # Python's own decoder reads the header again; what nests too deep was refused above.
            payload = deserialize_compact(token.encode(), key, registry=registry).payload
            claims = orjson.loads(payload or b"")
        except (JoseError, ValueError) as error:
            raise _RefusedError(f"the signature does not hold: {type(error).__name__}") from None
        if not isinstance(claims, dict):
            raise _RefusedError("the claims are no object")
        self._check(claims)
        return claims

    def _header(self, token: str) -> tuple[str, str | None]:
        """Return the algorithm and the id of the key, before anything is computed or fetched."""
        head = token.partition(".")[0]
        if not token.isascii() or len(token) > TOKEN_CHARS or len(head) > HEADER_CHARS:
            raise _RefusedError("the token is too long")
        try:
            said = orjson.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        except ValueError:
            raise _RefusedError("the header is not JSON") from None
        if not isinstance(said, dict) or len(said) > KID_CHARS:
            raise _RefusedError("the header is no object")
        algorithm, kid, type_ = said.get("alg"), said.get("kid"), said.get("typ", "JWT")
        if algorithm not in self._algorithms:
            raise _RefusedError("the algorithm is not allowed")
        if "crit" in said or not isinstance(type_, str) or type_.lower() not in TYPES:
            raise _RefusedError("the token is of another kind")
        if kid is not None and (not isinstance(kid, str) or len(kid) > KID_CHARS):
            raise _RefusedError("the id of the key is none")
        return algorithm, kid

    def _check(self, claims: dict[str, Any]) -> None:
        settings = self._settings
        registry = JWTClaimsRegistry(
            now=int(self._services.now().timestamp()),
            leeway=settings.oidc_leeway_s,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            registry.validate(claims)
        except ClaimError as error:
            raise _RefusedError(f"{error.claim} is not as it must be") from None
        if len(claims["sub"]) > SUBJECT_CHARS:
            raise _RefusedError("sub is too long")
        if claims["exp"] - claims["iat"] > LIFETIME_S:
            raise _RefusedError("the token lives too long")
        audience, party = claims["aud"], claims.get("azp")
        if isinstance(audience, list) and len(audience) > 1 and party is None:
            raise _RefusedError("azp is missing beside several audiences")
        if party is not None and (not isinstance(party, str) or party not in self._parties):
            raise _RefusedError("azp is a client that is not allowed")

    def _claim(self, claims: dict[str, Any], name: str) -> object:
        """Return a claim by its name; dots lead into objects when there is none of the name."""
        if name in claims:
            return claims[name]
        found: object = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def _role(self, claims: dict[str, Any]) -> Role:
        said = self._claim(claims, self._settings.oidc_role_claim)
        values = said if isinstance(said, list) else [said]
        known = values[:VALUES]
        roles = {
            self._roles[each] for each in known if isinstance(each, str) and each in self._roles
        }
        if len(roles) != 1:  # of two, neither is more likely meant
            raise _RefusedError(f"the token names {len(roles)} roles")
        return roles.pop()

    async def _organization(self, claims: dict[str, Any], role: Role) -> UUID:
        if role is Role.OPERATOR:
            return INSTALLATION
        slug = self._claim(claims, self._settings.oidc_organization_claim)
        if not isinstance(slug, str) or not _SLUG.fullmatch(slug):
            raise _RefusedError("the organization is no slug")
        known = self._organizations.get(slug)
        if known is not None:  # for ever: neither is a slug given to another one
            return known
        async with self._services.lend() as connection:
            found = await connection.fetchval("SELECT id FROM organization WHERE slug = $1", slug)
        if not isinstance(found, UUID):
            raise _RefusedError("the organization is unknown")
        return _keep(self._organizations, slug, UUID(int=found.int))

    async def _team(self, claims: dict[str, Any], organization_id: UUID) -> UUID:
        team_id = _team_id(self._claim(claims, self._settings.oidc_team_claim))
        team = None if team_id is None else await self._services.store.load(team_id)
        if not isinstance(team, Team) or team.organization != str(organization_id):
            raise _RefusedError("the team is unknown")
        return team.id

    async def _actor(self, organization_id: UUID, subject: str) -> str:
        """Return how events name the person: the same each time, and nothing without our key.

        A subject may be a mail address. Of a keyed hash nobody can tell whose it is by trying,
        once the organization's key is gone; each organization has another one.
        """
        known = self._actors.get((organization_id, subject))
        if known is not None:
            return known
        text = f"oidc {self._settings.oidc_issuer} {subject}"
        blind = await self._services.vault.blind(organization_id, text)
        return _keep(self._actors, (organization_id, subject), f"oidc:{blind[:32]}")


def _team_id(said: object) -> UUID | None:
    """Return the id of a team as GraphQL tells it, or as events do; None when it is none."""
    if not isinstance(said, str):
        return None
    kind, parts = parts_of(said) or ("Team", [said])
    try:
        return UUID(parts[0]) if kind == "Team" and len(parts) == 1 else None
    except ValueError:
        return None


def _keep(known: "OrderedDict[Name, Known]", name: Name, value: Known) -> Known:
    known[name] = value
    if len(known) > KNOWN:
        known.popitem(last=False)
    return value
