"""Every event comes back as it was, from our mapper and from the package's, of any release."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import orjson
import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import register_topic
from hypothesis import given, settings

from controlplane.store.mapper import PackageMapper, to_domain_event, to_stored_event
from domain.aggregate import Aggregate
from domain.api_version import ApiVersion
from domain.events import EVENTS, VALUES
from domain.plan import Plan
from domain.plan_terms import PlanTerms
from domain.price import Price
from domain.subscription import Subscription
from domain.subscription_life import SubscriptionState
from tests.given import AT, WHY
from tests.histories import any_event

RELEASES = sorted(
    Path(__file__).parent.glob("stored_events_*.jsonl"),
    key=lambda path: [int(number) for number in path.stem.split("_")[2:]],
)
PACKAGE = PackageMapper()


def reread(stored: StoredEvent) -> Aggregate.Event:
    return to_domain_event(
        stored.topic, stored.state, UUID(str(stored.originator_id)), stored.originator_version
    )


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.TOPIC)
@settings(max_examples=15)  # of each event: they are made of the same few types
@given(data=st.data())
def test_every_event_survives_storage(kind: type[Aggregate.Event], data: st.DataObject) -> None:
    event = data.draw(any_event(kind))
    ours, theirs = to_stored_event(event), PACKAGE.to_stored_event(event)
    assert ours.topic == kind.TOPIC
    assert ours == theirs
    for stored in (ours, theirs):
        for read in (reread(stored), PACKAGE.to_domain_event(stored)):
            assert read == event
            assert type(read) is kind
            assert typed(read) == typed(event)


def typed(value: object) -> object:
    """Return the types within: 1 == True and Decimal(1) == 1, yet they are not the same."""
    if isinstance(value, UUID):  # the driver's own class is equal to Python's in all that it does
        return UUID, str(value)
    if isinstance(value, dict):
        return {key: typed(held) for key, held in value.items()}
    if isinstance(value, list):
        return [typed(held) for held in value]
    held = getattr(value, "__dict__", None)
    return type(value), typed(held) if held is not None else repr(value)


def test_what_is_stored_is_json_that_people_can_read() -> None:
    terms = PlanTerms(None, None, Price("EUR", Decimal("9.90")), "MANUAL")
    stored = to_stored_event(Plan.VersionPublished(UUID(int=1), 2, AT, WHY, 1, terms))
    assert (stored.topic, stored.originator_id, stored.originator_version) == (
        "plan.version_published",
        UUID(int=1),
        2,
    )
    assert orjson.loads(stored.state) == {
        "timestamp": {"_type_": "datetime_iso", "_data_": "2026-01-01T00:00:00+00:00"},
        "why": WHY,
        "class_version": 3,
        "plan_version": 1,
        "terms": {
            "_type_": "plan_terms",
            "_data_": {
                "rate_limit": None,
                "quota": None,
                "price": {
                    "_type_": "price",
                    "_data_": {
                        "currency": "EUR",
                        "monthly_fee": {"_type_": "decimal_str", "_data_": "9.90"},
                        "charges": [],
                    },
                },
                "approval": "MANUAL",
                "more_rate_limits": [],
                "auth": {
                    "_type_": "auth",
                    "_data_": {
                        "kind": "API_KEY",
                        "issuer": "",
                        "audience": "",
                        "claim": "",
                        "jwks_uri": "",
                    },
                },
                "overrides": [],
                "sla": None,
                "agreement": None,
                "trial_days": 0,
            },
        },
    }


def test_every_value_that_an_event_holds_is_known() -> None:
    assert len({value.NAME for value in VALUES}) == len(VALUES)
    assert {"operation", "upstream", "plan_terms", "rate_limit", "quota", "price", "sealed"} <= {
        value.NAME for value in VALUES
    }


def test_an_unknown_topic_is_refused() -> None:
    with pytest.raises(Exception, match=r"nothing\.happened"):
        to_domain_event("nothing.happened", b"{}", UUID(int=1), 1)


@dataclass(frozen=True)
class Measured(Aggregate.Event):
    """An event of a later release: what was once in seconds is in milliseconds, and signed."""

    TOPIC = "test_mapper.measured"
    class_version = 2
    took_ms: int
    by: str
    at: datetime

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """Bring an event of the first release to today's fields."""
        state["took_ms"] = state.pop("took_s") * 1_000
        state["by"] = "unknown"


