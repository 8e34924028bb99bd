"""A company that sells our own APIs: what `controlplane serve --demo` has to show at once."""

from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from asyncpg import Record

from controlplane.app import App
from controlplane.auth import process
from controlplane.commands import Command, execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.commands.application import RegisterApplication
from controlplane.commands.credential import IssueCredential, RevokeCredential, RotateCredential
from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.commands.review import PublishVersion
from controlplane.commands.subscription import (
    AcceptSubscription,
    CancelSubscription,
    RequestSubscription,
    SuspendSubscription,
)
from controlplane.commands.team import FormTeam, RegisterDeveloper
from controlplane.context import INSTALLATION, Context
from controlplane.importing import Target, begun_by, import_document
from controlplane.store.eventstore import head
from domain.access_token import Role
from domain.api_product import Visibility
from domain.api_version import Upstream
from domain.plan import (
    Approval,
    LimitAlgorithm,
    PlanTerms,
    PlanVersionState,
    Price,
    Quota,
    QuotaPeriod,
    RateLimit,
)
from domain.subscription import Subscription
from domain.subscription_life import SubscriptionState
from domain.version_life import VersionState

SLUG = "demo"
TOKEN_NAME = "demo"  # noqa: S105  # no secret
ENVIRONMENT, GROUP = "production", "edge"
FIRST_OWNER = "first owner"
PENDING, ACTIVE = SubscriptionState.PENDING, SubscriptionState.ACTIVE


@dataclass(frozen=True)
class Own:
    """The APIs of this control plane, as documents; `url` is where it serves them."""

    url: str
    portal_sdl: str
    openapi: bytes


def _limit(limit_calls: int) -> RateLimit:
    return RateLimit(limit_calls, 10, 0, LimitAlgorithm.SLIDING_WINDOW.value)


PLANS: dict[str, tuple[str, PlanTerms]] = {
    "free": ("Free", PlanTerms(_limit(5), None, None, Approval.AUTOMATIC.value)),
    "pro": (
        "Pro",
        PlanTerms(
            _limit(100),
            Quota(1_000_000, QuotaPeriod.MONTH.value),
            Price("EUR", Decimal(49)),
            Approval.MANUAL.value,
        ),
    ),
    "internal": ("Internal", PlanTerms(None, None, None, Approval.AUTOMATIC.value)),
}
TEAMS: dict[str, tuple[tuple[str, str], ...]] = {
    "Storefront": (("Ada Example", "ada@example.com"), ("Ben Example", "ben@example.com")),
    "Analytics": (("Cleo Example", "cleo@example.com"),),
}
APPLICATIONS = {"shop-app": "Storefront", "shop-web": "Storefront", "reporting": "Analytics"}
SUBSCRIPTIONS = (  # application, plan, whether a manual plan accepted it, what came then
    ("shop-app", "free", True, ""),
    ("shop-web", "pro", True, "rotated"),
    ("reporting", "pro", False, ""),
    ("reporting", "internal", True, ""),
    ("reporting", "free", True, "suspended"),
)
ROTATED = 2
"""How many keys a subscription has of which one was rotated."""
OVERLAP_S = 7 * 24 * 3_600
KEYS = 90
"""How many keys a subscription may have had; the domain allows 100."""


async def fill(app: App, own: Own) -> dict[str, str]:
    """Make what is missing of the demo; return new tokens by role and revoke the earlier ones.

    The products keep the address they were first served at. Raises DomainError,
    UnavailableError, ReadModelsBehindError.
    """
    await _seen(app)
    context = await _organization(app)
    demo = _Demo(context)
    products = await demo.products(own)
    plans = await demo.plans(products)
    teams = await demo.teams()
    applications = await demo.applications(teams)
    await demo.subscriptions(applications, plans)
    gateway_id = await demo.gateway()
    tokens = await _tokens(app, context, teams["Storefront"], gateway_id)
    await _seen(app)
    return tokens


async def key(app: App) -> str:
    """Return a new key of the application `shop-app` to the plan `free`; revoke the earlier one.

    Raises DomainError, UnavailableError, ReadModelsBehindError.
    """
    context = await _organization(app)
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


async def _seen(app: App) -> None:
    """Wait until queries see everything that happened."""
    async with app.services.pool.acquire() as connection:
        last = await head(connection)
    await app.projector.wait_until(last)


async def _organization(app: App) -> Context:
    """Return the demo's own context, establishing its organization if need be."""
    operator = app.context(process(INSTALLATION, "demo", "cli"))
    found: UUID | None = await app.services.pool.fetchval(
        "SELECT id FROM organization WHERE slug = $1", SLUG
    )
    if found is not None:
        return replace(operator, caller=process(found, "demo", "cli"))
    answer = await execute(EstablishOrganization(slug=SLUG, name="Demo"), operator)
    return replace(operator, caller=process(begun_by(answer), "demo", "cli"))


