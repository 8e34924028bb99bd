from datetime import timedelta
from uuid import UUID

import pytest

from domain.aggregate import Why
from domain.subscription import Subscription
from projections import subscription
from tests.given import ACE, AT, WHY
from tests.projections.folded import folded

ID, APPLICATION, TEAM, PLAN = (UUID(int=n) for n in range(1, 5))
LATER, END = AT + timedelta(days=1), AT + timedelta(days=90)


def requested() -> Subscription:
    return Subscription.request(
        ID, application_id=APPLICATION, team_id=TEAM, plan_id=PLAN, plan_version=2, at=AT, why=WHY
    )


def test_a_subscription_is_one_row_of_its_application_team_and_plan() -> None:
    assert folded(subscription, requested()) == {
        ("subscription", ACE, ID): {
            "application_id": APPLICATION,
            "team_id": TEAM,
            "plan_id": PLAN,
            "plan_version": 2,
            "state": "PENDING",
            "comment": "",
            "version": 1,
            "created_at": AT,
            "changed_at": AT,
        }
    }


@pytest.mark.parametrize(
    ("verb", "state"), [("accept", "ACTIVE"), ("reject", "REJECTED"), ("cancel", "CANCELLED")]
)
def test_its_state_follows_what_happens(verb: str, state: str) -> None:
    changed = requested()
    getattr(changed, verb)(at=LATER, why=WHY)
    (row,) = folded(subscription, changed).values()
    assert (row["state"], row["version"]) == (state, 2)
    assert (row["created_at"], row["changed_at"]) == (AT, LATER)


def test_its_end_and_what_was_said_last_follow_whoever_moves_it() -> None:
    changed = requested()
    changed.accept(expires_at=LATER, comment="Welcome", at=AT, why=WHY)
    said = []
    for expires_at, comment in ((END, ""), (None, "For ever"), (LATER, "")):
        changed.schedule_expiry(expires_at, comment=comment, at=AT, why=WHY)
        (row,) = folded(subscription, changed).values()
        said.append((row["expires_at"], row["decision_comment"]))
    assert said == [(END, "Welcome"), (None, "For ever"), (LATER, "For ever")]

    changed.expire(at=LATER, why=WHY)
    changed.reinstate(END, comment="Sorry", at=LATER, why=WHY)
    (row,) = folded(subscription, changed).values()
    assert (row["state"], row["expires_at"], row["decision_comment"]) == ("ACTIVE", END, "Sorry")


def test_what_was_suspended_and_is_reinstated_is_suspended_for_the_same_reason() -> None:
    changed = requested()
    changed.accept(expires_at=LATER, at=AT, why=WHY)
    changed.suspend(at=AT, why=Why(**{**WHY, "reason": "unpaid"}))
    changed.reinstate(None, at=LATER, why=WHY)
    (row,) = folded(subscription, changed).values()
    assert (row["state"], row["suspension_reason"]) == ("SUSPENDED", "unpaid")


def test_each_credential_is_one_row_without_its_hashes() -> None:
    active = requested()
    active.accept(at=AT, why=WHY)
    for key, not_after in (("k1", None), ("k2", END)):
        active.issue_credential(
            key, sha256="a" * 64, sha1="b" * 28, not_after=not_after, at=AT, why=WHY
        )
    active.revoke_credential("k1", at=LATER, why=WHY)
    rows = folded(subscription, active)
    assert rows["subscription", ACE, ID]["version"] == 5
    assert rows["credential", ACE, ID, "k1"] == {
        "label": "",
        "algorithm": "SHA256_HEX",
        "ends_at": None,
        "state": "REVOKED",
        "not_after": None,
        "created_at": AT,
        "changed_at": LATER,
    }
    assert rows["credential", ACE, ID, "k2"] == {
        "label": "",
        "algorithm": "SHA256_HEX",
        "ends_at": END,
        "state": "ACTIVE",
        "not_after": END,
        "created_at": AT,
        "changed_at": AT,
    }
