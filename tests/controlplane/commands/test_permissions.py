"""Who may ask for what: one literal table, which a new command must enter."""

import pytest

from controlplane.app import App
from controlplane.auth import ANONYMOUS, JOINING, PERMISSIONS, visitor
from controlplane.commands import NotPermittedError, execute
from controlplane.commands.access_token import IssueToken, RevokeToken
from controlplane.commands.invitation import RenewToken
from controlplane.commands.organization import EstablishOrganization, OpenRegistration
from controlplane.commands.subscription import TransferSubscription
from controlplane.commands.team import ForgetPerson, LeaveTeam, RegisterDeveloper
from domain.access_token import Role
from tests.controlplane.commands.world import COMMANDS, every_command, world
from tests.given import ACE, OPERATOR, caller

OWNER, MANAGER, DEVELOPER, OPS = (
    Role.OWNER,
    Role.PRODUCT_MANAGER,
    Role.DEVELOPER,
    Role.OPERATOR,
)
ALLOWED: dict[str, set[Role]] = {
    "AcceptInvitation": set(),  # visitors
    "AcceptSubscription": {OWNER, MANAGER},
    "AcceptTerms": {OWNER, DEVELOPER},
    "ApproveVersion": {OWNER, MANAGER},
    "BlockVersion": {OPS},
    "CancelSubscription": {OWNER, MANAGER, DEVELOPER},
    "ChangeTeamRole": {OWNER, MANAGER, DEVELOPER},
    "ChoosePlanAudience": {OWNER, MANAGER},
    "ChooseProductAudience": {OWNER, MANAGER},
    "ChooseUpstream": {OWNER, MANAGER},
    "ClosePlan": {OWNER, MANAGER},
    "CloseRegistration": {OWNER},
    "ConfirmEpoch": {OWNER},
    "DefinePlan": {OWNER, MANAGER},
    "DefineProduct": {OWNER, MANAGER},
    "DefineVersion": {OWNER, MANAGER},
    "DeprecatePlan": {OWNER, MANAGER},
    "DeprecateProduct": {OWNER, MANAGER},
    "DeprecateVersion": {OWNER, MANAGER},
    "DescribeProduct": {OWNER, MANAGER},
    "DraftPlanVersion": {OWNER, MANAGER},
    "DrainGateway": {OWNER},
    "EstablishOrganization": {OPS},
    "ExpireInvitation": {OWNER, MANAGER, DEVELOPER},
    "ExpireSubscription": {OWNER, MANAGER},
    "ForgetPerson": {OWNER, DEVELOPER},
    "FormTeam": {OWNER, MANAGER},
    "HoldBackConfig": {OWNER},
    "ImportCredential": {OWNER},
    "IntendConfigShrink": {OWNER},
    "InviteDeveloper": {OWNER, MANAGER, DEVELOPER},
    "IssueCredential": {OWNER, DEVELOPER},
    "IssueToken": {OWNER, OPS},
    "LeaveTeam": {DEVELOPER},
    "NameProductOwner": {OWNER, MANAGER},
    "NoteGateway": {OWNER},
    "OpenGatewayGroup": {OWNER},
    "OpenRegistration": {OWNER},
    "OverrideGate": {OWNER},
    "PublishPlanVersion": {OWNER, MANAGER},
    "PublishProduct": {OWNER, MANAGER},
    "PublishVersion": {OWNER, MANAGER},
    "RecordContractTest": {OWNER, MANAGER},
    "RegisterApplication": {OWNER, DEVELOPER},
    "RegisterDeveloper": {OWNER, MANAGER},
    "RegisterGateway": {OWNER},
    "RegisterSelf": set(),  # visitors
    "ReinstateGateway": {OWNER},
    "ReinstateProduct": {OWNER, MANAGER},
    "ReinstateSubscription": {OWNER, MANAGER},
    "ReinstateVersion": {OWNER, MANAGER},
    "RejectSubscription": {OWNER, MANAGER},
    "ReleaseConfig": {OWNER},
    "RemoveDeveloper": {OWNER, MANAGER, DEVELOPER},
    "RenameApplication": {OWNER, DEVELOPER},
    "RenamePlan": {OWNER, MANAGER},
    "RenameTeam": {OWNER, MANAGER, DEVELOPER},
    "RenewToken": {DEVELOPER},
    "RequestChanges": {OWNER, MANAGER},
    "RequestSubscription": {OWNER, DEVELOPER},
    "RestorePage": {OWNER, MANAGER},
    "ResumeSubscription": {OWNER, MANAGER},
    "RetireProduct": {OWNER, MANAGER},
    "RetireVersion": {OWNER, MANAGER},
    "ReviseVersion": {OWNER, MANAGER},
    "RevokeCredential": {OWNER, DEVELOPER},
    "RevokeInvitation": {OWNER, MANAGER, DEVELOPER},
    "RevokeToken": {OWNER, OPS},
    "RewritePage": {OWNER, MANAGER},
    "RotateCredential": {OWNER, DEVELOPER},
    "ScheduleProductSunset": {OWNER, MANAGER},
    "ScheduleSubscriptionExpiry": {OWNER, MANAGER},
    "ScheduleVersionSunset": {OWNER, MANAGER},
    "SetContractPolicy": {OWNER},
    "SubmitVersion": {OWNER, MANAGER},
    "SuspendSubscription": {OWNER, MANAGER},
    "TagProduct": {OWNER, MANAGER},
    "TransferSubscription": {OWNER, MANAGER, DEVELOPER},
    "UnblockVersion": {OPS},
    "WithdrawPage": {OWNER, MANAGER},
    "WithdrawPlanDeprecation": {OWNER, MANAGER},
    "WithdrawProduct": {OWNER, MANAGER},
    "WithdrawProductDeprecation": {OWNER, MANAGER},
    "WithdrawUpstream": {OWNER, MANAGER},
    "WithdrawVersion": {OWNER, MANAGER},
    "WithdrawVersionDeprecation": {OWNER, MANAGER},
    "WritePage": {OWNER, MANAGER},
}


