from uuid import UUID

import pytest

from domain.organization import (
    Organization,
    RegistrationClosedError,
    RegistrationOpenError,
)
from domain.text import LabelInvalidError, SlugInvalidError
from tests.given import ACE, AT, WHY


def established(slug: str = "ace", name: str = "Ace Inc.") -> Organization:
    return Organization.establish(ACE, slug=slug, name=name, at=AT, why=WHY)


def test_an_organization_belongs_to_itself() -> None:
    assert established().pending_events == [
        Organization.Established(ACE, 1, AT, "organization", WHY, "ace", "Ace Inc.")
    ]
    assert UUID(established().organization) == ACE


def test_an_organization_has_a_slug_and_a_name() -> None:
    with pytest.raises(SlugInvalidError):
        established(slug="a.b")
    with pytest.raises(LabelInvalidError):
        established(name="")


def test_visitors_register_only_while_registration_is_open() -> None:
    organization = established()
    for _ in range(2):
        with pytest.raises(RegistrationClosedError):
            organization.require_registration()
        with pytest.raises(RegistrationClosedError):
            organization.close_registration(at=AT, why=WHY)
        organization.open_registration(at=AT, why=WHY)
        organization.require_registration()
        with pytest.raises(RegistrationOpenError):
            organization.open_registration(at=AT, why=WHY)
        organization.close_registration(at=AT, why=WHY)
