"""What the demo shows a person: a token for every role, and a key that works."""

from dataclasses import replace
from uuid import UUID

from controlplane.app import App
from controlplane.auth import process
from controlplane.commands import execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.commands.credential import IssueCredential, RevokeCredential
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.subscription import CancelSubscription, RequestSubscription
from controlplane.context import INSTALLATION, Context
from controlplane.demo.sold import SUBSCRIPTIONS
from controlplane.importing import begun_by
from domain.access_token import Role

SLUG = "demo"
TOKEN_NAME = "demo"  # noqa: S105  # no secret
FIRST_OWNER = "first owner"
KEYS = 90
"""How many keys a subscription may have had; the domain allows 100."""


async def organization(app: App) -> Context:
    """Return the demo's own context, establishing its organization if need be."""
    operator = app.context(process(INSTALLATION, "demo", "cli"))
    found: UUID | None = await app.services.pool.fetchval(
        "SELECT id FROM organization WHERE slug = $1", SLUG
    )
    if found is not None:
        return replace(operator, caller=process(found, "demo", "cli"))
    answer = await execute(EstablishOrganization(slug=SLUG, name="Demo"), operator)
    return replace(operator, caller=process(begun_by(answer), "demo", "cli"))


async def key(app: App) -> str:
    """Return a new key of the application `shop-app` to the plan `free`; revoke the earlier one.

    Raises DomainError, UnavailableError, ReadModelsBehindError.
    """
    context = await organization(app)
    found = await app.services.pool.fetchrow(
        "SELECT s.id, application_id, plan_id, array_agg(c.id)"
        " FILTER (WHERE label = $2 AND c.state = 'ACTIVE') AS earlier, count(*) AS keys"
        " FROM subscription AS s JOIN credential AS c"
        " ON (c.organization_id, c.subscription_id) = (s.organization_id, s.id)"
        " JOIN application AS a ON (a.organization_id, a.id) = (s.organization_id, application_id)"
        " JOIN plan AS p ON (p.organization_id, p.id) = (s.organization_id, plan_id)"
        " WHERE s.organization_id = $1 AND s.state = 'ACTIVE' AND a.name = $3 AND p.slug = $4"
        " GROUP BY s.id, s.application_id, s.plan_id",
        context.caller.organization_id,
        TOKEN_NAME,
        *SUBSCRIPTIONS[0][:2],
    )
    assert found is not None  # `fill` subscribed it
    subscription_id, earlier = found["id"], found["earlier"] or []
    if found["keys"] >= KEYS:  # there were so many starts: with room for the keys of as many more
        await execute(CancelSubscription(subscription_id=subscription_id), context)
        again = RequestSubscription(
            application_id=found["application_id"], plan_id=found["plan_id"]
        )
        subscription_id, earlier = begun_by(await execute(again, context)), []
    issue = IssueCredential(subscription_id=subscription_id, label=TOKEN_NAME)
    secret = (await execute(issue, context)).secret
    assert secret is not None
    for key_id in earlier:
        revoke = RevokeCredential(subscription_id=subscription_id, credential_id=key_id)
        await execute(revoke, context)
    return secret


async def tokens(app: App, context: Context, team_id: UUID, gateway_id: UUID) -> dict[str, str]:
    """Return a new token for every role; those of earlier starts are refused from now on."""
    operator = replace(context, caller=process(INSTALLATION, "demo", "cli"))
    earlier = await app.services.pool.fetch(
        "SELECT organization_id, id FROM access_token"
        " WHERE revoked_at IS NULL AND (organization_id = ANY($1) AND name = $2"
        " OR organization_id = $3 AND name = $4)",
        [INSTALLATION, context.caller.organization_id],
        TOKEN_NAME,
        context.caller.organization_id,
        FIRST_OWNER,  # which nobody was shown
    )
    tokens = {}
    for role in Role:
        command = IssueToken(
            name=TOKEN_NAME,
            role=role,
            team_id=team_id if role is Role.DEVELOPER else None,
            gateway_id=gateway_id if role is Role.GATEWAY else None,
        )
        answer = await execute(command, operator if role is Role.OPERATOR else context)
        assert answer.secret is not None
        tokens[role.value.lower()] = answer.secret
    for row in earlier:
        owner = operator if row["organization_id"] == INSTALLATION else context
        await execute(RevokeToken(token_id=row["id"]), owner)
    return tokens
