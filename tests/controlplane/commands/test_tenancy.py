"""What is not one's own is not there: another organization's, another team's."""

from dataclasses import fields
from uuid import UUID

import pytest

from controlplane.app import App
from controlplane.auth import PERMISSIONS, process, visitor
from controlplane.commands import Command, NotFoundError, NotPermittedError, execute
from controlplane.commands.access_token import IssueToken
from controlplane.commands.api_version import BlockVersion, UnblockVersion
from controlplane.commands.application import RegisterApplication
from controlplane.commands.gateway import OpenGatewayGroup
from controlplane.commands.invitation import AcceptInvitation
from controlplane.commands.plan import DefinePlan
from controlplane.commands.review import PublishVersion
from controlplane.commands.subscription import RequestSubscription
from controlplane.context import INSTALLATION, Caller
from domain.access_token import Role
from tests.controlplane.commands.world import COMMANDS, World, with_fields, world
from tests.given import ACE, BAD, OPERATOR, OWNER, STRANGER, caller

NAMES_NOTHING = {
    "CloseRegistration",
    "EstablishOrganization",
    "FormTeam",
    "LeaveTeam",
    "OpenRegistration",
    "RegisterSelf",
    "RenewToken",
}
"""Commands that name nothing that is there already."""
OF_A_TEAM = {
    "AcceptTerms",
    "CancelSubscription",
    "ChangeTeamRole",
    "ExpireInvitation",
    "ForgetPerson",
    "InviteDeveloper",
    "IssueCredential",
    "RegisterApplication",
    "RemoveDeveloper",
    "RenameApplication",
    "RenameTeam",
    "RequestSubscription",
    "RevokeCredential",
    "RevokeInvitation",
    "RotateCredential",
    "TransferSubscription",
}
"""What a developer may ask for: always about things of a team, of which others are not seen."""


def id_fields(command: Command) -> list[str]:
    """Return the fields of a command that name something there."""
    return [
        field.name
        for field in fields(command)
        if field.name.endswith(("_id", "_ids")) and field.name != "credential_id"
    ]


async def refused(app: App, command: Command, asking: Caller = STRANGER) -> str | None:
    with pytest.raises(NotFoundError) as raised:
        await execute(command, app.context(asking))
    return raised.value.about


async def test_what_belongs_to_another_organization_is_not_found(app: App) -> None:
    there = await world(app)
    for kind, give in COMMANDS.items():
        command = give(there)
        named = id_fields(command)
        if kind is AcceptInvitation:  # the token says in which organization it is accepted
            with pytest.raises(NotFoundError):
                await execute(command, app.context(visitor(BAD)))
        elif kind is IssueToken:  # it names something for two roles only
            developer = with_fields(command, role=Role.DEVELOPER, team_id=there.team)
            gateway = with_fields(command, role=Role.GATEWAY, gateway_id=there.gateway)
            assert await refused(app, developer) == "team_id"
            assert await refused(app, gateway) == "gateway_id"
        elif kind.__name__ in NAMES_NOTHING:
            assert named == []
        elif kind.across:  # whoever may give it is of no organization, so that all are there
            with pytest.raises(NotPermittedError):
                await execute(command, app.context(STRANGER))
        else:
            assert await refused(app, command) in named


async def test_every_id_that_a_command_names_is_looked_for_and_of_its_kind(app: App) -> None:
    there = await world(app)
    for kind, give in COMMANDS.items():
        command = give(there)
        for name in id_fields(command):
            other_kind = there.team if name == "token_id" else there.token
            for wrong in (UUID(int=0xDEAD), other_kind):
                changes: dict[str, object] = {name: (wrong,) if name.endswith("_ids") else wrong}
                if kind is IssueToken:
                    changes["role"] = Role.DEVELOPER if name == "team_id" else Role.GATEWAY
                asking = OPERATOR if kind.across else OWNER
                assert await refused(app, with_fields(command, **changes), asking) == name


async def test_one_strange_id_among_others_is_enough(app: App) -> None:
    there = await world(app)
    theirs = await world(app, STRANGER)
    mixed = (there.product, theirs.product)
    for command in (
        DefinePlan(slug="x", name="X", product_ids=mixed),
        OpenGatewayGroup(slug="x", environment="live", product_ids=mixed),
    ):
        assert await refused(app, command, OWNER) == "product_ids"
    request = RequestSubscription(application_id=there.application, plan_id=theirs.plan)
    assert await refused(app, request, OWNER) == "plan_id"


async def test_what_belongs_to_another_team_is_not_found(app: App) -> None:
    there = await world(app)
    outsider = caller(Role.DEVELOPER, ACE, there.other_team)
    given = [
        kind
        for kind in COMMANDS
        if kind.permission in outsider.permissions and kind.__name__ not in NAMES_NOTHING
    ]
    assert {kind.__name__ for kind in given} == OF_A_TEAM
    for kind in given:
        command = COMMANDS[kind](there)
        assert await refused(app, command, outsider) in id_fields(command)


async def test_a_developer_acts_for_the_own_team_only(app: App) -> None:
    there = await world(app)
    developer = caller(Role.DEVELOPER, ACE, there.team)
    register = RegisterApplication(team_id=there.team, name="Mine")
    await execute(register, app.context(developer))
    assert (
        await refused(app, with_fields(register, team_id=there.other_team), developer) == "team_id"
    )


async def test_two_organizations_use_the_same_names_side_by_side(app: App) -> None:
    ours, theirs = await world(app), await world(app, STRANGER)
    assert isinstance(ours, World)
    assert ours.product != theirs.product


async def test_only_the_operator_reaches_across_and_only_to_block(app: App) -> None:
    reaching = {kind.__name__ for kind in COMMANDS if kind.across}
    assert reaching == {"BlockVersion", "UnblockVersion"}
    assert {kind.permission for kind in COMMANDS if kind.across} == {"version:block"}
    assert [role for role in Role if "version:block" in PERMISSIONS[role]] == [Role.OPERATOR]

    there, theirs = await world(app), await world(app, STRANGER)
    blocked = await execute(BlockVersion(version_id=theirs.version), app.context(OPERATOR))
    (event,) = blocked.outcome.events
    assert (event.why["organization"], event.why["actor"]) == (str(BAD), OPERATOR.actor)

    # Our own processes may do everything, but in the organization they act for.
    ours = app.context(process(ACE, "timer", "timer"))
    await execute(BlockVersion(version_id=there.version), ours)
    with pytest.raises(NotFoundError):
        await execute(UnblockVersion(version_id=theirs.version), ours)


async def test_what_is_not_for_across_stays_within(app: App) -> None:
    there = await world(app)
    operator = app.context(process(INSTALLATION, "root", "cli"))
    with pytest.raises(NotFoundError):
        await execute(PublishVersion(version_id=there.draft_version), operator)
