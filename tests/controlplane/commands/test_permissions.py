"""Who may ask for what: one literal table, which a new command must enter."""

import pytest

from controlplane.app import App
from controlplane.auth import ANONYMOUS, JOINING, PERMISSIONS, visitor
from controlplane.commands import Command, NotPermittedError, execute
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
    RejectSubscription,
    RequestSubscription,
    ResumeSubscription,
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
from domain.access_token import Role
from tests.controlplane.commands.world import COMMANDS, every_command, world
from tests.given import ACE, OPERATOR, caller

OWNER, MANAGER, DEVELOPER, OPS = (
    Role.OWNER,
    Role.PRODUCT_MANAGER,
    Role.DEVELOPER,
    Role.OPERATOR,
)
ALLOWED: dict[type[Command], set[Role]] = {
    AcceptInvitation: set(),  # visitors
    AcceptSubscription: {OWNER, MANAGER},
    ChoosePlanAudience: {OWNER, MANAGER},
    ChooseProductAudience: {OWNER, MANAGER},
    ClosePlan: {OWNER, MANAGER},
    DeprecatePlan: {OWNER, MANAGER},
    DeprecateProduct: {OWNER, MANAGER},
    DeprecateVersion: {OWNER, MANAGER},
    DescribeProduct: {OWNER, MANAGER},
    NameProductOwner: {OWNER, MANAGER},
    ReinstateProduct: {OWNER, MANAGER},
    ReinstateVersion: {OWNER, MANAGER},
    RenamePlan: {OWNER, MANAGER},
    RestorePage: {OWNER, MANAGER},
    RetireProduct: {OWNER, MANAGER},
    RetireVersion: {OWNER, MANAGER},
    RewritePage: {OWNER, MANAGER},
    ScheduleProductSunset: {OWNER, MANAGER},
    ScheduleVersionSunset: {OWNER, MANAGER},
    TagProduct: {OWNER, MANAGER},
    WithdrawPage: {OWNER, MANAGER},
    WithdrawPlanDeprecation: {OWNER, MANAGER},
    WithdrawProduct: {OWNER, MANAGER},
    WithdrawProductDeprecation: {OWNER, MANAGER},
    WithdrawVersion: {OWNER, MANAGER},
    WithdrawVersionDeprecation: {OWNER, MANAGER},
    WritePage: {OWNER, MANAGER},
    BlockVersion: {OPS},
    UnblockVersion: {OPS},
    AcceptTerms: {OWNER, DEVELOPER},
    ChangeTeamRole: {OWNER, MANAGER, DEVELOPER},
    CloseRegistration: {OWNER},
    ExpireSubscription: {OWNER, MANAGER},
    ForgetPerson: {OWNER, DEVELOPER},
    ImportCredential: {OWNER},
    InviteDeveloper: {OWNER, MANAGER, DEVELOPER},
    LeaveTeam: {DEVELOPER},
    OpenRegistration: {OWNER},
    RegisterSelf: set(),  # visitors
    RemoveDeveloper: {OWNER, MANAGER, DEVELOPER},
    RenameApplication: {OWNER, DEVELOPER},
    RenameTeam: {OWNER, MANAGER, DEVELOPER},
    RenewToken: {DEVELOPER},
    ResumeSubscription: {OWNER, MANAGER},
    RevokeInvitation: {OWNER, MANAGER, DEVELOPER},
    RotateCredential: {OWNER, DEVELOPER},
    SuspendSubscription: {OWNER, MANAGER},
    TransferSubscription: {OWNER, MANAGER, DEVELOPER},
    CancelSubscription: {OWNER, MANAGER, DEVELOPER},
    DefinePlan: {OWNER, MANAGER},
    DefineProduct: {OWNER, MANAGER},
    DefineVersion: {OWNER, MANAGER},
    DraftPlanVersion: {OWNER, MANAGER},
    ConfirmEpoch: {OWNER},
    DrainGateway: {OWNER},
    HoldBackConfig: {OWNER},
    IntendConfigShrink: {OWNER},
    ReleaseConfig: {OWNER},
    EstablishOrganization: {OPS},
    FormTeam: {OWNER, MANAGER},
    IssueCredential: {OWNER, DEVELOPER},
    IssueToken: {OWNER, OPS},
    NoteGateway: {OWNER},
    OpenGatewayGroup: {OWNER},
    PublishPlanVersion: {OWNER, MANAGER},
    PublishProduct: {OWNER, MANAGER},
    PublishVersion: {OWNER, MANAGER},
    ReviseVersion: {OWNER, MANAGER},
    ChooseUpstream: {OWNER, MANAGER},
    WithdrawUpstream: {OWNER, MANAGER},
    SubmitVersion: {OWNER, MANAGER},
    ApproveVersion: {OWNER, MANAGER},
    RequestChanges: {OWNER, MANAGER},
    OverrideGate: {OWNER},
    RecordContractTest: {OWNER, MANAGER},
    SetContractPolicy: {OWNER},
    RegisterApplication: {OWNER, DEVELOPER},
    RegisterDeveloper: {OWNER, MANAGER},
    RegisterGateway: {OWNER},
    ReinstateGateway: {OWNER},
    RejectSubscription: {OWNER, MANAGER},
    RequestSubscription: {OWNER, DEVELOPER},
    RevokeCredential: {OWNER, DEVELOPER},
    RevokeToken: {OWNER, OPS},
}


