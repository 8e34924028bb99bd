"""One organization with one of everything, made through commands, and a command of every kind."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from controlplane.app import App
from controlplane.commands import Answer, Command, UnitOfWork, execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.commands.api_product import (
    ChooseProductAudience,
    DefineProduct,
    DeprecateProduct,
    DescribeProduct,
    NameProductOwner,
    PublishProduct,
    ReinstateProduct,
    RetireProduct,
    ScheduleProductSunset,
    TagProduct,
    WithdrawProduct,
    WithdrawProductDeprecation,
)
from controlplane.commands.api_version import (
    BlockVersion,
    ChooseUpstream,
    DefineVersion,
    DeprecateVersion,
    ReinstateVersion,
    RetireVersion,
    ScheduleVersionSunset,
    UnblockVersion,
    WithdrawUpstream,
    WithdrawVersion,
    WithdrawVersionDeprecation,
)
from controlplane.commands.application import RegisterApplication, RenameApplication
from controlplane.commands.contract_policy import SetContractPolicy
from controlplane.commands.contract_test import RecordContractTest
from controlplane.commands.credential import (
    ImportCredential,
    IssueCredential,
    RevokeCredential,
    RotateCredential,
)
from controlplane.commands.gateway import (
    DrainGateway,
    NoteGateway,
    OpenGatewayGroup,
    RegisterGateway,
    ReinstateGateway,
)
from controlplane.commands.gateway_config import (
    ConfirmEpoch,
    HoldBackConfig,
    IntendConfigShrink,
    ReleaseConfig,
)
from controlplane.commands.invitation import (
    AcceptInvitation,
    ExpireInvitation,
    InviteDeveloper,
    RegisterSelf,
    RenewToken,
    RevokeInvitation,
)
from controlplane.commands.organization import (
    CloseRegistration,
    EstablishOrganization,
    OpenRegistration,
)
from controlplane.commands.page import RestorePage, RewritePage, WithdrawPage, WritePage
from controlplane.commands.plan import (
    ChoosePlanAudience,
    ClosePlan,
    DefinePlan,
    DeprecatePlan,
    DraftPlanVersion,
    PublishPlanVersion,
    RenamePlan,
    WithdrawPlanDeprecation,
)
from controlplane.commands.review import (
    ApproveVersion,
    OverrideGate,
    PublishVersion,
    RequestChanges,
    ReviseVersion,
    SubmitVersion,
)
from controlplane.commands.subscription import (
    AcceptSubscription,
    AcceptTerms,
    CancelSubscription,
    ExpireSubscription,
    ReinstateSubscription,
    RejectSubscription,
    RequestSubscription,
    ResumeSubscription,
    ScheduleSubscriptionExpiry,
    SuspendSubscription,
    TransferSubscription,
)
from controlplane.commands.team import (
    ChangeTeamRole,
    ForgetPerson,
    FormTeam,
    LeaveTeam,
    RegisterDeveloper,
    RemoveDeveloper,
    RenameTeam,
)
from controlplane.context import Caller
from controlplane.store.writer import Receipt
from domain.access_token import Role
from domain.api_version import Upstream
from domain.audience import Visibility
from domain.contract_policy import ContractPolicy
from domain.credential import HashAlgorithm
from domain.developer import TeamRole
from domain.organization import Organization
from domain.plan_terms import PlanTerms
from domain.price import Price
from domain.subscription import Subscription
from tests.given import AT, OPERATOR, OWNER, PETSTORE, PETSTORE_TESTED

BREAKING = PETSTORE.replace(b'"/pets/{id}"', b'"/animals/{id}"')
FREE = PlanTerms(None, None, None, "AUTOMATIC")
PAID = PlanTerms(None, None, Price("EUR", Decimal("9.90")), "MANUAL")


@dataclass(frozen=True)
class World:
    """Ids of what is there."""

    team: UUID
    other_team: UUID
    product: UUID
    draft_product: UUID
    version: UUID
    draft_version: UUID
    breaking_version: UUID
    submitted_version: UUID
    old_product: UUID
    gone_product: UUID
    old_version: UUID
    gone_version: UUID
    blocked_version: UUID
    page: UUID
    withdrawn_page: UUID
    old_plan: UUID
    plan: UUID
    drafted_plan: UUID
    application: UUID
    pending: UUID
    active: UUID
    credential: str
    group: UUID
    gateway: UUID
    drained_gateway: UUID
    held_group: UUID
    token: UUID
    free_plan: UUID
    suspended: UUID
    due: UUID
    admin: UUID
    invitation: UUID
    due_invitation: UUID
    invitation_token: str


async def do(app: App, command: Command, caller: Caller = OWNER) -> Answer:
    """Have the command done."""
    return await execute(command, app.context(caller))


async def begun(app: App, command: Command, caller: Caller = OWNER) -> UUID:
    """Have the command done; return the id of what it began."""
    return (await do(app, command, caller)).outcome.events[-1].originator_id


async def requested(app: App, plan: UUID, application: UUID) -> UUID:
    """Return a new subscription."""
    answer = await do(app, RequestSubscription(application_id=application, plan_id=plan))
    return answer.outcome.events[0].originator_id


async def world(app: App, caller: Caller = OWNER) -> World:
    """Make one of everything in the caller's organization."""

    async def new(command: Command) -> UUID:
        return await begun(app, command, caller)

    if await app.services.store.load(caller.organization_id) is None:
        await established(app, caller)
    team = await new(FormTeam(name="Payments"))
    product = await new(DefineProduct(slug="pets", name="Pets"))
    await do(app, PublishProduct(product_id=product), caller)
    there = (Upstream("live", "https://live.example"),)
    version = await new(
        DefineVersion(product_id=product, number="1.0.0", document=PETSTORE, upstreams=there)
    )
    await do(app, PublishVersion(version_id=version), caller)
    submitted = await new(DefineVersion(product_id=product, number="1.2.0", document=PETSTORE))
    await do(app, SubmitVersion(version_id=submitted), caller)
    plan = await published_plan(app, caller, product, "paid")
    application = await new(RegisterApplication(team_id=team, name="Shop"))
    request = RequestSubscription(application_id=application, plan_id=plan)
    active = await new(request)
    await do(app, AcceptSubscription(subscription_id=active), caller)
    issued = await do(app, IssueCredential(subscription_id=active), caller)
    (credential,) = issued.outcome.events
    assert isinstance(credential, Subscription.CredentialIssued)
    drafted_plan = await new(DefinePlan(slug="next", name="Next", product_ids=(product,)))
    await do(app, DraftPlanVersion(plan_id=drafted_plan, terms=FREE), caller)
    old_product, gone_product, old_version, gone_version, blocked_version = await ended(app, caller)
    pages = [
        await new(WritePage(product_id=product, slug=slug, title=slug, source="# Hello"))
        for slug in ("start", "gone")
    ]
    await do(app, WithdrawPage(page_id=pages[1]), caller)
    old_plan = await published_plan(app, caller, product, "old")
    await do(app, DeprecatePlan(plan_id=old_plan), caller)
    group = await new(OpenGatewayGroup(slug="edge", environment="live"))
    held = await new(OpenGatewayGroup(slug="held", environment="live"))
    held_back = HoldBackConfig(group_id=held, product_id=product, position=9, rows=6, of_rows=10)
    await do(app, held_back, caller)
    drained = await new(RegisterGateway(group_id=group, name="edge-0"))
    await do(app, DrainGateway(gateway_id=drained), caller)
    suspended = await new(request)
    await do(app, AcceptSubscription(subscription_id=suspended), caller)
    await do(app, SuspendSubscription(subscription_id=suspended, reason="unpaid"), caller)
    due = await new(request)
    past = replace(app.services, now=lambda: AT - timedelta(days=2))
    accept = AcceptSubscription(subscription_id=due, expires_at=AT - timedelta(days=1))
    await execute(accept, replace(app.context(caller), services=past))
    invite = InviteDeveloper(team_id=team, mail="due@example.com", expires_at=AT)
    unused = await execute(invite, replace(app.context(caller), services=past))
    invited = await do(app, InviteDeveloper(team_id=team, mail="new@example.com"), caller)
    return World(
        team=team,
        other_team=await new(FormTeam(name="Search")),
        product=product,
        draft_product=await new(DefineProduct(slug="toys", name="Toys")),
        version=version,
        draft_version=await new(
            DefineVersion(product_id=product, number="2.0.0", document=PETSTORE)
        ),
        breaking_version=await new(
            DefineVersion(product_id=product, number="1.1.0", document=BREAKING)
        ),
        submitted_version=submitted,
        old_product=old_product,
        gone_product=gone_product,
        old_version=old_version,
        gone_version=gone_version,
        blocked_version=blocked_version,
        page=pages[0],
        withdrawn_page=pages[1],
        old_plan=old_plan,
        plan=plan,
        drafted_plan=drafted_plan,
        application=application,
        pending=await new(request),
        active=active,
        credential=credential.credential_id,
        group=group,
        gateway=await new(RegisterGateway(group_id=group, name="edge-1")),
        drained_gateway=drained,
        held_group=held,
        token=await new(IssueToken(name="ci", role=Role.AUDITOR)),
        free_plan=await published_plan(app, caller, product, "gratis", FREE),
        suspended=suspended,
        due=due,
        admin=await new(
            RegisterDeveloper(team_id=team, name="Ada", mail="ada@example.com", role=TeamRole.ADMIN)
        ),
        invitation=invited.outcome.events[-1].originator_id,
        due_invitation=unused.outcome.events[-1].originator_id,
        invitation_token=str(invited.secret),
    )


