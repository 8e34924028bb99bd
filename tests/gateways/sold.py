"""A configuration of what somebody sold, as rows: made by the functions that the product uses."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from domain import routing
from domain.api_version import Upstream
from domain.contract.operation import Operation
from domain.plan_terms import Auth, Override, PlanTerms, RateLimit

NAMES = UUID(int=1)
ENVIRONMENT = "live"


def id_of(name: str) -> UUID:
    return uuid5(NAMES, name)


def limit(calls: int, window_s: int, burst: int = 0, algorithm: str = "TOKEN_BUCKET") -> RateLimit:
    return RateLimit(calls, window_s, burst, algorithm)


class Sold:
    """Rows by kind and id, to be changed and rendered."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, routing.Body]] = {kind: {} for kind in routing.KINDS}

    def snapshot(self) -> dict[str, Any]:
        group = routing.group(id_of("group"), "edge", ENVIRONMENT, [], 1)
        lists = {routing.LISTS[kind]: list(rows.values()) for kind, rows in self.rows.items()}
        return {"format": 1, "group": group, "intentionally_empty": False, **lists}

    def product(self, slug: str, **said: object) -> str:
        return self._put(routing.PRODUCT, {**routing.product(id_of(slug), slug), **said})

    def version(self, product: str, upstream: str, operations: Sequence[str], **said: Any) -> str:
        """Add a version; an operation is its method and path, or field: its id, too."""
        number = said.pop("number", "1.0.0")
        row = routing.version(
            id_of(f"{product} {number} {said.get('api', '')}"),
            product_id=UUID(product),
            api=said.pop("api", "default"),
            number=number,
            kind=said.pop("kind", "OPENAPI_3_1"),
            upstreams=[Upstream(ENVIRONMENT, upstream)] if upstream else [],
            operations=[_operation(each) for each in operations],
        )
        return self._put(routing.VERSION, {**row, **said})

    def plan(self, name: str, *products: str, first: RateLimit | None = None, **terms: Any) -> str:
        terms = {"quota": None, "price": None, "approval": "AUTOMATIC", **terms}
        said = PlanTerms(rate_limit=first, **terms)
        return self._put(routing.PLAN, routing.plan(id_of(name), 1, list(products), said))

    def subscription(self, plan: str, name: str, *keys: str, **said: object) -> str:
        row = routing.subscription(id_of(name), id_of(f"{name} application"), id_of(name), 1)
        for key in keys:
            row = with_key(row, key)
        return self._put(routing.SUBSCRIPTION, {**row, "plan": plan, **said})

    def change(self, kind: str, id_: str, row: routing.Body | None) -> None:
        if row is None:
            del self.rows[kind][id_]
        else:
            self.rows[kind][id_] = row

    def _put(self, kind: str, row: routing.Body) -> str:
        id_: str = row["id"]
        self.rows[kind][id_] = row
        return id_


def _operation(id_: str) -> Operation:
    method, _, path = id_.rpartition(" ")
    return Operation(id_, method, path, "", "", deprecated=False, tags=[])


def with_key(row: routing.Body, key: str, not_after: datetime | None = None) -> routing.Body:
    """Return a subscription with one more key, whose id is the key."""
    digest = sha256(key.encode()).hexdigest()
    return routing.with_key(row, key_id=key, sha256=digest, sha1=None, not_after=not_after)


def override(product: str, operation: str, first: RateLimit) -> Override:
    return Override(UUID(product), operation, first)


def auth(kind: str, issuer: str = "", audience: str = "", claim: str = "") -> Auth:
    return Auth(kind, issuer, audience, claim)