def test_every_command_is_in_the_table_and_can_be_given() -> None:
    assert set(ALLOWED) == every_command() == set(COMMANDS)


def test_every_role_has_its_permissions() -> None:
    assert set(PERMISSIONS) == set(Role)


def test_every_permission_of_a_command_is_held_by_somebody() -> None:
    held = JOINING.union(*PERMISSIONS.values())
    assert {command.permission for command in ALLOWED} <= held


async def test_a_role_gives_the_commands_it_may_give_and_no_other(app: App) -> None:
    there = await world(app)
    before = await app.services.pool.fetchval("SELECT count(*) FROM stored_events")
    for role in set(Role) - {OPS}:
        person = (there.team, there.admin) if role is DEVELOPER else (None, None)
        asking = app.context(caller(role, ACE, *person))
        for kind, roles in ALLOWED.items():
            command = COMMANDS[kind](there)
            if kind is OpenRegistration and role in roles:
                continue  # it is open already
            if role in roles:
                assert (await execute(command, asking, dry_run=True)).outcome.events
                continue
            with pytest.raises(NotPermittedError) as refused:
                await execute(command, asking)
            assert refused.value.about is None
            assert kind.permission in str(refused.value)
    assert await app.services.pool.fetchval("SELECT count(*) FROM stored_events") == before


async def test_an_operator_manages_operators_and_organizations(app: App) -> None:
    there = await world(app)
    issued = await execute(IssueToken(name="op", role=OPS), app.context(OPERATOR))
    token_id = issued.outcome.events[0].originator_id
    await execute(RevokeToken(token_id=token_id), app.context(OPERATOR))
    await execute(EstablishOrganization(slug="new", name="New"), app.context(OPERATOR))
    for kind, roles in ALLOWED.items():
        if OPS not in roles:
            with pytest.raises(NotPermittedError):
                await execute(COMMANDS[kind](there), app.context(OPERATOR))


async def test_nobody_makes_operators_but_operators_and_they_nothing_else(app: App) -> None:
    there = await world(app)
    owner = app.context(caller(OWNER))
    with pytest.raises(NotPermittedError) as refused:
        await execute(IssueToken(name="x", role=Role.OPERATOR), owner)
    assert refused.value.about == "role"
    for role in set(Role) - {OPS}:
        issue = IssueToken(name="x", role=role, team_id=there.team if role is DEVELOPER else None)
        with pytest.raises(NotPermittedError):
            await execute(issue, app.context(OPERATOR))


async def test_an_anonymous_caller_may_give_no_command(app: App) -> None:
    there = await world(app)
    for command in COMMANDS.values():
        with pytest.raises(NotPermittedError):
            await execute(command(there), app.context(ANONYMOUS))


async def test_a_visitor_may_join_and_nothing_else(app: App) -> None:
    there = await world(app)
    asking = app.context(visitor(ACE))
    for kind, command in COMMANDS.items():
        if kind.permission in JOINING:
            assert (await execute(command(there), asking, dry_run=True)).outcome.events
        else:
            with pytest.raises(NotPermittedError):
                await execute(command(there), asking)


async def test_only_administrators_manage_their_team(app: App) -> None:
    there = await world(app)
    register = RegisterDeveloper(team_id=there.team, name="Bob", mail="bob@example.com")
    member = (await execute(register, app.context(caller(OWNER)))).outcome.events[-1].originator_id
    for person in (member, None):  # a token of a team is no administrator's
        asking = app.context(caller(DEVELOPER, ACE, there.team, person))
        for kind, command in COMMANDS.items():
            if kind.permission == "team:manage":
                with pytest.raises(NotPermittedError, match="administrator"):
                    await execute(command(there), asking)
    for kind in (LeaveTeam, RenewToken):
        with pytest.raises(NotPermittedError, match="token of a person"):
            await execute(kind(), app.context(caller(DEVELOPER, ACE, there.team)))
    forget = ForgetPerson(developer_id=there.admin)
    with pytest.raises(NotPermittedError, match="that person"):
        await execute(forget, app.context(caller(DEVELOPER, ACE, there.team, member)))


async def test_who_does_not_decide_transfers_only_to_where_everybody_is_accepted(app: App) -> None:
    there = await world(app)
    free = TransferSubscription(subscription_id=there.active, plan_id=there.free_plan)
    paid = TransferSubscription(subscription_id=there.active, plan_id=there.plan)
    developer, owner = (app.context(caller(DEVELOPER, ACE, there.team)), app.context(caller(OWNER)))
    await execute(free, developer)
    with pytest.raises(NotPermittedError) as refused:
        await execute(paid, developer)
    assert refused.value.about == "plan_id"
    await execute(paid, owner)
