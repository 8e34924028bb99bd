from uuid import UUID

from domain.application import Application
from projections import application
from tests.given import ACE, AT, WHY
from tests.projections.folded import folded

ID, TEAM = UUID(int=1), UUID(int=2)


def test_an_application_is_one_row_of_its_team() -> None:
    registered = Application.register(ID, team_id=TEAM, name="Shop", at=AT, why=WHY)
    assert folded(application, registered) == {
        ("application", ACE, ID): {
            "team_id": TEAM,
            "name": "Shop",
            "version": 1,
            "created_at": AT,
        }
    }
