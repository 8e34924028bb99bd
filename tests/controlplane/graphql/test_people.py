"""How people come to teams, what they are to them, and how they go."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from controlplane.app import App
from controlplane.commands import invitation
from tests.controlplane.graphql.portal import Portal, opened
from tests.controlplane.graphql.test_queries import statements

TEAM = """query ($id: ID!) { node(id: $id) { ... on Team { name
  developers { nodes { id name mail role origin state onboardingBeganAt endedAt } }
  invitations { nodes { id mail role state expiresAt developer { id } team { id } } } } } }"""
VIEWER = "{ viewer { actor role team { id } developer { id name role } } }"


async def team(shop: Portal, who: str = "owner", name: str = "team") -> Any:
    await shop.seen()
    return (await shop.ask(who, TEAM, id=shop.ids[name]))["node"]


async def join(shop: Portal, name: str, role: str = "MEMBER", team: str = "team") -> str:
    """Have somebody join a team by invitation; keep their token under the name."""
    invited = await shop.done(
        "manager",
        "inviteDeveloper",
        teamId=shop.ids[team],
        mail=f"{name}@example.com",
        role=role,
    )
    joined = await shop.done_by_anybody(
        "acceptInvitation", token=invited["secret"]["value"], name=name.title()
    )
    shop.tokens[name] = joined["secret"]["value"]
    shop.ids[name] = joined["id"]
    await shop.seen()
    return str(joined["id"])


async def test_an_invited_person_joins_with_a_token_of_their_own(shop: Portal) -> None:
    person = await join(shop, "bob")
    viewer = (await shop.ask("bob", VIEWER))["viewer"]
    assert viewer["developer"] == {"id": person, "name": "Bob", "role": "MEMBER"}
    assert (viewer["role"], viewer["team"]) == ("DEVELOPER", {"id": shop.ids["team"]})
    found = await team(shop)
    (bob,) = [each for each in found["developers"]["nodes"] if each["id"] == person]
    assert (bob["mail"], bob["origin"], bob["state"]) == (
        "bob@example.com",
        "INVITATION",
        "ACTIVE",
    )
    assert (bob["onboardingBeganAt"], bob["endedAt"]) == ("2026-01-01T00:00:00Z", None)
    (invitation,) = found["invitations"]["nodes"]
    assert (invitation["state"], invitation["developer"]) == ("ACCEPTED", {"id": person})
    assert invitation["expiresAt"] == "2026-01-15T00:00:00Z"
    listed = await shop.ask("bob", "{ invitations { nodes { id } } }")
    assert listed["invitations"]["nodes"] == [{"id": invitation["id"]}]
    made = await shop.done("bob", "registerApplication", teamId=shop.ids["team"], name="Mine")
    events = (
        """query ($id: ID!) { auditEvents(nounId: $id) { nodes { why { actor actorKind } } } }"""
    )
    await shop.seen()
    told = await shop.ask("owner", events, id=made["id"])
    assert told["auditEvents"]["nodes"][0]["why"] == {
        "actor": viewer["actor"],
        "actorKind": "person",
    }


async def test_whoever_registers_is_the_administrator_of_a_new_team(shop: Portal) -> None:
    wanted = {"organization": "ace", "teamName": "Cobol", "name": "Grace", "mail": "g@example.com"}
    assert await shop.refused(None, "registerSelf", **wanted) == (
        "REGISTRATION_CLOSED",
        ["organization"],
    )
    assert await shop.refused("manager", "openRegistration") == ("NOT_PERMITTED", [])
    await shop.done("owner", "openRegistration")
    assert await shop.refused("owner", "openRegistration") == ("REGISTRATION_OPEN", [])
    assert await shop.refused(None, "registerSelf", **{**wanted, "organization": "no\0pe"}) == (
        "NOT_FOUND",
        ["organization"],
    )
    assert await shop.refused(None, "registerSelf", **{**wanted, "organization": "bad"}) == (
        "REGISTRATION_CLOSED",
        ["organization"],
    )
    joined = await shop.done_by_anybody("registerSelf", **wanted)
    shop.tokens["grace"] = joined["secret"]["value"]
    await shop.seen()
    viewer = (await shop.ask("grace", VIEWER))["viewer"]
    assert viewer["developer"] == {"id": joined["id"], "name": "Grace", "role": "ADMIN"}
    assert viewer["team"]["id"] not in (shop.ids["team"], shop.ids["other_team"])
    assert await shop.refused(None, "registerSelf", **wanted) == ("ALREADY_TAKEN", ["mail"])
    assert await shop.refused(None, "registerSelf", **{**wanted, "mail": "x"}) == (
        "MAIL_INVALID",
        ["mail"],
    )
    await shop.done("owner", "closeRegistration")
    await shop.seen()
    viewer = await shop.ask("owner", "{ viewer { organization { registrationOpen } } }")
    assert viewer["viewer"]["organization"] == {"registrationOpen": False}


async def test_visitors_keys_are_theirs_together_with_what_they_ask(shop: Portal) -> None:
    await shop.done("owner", "openRegistration")
    await shop.seen()
    ids = set()
    for name in ("Grace", "Jean"):  # who do not know of each other, and count from 1
        wanted = {"organization": "ace", "teamName": "Cobol", "idempotencyKey": "1"}
        wanted |= {"name": name, "mail": f"{name}@example.com"}
        joined = await shop.done_by_anybody("registerSelf", **wanted)
        assert joined["secret"]["value"].startswith("cpt_")
        again = await shop.done_by_anybody("registerSelf", **wanted)
        assert (again["id"], again["position"]) == (joined["id"], joined["position"])
        assert "value" not in again["secret"]
        ids.add(joined["id"])
        invited = await shop.done(
            "manager", "inviteDeveloper", teamId=shop.ids["team"], mail=f"{name}@x.example"
        )
        accept = {"token": invited["secret"]["value"], "name": name, "idempotencyKey": "1"}
        ids.add((await shop.done_by_anybody("acceptInvitation", **accept))["id"])
    assert len(ids) == 4
    guess = {**wanted, "name": "jean"}
    assert await shop.refused(None, "registerSelf", **guess) == ("ALREADY_TAKEN", ["mail"])


async def test_one_address_registers_so_many_an_hour_and_then_waits(app: App) -> None:
    settings = app.settings.model_copy(update={"registrations": 3})
    async with opened(replace(app, settings=settings)) as portal:
        await portal.done("owner", "openRegistration")
        await portal.seen()
        wanted = {
            "organization": "ace",
            "teamName": "Cobol",
            "name": "Grace",
            "mail": "g@x.example",
        }
        await portal.done_by_anybody("registerSelf", **wanted)
        for asked in (wanted, {**wanted, "mail": "known?@x.example", "dryRun": True}):
            await portal.do(None, "registerSelf", **asked)
        again = {**wanted, "mail": "h@x.example"}
        refused = await portal.refused(None, "registerSelf", **again)
        assert refused == ("TOO_MANY_REGISTRATIONS", [])


async def test_an_administrator_manages_the_team_and_a_member_does_not(shop: Portal) -> None:
    await join(shop, "eve", "ADMIN")
    bob = await join(shop, "bob")
    mine = {"teamId": shop.ids["team"]}
    verbs: list[tuple[str, dict[str, Any]]] = [
        ("renameTeam", {**mine, "name": "New"}),
        ("inviteDeveloper", {**mine, "mail": "x@example.com"}),
        ("changeTeamRole", {"developerId": bob, "role": "ADMIN"}),
        ("removeDeveloper", {"developerId": bob}),
    ]
    for who in ("bob", "developer"):
        for verb, wanted in verbs:
            assert await shop.refused(who, verb, **wanted) == ("NOT_PERMITTED", []), verb
    for verb, wanted in verbs:
        await shop.done("eve", verb, **wanted)
    found = await team(shop)
    assert found["name"] == "New"
    (gone,) = [each for each in found["developers"]["nodes"] if each["id"] == bob]
    assert (gone["role"], gone["state"], gone["name"]) == ("ADMIN", "REMOVED", "Bob")
    assert (await shop.send("bob", {"query": "{ viewer { role } }"})).status == 401
    (_, _, invitation) = found["invitations"]["nodes"]
    await shop.done("eve", "revokeInvitation", invitationId=invitation["id"])
    (_, _, invitation) = (await team(shop))["invitations"]["nodes"]
    assert (invitation["state"], invitation["mail"]) == ("REVOKED", None)
    about = {"developerId": bob}
    for verb, wanted, refusal in (
        ("removeDeveloper", about, ("DEVELOPER_NOT_ACTIVE", ["developerId"])),
        (
            "changeTeamRole",
            {"developerId": shop.ids["eve"], "role": "ADMIN"},
            ("TEAM_ROLE_UNCHANGED", ["role"]),
        ),
        (
            "revokeInvitation",
            {"invitationId": invitation["id"]},
            ("INVITATION_NOT_OPEN", ["invitationId"]),
        ),
        (
            "inviteDeveloper",
            {**mine, "mail": "q@example.com", "expiresAt": "2025-01-01T00:00:00Z"},
            ("INVITATION_EXPIRY_PAST", ["expiresAt"]),
        ),
    ):
        assert await shop.refused("owner", verb, **wanted) == refusal


async def test_a_team_invites_so_many_at_a_time(
    shop: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation, "INVITATIONS", 2)
    await join(shop, "eve", "ADMIN")  # an invitation that is accepted counts no more
    wanted = {"teamId": shop.ids["team"]}
    open_ids = [
        (await shop.done("eve", "inviteDeveloper", **wanted, mail=f"{n}@x.example"))["id"]
        for n in range(2)
    ]
    await shop.seen()
    more = {**wanted, "mail": "more@x.example"}
    assert await shop.refused("eve", "inviteDeveloper", **more) == ("TOO_MANY_INVITATIONS", [])
    await shop.done("eve", "revokeInvitation", invitationId=open_ids[0])
    await shop.seen()
    await shop.done("eve", "inviteDeveloper", **more)
    await shop.seen()
    await shop.done("manager", "inviteDeveloper", **wanted, mail="most@x.example")


async def test_the_last_administrator_stays_while_others_do(shop: Portal) -> None:
    eve, bob = await join(shop, "eve", "ADMIN"), await join(shop, "bob")
    member = {"developerId": eve, "role": "MEMBER"}
    goings: list[tuple[str, dict[str, Any]]] = [
        ("leaveTeam", {}),
        ("removeDeveloper", {"developerId": eve}),
        ("changeTeamRole", member),
    ]
    for verb, wanted in goings:
        assert await shop.refused("eve", verb, **wanted) == ("LAST_ADMINISTRATOR", [])
    await shop.done("manager", "changeTeamRole", **member)  # the provider manages every team
    await shop.done("manager", "changeTeamRole", **{**member, "role": "ADMIN"})
    await shop.done("eve", "changeTeamRole", developerId=bob, role="ADMIN")
    gone = await asyncio.gather(*(shop.do(who, "leaveTeam") for who in ("eve", "bob")))
    assert {each["__typename"] for each in gone} == {"DeveloperChanged", "Rejected"}
    (last,) = [who for who, left in zip(("eve", "bob"), gone, strict=True) if "code" in left]
    await shop.done("manager", "removeDeveloper", developerId=shop.ids["person"])
    await shop.seen()
    await shop.done(last, "leaveTeam")  # nobody else is left


async def test_people_leave_renew_their_token_and_are_forgotten(shop: Portal) -> None:
    bob = await join(shop, "bob")
    renewed = await shop.done("bob", "renewToken")
    shop.tokens["bob2"] = renewed["secret"]["value"]
    await shop.seen()
    assert (await shop.ask("bob2", VIEWER))["viewer"]["developer"]["id"] == bob
    tokens = await shop.ask("owner", "{ accessTokens { nodes { developer { id } } } }")
    assert tokens["accessTokens"]["nodes"].count({"developer": {"id": bob}}) == 2
    assert await shop.refused("developer", "renewToken") == ("NOT_PERMITTED", [])
    left = await shop.done("bob", "leaveTeam")
    assert left["events"] == [
        "developer.left",
        "access_token.revoked",
        "access_token.revoked",
    ]
    assert (await shop.send("bob2", {"query": "{ viewer { role } }"})).status == 401
    assert await shop.refused("manager", "forgetPerson", developerId=bob) == ("NOT_PERMITTED", [])
    await shop.done("owner", "forgetPerson", developerId=bob)
    assert await shop.refused("owner", "forgetPerson", developerId=bob) == (
        "DEVELOPER_FORGOTTEN",
        ["developerId"],
    )
    found = await team(shop)
    (gone,) = [each for each in found["developers"]["nodes"] if each["id"] == bob]
    assert (gone["state"], gone["name"], gone["mail"]) == ("FORGOTTEN", None, None)


async def test_people_may_forget_themselves_and_nobody_else(shop: Portal) -> None:
    eve, bob = await join(shop, "eve", "ADMIN"), await join(shop, "bob")
    assert await shop.refused("eve", "forgetPerson", developerId=bob) == ("NOT_PERMITTED", [])
    await shop.done("eve", "forgetPerson", developerId=eve)
    assert (await shop.send("eve", {"query": "{ viewer { role } }"})).status == 401


async def test_an_application_gets_another_name(shop: Portal) -> None:
    about = {"applicationId": shop.ids["team_application"], "name": "Renamed"}
    await shop.done("developer", "renameApplication", **about)
    await shop.seen()
    listed = await shop.ask("developer", "{ applications { nodes { name } } }")
    assert listed["applications"]["nodes"] == [{"name": "Renamed"}]
    assert await shop.refused("developer", "renameApplication", **{**about, "name": " "}) == (
        "LABEL_INVALID",
        ["name"],
    )


async def test_nobody_touches_people_they_do_not_see(shop: Portal) -> None:
    bob = await join(shop, "bob")
    await shop.done("manager", "inviteDeveloper", teamId=shop.ids["team"], mail="x@example.com")
    (_, invitation) = (await team(shop))["invitations"]["nodes"]
    await join(shop, "rita", "ADMIN", "other_team")
    for who in ("stranger", "rival", "rita"):
        for verb, wanted in (
            ("renameTeam", {"teamId": shop.ids["team"], "name": "x"}),
            ("inviteDeveloper", {"teamId": shop.ids["team"], "mail": "y@example.com"}),
            ("revokeInvitation", {"invitationId": invitation["id"]}),
            ("changeTeamRole", {"developerId": bob, "role": "ADMIN"}),
            ("removeDeveloper", {"developerId": bob}),
            ("forgetPerson", {"developerId": bob}),
            ("renameApplication", {"applicationId": shop.ids["team_application"], "name": "x"}),
        ):
            (field, *_) = wanted
            assert await shop.refused(who, verb, **wanted) == ("NOT_FOUND", [field]), (who, verb)
        for id_ in (bob, invitation["id"]):
            query = "query ($id: ID!) { node(id: $id) { id } }"
            assert (await shop.ask(who, query, id=id_))["node"] is None
    shown = "query ($id: ID!) { node(id: $id) { ... on Invitation { mail } } }"
    for who, mail in (("owner", "x@example.com"), ("auditor", None), ("bob", "x@example.com")):
        assert (await shop.ask(who, shown, id=invitation["id"]))["node"] == {"mail": mail}


async def test_however_many_people_and_keys_the_statements_are_as_many(
    shop: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(3):
        await join(shop, f"one{nth}")
        await join(shop, f"two{nth}", team="other_team")
    for _ in range(3):
        made = await shop.done(
            "developer", "issueCredential", subscriptionId=shop.ids["team_subscription"]
        )
        await shop.done("developer", "rotateCredential", credentialId=made["id"], overlapS=60)
    await shop.seen()
    with statements(monkeypatch) as sent:
        await shop.ask(
            "owner",
            """{ teams { nodes { developers { nodes { name mail role team { name } } }
              invitations { nodes { mail team { name } developer { name } } } } }
              accessTokens { nodes { developer { name } } }
              subscriptions { nodes { credentials { nodes { state successor { id } } } } } }""",
        )
    # teams, tokens, subscriptions; developers and invitations of teams, their teams, developers
    # of tokens and invitations, credentials, successors; and twice or thrice the keys of persons
    assert len(sent) <= 13, sent
