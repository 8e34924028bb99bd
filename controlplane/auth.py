"""Who is asking: bearer tokens, roles, and what each role may do."""

from collections import OrderedDict
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from controlplane import secret
from controlplane.context import INSTALLATION, Caller
from controlplane.store.eventstore import EventStore
from domain.access_token import AccessToken, Role

_READ = {"catalogue:read", "subscription:read", "gateway:read", "team:read"}
_PRODUCT = {
    "product:define",
    "product:publish",
    "version:define",
    "version:publish",
    "version:review",
    "version:override",
    "plan:define",
    "page:write",
    "plan:publish",
    "subscription:decide",
    "subscription:cancel",
    "subscription:suspend",
    "subscription:transfer",
    "team:manage",
}
_CONSUMER = {
    "application:register",
    "subscription:request",
    "subscription:cancel",
    "subscription:transfer",
    "credential:issue",
    "credential:revoke",
    "person:forget",
    "team:manage",
}
_PLATFORM = {"gateway:register", "config:read", "config:decide"}
PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.OWNER: frozenset(
        _READ
        | _PRODUCT
        | _CONSUMER
        | _PLATFORM
        | {"audit:read", "token:issue", "token:revoke", "team:form", "developer:register"}
        | {"credential:import", "organization:configure", "contract:govern"}
    ),
    Role.PRODUCT_MANAGER: frozenset(_READ | _PRODUCT | {"team:form", "developer:register"}),
    Role.DEVELOPER: frozenset(
        {"catalogue:read", "subscription:read", "team:read"}
        | _CONSUMER
        | {"team:leave", "token:renew"}
    ),
    Role.GATEWAY: frozenset({"config:read", "config:acknowledge"}),
    Role.AUDITOR: frozenset(_READ | {"audit:read"}),
    Role.OPERATOR: frozenset(
        {
            "organization:establish",
            "organization:read",
            "token:issue",
            "token:revoke",
            "version:block",
        }
    ),
}
JOINING = frozenset({"team:join"})
"""What a visitor may do who registers or accepts an invitation; no role may."""
BEARERS = 10_000
"""About 1 KB each."""
ANONYMOUS = Caller(INSTALLATION, "", "person", "portal", None, frozenset())


class NotAuthenticatedError(Exception):
    """The bearer token is unknown, mistyped, expired or revoked; leave it out or ask for one."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class IssuerAwayError(Exception):
    """The issuer of the token cannot be asked for its keys; try again."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def bearer(authorization: str | None) -> str | None:
    """Return the token of an Authorization header, None without a header.

    Raises NotAuthenticatedError for any other scheme.
    """
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticatedError
    return token.strip()


class Bearers:
    """Who was let in last: what a token says is worked out once, whether it holds each time.

    Found by the SHA-256 of the whole token, which was compared with the very aggregate that is at
    hand now: once that is revoked, or only doubted, it is another one or none.
    """

    def __init__(self, store: EventStore, limit: int = BEARERS) -> None:
        self._store = store
        self._limit = limit
        self._known: OrderedDict[bytes, tuple[AccessToken, Caller]] = OrderedDict()

    async def caller(self, token: str | None, now: datetime) -> Caller:
        """Return who shows the token; ANONYMOUS without one.

        Raises NotAuthenticatedError, UnavailableError.
        """
        if token is None:
            return ANONYMOUS
        known = self.known(token, now)
        if known is not None:
            return known
        found = await _recognised(token, self._store, now)
        caller = caller_of(found)
        self._known[_digest(token)] = (found, caller)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return caller

    def known(self, token: str, now: datetime) -> Caller | None:
        """Return who shows a token that is remembered and holds; None to find that out."""
        digest = _digest(token)
        known = self._known.get(digest)
        if known is None:
            return None
        found, caller = known
        if self._store.at_hand(found.id) is found and found.valid(now):
            self._known.move_to_end(digest)
            return caller
        del self._known[digest]
        return None


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogatepass")).digest()


async def _recognised(token: str, store: EventStore, now: datetime) -> AccessToken:
    token_id = secret.parse(secret.TOKEN_PREFIX, token)
    if token_id is None:
        raise NotAuthenticatedError
    found = await store.load(token_id)
    if not isinstance(found, AccessToken) or not secret.matches(token, found.sha256):
        raise NotAuthenticatedError
    if not found.valid(now):
        raise NotAuthenticatedError
    return found


def caller_of(token: AccessToken) -> Caller:
    """Return what the bearer of a token may do."""
    gateway, person = token.role is Role.GATEWAY, token.developer_id
    kind = "person" if person else "gateway" if gateway else "token"
    return Caller(
        organization_id=UUID(token.organization),
        actor=str(person or token.id),
        actor_kind=kind,
        channel="api",
        role=token.role,
        permissions=PERMISSIONS[token.role],
        team_id=token.team_id,
        gateway_id=token.gateway_id,
        developer_id=person,
    )


def needs(permission: str) -> str:
    """Return a sentence that says which permission it takes, and which roles have it."""
    if permission in JOINING:
        return f"It needs {permission}: whoever joins shows no token."
    roles = [role.value for role, held in PERMISSIONS.items() if permission in held]
    return f"It needs {permission}, which these roles have: {', '.join(roles)}."


def visitor(organization_id: UUID) -> Caller:
    """Return a caller who is about to join a team of an organization, and not known yet."""
    return Caller(organization_id, "visitor", "person", "portal", None, JOINING)


def process(organization_id: UUID, actor: str, channel: str) -> Caller:
    """Return a caller for our own processes and the command line: it may do everything."""
    everything = frozenset().union(*PERMISSIONS.values())
    return Caller(organization_id, actor, "process", channel, None, everything)
