"""Who sees which rows: the one place of tenancy in queries.

Each function returns the conditions that rows `n` meet which the caller may see; None when the
caller may see none. Whoever cannot read an organization's catalogue sees the public one.
"""

from collections.abc import Callable
from typing import TypeAlias

from controlplane.context import Caller
from projections.paging import Condition

Conditions: TypeAlias = tuple[Condition, ...]
Visible: TypeAlias = Callable[[Caller], Conditions | None]

_PUBLISHED = Condition("n.state = 'PUBLISHED'")
_OFFERED = Condition("n.state <> 'DRAFT'")
_PUBLIC = Condition("n.visibility = 'PUBLIC'")
_PRODUCT_PUBLISHED = Condition(
    "EXISTS (SELECT FROM product AS p WHERE p.organization_id = n.organization_id"
    " AND p.id = n.product_id AND p.state = 'PUBLISHED')"
)
_PRODUCT_PUBLIC = Condition(
    "EXISTS (SELECT FROM product AS p WHERE p.organization_id = n.organization_id"
    " AND p.id = n.product_id AND p.state = 'PUBLISHED' AND p.visibility = 'PUBLIC')"
)
_VERSION_PUBLISHED = Condition(
    "EXISTS (SELECT FROM api_version AS v JOIN product AS p"
    " ON p.organization_id = v.organization_id AND p.id = v.product_id"
    " WHERE v.organization_id = n.organization_id AND v.id = n.version_id"
    " AND v.state = 'PUBLISHED' AND p.state = 'PUBLISHED')"
)
_VERSION_PUBLIC = Condition(
    "EXISTS (SELECT FROM api_version AS v JOIN product AS p"
    " ON p.organization_id = v.organization_id AND p.id = v.product_id"
    " WHERE v.organization_id = n.organization_id AND v.id = n.version_id"
    " AND v.state = 'PUBLISHED' AND p.state = 'PUBLISHED' AND p.visibility = 'PUBLIC')"
)


def _sells_public(plan_id: str) -> Condition:
    return Condition(
        "EXISTS (SELECT FROM plan_product AS s JOIN product AS p"
        " ON p.organization_id = s.organization_id AND p.id = s.product_id"
        f" WHERE s.organization_id = n.organization_id AND s.plan_id = {plan_id}"
        " AND p.state = 'PUBLISHED' AND p.visibility = 'PUBLIC')"
    )


def _own(caller: Caller) -> Condition:
    return Condition("n.organization_id = {}", (caller.organization_id,))


def is_provider(caller: Caller) -> bool:
    """Tell whether the caller sees the provider's side of the catalogue: drafts, upstreams."""
    return "catalogue:read" in caller.permissions and caller.team_id is None


def _catalogue(caller: Caller, consumer: Conditions, public: Conditions) -> Conditions:
    if is_provider(caller):
        return (_own(caller),)
    if "catalogue:read" in caller.permissions:
        return (_own(caller), *consumer)
    return public


def products(caller: Caller) -> Conditions:
    """Products."""
    return _catalogue(caller, (_PUBLISHED,), (_PUBLISHED, _PUBLIC))


def versions(caller: Caller) -> Conditions:
    """Versions of products."""
    return _catalogue(caller, (_PUBLISHED, _PRODUCT_PUBLISHED), (_PUBLISHED, _PRODUCT_PUBLIC))


def operations(caller: Caller) -> Conditions:
    """Operations of versions."""
    return _catalogue(caller, (_VERSION_PUBLISHED,), (_VERSION_PUBLIC,))


def plans(caller: Caller) -> Conditions:
    """Plans."""
    return _catalogue(caller, (_PUBLISHED,), (_PUBLISHED, _sells_public("n.id")))


def plan_versions(caller: Caller) -> Conditions:
    """Versions of plans; a consumer may have subscribed to one that was superseded."""
    return _catalogue(caller, (_OFFERED,), (_PUBLISHED, _sells_public("n.plan_id")))


def _of_team(caller: Caller, permission: str, team: str) -> Conditions | None:
    if permission not in caller.permissions:
        return None
    if caller.team_id is None:
        return (_own(caller),)
    return _own(caller), Condition(f"{team} = {{}}", (caller.team_id,))


def teams(caller: Caller) -> Conditions | None:
    """Teams."""
    return _of_team(caller, "team:read", "n.id")


def members(caller: Caller) -> Conditions | None:
    """Developers and applications of teams, and invitations to them."""
    return _of_team(caller, "team:read", "n.team_id")


def subscriptions(caller: Caller) -> Conditions | None:
    """Subscriptions."""
    return _of_team(caller, "subscription:read", "n.team_id")


def credentials(caller: Caller) -> Conditions | None:
    """Credentials of subscriptions."""
    team = (
        "(SELECT s.team_id FROM subscription AS s"
        " WHERE s.organization_id = n.organization_id AND s.id = n.subscription_id)"
    )
    return _of_team(caller, "subscription:read", team)


def gateways(caller: Caller) -> Conditions | None:
    """Gateway groups and gateways."""
    return (_own(caller),) if "gateway:read" in caller.permissions else None


def access_tokens(caller: Caller) -> Conditions | None:
    """Tokens of the control plane."""
    return (_own(caller),) if "token:issue" in caller.permissions else None


def organizations(caller: Caller) -> Conditions | None:
    """Organizations: the own one, and for an operator all."""
    return () if "organization:read" in caller.permissions else (_own(caller),)


def audit_events(caller: Caller) -> Conditions | None:
    """Events."""
    return (_own(caller),) if "audit:read" in caller.permissions else None


def sees_persons(caller: Caller) -> bool:
    """Tell whether names and mail addresses of the visible developers are opened."""
    return "developer:register" in caller.permissions or caller.team_id is not None
