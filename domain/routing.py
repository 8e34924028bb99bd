"""What a gateway must enforce, in no vendor's words: rows of four kinds, each a JSON object.

    product       {id, slug, state, deprecation, sunset}    its versions answer below /<slug>/<base>
    version       {id, product, api, number, base, kind, upstreams, routes, auth, state,
                   deprecation, sunset, successor, link}
    plan          {id, plan, number, products, auth, rate_limit, more_rate_limits, quota, overrides}
                                                         one row a plan version
    subscription  {id, application, plan, not_after, over_quota_until, keys}
                  keys: [{id, sha256, sha1, servable, not_after}]

The rows are normalised: a subscription names its plan, a plan its products, a version its product.
A row that is not there grants nothing: a subscription that is gone takes its keys with it.
A version's routes are {id, operation, method, path}: `operation` is the contract's own id of it.
A GraphQL API has one, for it has one address; its `fields` are the operations of the contract.
Ids hold letters, digits and hyphens only. Instants are ISO 8601 in UTC; they travel with the row,
so what holds at an instant is a function of the row and the clock.

A document is a snapshot of one gateway group, or a delta between two; docs/gateway-config.md is
the published description, and `domain.config_document` is what a gateway does with them.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeAlias
from uuid import UUID

from domain.api_product import ProductState
from domain.api_version import DEFAULT_API, Upstream
from domain.contract.operation import Operation
from domain.plan_terms import Override, PlanTerms, Quota, RateLimit
from domain.version_life import VersionState

FORMAT = 1
MAX_STALENESS_S = 24 * 3_600
ROUTE_ID_DIGITS = 16
PRODUCT, VERSION, PLAN, SUBSCRIPTION, GROUP = "product", "version", "plan", "subscription", "group"
KINDS = (PRODUCT, VERSION, PLAN, SUBSCRIPTION)
WHOLE_GRAPHQL = "POST /"  # the operation of whom its fields inherit
LISTS = {kind: f"{kind}s" for kind in KINDS}
"""Under which name a document lists the rows of a kind."""
Body: TypeAlias = Mapping[str, Any]
Document: TypeAlias = Mapping[str, Any]


def product(product_id: UUID, slug: str) -> Body:
    """Return the row of a product."""
    return {
        "id": str(product_id),
        "slug": slug,
        "state": ProductState.PUBLISHED.value,
        "deprecation": None,
        "sunset": None,
    }


def deprecated(row: Body, *, since: datetime, sunset_at: datetime | None, **said: object) -> Body:
    """Return the row of a product or version that is advised against, with what is `said` of it."""
    state, deprecation = VersionState.DEPRECATED.value, _instant(since)
    return {**with_sunset(row, sunset_at), "state": state, "deprecation": deprecation, **said}


def with_sunset(row: Body, sunset_at: datetime | None) -> Body:
    """Return the row of a deprecated product or version that may end at an instant."""
    return {**row, "sunset": _instant(sunset_at)}


def recommended(row: Body) -> Body:
    """Return the row of a product or version that is advised against no more."""
    nothing = {"deprecation": None, "sunset": None}
    if "successor" in row:
        nothing |= {"successor": None, "link": None}
    return {**row, "state": VersionState.PUBLISHED.value, **nothing}


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def version(
    version_id: UUID,
    *,
    product_id: UUID,
    api: str,
    number: str,
    kind: str,
    upstreams: Iterable[Upstream],
    operations: Iterable[Operation],
) -> Body:
    """Return the row of a version."""
    major = f"v{number.partition('.')[0]}"
    return {
        "id": str(version_id),
        "product": str(product_id),
        "api": api,
        "number": number,
        "base": major if api == DEFAULT_API else f"{api}/{major}",
        "kind": kind,
        "upstreams": {upstream.environment: upstream.url for upstream in upstreams},
        "routes": _routes(kind, operations),
        "auth": "api_key",
        "state": VersionState.PUBLISHED.value,
        "deprecation": None,
        "sunset": None,
        "successor": None,
        "link": None,
    }


def revised(body: Body, kind: str, operations: Iterable[Operation]) -> Body:
    """Return the row of a version whose contract was corrected."""
    return {**body, "kind": kind, "routes": _routes(kind, operations)}


def with_upstream(row: Body, environment: str, url: str | None) -> Body:
    """Return the row of a version whose calls of an environment go elsewhere; None for nowhere."""
    upstreams = {name: at for name, at in row["upstreams"].items() if name != environment}
    return {**row, "upstreams": upstreams | ({environment: url} if url else {})}


def _routes(kind: str, operations: Iterable[Operation]) -> list[Body]:
    if kind == "GRAPHQL":
        return [{**_route(WHOLE_GRAPHQL, "POST", "/"), "fields": [each.id for each in operations]}]
    return [_route(each.id, each.method, each.path) for each in operations]


def _route(operation: str, method: str, path: str) -> Body:
    return {"id": _route_id(operation), "operation": operation, "method": method, "path": path}


def _route_id(operation: str) -> str:
    # It goes where a path cannot: into map files, metric labels and header values.
    return sha256(operation.encode()).hexdigest()[:ROUTE_ID_DIGITS]


def plan_row_id(plan_id: UUID, number: int) -> str:
    """Return the id under which a subscription names a version of a plan."""
    return f"{plan_id}-{number}"


def plan(plan_id: UUID, number: int, products: list[str], terms: PlanTerms) -> Body:
    """Return the row of a version of a plan."""
    return {
        "id": plan_row_id(plan_id, number),
        "plan": str(plan_id),
        "number": number,
        "products": products,
        "auth": vars(terms.auth),
        "rate_limit": _limited(terms.rate_limit),
        "more_rate_limits": [_limited(each) for each in terms.more_rate_limits],
        "quota": _limited(terms.quota),
        "overrides": [_override(each) for each in terms.overrides],
    }


def _limited(limit: RateLimit | Quota | None) -> Body | None:
    return {**vars(limit), "scope": "subscription"} if limit else None


def _override(override: Override) -> Body:
    return {
        "product": str(override.product_id),
        "operation": override.operation,
        "route": _route_id(override.operation),
        "rate_limit": _limited(override.rate_limit),
        "quota": _limited(override.quota),
    }


def subscription(
    subscription_id: UUID, application_id: UUID, plan_id: UUID, plan_version: int
) -> Body:
    """Return the row of a subscription without keys."""
    return {
        "id": str(subscription_id),
        "application": str(application_id),
        "plan": plan_row_id(plan_id, plan_version),
        "not_after": None,
        "over_quota_until": None,
        "keys": [],
    }


def until(row: Body, not_after: datetime | None) -> Body:
    """Return the row of a subscription, or of a key, that grants nothing from an instant on."""
    return {**row, "not_after": _instant(not_after)}


def on_plan(row: Body, plan_id: UUID, plan_version: int) -> Body:
    """Return the row of a subscription on another version or plan."""
    return {**row, "plan": plan_row_id(plan_id, plan_version)}


def with_key(
    row: Body,
    *,
    key_id: str,
    sha256: str | None,
    sha1: str | None,
    not_after: datetime | None,
) -> Body:
    """Return the row of a subscription with one more key.

    Without either hash no gateway finds it: it is listed, as one that is not served.
    """
    key = {
        "id": key_id,
        "sha256": sha256,
        "sha1": sha1,
        "servable": sha256 is not None or sha1 is not None,
        "not_after": _instant(not_after),
    }
    return {**row, "keys": [*row["keys"], key]}


def with_key_until(row: Body, key_id: str, not_after: datetime) -> Body:
    """Return the row of a subscription one of whose keys ends at an instant."""
    keys = [until(key, not_after) if key["id"] == key_id else key for key in row["keys"]]
    return {**row, "keys": keys}


def without_key(row: Body, key_id: str) -> Body:
    """Return the row of a subscription without a key."""
    return {**row, "keys": [key for key in row["keys"] if key["id"] != key_id]}


def group(
    group_id: UUID, slug: str, environment: str, product_ids: Iterable[UUID], position: int
) -> Body:
    """Return what a gateway group is that begins: its environment and products, none for all.

    Nothing was lost under any epoch yet, and what ended before is not held back from it.
    """
    return {
        "id": str(group_id),
        "slug": slug,
        "environment": environment,
        "confirmed_epoch": 0,
        "products": [str(product_id) for product_id in product_ids],
        "released_position": position,
        "shrink_intended_until": None,
    }
