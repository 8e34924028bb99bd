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
