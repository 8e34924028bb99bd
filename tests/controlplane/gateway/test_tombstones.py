"""A gateway enforces what it was told, and never again what was taken away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.gateway.agent.held import (
    ContentHashWrongError,
    DocumentOlderError,
    GroupOtherError,
    Held,
)
from controlplane.gateway.agent.kept import TOMBSTONES, Kept
from domain import tombstones
from domain.config_document import DeltaMisfitError, content_hash
from domain.routing import LISTS, Document
from domain.tombstones import Tombstones

AT = datetime(2026, 1, 1, tzinfo=UTC)
SOON, LATER = "2026-01-02T00:00:00+00:00", "2026-02-01T00:00:00+00:00"
Rows = dict[str, list[dict[str, Any]]]


def subscription(id_: str, *keys: str, not_after: str | None = None, **ends: str) -> dict[str, Any]:
    """Return the row of a subscription whose keys end as `ends` says."""
    listed = [{"id": key, "not_after": ends.get(key)} for key in keys]
    return {"id": id_, "not_after": not_after, "keys": listed}


def rows(*subscriptions: dict[str, Any], products: tuple[str, ...] = ("p",)) -> Rows:
    return {
        "products": [{"id": id_} for id_ in sorted(products)],
        "versions": [],
        "plans": [],
        "subscriptions": sorted(subscriptions, key=lambda row: str(row["id"])),
    }


def snapshot(cursor: str, held: Rows, *, confirmed: int = 0, at: datetime = AT) -> dict[str, Any]:
    document = {
        "group": {"id": "g", "confirmed_epoch": confirmed},
        "cursor": cursor,
        "full": True,
        "issued_at": at.isoformat(),
        "max_staleness_s": 60,
        "intentionally_empty": True,
        **held,
    }
    return {**document, "content_hash": content_hash(document)}


def delta(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return how one snapshot leads to another."""
    changed, removed = {}, []
    for kind, name in LISTS.items():
        was = {row["id"]: row for row in before[name]}
        changed[name] = [row for row in after[name] if was.get(row["id"]) != row]
        gone = was.keys() - {row["id"] for row in after[name]}
        removed += [{"kind": kind, "id": id_} for id_ in sorted(gone)]
    return {**after, **changed, "full": False, "since": before["cursor"], "removed": removed}


class Holding:
    """A gateway that holds what it was told last."""

    def __init__(self, document: Document, kept: list[dict[str, Any]] | None = None) -> None:
        self.held = Held(document, None, Tombstones(kept or ()))

    def receive(self, received: Document) -> None:
        if received["full"]:
            self.held = Held(received, self.held)
        else:
            self.held.apply(received)

    @property
    def document(self) -> Document:
        return self.held.document()

    @property
    def tombstones(self) -> list[dict[str, Any]]:
        return self.held.tombstones.kept()

    def enforced(self) -> Document:
        return self.held.enforced()


def said(held: Holding) -> Rows:
    return {name: list(held.enforced()[name]) for name in LISTS.values()}


Way = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
WAYS: list[Way] = [delta, lambda _, after: after]


@pytest.fixture(params=WAYS, ids=["delta", "snapshot"])
def way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


def test_a_delta_changes_only_the_rows_it_names() -> None:
    first = snapshot("1.1", rows(subscription("a", "k1"), subscription("b", "k2")))
    then = snapshot("1.2", rows(subscription("a"), subscription("b", "k2")))
    held = Holding(first)
    untouched = held.document["subscriptions"][1]

    held.receive(delta(first, then))

    assert held.document == then
    assert held.enforced() == then
    assert not held.held.tombstones.in_force(held.held.epoch)
    assert held.document["subscriptions"][1] is untouched


def test_a_key_that_was_revoked_is_not_let_in_by_the_next_epoch(way: Way) -> None:
    first = snapshot("1.1", rows(subscription("a", "k1", "k2")))
    revoked = snapshot("1.2", rows(subscription("a", "k2")))
    held = Holding(first)
    held.receive(way(first, revoked))

    lost = snapshot("2.1", rows(subscription("a", "k1", "k2"), subscription("b", "k3")))
    held.receive(lost)

    assert said(held) == rows(subscription("a", "k2"), subscription("b", "k3"))
    assert held.document == lost  # this is what it acknowledges


def test_what_was_kept_out_is_let_in_once_the_epoch_is_confirmed(way: Way) -> None:
    first = snapshot("1.1", rows(subscription("a", "k1")))
    held = Holding(first)
    held.receive(way(first, snapshot("1.2", rows())))
    lost = snapshot("2.1", rows(subscription("a", "k1")))
    held.receive(lost)
    assert said(held) == rows()

    earlier = snapshot("2.2", rows(subscription("a", "k1")), confirmed=1)
    held.receive(earlier)
    assert said(held) == rows()
    held.receive(snapshot("2.3", rows(subscription("a", "k1")), confirmed=2))

    assert said(held) == rows(subscription("a", "k1"))
    assert held.tombstones == []


