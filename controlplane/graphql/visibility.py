"""Who sees which rows: the one place of tenancy in queries.

Each function returns the conditions that rows `n` meet which the caller may see; None when the
caller may see none. Whoever cannot read an organization's catalogue sees the public one.
"""

from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

from controlplane.context import Caller
from projections import search
from projections.paging import Condition
from projections.product import REVISION_ORDINALS

Conditions: TypeAlias = tuple[Condition, ...]
Visible: TypeAlias = Callable[[Caller], Conditions | None]

_LISTED = Condition("n.listed")
_OFFERED = Condition("n.state <> 'DRAFT'")
_PUBLIC = Condition("n.visibility = 'PUBLIC'")
_NOT_BLOCKED = Condition("n.blocked_at IS NULL")
_NOT_WITHDRAWN = Condition("NOT n.withdrawn")
_FOR_TEAM = "({0}.visibility <> 'TEAMS' OR {0}.team_ids ? {{}})"
_REVISED_LAST = Condition(
    "n.ordinal / {} = (SELECT w.revision FROM api_version AS w"
    " WHERE w.organization_id = n.organization_id AND w.id = n.version_id)",
    (REVISION_ORDINALS,),
)
_SUBSCRIBED = (
    "EXISTS (SELECT FROM subscription AS mine WHERE mine.organization_id = n.organization_id"
    " AND mine.plan_id = {} AND mine.team_id = {{}})"
)

# A plan is for a team if it says so, and no product that it sells is for others only.
_PLAN_FOR_TEAM = (
    f"{_FOR_TEAM} AND NOT EXISTS (SELECT FROM plan_product AS s JOIN product AS p"
    " ON p.organization_id = s.organization_id AND p.id = s.product_id"
    " WHERE s.organization_id = {0}.organization_id AND s.plan_id = {0}.id"
    f" AND NOT ({_FOR_TEAM.replace('{0}', 'p')}))"
)


def _own(caller: Caller) -> Condition:
    return Condition("n.organization_id = {}", (caller.organization_id,))


def is_provider(caller: Caller) -> bool:
    """Tell whether the caller sees the provider's side of the catalogue: drafts, upstreams."""
    return "catalogue:read" in caller.permissions and caller.team_id is None


def _catalogue(
    caller: Caller, consumer: Callable[[UUID], Conditions], public: Conditions
) -> Conditions:
    if is_provider(caller):
        return (_own(caller),)
    if "catalogue:read" in caller.permissions and caller.team_id is not None:
        return (_own(caller), *consumer(caller.team_id))
    return public


def _in_product(product_id: str, team_id: UUID | None) -> Condition:
    """Return the condition that a listed product is found by a team, None by everyone."""
    listed = (
        "EXISTS (SELECT FROM product AS p WHERE p.organization_id = n.organization_id"
        f" AND p.id = {product_id} AND p.listed AND "
    )
    if team_id is None:
        return Condition(f"{listed} p.visibility = 'PUBLIC')")
    return Condition(f"{listed} {_FOR_TEAM.format('p')})", (str(team_id),))


def _in_version(team_id: UUID | None) -> Condition:
    """Return the condition that the version of an operation is found."""
    blocked = " AND v.blocked_at IS NULL" if team_id is None else ""
    product = _in_product("v.product_id", team_id)
    return Condition(
        "EXISTS (SELECT FROM api_version AS v WHERE v.organization_id = n.organization_id"
        f" AND v.id = n.version_id AND v.listed{blocked} AND {product.sql})",
        product.values,
    )


def _sells_public(plan_id: str) -> Condition:
    return Condition(
        "EXISTS (SELECT FROM plan_product AS s JOIN product AS p"
        " ON p.organization_id = s.organization_id AND p.id = s.product_id"
        f" WHERE s.organization_id = n.organization_id AND s.plan_id = {plan_id}"
        " AND p.listed AND p.visibility = 'PUBLIC')"
    )


def _plan_of_version(condition: str) -> str:
    return (
        "EXISTS (SELECT FROM plan AS o WHERE o.organization_id = n.organization_id"
        f" AND o.id = n.plan_id AND {condition})"
    )


def products(caller: Caller) -> Conditions:
    """Return which products: a consumer finds those listed for its team."""

    def consumer(team_id: UUID) -> Conditions:
        return _LISTED, Condition(_FOR_TEAM.format("n"), (str(team_id),))

    return _catalogue(caller, consumer, (_LISTED, _PUBLIC))


def versions(caller: Caller) -> Conditions:
    """Return which versions of products: consumers see a blocked one, to learn why calls fail."""

    def consumer(team_id: UUID) -> Conditions:
        return _LISTED, _in_product("n.product_id", team_id)

    public = (_LISTED, _NOT_BLOCKED, _in_product("n.product_id", None))
    return _catalogue(caller, consumer, public)


def operations(caller: Caller) -> Conditions:
    """Return which operations: those of visible versions, of the present contract only."""
    return (*in_versions(caller), _REVISED_LAST)


def in_versions(caller: Caller) -> Conditions:
    """Return which parts of versions: those of visible versions."""
    return _catalogue(caller, lambda team_id: (_in_version(team_id),), (_in_version(None),))


