"""Who may ask for what: one literal table, which a new command must enter."""

import pytest

from controlplane.app import App
from controlplane.auth import ANONYMOUS, PERMISSIONS
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
    DefineVersion,
    DeprecateVersion,
    PublishVersion,
    ReinstateVersion,
    RetireVersion,
    ScheduleVersionSunset,
    UnblockVersion,
    WithdrawVersion,
    WithdrawVersionDeprecation,
)
from controlplane.commands.application import RegisterApplication
from controlplane.commands.gateway import OpenGatewayGroup, RegisterGateway
from controlplane.commands.organization import EstablishOrganization
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
from controlplane.commands.subscription import (
    AcceptSubscription,
    CancelSubscription,
    IssueCredential,
    RejectSubscription,
    RequestSubscription,
    RevokeCredential,
)
from controlplane.commands.team import FormTeam, RegisterDeveloper
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
    CancelSubscription: {OWNER, MANAGER, DEVELOPER},
    DefinePlan: {OWNER, MANAGER},
    DefineProduct: {OWNER, MANAGER},
    DefineVersion: {OWNER, MANAGER},
    DraftPlanVersion: {OWNER, MANAGER},
    EstablishOrganization: {OPS},
    FormTeam: {OWNER, MANAGER},
    IssueCredential: {OWNER, DEVELOPER},
    IssueToken: {OWNER, OPS},
    OpenGatewayGroup: {OWNER},
    PublishPlanVersion: {OWNER, MANAGER},
    PublishProduct: {OWNER, MANAGER},
    PublishVersion: {OWNER, MANAGER},
    RegisterApplication: {OWNER, DEVELOPER},
    RegisterDeveloper: {OWNER, MANAGER},
    RegisterGateway: {OWNER},
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
    held = frozenset().union(*PERMISSIONS.values())
    assert {command.permission for command in ALLOWED} <= held


async def test_a_role_gives_the_commands_it_may_give_and_no_other(app: App) -> None:
    there = await world(app)
    before = await app.services.pool.fetchval("SELECT count(*) FROM stored_events")
    for role in set(Role) - {OPS}:
        asking = app.context(caller(role, ACE, there.team if role is DEVELOPER else None))
        for kind, roles in ALLOWED.items():
            command = COMMANDS[kind](there)
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
