"""What a gateway must enforce, in no vendor's words: rows of four kinds, each a JSON object.

    product       {id, slug}                             its versions answer below /<slug>/v<major>
    version       {id, product, number, base, kind, upstreams, routes, auth, state}
    plan          {id, plan, number, products, rate_limit, quota}       one row a plan version
    subscription  {id, application, plan, keys}          keys: [{id, sha256, sha1, not_after}]

The rows are normalised: a subscription names its plan, a plan its products, a version its product.
A row that is not there grants nothing: a subscription that is gone takes its keys with it.
Ids hold letters, digits and hyphens only. Instants are ISO 8601 in UTC; they travel with the row,
so what holds at an instant is a function of the row and the clock.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from domain.api_version import Upstream
from domain.contract.operation import Operation
from domain.plan import PlanTerms

FORMAT = 1
MAX_STALENESS_S = 24 * 3_600
PRODUCT, VERSION, PLAN, SUBSCRIPTION, GROUP = "product", "version", "plan", "subscription", "group"
KINDS = (PRODUCT, VERSION, PLAN, SUBSCRIPTION)
Body: TypeAlias = Mapping[str, Any]


def product(product_id: UUID, slug: str) -> Body:
    """Return the row of a product."""
    return {"id": str(product_id), "slug": slug}


def version(
    version_id: UUID,
    *,
    product_id: UUID,
    number: str,
    kind: str,
    upstreams: Iterable[Upstream],
    operations: Iterable[Operation],
) -> Body:
    """Return the row of a version; a GraphQL contract is one route, for it has one address."""
    routes = [
        {"id": operation.id, "method": operation.method, "path": operation.path}
        for operation in operations
    ]
    return {
        "id": str(version_id),
        "product": str(product_id),
        "number": number,
        "base": f"v{number.partition('.')[0]}",
        "kind": kind,
        "upstreams": {upstream.environment: upstream.url for upstream in upstreams},
        "routes": [{"id": "POST /", "method": "POST", "path": "/"}]
        if kind == "GRAPHQL"
        else routes,
        "auth": "api_key",
        "state": "PUBLISHED",
    }


def plan_row_id(plan_id: UUID, number: int) -> str:
    """Return the id under which a subscription names a version of a plan."""
    return f"{plan_id}-{number}"


def plan(plan_id: UUID, number: int, products: list[str], terms: PlanTerms) -> Body:
    """Return the row of a version of a plan."""
    rate, quota = terms.rate_limit, terms.quota
    return {
        "id": plan_row_id(plan_id, number),
        "plan": str(plan_id),
        "number": number,
        "products": products,
        "rate_limit": {**vars(rate), "scope": "subscription"} if rate else None,
        "quota": {**vars(quota), "scope": "subscription"} if quota else None,
    }


def subscription(
    subscription_id: UUID, application_id: UUID, plan_id: UUID, plan_version: int
) -> Body:
    """Return the row of a subscription without keys."""
    return {
        "id": str(subscription_id),
        "application": str(application_id),
        "plan": plan_row_id(plan_id, plan_version),
        "keys": [],
    }


def with_key(row: Body, *, key_id: str, sha256: str, sha1: str, not_after: datetime | None) -> Body:
    """Return the row of a subscription with one more key."""
    key = {
        "id": key_id,
        "sha256": sha256,
        "sha1": sha1,
        "not_after": not_after.isoformat() if not_after else None,
    }
    return {**row, "keys": [*row["keys"], key]}


def without_key(row: Body, key_id: str) -> Body:
    """Return the row of a subscription without a key."""
    return {**row, "keys": [key for key in row["keys"] if key["id"] != key_id]}


def group(group_id: UUID, slug: str, environment: str, product_ids: Iterable[UUID]) -> Body:
    """Return what a gateway group is: its environment and products, none of them for all."""
    return {
        "id": str(group_id),
        "slug": slug,
        "environment": environment,
        "products": [str(product_id) for product_id in product_ids],
    }