def reviews(caller: Caller) -> Conditions | None:
    """Return which review steps of versions: only the provider sees them."""
    return (_own(caller),) if is_provider(caller) else None


def pages(caller: Caller) -> Conditions:
    """Return which pages: consumers see those of visible products that were not withdrawn."""

    def consumer(team_id: UUID) -> Conditions:
        return _NOT_WITHDRAWN, _in_product("n.product_id", team_id)

    return _catalogue(caller, consumer, (_NOT_WITHDRAWN, _in_product("n.product_id", None)))


def page_versions(caller: Caller) -> Conditions:
    """Return which versions of pages: the earlier and the present ones of visible pages."""

    def in_page(team_id: UUID | None) -> Conditions:
        product = _in_product("g.product_id", team_id)
        found = (
            "EXISTS (SELECT FROM page AS g WHERE g.organization_id = n.organization_id"
            f" AND g.id = n.page_id AND NOT g.withdrawn AND {product.sql})"
        )
        return (Condition(found, product.values),)

    return _catalogue(caller, in_page, in_page(None))


def plans(caller: Caller) -> Conditions:
    """Return which plans: a team also sees those it subscribed to, whatever became of them."""

    def consumer(team_id: UUID) -> Conditions:
        offered = f"(n.listed AND {_PLAN_FOR_TEAM.format('n')} OR {_SUBSCRIBED.format('n.id')})"
        return (Condition(offered, (str(team_id), str(team_id), team_id)),)

    return _catalogue(caller, consumer, (_LISTED, _PUBLIC, _sells_public("n.id")))


def plan_versions(caller: Caller) -> Conditions:
    """Return which versions of plans: a team may have subscribed to one that was superseded."""

    def consumer(team_id: UUID) -> Conditions:
        plan = _plan_of_version(f"o.listed AND {_PLAN_FOR_TEAM.format('o')}")
        found = f"({plan} OR {_SUBSCRIBED.format('n.plan_id')})"
        return _OFFERED, Condition(found, (str(team_id), str(team_id), team_id))

    on_sale = Condition(
        "n.state = 'PUBLISHED' AND " + _plan_of_version("o.listed AND o.visibility = 'PUBLIC'")
    )
    return _catalogue(caller, consumer, (on_sale, _sells_public("n.plan_id")))


def search_entries(caller: Caller) -> Conditions:
    """Return which hits of a search: those of visible products, operations and pages."""
    branches: list[Condition] = []
    for kind, table, id_, visible in (
        (search.PRODUCT, "product", "n.id = e.id", products),
        (
            search.OPERATION,
            "operation",
            "n.version_id = e.id AND n.ordinal = e.ordinal",
            operations,
        ),
        (search.PAGE, "page", "n.id = e.id", pages),
    ):
        conditions = visible(caller)
        seen = " AND ".join(condition.sql for condition in conditions)
        values = tuple(value for condition in conditions for value in condition.values)
        branches.append(
            Condition(
                f"e.kind = '{kind}' AND EXISTS (SELECT FROM {table} AS n"  # our names
                f" WHERE n.organization_id = e.organization_id AND {id_} AND {seen})",
                values,
            )
        )
    either = " OR ".join(f"({branch.sql})" for branch in branches)
    return (Condition(f"({either})", tuple(v for branch in branches for v in branch.values)),)


def _of_team(caller: Caller, permission: str, team: str) -> Conditions | None:
    if permission not in caller.permissions:
        return None
    if caller.team_id is None:
        return (_own(caller),)
    return _own(caller), Condition(f"{team} = {{}}", (caller.team_id,))


def teams(caller: Caller) -> Conditions | None:
    """Return which teams: a developer sees its own."""
    return _of_team(caller, "team:read", "n.id")


def members(caller: Caller) -> Conditions | None:
    """Return which developers, applications and invitations: those of visible teams."""
    return _of_team(caller, "team:read", "n.team_id")


def subscriptions(caller: Caller) -> Conditions | None:
    """Return which subscriptions: a developer sees those of its team."""
    return _of_team(caller, "subscription:read", "n.team_id")


def credentials(caller: Caller) -> Conditions | None:
    """Return which credentials: those of visible subscriptions."""
    team = (
        "(SELECT s.team_id FROM subscription AS s"
        " WHERE s.organization_id = n.organization_id AND s.id = n.subscription_id)"
    )
    return _of_team(caller, "subscription:read", team)


def gateways(caller: Caller) -> Conditions | None:
    """Return which gateway groups and gateways: all of the organization, with gateway:read."""
    return (_own(caller),) if "gateway:read" in caller.permissions else None


def access_tokens(caller: Caller) -> Conditions | None:
    """Return which access tokens: all of the organization, with token:issue."""
    return (_own(caller),) if "token:issue" in caller.permissions else None


def organizations(caller: Caller) -> Conditions | None:
    """Return which organizations: an operator sees all, others their own."""
    return () if "organization:read" in caller.permissions else (_own(caller),)


def audit_events(caller: Caller) -> Conditions | None:
    """Return which events: all of the organization, with audit:read."""
    return (_own(caller),) if "audit:read" in caller.permissions else None


def sees_persons(caller: Caller) -> bool:
    """Tell whether names and mail addresses of the visible developers are opened."""
    return "developer:register" in caller.permissions or caller.team_id is not None
