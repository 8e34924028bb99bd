from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config_document import (
    ContentHash,
    DeltaMisfitError,
    apply,
    canonical,
    content_hash,
    leaf,
)

GROUP = {"id": "g", "slug": "edge", "environment": "live"}
HEAD: dict[str, Any] = {"group": GROUP, "full": True, "cursor": "1.5"}
EMPTY: dict[str, Any] = {"products": [], "versions": [], "plans": [], "subscriptions": []}
HELD = {**HEAD, **EMPTY, "products": [{"id": "a"}, {"id": "c"}], "subscriptions": [{"id": "a"}]}
DELTA = {**HEAD, **EMPTY, "full": False, "cursor": "1.9", "since": "1.5", "removed": []}
leaves = st.binary(min_size=32, max_size=32)


def test_a_delta_adds_changes_and_removes_rows_and_keeps_their_order() -> None:
    received = {
        **DELTA,
        "products": [{"id": "b"}, {"id": "c", "slug": "new"}],
        "removed": [{"kind": "product", "id": "a"}, {"kind": "plan", "id": "never there"}],
    }

    assert apply(HELD, received) == {
        **HELD,
        "cursor": "1.9",
        "products": [{"id": "b"}, {"id": "c", "slug": "new"}],
    }


def test_a_snapshot_replaces_whatever_was_there() -> None:
    other = {**HEAD, **EMPTY, "cursor": "2.1"}

    assert apply(HELD, other) == other


@pytest.mark.parametrize(
    "received", [{**DELTA, "since": "1.4"}, {**DELTA, "group": {**GROUP, "id": "another"}}]
)
def test_a_delta_from_elsewhere_is_refused(received: dict[str, Any]) -> None:
    with pytest.raises(DeltaMisfitError):
        apply(HELD, received)


def test_the_hash_is_computed_as_it_is_published() -> None:
    rows = [(b"group", canonical(GROUP)), *((b"product", b'{"id":"%c"}' % id_) for id_ in b"ac")]
    digests = [sha256(kind + b"\n" + row).digest() for kind, row in rows]
    digests.append(sha256(b'subscription\n{"id":"a"}').digest())
    buckets = [
        sha256(b"".join(sorted(d for d in digests if d[0] == n))).digest() for n in range(256)
    ]

    assert content_hash(HELD) == sha256(b"".join(buckets)).hexdigest()


def test_the_hash_tells_kinds_and_groups_apart() -> None:
    moved = {**HELD, "subscriptions": [], "plans": HELD["subscriptions"]}
    elsewhere = {**HELD, "group": {**GROUP, "environment": "test"}}

    assert len({content_hash(each) for each in (HELD, moved, elsewhere)}) == 3


def test_names_are_sorted_before_a_row_is_hashed() -> None:
    assert canonical({"b": "é", "a": [1, None]}) == '{"a":[1,null],"b":"é"}'.encode()
    assert leaf("plan", b"{}") == sha256(b"plan\n{}").digest()


@given(st.sets(leaves), st.sets(leaves))
def test_a_hash_that_follows_changes_is_the_hash_of_the_result(
    first: set[bytes], then: set[bytes]
) -> None:
    followed = ContentHash(first)
    followed.hexdigest()
    for each in first - then:
        followed.remove(each)
    for each in then - first:
        followed.add(each)

    assert followed.hexdigest() == ContentHash(then).hexdigest()