class _Demo:
    """The things of the demo: each is looked for, and made if it is missing."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def _find(self, sql: str, *values: object) -> UUID | None:
        """Return the id that a query about the organization, its first value, finds."""
        row = await self._row(sql, *values)
        return None if row is None else row["id"]

    async def _row(self, sql: str, *values: object) -> Record | None:
        organization_id = self._context.caller.organization_id
        return await self._context.services.pool.fetchrow(sql, organization_id, *values)

    async def _make(self, command: Command) -> UUID:
        return begun_by(await execute(command, self._context))

    async def products(self, own: Own) -> list[UUID]:
        """Sell the GraphQL of portals and the HTTP routes."""
        ids = []
        for slug, name, document, path in (
            ("portal-graphql", "Portal GraphQL", own.portal_sdl.encode(), "/graphql"),
            ("control-plane-http", "Control plane HTTP", own.openapi, ""),
        ):
            row = await self._row(
                "SELECT product.id, v.id AS version_id, v.state FROM product"
                " JOIN api_version AS v"
                " ON (v.organization_id, v.product_id) = (product.organization_id, product.id)"
                " WHERE product.organization_id = $1 AND slug = $2 ORDER BY v.created_at LIMIT 1",
                slug,
            )
            if row is None:
                target = Target(
                    product=slug,
                    name=name,
                    number="1.0.0",
                    upstreams=(Upstream(ENVIRONMENT, own.url + path),),
                    visibility=Visibility.PUBLIC,
                    publish=True,
                )
                made = await import_document(self._context, document, slug, target)
                ids.append(made.product_id)
            else:
                if row["state"] == VersionState.DRAFT.value:
                    await execute(PublishVersion(version_id=row["version_id"]), self._context)
                ids.append(row["id"])
        return ids

    async def plans(self, products: list[UUID]) -> dict[str, UUID]:
        """Offer the plans."""
        ids = {}
        for slug, (name, terms) in PLANS.items():
            plan_id = await self._find(
                "SELECT id FROM plan WHERE organization_id = $1 AND slug = $2", slug
            ) or await self._make(DefinePlan(slug=slug, name=name, product_ids=tuple(products)))
            row = await self._row(
                "SELECT state FROM plan_version WHERE organization_id = $1 AND plan_id = $2"
                " ORDER BY number LIMIT 1",
                plan_id,
            )
            if row is None:
                await self._make(DraftPlanVersion(plan_id=plan_id, terms=terms))
            if row is None or row["state"] == PlanVersionState.DRAFT.value:
                await self._make(PublishPlanVersion(plan_id=plan_id))
            ids[slug] = plan_id
        return ids

    async def teams(self) -> dict[str, UUID]:
        """Form the teams; their developers join with them."""
        ids = {}
        for name, developers in TEAMS.items():
            team_id = await self._find(
                "SELECT id FROM team WHERE organization_id = $1 AND name = $2", name
            )
            team_id = team_id or await self._make(FormTeam(name=name))
            row = await self._row(
                "SELECT count(*) FROM developer WHERE organization_id = $1 AND team_id = $2",
                team_id,
            )
            assert row is not None
            for person, mail in developers[row["count"] :]:
                await self._make(RegisterDeveloper(team_id=team_id, name=person, mail=mail))
            ids[name] = team_id
        return ids

    async def applications(self, teams: dict[str, UUID]) -> dict[str, UUID]:
        """Register the applications."""
        return {
            name: await self._find(
                "SELECT id FROM application WHERE organization_id = $1 AND name = $2", name
            )
            or await self._make(RegisterApplication(team_id=teams[team], name=name))
            for name, team in APPLICATIONS.items()
        }

    async def subscriptions(self, applications: dict[str, UUID], plans: dict[str, UUID]) -> None:
        """Subscribe the applications; each active subscription has a key."""
        for application, plan, accepted, then in SUBSCRIPTIONS:
            row = await self._row(
                "SELECT s.id, s.state, count(c.id) AS keys FROM subscription AS s"
                " LEFT JOIN credential AS c"
                " ON (c.organization_id, c.subscription_id) = (s.organization_id, s.id)"
                " WHERE s.organization_id = $1 AND application_id = $2 AND plan_id = $3"
                " GROUP BY s.id, s.state, s.created_at ORDER BY s.created_at LIMIT 1",
                *(pair := (applications[application], plans[plan])),
            )
            manual = PLANS[plan][1].approval == Approval.MANUAL.value
            if row is not None:
                subscription_id, state, keys = row["id"], row["state"], row["keys"]
            else:
                request = RequestSubscription(application_id=pair[0], plan_id=pair[1])
                subscription_id, keys = await self._make(request), 0
                state = (PENDING if manual else ACTIVE).value
            if accepted and state == PENDING.value:
                await self._make(AcceptSubscription(subscription_id=subscription_id))
                state = ACTIVE.value
            if not accepted or state != ACTIVE.value:
                continue
            if not keys:
                await self._make(IssueCredential(subscription_id=subscription_id))
            if then == "suspended":
                reason = "The invoice of December is unpaid."
                await self._make(
                    SuspendSubscription(subscription_id=subscription_id, reason=reason)
                )
            elif then == "rotated" and keys < ROTATED:
                await self._rotate(subscription_id)

    async def _rotate(self, subscription_id: UUID) -> None:
        """Replace the one key of a subscription."""
        loaded = await self._context.services.store.load(subscription_id)
        assert isinstance(loaded, Subscription)
        (key,) = loaded.credentials
        await self._make(
            RotateCredential(
                subscription_id=subscription_id, credential_id=key, overlap_s=OVERLAP_S
            )
        )

    async def gateway(self) -> UUID:
        """Set a gateway up in a group that serves every product."""
        group_id = await self._find(
            "SELECT id FROM gateway_group WHERE organization_id = $1 AND slug = $2", GROUP
        ) or await self._make(OpenGatewayGroup(slug=GROUP, environment=ENVIRONMENT))
        return await self._find(
            "SELECT id FROM gateway WHERE organization_id = $1 AND group_id = $2 LIMIT 1", group_id
        ) or await self._make(RegisterGateway(group_id=group_id, name="edge-1"))


async def _tokens(app: App, context: Context, team_id: UUID, gateway_id: UUID) -> dict[str, str]:
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