def test_tombstones_outlive_several_epochs_and_a_restart(way: Way) -> None:
    first = snapshot("1.1", rows(subscription("a", "k1"), products=("p", "q")))
    held = Holding(first)
    held.receive(way(first, snapshot("1.2", rows(subscription("a", "k1")))))
    second = snapshot("2.1", rows(subscription("a", "k1"), products=("p", "q")))
    held.receive(second)
    held.receive(way(second, snapshot("2.2", rows(subscription("a"), products=("p", "q")))))

    again = Holding(held.document, held.tombstones)
    again.receive(snapshot("3.1", rows(subscription("a", "k1"), products=("p", "q"))))

    assert said(again) == rows(subscription("a"))


def test_what_comes_back_in_the_same_epoch_is_back(way: Way) -> None:
    first = snapshot("1.1", rows(subscription("a", "k1", "k2")))
    suspended = snapshot("1.2", rows())
    resumed = snapshot("1.3", rows(subscription("a", "k2")))
    held = Holding(first)
    held.receive(way(first, suspended))
    held.receive(way(suspended, resumed))
    assert said(held) == rows(subscription("a", "k2"))

    held.receive(snapshot("2.1", rows(subscription("a", "k1", "k2"))))

    # k1 was revoked while the subscription was suspended.
    assert said(held) == rows(subscription("a", "k2"))


def test_what_comes_back_in_a_later_epoch_waits_for_the_confirmation(way: Way) -> None:
    first = snapshot("1.1", rows(subscription("a", "k1")))
    held = Holding(first)
    held.receive(way(first, snapshot("1.2", rows())))
    second = snapshot("2.1", rows())
    held.receive(second)

    held.receive(way(second, snapshot("2.2", rows(subscription("a", "k1")))))

    assert said(held) == rows()


def test_a_key_whose_end_was_drawn_near_ends_then(way: Way) -> None:
    first = snapshot("1.1", rows(subscription("a", "k1", "k2", k2=LATER), subscription("b", "k3")))
    rotated = rows(
        subscription("a", "k1", "k2", k1=SOON, k2=SOON), subscription("b", "k3", not_after=SOON)
    )
    held = Holding(first)
    held.receive(way(first, snapshot("1.2", rotated)))

    held.receive(snapshot("2.1", {name: first[name] for name in LISTS.values()}))

    assert said(held) == rotated


@pytest.mark.parametrize("moved", [LATER, None], ids=["later", "never"])
def test_an_end_that_was_drawn_near_and_moved_away_again_is_where_it_was_put_last(
    way: Way, moved: str | None
) -> None:
    ends = (None, SOON, moved)
    told = [
        snapshot(f"1.{nth}", rows(subscription("a", "k", not_after=end)))
        for nth, end in enumerate(ends)
    ]
    held = Holding(told[0])
    for before, after in pairwise(told):
        held.receive(way(before, after))
        assert said(held)["subscriptions"] == after["subscriptions"]

    held.receive(snapshot("2.1", rows(subscription("a", "k"))))

    assert said(held) == rows(subscription("a", "k", not_after=moved))


