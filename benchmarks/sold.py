"""An organization that sold subscriptions with keys to many, and the gateways that enforce it."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from aiohttp import ClientSession

from controlplane.app import App
from controlplane.auth import process
from controlplane.commands import Answer, Command, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_product import DefineProduct, PublishProduct
from controlplane.commands.api_version import DefineVersion
from controlplane.commands.application import RegisterApplication
from controlplane.commands.credential import IssueCredential
from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.commands.organization import EstablishOrganization
from controlplane.commands.plan import DefinePlan, DraftPlanVersion, PublishPlanVersion
from controlplane.commands.review import PublishVersion
from controlplane.commands.subscription import RequestSubscription
from controlplane.commands.team import FormTeam
from controlplane.context import INSTALLATION, Context
from controlplane.global_id import global_id
from domain.access_token import Role
from domain.api_version import Upstream
from domain.audience import Visibility
from domain.plan_terms import Approval, PlanTerms, RateLimit
from domain.reservation import Reservation

AT_ONCE = 256
REVOKE = """mutation Revoke($input: RevokeCredentialInput!) {
  result: revokeCredential(input: $input) { __typename } }"""
GROUP, ENVIRONMENT = "edge", "live"
CONTRACT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1.0.0"},
        "paths": {"/pets": {"get": {"responses": {"200": {"description": "All pets."}}}}},
    }
).encode()
PATH = "/pets/v1/pets"
UNLIMITED = PlanTerms(
    RateLimit(1_000_000, 1, 1_000_000, "TOKEN_BUCKET"), None, None, Approval.AUTOMATIC.value
)
Given = TypeVar("Given")


@dataclass(frozen=True)
class Sold:
    """Who may do what: the token of the owner, those of gateways, and subscriptions with a key."""

    owner: str
    gateways: list[str]
    subscriptions: list[UUID]
    keys: list[str]
    """In the order of the subscriptions."""
    credentials: list[UUID]


async def sell(app: App, subscriptions: int, *, gateways: int = 1, upstream: str) -> Sold:
    """Sell that many subscriptions with a key each; wait until gateways may learn of them."""
    operator = app.context(process(INSTALLATION, "benchmark", "cli"))
    seller = await _made(EstablishOrganization(slug="ace", name="Ace"), operator)
    context = app.context(process(seller, "benchmark", "cli"))
    product, plan = await _offered(context, upstream)
    team = await _made(FormTeam(name="Team"), context)
    application = await _made(RegisterApplication(team_id=team, name="App"), context)
    group = await _made(
        OpenGatewayGroup(slug=GROUP, environment=ENVIRONMENT, product_ids=(product,)), context
    )
    ids = await _each(
        range(subscriptions),
        lambda _: RequestSubscription(application_id=application, plan_id=plan),
        context,
    )
    sold = [_id(answer) for answer in ids]
    issued = await _each(sold, lambda id_: IssueCredential(subscription_id=id_), context)
    members = await _each(
        range(gateways), lambda nth: RegisterGateway(group_id=group, name=f"g{nth}"), context
    )
    tokens = await _each(
        [_id(answer) for answer in members],
        lambda id_: IssueToken(name="gateway", role=Role.GATEWAY, gateway_id=id_),
        context,
    )
    owner = await execute(IssueToken(name="owner", role=Role.OWNER), context)
    assert owner.outcome.position is not None
    await _projected(app, owner.outcome.position)
    return Sold(
        _secret(owner),
        [_secret(answer) for answer in tokens],
        sold,
        [_secret(answer) for answer in issued],
        [vars(answer.outcome.events[0])["credential_id"] for answer in issued],
    )


async def _offered(context: Context, upstream: str) -> tuple[UUID, UUID]:
    """Return a product with a version, and a plan for it."""
    product = await _made(
        DefineProduct(slug="pets", name="P", visibility=Visibility.PUBLIC), context
    )
    version = await _made(
        DefineVersion(
            product_id=product,
            number="1.0.0",
            document=CONTRACT,
            upstreams=(Upstream(ENVIRONMENT, upstream),),
        ),
        context,
    )
    await execute(PublishVersion(version_id=version), context)
    await execute(PublishProduct(product_id=product), context)
    plan = await _made(DefinePlan(slug="free", name="F", product_ids=(product,)), context)
    await execute(DraftPlanVersion(plan_id=plan, terms=UNLIMITED), context)
    await execute(PublishPlanVersion(plan_id=plan), context)
    return product, plan


async def revoke(session: ClientSession, base: str, sold: Sold, nth: int) -> None:
    """Take one of the keys away, as a person would."""
    id_ = global_id("Credential", (sold.subscriptions[nth], sold.credentials[nth]))
    async with session.post(
        f"{base}/graphql",
        json={"query": REVOKE, "variables": {"input": {"credentialId": id_}}},
        headers={"Authorization": f"Bearer {sold.owner}"},
    ) as response:
        answer = await response.json()
    assert answer["data"]["result"]["__typename"] != "Rejected", answer


async def _each(
    given: Iterable[Given], command: Callable[[Given], Command], context: Context
) -> list[Answer]:
    answers: list[Answer] = []
    waiting: Sequence[Given] = list(given)
    for start in range(0, len(waiting), AT_ONCE):
        some = waiting[start : start + AT_ONCE]
        answers += await asyncio.gather(*(execute(command(each), context) for each in some))
    return answers


async def _projected(app: App, position: int) -> None:
    while app.projector.position < position:  # noqa: ASYNC110  # longer than `wait_until` waits
        await asyncio.sleep(0.05)


async def _made(command: Command, context: Context) -> UUID:
    return _id(await execute(command, context))


def _id(answer: Answer) -> UUID:
    """Return what the command made, reservations apart."""
    events = answer.outcome.events
    made = next(each for each in events if not isinstance(each, Reservation.Event))
    return made.originator_id


def _secret(answer: Answer) -> str:
    assert answer.secret is not None
    return answer.secret