def test_every_command_is_in_the_table_and_can_be_given() -> None:
    assert every_command() == set(COMMANDS)
    assert {kind.__name__ for kind in COMMANDS} == set(ALLOWED)


def test_every_role_has_its_permissions() -> None:
    assert set(PERMISSIONS) == set(Role)


def test_every_permission_of_a_command_is_held_by_somebody() -> None:
    held = JOINING.union(*PERMISSIONS.values())
    assert {command.permission for command in COMMANDS} <= held


async def test_a_role_gives_the_commands_it_may_give_and_no_other(app: App) -> None:
    there = await world(app)
    before = await app.services.pool.fetchval("SELECT count(*) FROM stored_events")
    for role in set(Role) - {OPS}:
        person = (there.team, there.admin) if role is DEVELOPER else (None, None)
        asking = app.context(caller(role, ACE, *person))
        for kind, give in COMMANDS.items():
            command, roles = give(there), ALLOWED[kind.__name__]
            if kind is OpenRegistration and role in roles:
                continue  # it is open already
            if role in roles:
                assert (await execute(command, asking, dry_run=True)).outcome.events
                continue
            with pytest.raises(NotPermittedError) as refused:
                await execute(command, asking)
            assert refused.value.about is None
            assert kind.permission in str(refused.value)
            assert all(each.value in str(refused.value) for each in roles)
    assert await app.services.pool.fetchval("SELECT count(*) FROM stored_events") == before


async def test_an_operator_manages_operators_and_organizations(app: App) -> None:
    there = await world(app)
    issued = await execute(IssueToken(name="op", role=OPS), app.context(OPERATOR))
    token_id = issued.outcome.events[0].originator_id
    await execute(RevokeToken(token_id=token_id), app.context(OPERATOR))
    await execute(EstablishOrganization(slug="new", name="New"), app.context(OPERATOR))
    for kind, give in COMMANDS.items():
        if OPS not in ALLOWED[kind.__name__]:
            with pytest.raises(NotPermittedError):
                await execute(give(there), app.context(OPERATOR))


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
