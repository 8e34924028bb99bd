from datetime import timedelta
from uuid import UUID

from domain.access_token import AccessToken, Role
from projections import access_token
from tests.given import ACE, AT, WHY
from tests.projections.folded import folded

ID, TEAM = UUID(int=1), UUID(int=2)
END = AT + timedelta(days=1)


def test_a_token_is_one_row_without_its_hash() -> None:
    token = AccessToken.issue(
        ID,
        name="ci",
        role=Role.DEVELOPER,
        sha256="f" * 64,
        team_id=TEAM,
        gateway_id=None,
        expires_at=END,
        at=AT,
        why=WHY,
    )
    row = {
        "name": "ci",
        "role": "DEVELOPER",
        "team_id": TEAM,
        "gateway_id": None,
        "developer_id": None,
        "expires_at": END,
        "version": 1,
        "created_at": AT,
    }
    assert folded(access_token, token) == {("access_token", ACE, ID): row}
    token.revoke(at=END, why=WHY)
    revoked = row | {"version": 2, "revoked_at": END}
    assert folded(access_token, token) == {("access_token", ACE, ID): revoked}
