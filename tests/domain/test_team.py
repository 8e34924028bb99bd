from uuid import UUID

import pytest

from domain.team import Team
from domain.text import LabelInvalidError
from tests.given import AT, WHY

ID = UUID(int=1)


def test_a_team_comes_together_under_a_name() -> None:
    team = Team.form(ID, name="Payments", at=AT, why=WHY)
    assert team.pending_events == [Team.Formed(ID, 1, AT, "team", WHY, "Payments")]


def test_a_team_has_a_name() -> None:
    with pytest.raises(LabelInvalidError):
        Team.form(ID, name="", at=AT, why=WHY)


def test_a_team_gets_another_name() -> None:
    team = Team.form(ID, name="Payments", at=AT, why=WHY)
    team.rename(" Billing ", at=AT, why=WHY)
    assert team.pending_events[-1] == Team.Renamed(ID, 2, AT, WHY, "Billing")
    with pytest.raises(LabelInvalidError):
        team.rename("", at=AT, why=WHY)
