from uuid import UUID

from domain.developer import Developer
from domain.sealed import Sealed
from tests.given import AT, WHY

ID, TEAM = UUID(int=1), UUID(int=2)
NAME, MAIL = Sealed(str(ID), "bmFtZQ=="), Sealed(str(ID), "bWFpbA==")


def test_a_developer_joins_a_team_under_sealed_names() -> None:
    developer = Developer.register(ID, team_id=TEAM, name=NAME, mail=MAIL, at=AT, why=WHY)
    assert developer.pending_events == [
        Developer.Registered(ID, 1, AT, "developer", WHY, TEAM, NAME, MAIL)
    ]
