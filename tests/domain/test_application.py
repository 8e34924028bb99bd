from uuid import UUID

import pytest

from domain.application import Application
from domain.text import LabelInvalidError
from tests.given import AT, WHY

ID, TEAM = UUID(int=1), UUID(int=2)


def test_an_application_belongs_to_its_team() -> None:
    application = Application.register(ID, team_id=TEAM, name=" App ", at=AT, why=WHY)
    assert application.pending_events == [
        Application.Registered(ID, 1, AT, "application", WHY, TEAM, "App")
    ]
    assert application.team_id == TEAM


def test_an_application_has_a_name() -> None:
    with pytest.raises(LabelInvalidError):
        Application.register(ID, team_id=TEAM, name="a\nb", at=AT, why=WHY)


def test_an_application_gets_another_name() -> None:
    application = Application.register(
        UUID(int=1), team_id=UUID(int=2), name="Shop", at=AT, why=WHY
    )
    application.rename("Store", at=AT, why=WHY)
    assert application.pending_events[-1] == Application.Renamed(UUID(int=1), 2, AT, WHY, "Store")
    with pytest.raises(LabelInvalidError):
        application.rename("", at=AT, why=WHY)
