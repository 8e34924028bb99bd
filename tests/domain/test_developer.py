"""A person comes to a team, has a role, and goes; some are forgotten."""

from collections.abc import Callable
from uuid import UUID

import pytest

from domain.aggregate import DomainError
from domain.developer import (
    Developer,
    DeveloperForgottenError,
    DeveloperNotActiveError,
    DeveloperState,
    Origin,
    TeamRole,
    TeamRoleUnchangedError,
)
from domain.sealed import Sealed
from tests.given import AT, WHY

ID, TEAM, TOKEN = UUID(int=1), UUID(int=2), UUID(int=3)
NAME, MAIL = Sealed(str(ID), "bmFtZQ=="), Sealed(str(ID), "bWFpbA==")


def active() -> Developer:
    return Developer.register(ID, team_id=TEAM, name=NAME, mail=MAIL, at=AT, why=WHY)


def left() -> Developer:
    developer = active()
    developer.leave(at=AT, why=WHY)
    return developer


def removed() -> Developer:
    developer = active()
    developer.remove(at=AT, why=WHY)
    return developer


def forgotten() -> Developer:
    developer = active()
    developer.forget(at=AT, why=WHY)
    return developer


GIVEN = {"ACTIVE": active, "LEFT": left, "REMOVED": removed, "FORGOTTEN": forgotten}
VERBS: dict[str, Callable[[Developer], None]] = {
    "change role": lambda d: d.change_role(TeamRole.ADMIN, at=AT, why=WHY),
    "grant tokens": lambda d: d.grant_tokens([TOKEN], at=AT, why=WHY),
    "leave": lambda d: d.leave(at=AT, why=WHY),
    "remove": lambda d: d.remove(at=AT, why=WHY),
    "forget": lambda d: d.forget(at=AT, why=WHY),
}
BECOMES = {
    ("ACTIVE", "change role"): "ACTIVE",
    ("ACTIVE", "grant tokens"): "ACTIVE",
    ("ACTIVE", "leave"): "LEFT",
    ("ACTIVE", "remove"): "REMOVED",
    ("ACTIVE", "forget"): "FORGOTTEN",
    ("LEFT", "forget"): "FORGOTTEN",
    ("REMOVED", "forget"): "FORGOTTEN",
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("verb", VERBS)
def test_every_move_is_legal_or_refused(given: str, verb: str) -> None:
    developer = GIVEN[given]()
    becomes = BECOMES.get((given, verb))
    if becomes is None:
        refusal: type[DomainError] = DeveloperNotActiveError
        with pytest.raises(DeveloperForgottenError if verb == "forget" else refusal):
            VERBS[verb](developer)
    else:
        VERBS[verb](developer)
        assert developer.state.value == becomes
    assert set(GIVEN) == set(DeveloperState.__members__)


def test_a_developer_registers_with_a_team_and_onboarding_begins() -> None:
    (registered,) = active().pending_events
    assert registered == Developer.Registered(
        ID, 1, AT, "developer", WHY, TEAM, NAME, MAIL, "MEMBER", "PROVIDER", AT
    )


def test_a_developer_comes_in_a_role_and_from_somewhere() -> None:
    developer = Developer.register(
        ID,
        team_id=TEAM,
        name=NAME,
        mail=MAIL,
        role=TeamRole.ADMIN,
        origin=Origin.SELF,
        at=AT,
        why=WHY,
    )
    assert developer.role == "ADMIN"
    with pytest.raises(TeamRoleUnchangedError) as refused:
        developer.change_role(TeamRole.ADMIN, at=AT, why=WHY)
    assert refused.value.about == "role"


def test_the_tokens_granted_last_are_those_that_count() -> None:
    developer = active()
    developer.grant_tokens([TOKEN], at=AT, why=WHY)
    developer.grant_tokens([ID, TEAM], at=AT, why=WHY)
    assert developer.token_ids == [ID, TEAM]