async def ended(app: App, caller: Caller) -> tuple[UUID, ...]:
    """Return a deprecated product and a retired one, and a version of each and a blocked one."""
    products, versions = [], []
    for slug in ("old", "gone"):
        product = await begun(app, DefineProduct(slug=slug, name=slug), caller)
        await do(app, PublishProduct(product_id=product), caller)
        await do(app, DeprecateProduct(product_id=product), caller)
        define = DefineVersion(product_id=product, number="1.0.0", document=PETSTORE)
        version = await begun(app, define, caller)
        await do(app, PublishVersion(version_id=version), caller)
        await do(app, DeprecateVersion(version_id=version), caller)
        products.append(product)
        versions.append(version)
    await do(app, RetireVersion(version_id=versions[1]), caller)
    await do(app, RetireProduct(product_id=products[1]), caller)
    define = DefineVersion(product_id=products[0], number="2.0.0", document=PETSTORE)
    blocked = await begun(app, define, caller)
    await do(app, BlockVersion(version_id=blocked), OPERATOR)
    return *products, *versions, blocked


async def established(app: App, caller: Caller) -> None:
    """Have the caller's organization be there, open to visitors."""
    context = app.context(caller)
    work = UnitOfWork(app.services.store, AT, context.why(reason=""))
    organization = Organization.establish(
        caller.organization_id,
        slug=f"org-{caller.organization_id.int}",
        name="x",
        at=AT,
        why=work.why,
    )
    organization.open_registration(at=AT, why=work.why)
    receipt = Receipt(work.why["organization"], "setup", "setup", b"")
    await app.services.store.append([organization], {}, [], receipt)


