from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.access_token import (
    AccessToken,
    BearerMissingError,
    Role,
    TokenExpiryPastError,
    TokenRevokedError,
)
from domain.text import LabelInvalidError
from tests.given import AT, WHY

ID, TEAM, GATEWAY = UUID(int=1), UUID(int=2), UUID(int=3)


def issued(
    role: Role = Role.OWNER,
    *,
    name: str = "ci",
    team_id: UUID | None = None,
    gateway_id: UUID | None = None,
    expires_at: datetime | None = None,
    developer_id: UUID | None = None,
) -> AccessToken:
    return AccessToken.issue(
        ID,
        name=name,
        role=role,
        sha256="a" * 64,
        team_id=team_id,
        gateway_id=gateway_id,
        expires_at=expires_at,
        developer_id=developer_id,
        at=AT,
        why=WHY,
    )


def test_a_token_lets_its_bearer_act_in_a_role() -> None:
    later = AT + timedelta(days=1)
    token = issued(expires_at=later)
    assert token.pending_events == [
        AccessToken.Issued(
            ID, 1, AT, "access_token", WHY, "ci", "OWNER", "a" * 64, None, None, later, None
        )
    ]
    assert (token.role, token.sha256, token.expires_at) == (Role.OWNER, "a" * 64, later)


@pytest.mark.parametrize("role", Role)
def test_a_developer_names_a_team_and_a_gateway_itself_and_nobody_else_does(role: Role) -> None:
    needs = {Role.DEVELOPER: (TEAM, None), Role.GATEWAY: (None, GATEWAY)}.get(role, (None, None))
    for team_id in (None, TEAM):
        for gateway_id in (None, GATEWAY):
            if (team_id, gateway_id) == needs:
                assert issued(role, team_id=team_id, gateway_id=gateway_id).role is role
                continue
            with pytest.raises(BearerMissingError) as refused:
                issued(role, team_id=team_id, gateway_id=gateway_id)
            assert refused.value.about in {"team_id", "gateway_id"}


@pytest.mark.parametrize("expires_at", [AT, AT - timedelta(1), datetime.max.replace(tzinfo=UTC)])
def test_a_token_expires_in_the_future_and_in_the_calendar(expires_at: datetime) -> None:
    with pytest.raises(TokenExpiryPastError) as refused:
        issued(expires_at=expires_at)
    assert refused.value.about == "expires_at"


def test_a_token_has_a_name() -> None:
    with pytest.raises(LabelInvalidError):
        issued(name="")


def test_a_token_can_be_revoked_once() -> None:
    token = issued()
    token.revoke(at=AT, why=WHY)
    assert token.pending_events[-1] == AccessToken.Revoked(ID, 2, AT, WHY)
    assert token.revoked
    with pytest.raises(TokenRevokedError):
        token.revoke(at=AT, why=WHY)


def test_a_persons_token_is_a_developers() -> None:
    token = issued(Role.DEVELOPER, team_id=TEAM, developer_id=GATEWAY)
    assert (token.team_id, token.developer_id) == (TEAM, GATEWAY)
    with pytest.raises(BearerMissingError) as refused:
        issued(Role.OWNER, developer_id=GATEWAY)
    assert refused.value.about == "developer_id"


def test_a_token_is_valid_until_it_expires_or_is_revoked() -> None:
    later = AT + timedelta(days=1)
    token = issued(expires_at=later)
    assert (token.valid(AT), token.valid(later)) == (True, False)
    token.revoke(at=AT, why=WHY)
    assert not token.valid(AT)
