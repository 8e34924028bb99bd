from uuid import UUID

from domain.developer import Developer
from domain.sealed import Sealed
from domain.team import Team
from projections import team
from tests.given import ACE, AT, WHY
from tests.projections.folded import folded

TEAM, ADA = UUID(int=1), UUID(int=2)
NAME, MAIL = Sealed(str(ADA), "bmFtZQ=="), Sealed(str(ADA), "bWFpbA==")


def test_teams_and_developers_are_rows_and_what_is_sealed_stays_so() -> None:
    payments = Team.form(TEAM, name="Payments", at=AT, why=WHY)
    ada = Developer.register(ADA, team_id=TEAM, name=NAME, mail=MAIL, at=AT, why=WHY)
    rows = folded(team, payments, ada)
    assert rows["team", ACE, TEAM] == {"name": "Payments", "version": 1, "created_at": AT}
    row = rows["developer", ACE, ADA]
    assert (row["team_id"], row["version"], row["created_at"]) == (TEAM, 1, AT)
    assert (team.sealed(str(row["name"])), team.sealed(str(row["mail"]))) == (NAME, MAIL)
