from uuid import UUID

import pytest

from domain.reservation import AlreadyTakenError, Reservation
from tests.given import ACE, AT, BAD, WHY

HOLDER = UUID(int=7)


def test_a_reservation_remembers_its_holder_and_not_the_value() -> None:
    stream = Reservation.stream(str(ACE), "mail", "ada@example.com")
    taken = Reservation.take(stream, kind="mail", holder_id=HOLDER, at=AT, why=WHY)
    assert taken.pending_events == [
        Reservation.Taken(stream, 1, AT, "reservation", WHY, "mail", HOLDER)
    ]
    assert "ada" not in repr(taken.pending_events).replace("'actor': 'ada'", "")


def test_a_value_is_one_stream_of_its_organization_and_kind() -> None:
    streams = {
        Reservation.stream(str(organization), kind, value)
        for organization in (ACE, BAD)
        for kind in ("product", "plan")
        for value in ("pets", "toys")
    }
    assert len(streams) == 8
    # For ever: another id would let a value be taken a second time.
    assert Reservation.stream("o", "product", "pets") == UUID(
        "3f3af164-27e1-52ae-97c5-a61c8daa3242"
    )


def test_a_value_that_was_released_is_reused() -> None:
    taken = Reservation.take(UUID(int=1), kind="keyless", holder_id=HOLDER, at=AT, why=WHY)
    with pytest.raises(AlreadyTakenError):
        taken.reuse(UUID(int=8), at=AT, why=WHY)
    taken.release(at=AT, why=WHY)
    taken.release(at=AT, why=WHY)
    taken.reuse(UUID(int=8), at=AT, why=WHY)

    assert taken.holder_id == UUID(int=8)
    assert len(taken.pending_events) == 3
