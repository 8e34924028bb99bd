"""What a process keeps for gateways: never forgotten is what was just made, or is in use."""

from dataclasses import dataclass

import pytest

from controlplane.gateway import recent
from controlplane.gateway.recent import NoRoomError, Recent


@dataclass
class Thing:
    in_use: bool = False


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "IDLE", 2)
    monkeypatch.setattr(recent, "IN_USE", 3)


@pytest.fixture
def kept() -> Recent[str, Thing]:
    return Recent("things")


def put(kept: Recent[str, Thing], names: str, *, in_use: bool = False) -> list[Thing]:
    things = [Thing(in_use) for _ in names]
    for name, thing in zip(names, things, strict=True):
        kept.put(name, thing)
    return things


def test_what_was_asked_for_longest_ago_is_forgotten(kept: Recent[str, Thing]) -> None:
    a, _ = put(kept, "ab")
    kept.get("a")
    (c,) = put(kept, "c")
    assert kept.values() == [a, c]


def test_what_is_in_use_stays_and_so_does_the_newest(kept: Recent[str, Thing]) -> None:
    used = put(kept, "ab", in_use=True)
    (c,) = put(kept, "c")
    assert kept.values() == [*used, c]


def test_what_is_asked_for_counts_as_in_use(kept: Recent[str, Thing]) -> None:
    put(kept, "a", in_use=True)
    with kept.asking("b"), kept.asking("b"):
        put(kept, "bc")
        assert kept.get("b")
    put(kept, "d")
    assert [kept.get(name) is not None for name in "abcd"] == [True, False, False, True]


def test_without_room_another_is_refused_until_one_is_used_no_more(
    kept: Recent[str, Thing],
) -> None:
    things = put(kept, "abc", in_use=True)
    with pytest.raises(NoRoomError, match="3 things"):
        put(kept, "d")
    things[1].in_use = False
    (d,) = put(kept, "d", in_use=True)
    assert kept.values() == [things[0], things[2], d]


def test_only_what_is_kept_is_dropped(kept: Recent[str, Thing]) -> None:
    (a,) = put(kept, "a")
    kept.drop("a", Thing())
    assert kept.holds("a", a)
    kept.drop("a", a)
    kept.drop("a", a)
    assert kept.get("a") is None
