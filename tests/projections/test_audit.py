from uuid import UUID

from domain.aggregate import Why
from domain.events import EVENTS
from domain.reservation import Reservation
from domain.team import Team
from projections import audit
from tests.given import ACE, AT, BAD, WHY
from tests.projections.folded import folded

ID, OTHER = UUID(int=1), UUID(int=2)


def test_every_event_is_one_row_of_the_organization_it_happened_in() -> None:
    theirs = Why(**{**WHY, "organization": str(BAD), "actor": "eve"})
    team = Team.form(ID, name="Payments", at=AT, why=WHY)
    taken = Reservation.take(OTHER, kind="product", holder_id=ID, at=AT, why=theirs)
    assert folded(audit, team, taken) == {
        ("audit", ACE, 1): {
            "noun": "team",
            "noun_id": ID,
            "noun_version": 1,
            "event": "team.formed",
            "actor": "ada",
            "at": AT,
        },
        ("audit", BAD, 2): {
            "noun": "reservation",
            "noun_id": OTHER,
            "noun_version": 1,
            "event": "reservation.taken",
            "actor": "eve",
            "at": AT,
        },
    }


def test_no_event_is_left_out() -> None:
    assert set(audit.EVENTS) == set(EVENTS)
