from domain.organization import Organization
from projections import organization
from tests.given import ACE, AT, WHY
from tests.projections.folded import folded


def test_an_organization_is_a_row_of_itself() -> None:
    established = Organization.establish(ACE, slug="ace", name="Ace Inc.", at=AT, why=WHY)
    assert folded(organization, established) == {
        ("organization", ACE, ACE): {
            "slug": "ace",
            "name": "Ace Inc.",
            "registration_open": False,
            "version": 1,
            "created_at": AT,
        }
    }
