"""An invitation is used once, in time, unless it was taken back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.developer import TeamRole
from domain.invitation import (
    Invitation,
    InvitationExpiryPastError,
    InvitationNotDueError,
    InvitationNotOpenError,
    InvitationState,
    effective,
)
from domain.sealed import Sealed
from tests.given import AT, WHY

ID, TEAM, PERSON = UUID(int=1), UUID(int=2), UUID(int=3)
MAIL = Sealed(str(PERSON), "bWFpbA==")
END = AT + timedelta(days=1)


def sent(expires_at: datetime = END) -> Invitation:
    return Invitation.send(
        ID,
        team_id=TEAM,
        developer_id=PERSON,
        mail=MAIL,
        role=TeamRole.ADMIN,
        sha256="f" * 64,
        expires_at=expires_at,
        at=AT,
        why=WHY,
    )


def test_an_invitation_names_who_is_to_come_and_until_when() -> None:
    (event,) = sent().pending_events
    assert event == Invitation.Sent(
        ID, 1, AT, "invitation", WHY, TEAM, PERSON, MAIL, "ADMIN", "f" * 64, END
    )


@pytest.mark.parametrize("first", ["accept", "revoke"])
@pytest.mark.parametrize(("second", "about"), [("accept", "token"), ("revoke", "invitation_id")])
def test_an_invitation_that_is_over_stays_so(first: str, second: str, about: str) -> None:
    invitation = sent()
    getattr(invitation, first)(at=AT, why=WHY)
    with pytest.raises(InvitationNotOpenError) as refused:
        getattr(invitation, second)(at=AT, why=WHY)
    assert refused.value.about == about


@pytest.mark.parametrize("verb", ["accept", "revoke"])
def test_an_invitation_expires_by_the_clock(verb: str) -> None:
    getattr(sent(), verb)(at=END - timedelta(microseconds=1), why=WHY)
    with pytest.raises(InvitationNotOpenError):
        getattr(sent(), verb)(at=END, why=WHY)
    assert effective(InvitationState.OPEN, END, END) is InvitationState.EXPIRED
    assert effective(InvitationState.ACCEPTED, END, END) is InvitationState.ACCEPTED


def test_that_its_time_is_over_is_recorded_once_and_not_before() -> None:
    invitation = sent()
    with pytest.raises(InvitationNotDueError):
        invitation.expire(at=END - timedelta(microseconds=1), why=WHY)
    invitation.expire(at=END, why=WHY)
    assert invitation.pending_events[-1] == Invitation.Expired(ID, 2, END, WHY)
    with pytest.raises(InvitationNotDueError):
        invitation.expire(at=END, why=WHY)
    with pytest.raises(InvitationNotOpenError):  # by a clock that is behind
        invitation.accept(at=AT, why=WHY)


@pytest.mark.parametrize("expires_at", [AT, datetime.max.replace(tzinfo=UTC)])
def test_an_invitation_ends_in_the_future_and_in_the_calendar(expires_at: datetime) -> None:
    with pytest.raises(InvitationExpiryPastError) as refused:
        sent(expires_at)
    assert refused.value.about == "expires_at"
