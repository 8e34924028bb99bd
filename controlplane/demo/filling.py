"""Makes what is missing of the demo, however often it was started and killed before."""

from uuid import UUID

from asyncpg import Record

from controlplane.app import App
from controlplane.commands import Command, execute
from controlplane.commands.application import RegisterApplication
from controlplane.commands.credential import IssueCredential, RotateCredential
from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.commands.review import PublishVersion
from controlplane.commands.subscription import (
    AcceptSubscription,
    RequestSubscription,
    SuspendSubscription,
)
from controlplane.commands.team import FormTeam, RegisterDeveloper
from controlplane.context import Context
from controlplane.demo.shown import organization, tokens
from controlplane.demo.sold import (
    APPLICATIONS,
    ENVIRONMENT,
    GROUP,
    OVERLAP_S,
    PLANS,
    ROTATED,
    SUBSCRIPTIONS,
    TEAMS,
    Own,
)
from controlplane.importing import Target, begun_by, import_document
from controlplane.store.eventstore import head
from domain.api_version import Upstream
from domain.audience import Visibility
from domain.plan_life import PlanVersionState
from domain.plan_terms import Approval
from domain.subscription import Subscription
from domain.subscription_life import SubscriptionState
from domain.version_life import VersionState

PENDING, ACTIVE = SubscriptionState.PENDING, SubscriptionState.ACTIVE


async def fill(app: App, own: Own) -> dict[str, str]:
    """Make what is missing of the demo; return new tokens by role and revoke the earlier ones.

    The products keep the address they were first served at. Raises DomainError,
    UnavailableError, ReadModelsBehindError.
    """
    await _seen(app)
    context = await organization(app)
    demo = _Demo(context)
    products = await demo.products(own)
    plans = await demo.plans(products)
    teams = await demo.teams()
    applications = await demo.applications(teams)
    await demo.subscriptions(applications, plans)
    gateway_id = await demo.gateway()
    shown = await tokens(app, context, teams["Storefront"], gateway_id)
    await _seen(app)
    return shown


async def _seen(app: App) -> None:
    """Wait until queries see everything that happened."""
    async with app.services.pool.acquire() as connection:
        last = await head(connection)
    await app.projector.wait_until(last)


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
