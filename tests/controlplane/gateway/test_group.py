"""What a gateway group has, against a model that looks at every row at every position."""

import json
from collections.abc import Iterable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.gateway import mirror
from controlplane.gateway.document import delta, snapshot
from controlplane.gateway.group import (
    Group,
    Interval,
    Live,
    View,
    before,
    changes_of,
    difference,
    interval,
    last_change,
    look_through,
    moved,
)
from controlplane.gateway.mirror import Mirror, Served
from domain import config_document, routing
from domain.routing import GROUP, PLAN, PRODUCT, SUBSCRIPTION, VERSION, Body
from tests.given import ACE, AT

GROUP_ID = UUID(int=9)
PRODUCTS, PLANS = [UUID(int=1), UUID(int=2)], [UUID(int=11), UUID(int=12)]
SOLD = {PLANS[0]: PRODUCTS[:1], PLANS[1]: PRODUCTS}
KEYS = [
    *((PRODUCT, str(each)) for each in PRODUCTS),
    *((VERSION, f"{each}-v") for each in PRODUCTS),
    *((PLAN, str(each)) for each in PLANS),
    *((SUBSCRIPTION, f"{plan}-s{nth}") for plan in PLANS for nth in (1, 2)),
]


def body(kind: str, id_: str, revision: int) -> Body:
    owner = id_[:36]
    links: dict[str, dict[str, object]] = {
        PRODUCT: {},
        VERSION: {"product": owner},
        PLAN: {"products": [str(each) for each in SOLD.get(UUID(owner), [])]},
        SUBSCRIPTION: {"plan": owner},
    }
    return {"id": id_, "revision": revision, **links[kind]}


@st.composite
def histories(draw: st.DrawFn) -> list[Interval]:
    """Intervals of rows that open, change, close and open again, one event a position."""
    served = draw(st.sampled_from([[], PRODUCTS[:1], PRODUCTS[1:]]))
    own = routing.group(GROUP_ID, "edge", "live", served, 1)
    # Most rows hold at first, or a random history would hardly ever have a visible subscription.
    begun = draw(st.permutations(KEYS))[: draw(st.integers(6, len(KEYS)))]
    moved = draw(st.lists(st.tuples(st.sampled_from(KEYS), st.booleans()), max_size=25))
    events: list[tuple[tuple[str, str], bool]] = [*((key, True) for key in begun), *moved]
    events.insert(draw(st.integers(0, 8)), ((GROUP, str(GROUP_ID)), True))
    done: list[Interval] = []
    open_now: dict[tuple[str, str], Interval] = {}
    for position, (key, holds) in enumerate(events, 1):
        was = open_now.pop(key, None)
        if was is not None:
            done.append(was._replace(until_position=position))
        if holds:
            row = own if key[0] == GROUP else body(*key, position)
            text = config_document.canonical(row).decode()
            open_now[key] = interval(*key, position, None, text)
    return [*done, *open_now.values()]


def live_at(history: Iterable[Interval], position: int) -> Live:
    return Live(each._replace(until_position=None) for each in history if each.holds_at(position))


def group_of(history: Iterable[Interval]) -> Group:
    return Group(next(each for each in history if each.key[0] == GROUP))


def seen_at(history: Iterable[Interval], group: Group, position: int) -> set[Interval]:
    live = live_at(history, position)
    return {row for row in live.rows.values() if group.has(row, live.rows.get)}


def cursor_at(history: list[Interval], group: Group, position: int) -> int:
    """Return the last position at which a row that was the group's began or ended."""
    for p in range(position, group.from_position, -1):
        began = {each.key for each in seen_at(history, group, p) if each.from_position == p}
        was = {each.key for each in seen_at(history, group, p - 1)}
        ended = {each.key for each in history if each.until_position == p and each.key in was}
        if began or ended:
            return p
    return group.from_position


def between(history: Iterable[Interval], after: int, upto: int) -> list[Interval]:
    """Return what the read model says at `upto` of what began or ended after a position."""
    known = [
        each._replace(until_position=None)
        if each.until_position is not None and each.until_position > upto
        else each
        for each in history
        if each.from_position <= upto
    ]
    return [e for e in known if e.from_position > after or (e.until_position or 0) > after]


def view_at(history: list[Interval], position: int) -> tuple[View, Live]:
    live = live_at(history, position)
    view = View(group_of(history), live)
    look_at = look_through(between(history, 0, position), live)
    ended = between(history, 0, position)
    view.cursor = last_change(view.group, ended, look_at, view.cursor)
    return view, live


positions = st.tuples(st.integers(0, 35), st.integers(0, 35), st.integers(0, 35)).map(sorted)