async def published_plan(
    app: App, caller: Caller, product: UUID, slug: str, terms: PlanTerms = PAID
) -> UUID:
    """Return a plan that is on sale."""
    plan = await begun(app, DefinePlan(slug=slug, name=slug, product_ids=(product,)), caller)
    await do(app, DraftPlanVersion(plan_id=plan, terms=terms), caller)
    await do(app, PublishPlanVersion(plan_id=plan), caller)
    return plan


COMMANDS: dict[type[Command], Callable[[World], Command]] = {
    AcceptInvitation: lambda w: AcceptInvitation(token=w.invitation_token, name="Grace"),
    AcceptTerms: lambda w: AcceptTerms(subscription_id=w.active, terms_revision="1"),
    ChangeTeamRole: lambda w: ChangeTeamRole(developer_id=w.admin, role=TeamRole.MEMBER),
    CloseRegistration: lambda _: CloseRegistration(),
    ExpireInvitation: lambda w: ExpireInvitation(invitation_id=w.due_invitation),
    ExpireSubscription: lambda w: ExpireSubscription(subscription_id=w.due),
    ForgetPerson: lambda w: ForgetPerson(developer_id=w.admin),
    ImportCredential: lambda w: ImportCredential(
        subscription_id=w.active, algorithm=HashAlgorithm.SHA256_HEX, digest="a" * 64
    ),
    InviteDeveloper: lambda w: InviteDeveloper(team_id=w.team, mail="i@example.com"),
    LeaveTeam: lambda _: LeaveTeam(),
    OpenRegistration: lambda _: OpenRegistration(),
    RegisterSelf: lambda _: RegisterSelf(team_name="T", name="Linus", mail="l@example.com"),
    RemoveDeveloper: lambda w: RemoveDeveloper(developer_id=w.admin),
    RenameApplication: lambda w: RenameApplication(application_id=w.application, name="New"),
    RenameTeam: lambda w: RenameTeam(team_id=w.team, name="New"),
    RenewToken: lambda _: RenewToken(),
    ReinstateSubscription: lambda w: ReinstateSubscription(subscription_id=w.due),
    ScheduleSubscriptionExpiry: lambda w: ScheduleSubscriptionExpiry(
        subscription_id=w.suspended, expires_at=AT + timedelta(days=1)
    ),
    ResumeSubscription: lambda w: ResumeSubscription(subscription_id=w.suspended),
    RevokeInvitation: lambda w: RevokeInvitation(invitation_id=w.invitation),
    RotateCredential: lambda w: RotateCredential(
        subscription_id=w.active, credential_id=w.credential, overlap_s=60
    ),
    SuspendSubscription: lambda w: SuspendSubscription(subscription_id=w.active, reason="why"),
    TransferSubscription: lambda w: TransferSubscription(
        subscription_id=w.active, plan_id=w.free_plan
    ),
    AcceptSubscription: lambda w: AcceptSubscription(subscription_id=w.pending),
    BlockVersion: lambda w: BlockVersion(version_id=w.version),
    ChoosePlanAudience: lambda w: ChoosePlanAudience(
        plan_id=w.plan, visibility=Visibility.TEAMS, team_ids=(w.team,)
    ),
    ChooseProductAudience: lambda w: ChooseProductAudience(
        product_id=w.product, visibility=Visibility.TEAMS, team_ids=(w.team,)
    ),
    ClosePlan: lambda w: ClosePlan(plan_id=w.plan),
    DeprecatePlan: lambda w: DeprecatePlan(plan_id=w.plan),
    DeprecateProduct: lambda w: DeprecateProduct(product_id=w.product),
    DeprecateVersion: lambda w: DeprecateVersion(
        version_id=w.version, successor_id=w.draft_version
    ),
    DescribeProduct: lambda w: DescribeProduct(product_id=w.product, name="New", description=""),
    NameProductOwner: lambda w: NameProductOwner(product_id=w.product, owner="Ada"),
    ReinstateProduct: lambda w: ReinstateProduct(product_id=w.gone_product),
    ReinstateVersion: lambda w: ReinstateVersion(version_id=w.gone_version),
    RenamePlan: lambda w: RenamePlan(plan_id=w.plan, name="New"),
    RestorePage: lambda w: RestorePage(page_id=w.withdrawn_page),
    RetireProduct: lambda w: RetireProduct(product_id=w.old_product),
    RetireVersion: lambda w: RetireVersion(version_id=w.old_version),
    RewritePage: lambda w: RewritePage(page_id=w.page, title="New", source="New"),
    ScheduleProductSunset: lambda w: ScheduleProductSunset(product_id=w.old_product),
    ScheduleVersionSunset: lambda w: ScheduleVersionSunset(version_id=w.old_version),
    TagProduct: lambda w: TagProduct(product_id=w.product, tags=("new",)),
    UnblockVersion: lambda w: UnblockVersion(version_id=w.blocked_version),
    WithdrawPage: lambda w: WithdrawPage(page_id=w.page),
    WithdrawPlanDeprecation: lambda w: WithdrawPlanDeprecation(plan_id=w.old_plan),
    WithdrawProduct: lambda w: WithdrawProduct(product_id=w.product),
    WithdrawProductDeprecation: lambda w: WithdrawProductDeprecation(product_id=w.old_product),
    WithdrawVersion: lambda w: WithdrawVersion(version_id=w.version),
    WithdrawVersionDeprecation: lambda w: WithdrawVersionDeprecation(version_id=w.old_version),
    WritePage: lambda w: WritePage(product_id=w.product, slug="new", title="New", source=""),
    CancelSubscription: lambda w: CancelSubscription(subscription_id=w.active),
    DefinePlan: lambda w: DefinePlan(
        slug="new",
        name="New",
        product_ids=(w.product,),
        visibility=Visibility.TEAMS,
        team_ids=(w.team,),
    ),
    DefineProduct: lambda w: DefineProduct(
        slug="new", name="New", visibility=Visibility.TEAMS, team_ids=(w.team,)
    ),
    DefineVersion: lambda w: DefineVersion(product_id=w.product, number="3.0.0", document=PETSTORE),
    DraftPlanVersion: lambda w: DraftPlanVersion(plan_id=w.plan, terms=FREE),
    ConfirmEpoch: lambda w: ConfirmEpoch(group_id=w.group, epoch=1),
    HoldBackConfig: lambda w: HoldBackConfig(
        group_id=w.group, product_id=w.product, position=9, rows=6, of_rows=10
    ),
    IntendConfigShrink: lambda w: IntendConfigShrink(
        group_id=w.group, until=AT + timedelta(days=1), reason="n"
    ),
    ReleaseConfig: lambda w: ReleaseConfig(group_id=w.held_group),
    DrainGateway: lambda w: DrainGateway(gateway_id=w.gateway),
    EstablishOrganization: lambda _: EstablishOrganization(slug="new", name="New"),
    FormTeam: lambda _: FormTeam(name="New"),
    IssueCredential: lambda w: IssueCredential(subscription_id=w.active),
    IssueToken: lambda _: IssueToken(name="new", role=Role.AUDITOR),
    NoteGateway: lambda w: NoteGateway(gateway_id=w.gateway, silent_since=AT),
    OpenGatewayGroup: lambda w: OpenGatewayGroup(
        slug="new", environment="live", product_ids=(w.product,)
    ),
    PublishPlanVersion: lambda w: PublishPlanVersion(plan_id=w.drafted_plan),
    PublishProduct: lambda w: PublishProduct(product_id=w.draft_product),
    PublishVersion: lambda w: PublishVersion(version_id=w.draft_version),
    ReviseVersion: lambda w: ReviseVersion(version_id=w.draft_version, document=BREAKING),
    ChooseUpstream: lambda w: ChooseUpstream(
        version_id=w.draft_version, environment="new", url="https://new.example"
    ),
    WithdrawUpstream: lambda w: WithdrawUpstream(version_id=w.version, environment="live"),
    SubmitVersion: lambda w: SubmitVersion(version_id=w.draft_version),
    ApproveVersion: lambda w: ApproveVersion(version_id=w.submitted_version),
    RequestChanges: lambda w: RequestChanges(version_id=w.submitted_version, comment="why"),
    OverrideGate: lambda w: OverrideGate(version_id=w.breaking_version, reason="why"),
    RecordContractTest: lambda w: RecordContractTest(version_id=w.version, test=PETSTORE_TESTED),
    SetContractPolicy: lambda w: SetContractPolicy(
        product_id=w.product, policy=ContractPolicy(review_required=True)
    ),
    RegisterApplication: lambda w: RegisterApplication(team_id=w.team, name="New"),
    RegisterDeveloper: lambda w: RegisterDeveloper(
        team_id=w.team, name="Grace", mail="grace@example.com"
    ),
    RegisterGateway: lambda w: RegisterGateway(group_id=w.group, name="new"),
    ReinstateGateway: lambda w: ReinstateGateway(gateway_id=w.drained_gateway),
    RejectSubscription: lambda w: RejectSubscription(subscription_id=w.pending),
    RequestSubscription: lambda w: RequestSubscription(
        application_id=w.application, plan_id=w.plan
    ),
    RevokeCredential: lambda w: RevokeCredential(
        subscription_id=w.active, credential_id=w.credential
    ),
    RevokeToken: lambda w: RevokeToken(token_id=w.token),
}
"""A command of every kind that succeeds in the world."""


def every_command(kind: type[Command] = Command) -> set[type[Command]]:
    """Return all commands that can be given; those that tests make up are none of them."""
    abstract = getattr(kind, "__abstractmethods__", None)
    found = {kind} if not abstract and kind.__module__.startswith("controlplane.") else set()
    for narrower in kind.__subclasses__():
        found |= every_command(narrower)
    return found


def with_fields(command: Command, **fields: Any) -> Command:  # any field
    """Return the command with other fields."""
    return replace(command, **fields)