def test_the_oldest_tombstones_are_forgotten_first(
    monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    monkeypatch.setattr(tombstones, "TOMBSTONES", 2)
    before = snapshot("1.0", rows(*(subscription(id_) for id_ in "abc")))
    held = Holding(before)
    for nth, left in enumerate(("bc", "c", ""), 1):
        after = snapshot(f"1.{nth}", rows(*(subscription(id_) for id_ in left)))
        held.receive(way(before, after))
        before = after

    assert [each["id"] for each in held.tombstones] == ["b", "c"]


def test_what_is_kept_out_is_the_same_object_as_long_as_its_row_is() -> None:
    first = snapshot("1.1", rows(subscription("a", "k1"), subscription("b")))
    held = Holding(first, [{"kind": "key", "id": "k1", "epoch": 0}])
    before = held.enforced()["subscriptions"]

    held.receive(delta(first, snapshot("1.2", rows(subscription("a", "k1")))))

    assert held.enforced()["subscriptions"][0] is before[0]
    assert before[0]["keys"] == []


@pytest.mark.parametrize("cursor", ["1.4", "1.0"])
def test_an_older_state_of_the_same_epoch_is_refused(cursor: str, way: Way) -> None:
    # Its signature is right, and so would be that of a delta which somebody makes to lead to it.
    now = snapshot("1.5", rows())
    held = Holding(now)
    old = snapshot(cursor, rows(subscription("a", "k1")), at=AT + timedelta(hours=1))
    with pytest.raises(DocumentOlderError):
        held.receive(way(now, old))
    assert said(held) == rows()


def test_an_epoch_of_before_is_believed_only_when_it_is_said_now() -> None:
    held = Holding(snapshot("5.5", rows()))
    with pytest.raises(DocumentOlderError):
        held.receive(snapshot("4.9", rows(subscription("a")), at=AT - timedelta(hours=1)))

    held.receive(snapshot("4.9", rows(subscription("a")), at=AT + timedelta(hours=1)))
    assert held.document["cursor"] == "4.9"


def test_what_does_not_fit_changes_nothing() -> None:
    first = snapshot("1.1", rows(subscription("a", "k1")))
    then = snapshot("1.2", rows(subscription("a")))
    held = Holding(first)
    good = delta(first, then)

    for wrong, error in (
        ({"since": "1.0"}, DeltaMisfitError),
        ({"subscriptions": []}, ContentHashWrongError),
        ({"subscriptions": [subscription("a", "k1", "k2")]}, ContentHashWrongError),
        ({"removed": [{"kind": "product", "id": "p"}]}, ContentHashWrongError),
    ):
        with pytest.raises(error):
            held.receive({**good, **wrong})
        assert held.document == first
        assert held.tombstones == []

    held.receive(good)
    assert held.document == then


def test_another_groups_configuration_is_not_ours(way: Way) -> None:
    before = snapshot("1.1", rows(subscription("a", "k1")))
    held = Holding(before)
    other = snapshot("1.2", rows(subscription("a", "k1", "k2")))
    other["group"] = {"id": "other", "confirmed_epoch": 0}
    other["content_hash"] = content_hash(other)

    with pytest.raises((GroupOtherError, DeltaMisfitError)):
        held.receive(way(before, other))

    assert held.document == before


keys = st.sets(st.sampled_from(["k1", "k2", "k3"]))
states = st.dictionaries(st.sampled_from("abc"), keys)
steps = st.lists(st.tuples(states, st.booleans(), st.booleans()), max_size=8)


@settings(max_examples=300)
@given(states, steps)
def test_whatever_happens_nothing_taken_away_in_an_earlier_epoch_is_enforced(
    first: dict[str, set[str]], then: list[tuple[dict[str, set[str]], bool, bool]]
) -> None:
    def as_rows(state: dict[str, set[str]]) -> Rows:
        # A key belongs to one subscription.
        return rows(
            *(subscription(id_, *(f"{id_}{k}" for k in sorted(state[id_]))) for id_ in state)
        )

    def pairs(document: Any) -> set[tuple[str, str]]:
        return {(row["id"], key["id"]) for row in document["subscriptions"] for key in row["keys"]}

    def by_id(document: Any) -> dict[str, Any]:
        return {row["id"]: row for name in LISTS.values() for row in document[name]}

    epoch, before = 1, snapshot("1.0", as_rows(first))
    held, away, now = Holding(before), set[tuple[str, str]](), pairs(before)
    lost: set[tuple[str, str]] = set()
    for position, (state, raised, as_delta) in enumerate(then, 1):
        epoch += raised
        after = snapshot(f"{epoch}.{position}", as_rows(state))
        if as_delta and not raised:
            enforced = by_id(held.enforced())
            for each in held.held.kept_out(held.held.apply(delta(before, after))):
                assert enforced.pop(each.id, None) is each.before
                enforced |= {each.id: each.after} if each.after else {}
            assert enforced == by_id(held.enforced())
        else:
            held.receive(after)
        if raised:
            lost, away = lost | away, set()
        else:
            away = (away | (now - pairs(after))) - pairs(after)
        before, now = after, pairs(after)
        assert held.document == after
        assert pairs(held.enforced()) <= now - lost


def test_tombstones_are_kept_beside_the_snapshot(tmp_path: Path) -> None:
    first = snapshot("1.1", rows(subscription("a", "k1")))
    held = Holding(first)
    held.receive(snapshot("1.2", rows(subscription("a"))))
    Kept(tmp_path).replace(held.held.document(), held.held.tombstones)

    kept = Kept(tmp_path)
    again = Held(next(kept.documents()), None, kept.tombstones())

    assert again.tombstones.kept() == held.tombstones != []
    for broken in ("{}", "[]", '{"tombstones": [{"x": 1}]}', '{"tombstones": 1}', "no"):
        (tmp_path / TOMBSTONES).write_text(broken)
        assert Kept(tmp_path).tombstones().kept() == []