@given(histories(), positions)
def test_a_snapshot_and_the_delta_from_it_make_the_later_snapshot(
    history: list[Interval], moments: list[int]
) -> None:
    group = group_of(history)
    first, last = group.from_position + moments[0], group.from_position + moments[2]
    earlier, _ = view_at(history, first)
    later, live = view_at(history, last)

    since = between(history, earlier.cursor, last)
    changes = difference(group, live, before(since, earlier.cursor))
    sent = json.loads(delta(later, 1, AT, earlier.cursor, changes).encode())
    held = json.loads(snapshot(earlier, 1, AT).encode())
    wanted = json.loads(snapshot(later, 1, AT).encode())

    assert config_document.content_hash(held) == held["content_hash"]
    if held["cursor"] != wanted["cursor"]:
        assert config_document.apply(held, sent) == wanted
    else:
        assert held == wanted
        assert not changes
    assert config_document.content_hash(wanted) == wanted["content_hash"]


@given(histories(), positions)
def test_a_mirror_that_follows_agrees_with_one_that_is_loaded_anew(
    history: list[Interval], moments: list[int]
) -> None:
    group = group_of(history)
    at = group.from_position + moments[0]
    view, live = view_at(history, at)
    mirror = Mirror(ACE, at, live)
    mirror.served.put(str(GROUP_ID), served := Served(view))

    for moment in moments[1:]:
        upto = group.from_position + moment
        mirror.advance(between(history, mirror.position, upto), upto)
        anew, _ = view_at(history, upto)
        if not mirror.served.values():  # a product ended: whoever asks next has it made
            mirror.served.put(str(GROUP_ID), served := Served(anew))
        assert snapshot(served.view, 1, AT).encode() == snapshot(anew, 1, AT).encode()
        assert served.view.size_bytes == anew.size_bytes
        remembered = mirror.since(at)
        assert remembered is not None
        assert before(remembered, at) == before(between(history, at, upto), at)


@given(histories(), st.integers(0, 35))
def test_the_cursor_is_the_last_position_that_changed_a_row_of_the_group(
    history: list[Interval], moment: int
) -> None:
    group = group_of(history)
    at = group.from_position + moment
    view, _ = view_at(history, at)

    assert view.cursor == cursor_at(history, group, at)
    assert set(view.rows.values()) == seen_at(history, group, at)


@given(histories(), st.integers(0, 20))
def test_the_changes_of_a_group_are_the_positions_that_moved_its_cursor(
    history: list[Interval], moment: int
) -> None:
    group, upto = group_of(history), len(history) * 2
    since = group.from_position + moment
    known = between(history, since, upto)
    look_at = look_through(known, live_at(history, upto))

    found = sorted(changes_of(group, known, look_at, since))

    moved = [at for at in range(since + 1, upto + 1) if cursor_at(history, group, at) == at]
    assert found == moved


@given(histories(), positions)
def test_what_changed_nothing_of_the_group_leaves_its_bytes(
    history: list[Interval], moments: list[int]
) -> None:
    group = group_of(history)
    first, last = group.from_position + moments[0], group.from_position + moments[1]
    (a, _), (b, _) = view_at(history, first), view_at(history, last)

    if a.cursor == b.cursor:
        assert snapshot(a, 1, AT).encode() == snapshot(b, 1, AT).encode()


def test_what_must_be_looked_at_are_also_the_rows_below_a_product_that_came_or_went() -> None:
    group = routing.group(GROUP_ID, "edge", "live", [], 1)
    rows = [(GROUP, str(GROUP_ID), group), *((*key, body(*key, 1)) for key in KEYS)]
    live = Live(
        interval(kind, id_, 1, None, json.dumps(row, sort_keys=True)) for kind, id_, row in rows
    )
    product, last = (PRODUCT, str(PRODUCTS[0])), KEYS[-1]
    row = live.rows[product]

    assert moved({last: live.rows[last]}, live) == 1
    assert moved({product: row}, live) == 1  # it is another, and there as before
    below = 1 + len(live.children(product)) + 2 * len(PLANS)
    assert moved({product: None}, live) == below  # it came
    live.drop(product)
    assert moved({product: row}, live) == below  # it went


def test_a_view_of_which_much_changed_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    group = at_once(GROUP, str(GROUP_ID), routing.group(GROUP_ID, "edge", "live", [], 1))
    rows = [at_once(kind, id_, body(kind, id_, 1)) for kind, id_ in KEYS if kind != PRODUCT]
    following = Mirror(ACE, 1, Live([group, *rows]))
    asked = following.group(str(GROUP_ID), None)
    following.served.put(asked.id, Served(View(asked, following.live)))
    monkeypatch.setattr(mirror, "MOVED", 3)

    product = interval(PRODUCT, str(PRODUCTS[0]), 2, None, json.dumps(body(*KEYS[0], 1)))
    following.advance([product], 2)

    assert not following.served.values()


def at_once(kind: str, id_: str, row: Body) -> Interval:
    return interval(kind, id_, 1, None, config_document.canonical(row).decode())