register_topic(Measured.TOPIC, Measured)


def test_an_event_of_an_earlier_release_is_brought_up_to_date() -> None:
    earlier = {
        "timestamp": {"_type_": "datetime_iso", "_data_": AT.isoformat()},
        "at": {"_type_": "datetime_iso", "_data_": AT.isoformat()},
        "why": WHY,
        "took_s": 3,
    }
    for state in (earlier, {**earlier, "class_version": 1}):
        event = to_domain_event(Measured.TOPIC, orjson.dumps(state), UUID(int=1), 2)
        assert event == Measured(UUID(int=1), 2, AT, WHY, 3_000, "unknown", AT)


def test_an_event_of_this_release_says_so_and_is_not_upcast() -> None:
    event = Measured(UUID(int=1), 2, AT, WHY, 7, "ada", AT)
    stored = to_stored_event(event)
    assert orjson.loads(stored.state)["class_version"] == 2
    assert stored == PACKAGE.to_stored_event(event)
    assert reread(stored) == event == PACKAGE.to_domain_event(stored)


def rows_of(release: Path) -> list[StoredEvent]:
    rows = [json.loads(line) for line in release.read_text().splitlines()]
    return [
        StoredEvent(UUID(row["id"]), row["version"], row["topic"], row["state"].encode())
        for row in rows
    ]


def version_of(stored: StoredEvent) -> int:
    version: int = orjson.loads(stored.state).get("class_version", 1)
    return version


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_rows_of_every_release_are_replayed(release: Path) -> None:
    aggregates: dict[UUID, Any] = {}
    for stored in rows_of(release):
        event = reread(stored)
        assert event == PACKAGE.to_domain_event(stored)
        id_ = event.originator_id
        aggregates[id_] = event.mutate(aggregates.get(id_))
        assert aggregates[id_].version == stored.originator_version
    subscriptions = [each for each in aggregates.values() if isinstance(each, Subscription)]
    assert [each.state for each in subscriptions] == [
        SubscriptionState.CANCELLED,
        SubscriptionState.REJECTED,
        SubscriptionState.ACTIVE,
        SubscriptionState.REJECTED,
    ]


def test_what_the_first_release_sold_is_sold_by_key_and_enforced_hard() -> None:
    first = [row for row in rows_of(RELEASES[0]) if b'"class_version"' not in row.state]
    terms = [
        event.terms
        for event in map(reread, first)
        if isinstance(event, Plan.VersionDrafted | Plan.VersionPublished)
    ]
    assert len(terms) == 3
    for each in terms:
        again = PlanTerms(each.rate_limit, each.quota, each.price, each.approval)
        assert each == again
        assert vars(each) == vars(again)
        each.check()
        if each.quota:
            assert vars(each.quota)["enforcement"] == "HARD"
        if each.price:
            assert vars(each.price)["charges"] == []
    (version,) = (e for e in map(reread, first) if isinstance(e, ApiVersion.Defined))
    assert version.api == "default"


def test_there_is_a_stored_row_of_every_topic() -> None:
    """A new event, or a new version of one, comes with a row of it in the newest file."""
    kept = {
        (stored.topic, version_of(stored)) for release in RELEASES for stored in rows_of(release)
    }
    versions = {event.TOPIC: getattr(event, "class_version", 1) for event in EVENTS}
    needed = {(topic, n) for topic, last in versions.items() for n in range(1, last + 1)}
    assert needed - kept == set()


def test_today_the_same_events_are_stored_in_the_same_bytes() -> None:
    for stored in rows_of(RELEASES[-1]):
        event = reread(stored)
        if version_of(stored) == getattr(type(event), "class_version", 1):
            assert to_stored_event(event) == stored


def test_instants_come_back_in_utc_and_aware() -> None:
    event = reread(to_stored_event(ApiVersion.Published(UUID(int=1), 2, AT, WHY)))
    assert event.timestamp.tzinfo is UTC
