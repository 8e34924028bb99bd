"""Rules that every aggregate and every event keeps."""

import copy
from dataclasses import fields
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from domain.aggregate import Aggregate, First, Why
from domain.events import AGGREGATES, EVENTS
from tests.given import ACE, WHY
from tests.histories import any_event

FIRSTS = {
    aggregate: next(
        event
        for event in EVENTS
        if issubclass(event, First) and event.__qualname__.startswith(f"{aggregate.__name__}.")
    )
    for aggregate in AGGREGATES
}
LATER = [event for event in EVENTS if not issubclass(event, First)]
ROLES = {"role": "OWNER"}  # the only field of a first event that is read into an enumeration


def state(aggregate: Aggregate) -> dict[str, Any]:
    """Return all that an aggregate holds, in a form that no later change reaches."""
    return copy.deepcopy(vars(aggregate))


def begun(aggregate: type[Aggregate], data: st.DataObject) -> Any:
    known = {"originator_topic": aggregate.TOPIC, "originator_version": 1}
    known |= {name: value for name, value in ROLES.items() if aggregate.TOPIC == "access_token"}
    return data.draw(any_event(FIRSTS[aggregate], **known)).mutate(None)


def test_every_aggregate_begins_with_one_kind_of_event() -> None:
    assert set(FIRSTS.values()) == {event for event in EVENTS if issubclass(event, First)}


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda kind: kind.TOPIC)
@given(data=st.data())
def test_an_aggregate_belongs_to_the_organization_of_its_first_event(
    aggregate: type[Aggregate], data: st.DataObject
) -> None:
    why = Why(**{**WHY, "organization": str(ACE)})
    known = {"originator_topic": aggregate.TOPIC, "originator_version": 1, "why": why}
    known |= ROLES if aggregate.TOPIC == "access_token" else {}
    first = data.draw(any_event(FIRSTS[aggregate], **known))
    assert first.mutate(None).organization == str(ACE)


@pytest.mark.parametrize("kind", LATER, ids=lambda kind: kind.TOPIC)
@settings(max_examples=10)  # of each event: what an event assigns does not depend on its values
@given(data=st.data())
def test_changing_a_copy_leaves_the_original(
    kind: type[Aggregate.Event], data: st.DataObject
) -> None:
    (aggregate,) = (each for each in AGGREGATES if kind.TOPIC.startswith(f"{each.TOPIC}."))
    original = begun(aggregate, data)
    before = state(original)
    twin = original.copy()
    for _ in range(2):
        known = {"originator_id": twin.id, "originator_version": twin.version + 1}
        event = data.draw(any_event(kind, **known))
        as_it_was = copy.deepcopy(event)
        event.mutate(twin)
        twin.pending_events.append(event)
        assert event == as_it_was
    assert state(original) == before
    assert twin.version == original.version + 2
    assert original.pending_events == []


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda kind: kind.TOPIC)
@given(data=st.data())
def test_a_copy_is_the_same_without_what_is_pending(
    aggregate: type[Aggregate], data: st.DataObject
) -> None:
    original = begun(aggregate, data)
    original.pending_events.append(data.draw(st.builds(object)))
    twin = original.copy()
    assert twin.pending_events == []
    original.pending_events.clear()
    assert state(twin) == state(original)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.TOPIC)
def test_every_event_says_why(kind: type[Aggregate.Event]) -> None:
    assert "why" in {field.name for field in fields(kind)}
