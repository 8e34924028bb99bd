"""What an agent holds after any history is what the domain says, and never half of a delta."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.gateway.agent.held import ContentHashWrongError, Held
from domain.config_document import apply
from domain.routing import LISTS
from tests.controlplane.gateway.test_tombstones import delta, snapshot

bodies = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2), max_size=4)
"""The rows of a kind by id, with something that changes."""
catalogues = st.fixed_dictionaries(dict.fromkeys(LISTS.values(), bodies))
histories = st.lists(catalogues, min_size=2, max_size=6)


def documents(history: list[dict[str, dict[str, int]]]) -> list[dict[str, Any]]:
    """Return the snapshots of a history, one after the other in an epoch."""
    return [
        snapshot(f"1.{at}", {name: _rows(rows) for name, rows in catalogue.items()})
        for at, catalogue in enumerate(history, 1)
    ]


def _rows(rows: dict[str, int]) -> list[dict[str, Any]]:
    return [{"id": id_, "not_after": None, "keys": [], "n": n} for id_, n in sorted(rows.items())]


@given(histories)
def test_it_holds_what_the_domain_says_after_any_deltas(
    history: list[dict[str, dict[str, int]]],
) -> None:
    said, *later = documents(history)
    held, expected = Held(said), said
    for wanted in later:
        before = {id(row) for rows in held.rows.values() for row in rows.values()}
        received = delta(expected, wanted)
        changes = held.apply(received)
        expected = dict(apply(expected, received))

        assert held.document() == expected
        assert held.content_hash() == wanted["content_hash"]
        # What did not change is the same object, by which renderers know it.
        new = {id(row) for rows in held.rows.values() for row in rows.values()} - before
        assert new == {id(each.after) for each in changes if each.after is not None}


@given(histories, st.data())
def test_a_delta_with_a_row_missing_or_wrong_changes_nothing(
    history: list[dict[str, dict[str, int]]], data: st.DataObject
) -> None:
    first, second = documents(history)[:2]
    received = delta(first, second)
    named = [(name, row) for name in LISTS.values() for row in received[name]]
    if not named:
        return
    name, row = data.draw(st.sampled_from(named))
    others = [each for each in received[name] if each is not row]
    put = data.draw(st.sampled_from([[], [{**row, "n": 3}]]))
    held = Held(first)

    with pytest.raises(ContentHashWrongError):
        held.apply({**received, name: others + put})
    assert held.document() == first
    assert held.content_hash() == first["content_hash"]
    held.apply(received)
    assert held.document() == second


def test_a_version_is_named_by_its_product_and_number() -> None:
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS.values()}
    rows["products"] = [{"id": "p", "slug": "pets"}]
    rows["versions"] = [{"id": "v", "product": "p", "number": "1.0.0"}]
    held = Held(snapshot("1.1", rows))

    assert held.names("version", "v") == {"product": "pets", "number": "1.0.0"}
    assert held.names("version", "gone") == held.names("plan", "v") == {}
